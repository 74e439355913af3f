// Elements. Whatever was logged becomes text, never markup: nothing here takes HTML.

/** An element with attributes and children; a child that is no element becomes text. */
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

function replace(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

function section(id, title, ...children) {
  return h('section', { id, 'aria-labelledby': id + '-title' }, h('h2', { id: id + '-title' }, title), children);
}

/** What stands where there is nothing to show, and why. */
function empty(...text) {
  return h('p', { class: 'empty' }, text);
}

function note(...text) {
  return h('p', { class: 'note' }, text);
}

/** A choice of one; `choices` are [value, label]. */
function choice(label, choices, chosen, change) {
  const select = h('select', { onchange: () => change(select.value) },
    choices.map(([value, text]) => h('option', { value, selected: value === chosen }, text)));
  return h('label', { class: 'choice' }, h('span', null, label), select);
}

/**
 * A table that sorts by a click on a heading.
 * columns: {name, title, left, long, value(row), cell(row)}: `value` is sorted by, `cell` is shown; only what is
 * long is broken into lines.
 */
function table(caption, columns, rows, options) {
  const body = h('tbody');
  let order = { column: null, down: false };
  const fill = () => {
    const sorted = [...rows];
    if (order.column) {
      const value = order.column.value;
      sorted.sort((a, b) => compare(value(a), value(b)) * (order.down ? -1 : 1));
    }
    replace(body, sorted.map((row) => tableRow(columns, row, 'td')));
  };
  const heads = columns.map((column) => {
    if (!column.value || rows.length < 2) {
      return h('th', { scope: 'col', class: lean(column), title: column.title }, column.name);
    }
    const head = h('th', { scope: 'col', class: lean(column), title: column.title });
    head.append(h('button', {
      type: 'button',
      onclick: () => {
        order = { column, down: order.column === column ? !order.down : !column.left };
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', order.down ? 'descending' : 'ascending');
        fill();
      },
    }, column.name));
    return head;
  });
  fill();
  const foot = options && options.foot;
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', null, h('caption', { class: options && options.showCaption ? null : 'unseen' }, caption),
      h('thead', null, h('tr', null, heads)), body,
      foot && h('tfoot', null, foot.map((cells) => h('tr', { class: cells.kind },
        cells.map((cell, i) => h(i ? 'td' : 'th', { class: lean(columns[i]), scope: i ? null : 'row' }, cell)))))));
}

function tableRow(columns, row, tag) {
  return h('tr', null, columns.map((column) => h(tag, { class: lean(column) }, column.cell(row))));
}

function lean(column) {
  return (column.left ? 'left' : 'right') + (column.long ? ' long' : '');
}

/** What is not there comes last either way round. */
function compare(a, b) {
  const [no, nor] = [a === null || a === undefined, b === null || b === undefined];
  if (no || nor) return no - nor;
  return typeof a === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
}

/** A column of long text, one of short text, one of moments, and one of numbers. */
function prose(name, of) {
  return { name, left: true, long: true, value: of, cell: of };
}

function when(name, of) {
  return { name: name + ' (UTC)', left: true, value: of, cell: (row) => moment(of(row)) };
}

function text(name, of, title) {
  return { name, title, left: true, value: of, cell: of };
}

function number(name, of, written, title) {
  return { name, title, value: of, cell: (row) => written(of(row)) };
}
