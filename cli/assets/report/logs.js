// What was said: how much, by whom, and every warning and error.

const MOST_SHOWN = 200;
const SEVERITIES = [['errors', '--bad'], ['warnings', '--warn'], ['others', '--other']];

/** Lines over time, stacked: errors, warnings, others. */
function volume(run) {
  const suffix = report.runs.length > 1 ? ` of ${run.label}` : '';
  const root = section('volume' + run.index, 'Log lines' + suffix);
  if (!run.sources.length) {
    root.append(empty('This log holds no records.'));
    return root;
  }
  const steer = h('div', { class: 'steer' });
  const body = h('div');
  let chart = null;
  let only = '';
  const draw = () => {
    if (chart) chart.destroy();
    replace(body);
    const volumes = run.volumes.filter((each) => only === '' || each.component === only);
    chart = new Chart(body, { title: 'Log lines', unit: 'per ' + lasted(widest(volumes)), height: 140, lines: stacked(volumes), bands: bandsOf(run, { workload: '', kind: 'requests', elapsed: false }).filter((band) => band.lane === 0), bars: true, sync: 'volume' + run.index, written: digits, ticks: short });
    body.append(legendOf());
  };
  if (run.volumes.length > 1) {
    steer.append(choice('Component', [['', 'all'], ...run.volumes.map((each) => [each.component, each.component])], '', (value) => { only = value; draw(); }));
  }
  root.append(steer, body, sources(run));
  root.start = () => run.volumes.length && draw();
  return root;
}

function legendOf() {
  return h('div', { class: 'legend' }, SEVERITIES.map(([name, colour]) => h('span', { class: 'key' }, swatch({ colour }), name)));
}

/** Milliseconds: a width that the report uses, for about a hundred bars. */
function widest(volumes) {
  const from = Math.min(...volumes.map((each) => each.start));
  const to = Math.max(...volumes.map((each) => each.start + (each.at[each.at.length - 1] + 1) * each.width));
  const least = Math.max(...volumes.map((each) => each.width), (to - from) / 120);
  return report.widths.find((width) => width >= least) || report.widths[report.widths.length - 1];
}

/** All components at one width; each line is what stands below it and its own, drawn from the highest. */
function stacked(volumes) {
  const width = widest(volumes);
  const sums = new Map();
  for (const each of volumes) {
    each.at.forEach((at, i) => {
      const bucket = Math.floor((each.start + at * each.width) / width);
      const sum = sums.get(bucket) || [0, 0, 0];
      each.lines[i].forEach((lines, which) => { sum[which] += lines; });
      sums.set(bucket, sum);
    });
  }
  const buckets = [...sums.keys()].sort((a, b) => a - b);
  const xs = buckets.map((bucket) => (bucket + 0.5) * width / 1000);
  return [2, 1, 0].map((which) => ({
    label: SEVERITIES[which][0], colour: SEVERITIES[which][1], xs, step: width / 1000,
    ys: buckets.map((bucket) => sums.get(bucket).slice(0, which + 1).reduce((a, b) => a + b, 0)),
    more: buckets.map((bucket) => count(sums.get(bucket)[which])),
  }));
}

function sources(run) {
  const level = (name) => report.levels.indexOf(name);
  const shown = report.levels.filter((name) => run.sources.some((row) => row.levels[level(name)]));
  return table('Components and hosts', [
    text('component', (row) => row.component), text('host', (row) => row.host),
    ...shown.map((name) => number(name, (row) => row.levels[level(name)], count)),
    number('measurements', (row) => row.measurements, count, 'requests, iterations, checks, metrics, summaries'),
    when('first', (row) => row.span && row.span[0]), when('last', (row) => row.span && row.span[1]),
  ], [...run.sources].sort((a, b) => b.levels[0] + b.levels[1] - a.levels[0] - a.levels[1]));
}

/** Everything of an entry that a search may look for. */
function haystack(run, entry) {
  const parts = [run.label, entry.level, entry.component, entry.logger, entry.event_type];
  for (const example of entry.examples) {
    parts.push(example.message, example.host, example.workload, clock(example.at));
    for (const [name, value] of example.tags) parts.push(name + '=' + value);
  }
  return parts.join('\n').toLowerCase();
}

/** Warnings and errors of all runs, searched and filtered. */
function messages(report) {
  const all = report.runs.flatMap((run) => run.messages.map((entry) => ({ run, entry, text: haystack(run, entry) })));
  const errors = (item) => item.entry.level !== 'WARNING';
  all.sort((a, b) => errors(b) - errors(a) || a.entry.first - b.entry.first);
  const root = section('messages', 'Warnings and errors');
  const out = report.runs.reduce(([e, w], run) => [e + run.messages_left_out[0], w + run.messages_left_out[1]], [0, 0]);
  if (!all.length) {
    root.append(empty('Nothing of level WARNING or above was recorded.'));
    return root;
  }
  const list = h('ol', { class: 'messages' });
  const told = h('p', { class: 'told', role: 'status' });
  const more = h('button', { type: 'button', class: 'again', onclick: () => { limit += 500; fill(); } });
  const search = h('input', { type: 'search', id: 'search', placeholder: 'words, all of which must occur', autocomplete: 'off', spellcheck: 'false', oninput: () => { limit = MOST_SHOWN; fill(); } });
  const wanted = { level: '', component: '', event_type: '' };
  let limit = MOST_SHOWN;
  const values = (name) => [['', 'all'], ...[...new Set(all.map((item) => item.entry[name]))].sort().map((value) => [value, value])];
  const filters = [['level', 'Level'], ['component', 'Component'], ['event_type', 'Kind']].filter(([name]) => values(name).length > 2)
    .map(([name, label]) => choice(label, values(name), '', (value) => { wanted[name] = value; limit = MOST_SHOWN; fill(); }));
  const fill = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((item) => Object.entries(wanted).every(([name, value]) => value === '' || item.entry[name] === value) && words.every((word) => item.text.includes(word)));
    const records = found.reduce((sum, item) => sum + item.entry.count, 0);
    replace(list, found.slice(0, limit).map((item) => messageItem(report, item, words)));
    replace(told, found.length ? `${counted(records, 'record')} in ${counted(found.length, 'entry', 'entries')}` : 'Nothing found: take other words, or other filters.');
    more.hidden = found.length <= limit;
    replace(more, `Show more of ${count(found.length)}`);
  };
  root.append(h('div', { class: 'steer' }, h('label', { class: 'choice wide' }, h('span', null, 'Search'), search), filters), told, list, more,
    note('Records whose messages differ in numbers only are one entry; the first of them are kept in full and are what is searched. ',
      out[0] + out[1] > 0 ? `Beyond what a report holds, ${counted(out[0], 'error')} and ${counted(out[1], 'warning')} of yet other wordings are not here: ` : 'All of them: ',
      h('code', null, 'lb logs RUN --level WARNING'), '.'));
  fill();
  return root;
}

function messageItem(report, { run, entry }, words) {
  const [first] = entry.examples;
  const days = moment(entry.first).slice(0, 10) !== moment(entry.last).slice(0, 10);
  const when = (ms) => (days ? moment(ms) : clock(ms).slice(0, 8));
  const span = entry.count > 1 && entry.last - entry.first >= 1000 ? `${when(entry.first)} – ${when(entry.last)}` : when(entry.first);
  const from = [report.runs.length > 1 && run.label, entry.component, entry.event_type !== 'log' && entry.event_type, named(entry.workloads)].filter(Boolean).join(' · ');
  const details = h('details', { class: 'entry ' + entry.level.toLowerCase() },
    h('summary', null,
      h('span', { class: 'level' }, entry.level),
      h('span', { class: 'when' }, span),
      h('span', { class: 'message' }, marked(firstLine(first.message), words)),
      entry.count > 1 && h('span', { class: 'times' }, count(entry.count) + NBSP + '×'),
      h('span', { class: 'from' }, from)));
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(examples(entry, words));
  });
  return h('li', null, details);
}

/** Workloads that an entry occurred in, where they say something. */
function named(workloads) {
  const names = workloads.filter((name) => name !== 'none');
  return names.length > 3 ? 'several workloads' : names.join(', ');
}

function firstLine(message) {
  const line = message.split('\n', 1)[0];
  return line.length > 300 ? line.slice(0, 300) + '…' : line;
}

function examples(entry, words) {
  const left = entry.count - entry.examples.length;
  return h('div', { class: 'examples' }, entry.examples.map((example, i) => h('div', { class: 'example' },
    h('div', { class: 'head' }, `${moment(example.at)}${clock(example.at).slice(8)} UTC · ${example.host} · ${example.workload} · repetition ${example.repetition} · ${entry.logger}`),
    // What is said again and again is read once.
    (i === 0 || example.message !== entry.examples[i - 1].message) && h('pre', null, marked(example.message, words)),
    example.tags.length > 0 && h('dl', null, example.tags.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, marked(value, words))))))),
  left > 0 && note(`${counted(left, 'more record')} of this entry, the last at ${moment(entry.last)}.`));
}

/** A text with the words that were searched for marked. */
function marked(content, words) {
  if (!words.length) return content;
  const lower = content.toLowerCase();
  const pieces = [];
  let at = 0;
  // Characters whose lower case is longer would shift the marks.
  while (lower.length === content.length && at < content.length) {
    let [next, length] = [-1, 0];
    for (const word of words) {
      const found = lower.indexOf(word, at);
      if (found >= 0 && (next < 0 || found < next)) [next, length] = [found, word.length];
    }
    if (next < 0) break;
    pieces.push(content.slice(at, next), h('mark', null, content.slice(next, next + length)));
    at = next + length;
  }
  pieces.push(content.slice(at));
  return pieces;
}
