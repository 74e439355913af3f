// Charts over time, by uPlot: a group of them shares its x axis, cursor and zoom.

const PALETTE = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7', '--c8'];
const DASHES = [[], [8, 4], [3, 3], [10, 3, 3, 3]];
const AXIS_WIDTH = 68;
const LANE = 17;
// Seconds between two ticks.
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000];
const charts = new Set();

function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * One chart.
 * given: {title, unit, height, lines, bands, elapsed, log, bars, sync, written(value), ticks(value)}
 * lines: {label, colour (its name), dash, xs, ys, visible, width}; xs ascend, in seconds
 * bands: {start, end, label, lane, colour}: the first lane shades the plot, lane -1 does nothing else
 */
class Chart {
  constructor(parent, given) {
    this.given = given;
    this.tip = h('div', { class: 'tip', hidden: true });
    this.said = h('div', { class: 'unseen', 'aria-live': 'polite' });
    this.box = h('div', {
      class: 'plot', tabindex: 0, role: 'img', 'aria-label': describe(given),
      onkeydown: (event) => this.key(event), onblur: () => this.leave(),
    });
    this.root = h('figure', { class: 'chart' },
      h('figcaption', null, given.title, h('span', { class: 'unit' }, given.unit)), this.box, this.said);
    this.box.append(this.tip);
    parent.append(this.root);
    this.draw();
    charts.add(this);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.box);
  }

  destroy() {
    charts.delete(this);
    this.watch.disconnect();
    this.plot.destroy();
    this.root.remove();
  }

  lanes() {
    return this.given.bands ? Math.max(-1, ...this.given.bands.map((band) => band.lane)) + 1 : 0;
  }

  size() {
    return { width: Math.max(200, this.box.clientWidth), height: this.given.height + this.lanes() * LANE };
  }

  resize() {
    const { width, height } = this.size();
    if (this.plot.width !== width) this.plot.setSize({ width, height });
  }

  draw() {
    if (this.plot) this.plot.destroy();
    const { lines, elapsed, log, bars } = this.given;
    this.data = lines.length ? uPlot.join(lines.map((line) => [line.xs, line.ys])) : [[0], [null]];
    const values = (u, ticks) => ticks.map((tick) => (tick === null ? '' : this.given.ticks(tick)));
    const axis = { stroke: themed('--muted'), grid: { stroke: themed('--grid'), width: 1 }, ticks: { stroke: themed('--grid'), width: 1 }, font: '12px system-ui, sans-serif' };
    const options = {
      ...this.size(),
      padding: [8 + this.lanes() * LANE, 12, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      cursor: { sync: { key: this.given.sync, scales: ['x', null] }, drag: { x: true, y: false }, points: { size: 6 }, focus: { prox: 24 } },
      scales: { x: { time: !elapsed, ...(bars ? { range: (u, min, max) => [min - lines[0].step / 2, max + lines[0].step / 2] } : {}) }, y: { distr: log ? 3 : 1, range: log ? logRange : fromZero } },
      axes: [
        { ...axis, ...(elapsed ? { values: (u, ticks) => ticks.map(since) } : { values: clockTicks }), incrs: STEPS, space: 62, size: 34 },
        { ...axis, size: AXIS_WIDTH, values, space: 34, ...(log ? { filter: logTicks } : {}) },
      ],
      series: [{}, ...(lines.length ? lines : [{ label: '', visible: false }]).map((line) => ({
        label: line.label,
        show: line.visible !== false,
        stroke: line.colour && themed(line.colour),
        fill: bars && line.colour ? themed(line.colour) : undefined,
        width: bars ? 0 : line.width || 1.75,
        dash: line.dash,
        paths: bars ? uPlot.paths.bars({ size: [0.85, 60, 2] }) : undefined,
        points: bars ? { show: false } : { show: line.xs && line.xs.length <= 80, size: 4 },
      }))],
      hooks: {
        drawClear: [(u) => this.bands(u)],
        setCursor: [(u) => this.hover(u)],
        setScale: [(u, key) => key === 'x' && this.given.zoomed && this.given.zoomed(this)],
      },
    };
    this.plot = new uPlot(options, this.data, this.box);
  }

  /** Shows or hides a line. */
  show(index, visible) {
    this.given.lines[index].visible = visible;
    this.plot.setSeries(index + 1, { show: visible });
  }

  isZoomed() {
    const { min, max } = this.plot.scales.x;
    const xs = this.data[0];
    return min > xs[0] || max < xs[xs.length - 1];
  }

  unzoom() {
    this.plot.setData(this.data, true);
  }

  bands(u) {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = 'middle';
    for (const band of this.given.bands || []) {
      const left = Math.max(bbox.left, u.valToPos(band.start, 'x', true));
      const right = Math.min(bbox.left + bbox.width, Math.max(u.valToPos(band.end, 'x', true), u.valToPos(band.start, 'x', true) + 2 * ratio));
      if (right <= bbox.left || left >= bbox.left + bbox.width) continue;
      const top = (4 + band.lane * LANE) * ratio;
      const colour = themed(band.colour);
      ctx.fillStyle = colour;
      if (band.lane <= 0) {
        ctx.globalAlpha = 0.08;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
      if (band.lane < 0) continue;
      ctx.globalAlpha = 0.28;
      ctx.fillRect(left, top, right - left, (LANE - 3) * ratio);
      ctx.globalAlpha = 1;
      const wide = ctx.measureText(band.label).width + 8 * ratio;
      if (wide <= right - left) {
        ctx.fillStyle = themed('--text');
        ctx.fillText(band.label, left + 4 * ratio, top + (LANE - 3) * ratio / 2);
      }
    }
    ctx.restore();
  }

  hover(u) {
    const { left, idx } = u.cursor;
    if (left < 0 || idx === null || idx === undefined || !this.given.lines.length) {
      this.tip.hidden = true;
      return;
    }
    const x = u.posToVal(left, 'x');
    const { elapsed, lines, written, bands } = this.given;
    const rows = lines.filter((line) => line.visible !== false).map((line) => [line, nearest(line, x)]).filter(([, found]) => found);
    const inside = (bands || []).filter((band) => band.start <= x && x <= band.end).map((band) => band.label);
    const at = rows.length ? rows[0][1].x : x;
    replace(this.tip,
      h('div', { class: 'when' }, elapsed ? since(Math.round(at * 10) / 10) : clock(at * 1000).slice(0, 10), inside.length ? ' · ' + [...new Set(inside)].join(' · ') : ''),
      rows.slice(0, 14).map(([line, found]) => h('div', { class: 'row' }, swatch(line), h('span', { class: 'name' }, line.label), h('b', null, found.more || written(found.y)))),
      rows.length > 14 && h('div', { class: 'row' }, `and ${rows.length - 14} more`));
    this.tip.hidden = false;
    const plotLeft = u.bbox.left / (devicePixelRatio || 1);
    const right = plotLeft + left + 14 + this.tip.offsetWidth > this.box.clientWidth;
    this.tip.style.left = Math.max(0, plotLeft + left + (right ? -14 - this.tip.offsetWidth : 14)) + 'px';
    this.tip.style.top = 8 + this.lanes() * LANE + 'px';
  }

  leave() {
    this.tip.hidden = true;
    this.plot.setCursor({ left: -10, top: -10 });
  }

  /** Arrow keys move the cursor from point to point, + and - zoom. */
  key(event) {
    const xs = this.data[0];
    const u = this.plot;
    const { min, max } = u.scales.x;
    const zoom = (by) => {
      const middle = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, 'x') : (min + max) / 2;
      u.setScale('x', { min: middle - (middle - min) * by, max: middle + (max - middle) * by });
    };
    if (event.key === '+') zoom(0.5);
    else if (event.key === '-') zoom(2);
    else if (event.key === 'Escape' || event.key === '0') this.unzoom();
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const now = u.cursor.left >= 0 ? u.valToIdx(u.posToVal(u.cursor.left, 'x')) : -1;
      const next = Math.min(xs.length - 1, Math.max(0, now + (event.key === 'ArrowRight' ? 1 : -1)));
      u.setCursor({ left: u.valToPos(xs[next], 'x'), top: 10 });
      this.said.textContent = this.tip.innerText.replace(/\n+/g, ', ');
    } else return;
    event.preventDefault();
  }
}

function describe({ title, unit, lines }) {
  const of = lines.map((line) => {
    const ys = line.ys.filter(known);
    return ys.length ? `${line.label}: from ${digits(Math.min(...ys))} to ${digits(Math.max(...ys))}` : line.label;
  });
  return `Chart, ${title} ${unit}. ${of.slice(0, 12).join('; ')}. Arrow keys move, plus and minus zoom, Escape shows all.`;
}

/** The point of a line that is nearest to x; none far away. */
function nearest(line, x) {
  const { xs, ys } = line;
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle; else high = middle;
  }
  const best = Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  if (xs.length === 0 || Math.abs(xs[best] - x) > (line.step || Infinity) || !known(ys[best])) return null;
  return { x: xs[best], y: ys[best], more: line.more && line.more[best] };
}

function swatch(line) {
  const dashed = line.dash && line.dash.length;
  const mark = h('span', { class: 'swatch' + (dashed ? ' dashed' : ''), 'aria-hidden': 'true' });
  mark.style.setProperty('--swatch', `var(${line.colour})`);
  return mark;
}

function fromZero(u, min, max) {
  return [0, max > 0 ? max * 1.08 : 1];
}

function logRange(u, min, max) {
  if (!(min > 0) || !(max > 0)) return [0.1, 100];
  return [10 ** Math.floor(Math.log10(min)), 10 ** Math.ceil(Math.log10(max * 1.001))];
}

/** On a logarithmic axis only 1, 2 and 5 are written. */
function logTicks(u, ticks) {
  return ticks.map((tick) => {
    const first = Math.round(tick / 10 ** Math.floor(Math.log10(tick) + 1e-9));
    return first === 1 || (ticks.length < 24 && (first === 2 || first === 5)) ? tick : null;
  });
}

function clockTicks(u, ticks, axis, space, step) {
  return ticks.map((tick, i) => {
    const text = iso(tick * 1000);
    const time = step >= 60 ? text.slice(11, 16) : step >= 1 ? text.slice(11, 19) : text.slice(14, 21);
    const day = text.slice(0, 10);
    const newDay = i > 0 && iso(ticks[i - 1] * 1000).slice(0, 10) !== day;
    return step >= 86_400 ? day : newDay ? time + '\n' + day : time;
  });
}

/** A button for each line, which hides it in all charts of a group. */
function legend(lines, group) {
  if (lines.length < 2) return null;
  return h('div', { class: 'legend', role: 'group', 'aria-label': 'Lines' }, lines.map((line, i) => {
    const button = h('button', { type: 'button', 'aria-pressed': 'true', onclick: () => {
      const visible = button.getAttribute('aria-pressed') !== 'true';
      button.setAttribute('aria-pressed', visible);
      for (const chart of group()) if (chart.given.lines[i]) chart.show(i, visible);
    } }, swatch(line), line.label);
    return button;
  }));
}

function redraw() {
  for (const chart of charts) chart.draw();
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
