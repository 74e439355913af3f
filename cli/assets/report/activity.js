// Requests and iterations: over time, by repetition, by run, by name.

const QUANTILES = ['p50', 'p90', 'p95', 'p99'];
const MOST_LINES = 16;
const PHASES = { install: '--c6', setup: '--c2', run: '--c3', teardown: '--c4', collect: '--c1' };

/** How a workload is called: none is no name. */
function called(workload) {
  return workload === 'none' ? 'no workload' : workload;
}

/** What tells the lines of several runs apart. */
function runLabel(report, run) {
  return report.runs.length > 1 ? run.label + ' ' : '';
}

function colour(index) {
  return PALETTE[index % PALETTE.length];
}

/** All series that a state asks for: {label, series, offset, colour, dash}. Several runs differ in colour first. */
function chosen(report, state) {
  const found = [];
  const names = [...new Set(report.runs.flatMap((run) => run.workloads.map((workload) => workload.name)))];
  const many = report.runs.length > 1;
  report.runs.forEach((run, r) => {
    for (const workload of run.workloads) {
      if (state.workload !== '' && workload.name !== state.workload) continue;
      if (state.workload === '') {
        const only = workload.repetitions.length === 1 ? workload.repetitions[0] : workload;
        const look = { colour: colour(names.indexOf(workload.name)), dash: DASHES[r % DASHES.length] };
        if (only[state.kind]) found.push({ label: runLabel(report, run) + called(workload.name), series: only[state.kind], offset: run.span[0], ...look });
        continue;
      }
      workload.repetitions.forEach((repetition, n) => {
        if (state.repetition !== '' && String(repetition.number) !== state.repetition) return;
        const series = repetition[state.kind];
        const look = many ? { colour: colour(r), dash: DASHES[n % DASHES.length] } : { colour: colour(n), dash: DASHES[Math.floor(n / PALETTE.length) % DASHES.length] };
        if (series) found.push({ label: `${runLabel(report, run)}repetition ${repetition.number}`, series, offset: series.span ? series.span[0] : series.start, ...look });
      });
    }
  });
  // One request, of a setup for instance, makes no line.
  const lines = found.filter((item) => item.series.count > 1);
  return lines.length ? lines : found;
}

/** x in seconds, from the middle of each bucket. */
function placed(item, state) {
  const { series, offset } = item;
  return (at) => (series.start + (at + 0.5) * series.width - (state.elapsed ? offset : 0)) / 1000;
}

/**
 * Values of a series at its buckets. Where buckets are missing nothing was measured: `nothing` stands
 * behind the last and before the next one. A line bears with `patience` - 1 of them.
 */
function points(item, state, value, nothing, patience = 1) {
  const x = placed(item, state);
  const [xs, ys, buckets] = [[], [], []];
  const push = (at, y, bucket) => { xs.push(x(at)); ys.push(y); buckets.push(bucket); };
  item.series.at.forEach((at, i) => {
    const before = item.series.at[i - 1];
    if (i && at - before > patience) {
      push(before + 1, nothing, null);
      if (at - before > 2) push(at - 1, nothing, null);
    }
    push(at, value(i), i);
  });
  return { xs, ys, buckets, step: item.series.width / 1000 };
}

/** The share of a bucket that lies within the series: the first and the last are rarely whole. */
function covered(series, i) {
  const from = series.start + series.at[i] * series.width;
  const [start, end] = series.span || [from, from + series.width];
  return Math.max(0, Math.min(end, from + series.width) - Math.max(start, from)) / series.width;
}

/** A rate; unknown where less than half of a bucket was measured. */
function rate(series, counts, i) {
  const share = covered(series, i);
  if (share < 0.5 && series.at.length > 2) return null;
  return counts[i] / (series.width / 1000) / Math.max(share, 0.5);
}

/** Of a bucket; of a handful of requests at the edge it says nothing. */
function percentile(series, which, i) {
  const stray = series.counts[i] < 5 && series.at.length > 2 && covered(series, i) < 0.5;
  return stray ? null : series.percentiles[which][i];
}

function rateLines(items, state, failures) {
  return items.map((item) => {
    const { series } = item;
    const counts = failures ? series.failures : series.counts;
    const found = points(item, state, (i) => rate(series, counts, i), 0);
    const more = failures && found.buckets.map((i) => (i === null ? null : `${perSecond(rate(series, counts, i))}, ${percent(counts[i] / series.counts[i])} of the requests`));
    return { label: item.label, colour: item.colour, dash: item.dash, ...found, more };
  });
}

function latencyLines(items, state) {
  if (items.length === 1) {
    const [item] = items;
    const shown = [['--c1', 0], ['--c3', 1], ['--c2', 2], ['--c5', 3]];
    return shown.map(([name, which]) => ({
      label: QUANTILES[which], colour: name, dash: [], ...points(item, state, (i) => percentile(item.series, which, i), null, 4),
    }));
  }
  const which = QUANTILES.indexOf(state.quantile);
  return items.map((item) => ({
    label: item.label, colour: item.colour, dash: item.dash, ...points(item, state, (i) => percentile(item.series, which, i), null, 4),
  }));
}

/** Phases in the first lane, repetitions in the second. */
function bandsOf(run, state) {
  const bands = [];
  const place = (ms) => (ms - (state.elapsed ? run.span[0] : 0)) / 1000;
  const own = (workload) => state.workload === '' || workload === state.workload || workload === 'none';
  const joined = new Map();
  for (const phase of run.phases) {
    if (!own(phase.workload)) continue;
    const key = [phase.name, phase.workload, phase.repetition].join('\0');
    const start = phase.start ?? run.span[0];
    const end = phase.end ?? run.span[1];
    const known = joined.get(key);
    if (known) Object.assign(known, { start: Math.min(known.start, start), end: Math.max(known.end, end) });
    else joined.set(key, { start, end, name: phase.name });
  }
  const longest = [...joined.values()].sort((a, b) => (b.end - b.start) - (a.end - a.start)).slice(0, 200);
  for (const phase of longest) {
    bands.push({ start: place(phase.start), end: place(phase.end), label: phase.name, lane: 0, colour: PHASES[phase.name] || '--c8' });
  }
  const lane = bands.length ? 1 : 0;
  const several = run.workloads.length > 1 || run.workloads.some((workload) => workload.repetitions.length > 1);
  run.workloads.forEach((workload, n) => {
    if (!several || !own(workload.name)) return;
    for (const repetition of workload.repetitions) {
      const span = (repetition[state.kind] && repetition[state.kind].span) || null;
      if (!span || repetition[state.kind].count < 2) continue;
      bands.push({ start: place(span[0]), end: place(span[1]), label: `${called(workload.name)} ${repetition.number}`, lane: lane + laneOf(bands, lane, place(span[0]), place(span[1])), colour: colour(n) });
    }
  });
  return bands;
}

/** The first lane from `base` on in which a band has room; at most four. */
function laneOf(bands, base, start, end) {
  for (let lane = 0; lane < 3; lane += 1) {
    if (!bands.some((band) => band.lane === base + lane && band.start < end && start < band.end)) return lane;
  }
  return 3;
}

/** The three charts, and what steers them. */
function overTime(report) {
  const kinds = ['requests', 'iterations'].filter((kind) => report.runs.some((run) => run.workloads.some((w) => w.repetitions.some((r) => r[kind]))));
  if (!kinds.length) {
    return section('time', 'Requests over time', empty('There are no requests or iterations in this log: it has no records of k6 (',
      h('code', null, 'k6 run --out lb-loki'), '), or they were filtered out. What was logged is shown below.'));
  }
  const many = report.runs.length > 1;
  const state = { kind: kinds[0], workload: '', repetition: '', elapsed: many, quantile: 'p95', log: false };
  const names = [...new Set(report.runs.flatMap((run) => run.workloads.filter((w) => w.repetitions.some((r) => r.requests || r.iterations)).map((w) => w.name)))];
  if (names.length === 1) state.workload = names[0];
  state.elapsed = many || several(report, state);
  const steer = h('div', { class: 'steer' });
  const body = h('div');
  let made = [];
  const update = (change) => {
    Object.assign(state, change);
    for (const chart of made) chart.destroy();
    made = drawAll(report, state, body);
    replace(steer, controls(report, state, names, kinds, update));
  };
  const root = section('time', 'Over time', steer, body);
  root.start = () => update({});
  return root;
}

function several(report, state) {
  return state.workload !== '' && state.repetition === '' && report.runs.some((run) => run.workloads.some((w) => w.name === state.workload && w.repetitions.length > 1));
}

function controls(report, state, names, kinds, update) {
  const of = report.runs.flatMap((run) => run.workloads.filter((w) => w.name === state.workload).flatMap((w) => w.repetitions.map((r) => r.number)));
  const numbers = [...new Set(of)].sort((a, b) => a - b);
  const items = chosen(report, state);
  return [
    kinds.length > 1 && choice('Show', kinds.map((kind) => [kind, kind]), state.kind, (kind) => update({ kind })),
    names.length > 1 && choice('Workload', [['', 'all'], ...names.map((name) => [name, called(name)])], state.workload, (workload) =>
      update({ workload, repetition: '', elapsed: report.runs.length > 1 || several(report, { workload, repetition: '' }) })),
    numbers.length > 1 && choice('Repetition', [['', 'all'], ...numbers.map((n) => [String(n), String(n)])], state.repetition, (repetition) =>
      update({ repetition, elapsed: report.runs.length > 1 || several(report, { ...state, repetition }) })),
    choice('Time', [['', 'of day (UTC)'], ['1', state.workload === '' ? 'since the beginning of the run' : 'since the beginning of each']], state.elapsed ? '1' : '', (value) => update({ elapsed: value !== '' })),
    items.length > 1 && choice('Latency', QUANTILES.map((q) => [q, q]), state.quantile, (quantile) => update({ quantile })),
    choice('Scale', [['', 'linear'], ['1', 'logarithmic']], state.log ? '1' : '', (value) => update({ log: value !== '' })),
  ];
}

function drawAll(report, state, body) {
  const all = chosen(report, state);
  const items = all.length > MOST_LINES ? [...all].sort((a, b) => b.series.count - a.series.count).slice(0, MOST_LINES) : all;
  const noun = state.kind;
  const aligned = state.elapsed && state.workload !== '';
  const bands = report.runs.length === 1 && !aligned ? bandsOf(report.runs[0], state) : [];
  const made = [];
  const zoomed = () => { again.hidden = !made.some((chart) => chart.isZoomed()); };
  const again = h('button', { type: 'button', class: 'again', hidden: true, onclick: () => made.forEach((chart) => chart.unzoom()) }, 'Show all of it');
  const shared = { elapsed: state.elapsed, sync: 'time', height: 190, zoomed };
  const widths = [...new Set(items.map((item) => item.series.width))].sort((a, b) => a - b).map(lasted);
  replace(body);
  body.append(again);
  const rates = rateLines(items, state, false);
  const keys = legend(rates, () => made.filter((chart) => chart.given.lines.length === rates.length && !chart.given.own));
  if (keys) body.append(keys);
  made.push(new Chart(body, { ...shared, title: noun === 'requests' ? 'Requests' : 'Iterations', unit: 'per second', lines: rates, bands, written: digits, ticks: short }));
  const summary = items.some((item) => item.series.summary);
  const lines = latencyLines(items, state);
  const own = items.length === 1;
  const what = noun === 'requests' ? 'Latency' : 'Duration';
  made.push(new Chart(body, {
    ...shared, own, title: own ? `${what}: p50, p90, p95, p99` : `${what}: ${state.quantile}`, unit: 'milliseconds' + (state.log ? ', logarithmic' : ''),
    lines, bands: flat(bands), written: took, ticks: (value) => took(value, short), log: state.log,
  }));
  if (own) body.append(legend(lines, () => made.filter((chart) => chart.given.own)));
  if (noun === 'requests') {
    const failing = items.filter((item) => item.series.failures.length);
    if (failing.length) {
      const failures = rateLines(items.map((item) => (item.series.failures.length ? item : { ...item, series: { ...item.series, failures: item.series.counts.map(() => 0) } })), state, true);
      made.push(new Chart(body, { ...shared, height: 130, title: 'Failed requests', unit: 'per second', lines: failures, bands: flat(bands), written: digits, ticks: short }));
    } else {
      body.append(empty('No request failed.'));
    }
  }
  body.append(note(
    `A point stands for ${widths.join(', ')}. `,
    summary ? `Only k6’s summaries are known here (samples=summary): a percentile is the largest of its parts’, so the true one is not above it. ` : `Percentiles are within ${percent(report.percentile_error)} of the exact ones. `,
    all.length > items.length ? `${items.length} of ${all.length} lines are drawn, those with the most ${noun}; choose a workload for the others. ` : '',
    'Drag over a chart to zoom, double-click to leave; with the keyboard: arrows, + and −.'));
  return made;
}

/** Only the shades: labels stand above the first chart. */
function flat(bands) {
  return bands.filter((band) => band.lane === 0).map((band) => ({ ...band, lane: -1 }));
}

const MEASURES = {
  requests_per_second: ['requests/s', perSecond, 1],
  mean: ['mean', took, -1],
  p50: ['p50', took, -1],
  p90: ['p90', took, -1],
  p95: ['p95', took, -1],
  p99: ['p99', took, -1],
  failed_share: ['failed', percent, -1],
  iterations_per_second: ['iterations/s', perSecond, 1],
  duration: ['duration', (seconds) => lasted(seconds * 1000), 0],
};

/** A table of repetitions, and what they come to. */
function repetitions(report, run) {
  const blocks = run.workloads.map((workload) => repetitionTable(run, workload));
  const title = report.runs.length > 1 ? `Repetitions of ${run.label}` : 'Repetitions';
  return section('repetitions' + run.index, title, blocks,
    run.overflowed && note('There are more workloads and repetitions than a report tells apart: those beyond the 400th are summed up as (others).'),
    note('± is the standard deviation; the interval holds the mean with 95 % confidence (Student’s t), if repetitions are independent and about normal. ',
      'Requests per second are counted from the beginning of the first to the end of the last request. Lines are log lines, measurements left out.'));
}

function repetitionTable(run, workload) {
  const oneDay = moment(run.span[0]).slice(0, 10) === moment(run.span[1]).slice(0, 10);
  const of = (name, get) => (row) => (row[name] ? get(row[name]) : null);
  const quantile = (which) => of('requests', (series) => (series.percentiles_ms ? series.percentiles_ms[which] : null));
  const any = (get) => workload.repetitions.some((row) => known(get(row)));
  const measure = (name) => (workload.measures.find(([key]) => key === name) || [])[1];
  const all = [
    [{ name: 'repetition', left: true, value: (row) => row.number, cell: (row) => count(row.number) }, null],
    [number('requests', of('requests', (s) => s.count), count), null],
    [number('requests/s', of('requests', (s) => s.per_second), perSecond), 'requests_per_second'],
    [number('failed', of('requests', (s) => (s.count ? s.failed / s.count : null)), percent), 'failed_share'],
    [number('mean', of('requests', (s) => s.mean), took), 'mean'],
    ...QUANTILES.map((name, which) => [number(name, quantile(which), took), name]),
    [number('max', of('requests', (s) => (s.extremes ? s.extremes[1] : null)), took), null],
    [number('iterations/s', of('iterations', (s) => s.per_second), perSecond), 'iterations_per_second'],
    [number('checks failed', (row) => (row.checks[0] + row.checks[1] ? row.checks[1] : null), count), null],
    [number('lines', (row) => row.lines, count), null],
    [number('errors', (row) => row.errors, count), null],
    [number('warnings', (row) => row.warnings, count), null],
    [{ ...when('began', (row) => row.span && row.span[0]), ...(oneDay ? { cell: (row) => clock(row.span && row.span[0]).slice(0, 8) } : {}) }, null],
    [number('duration', (row) => row.span && row.span[1] - row.span[0], lasted, 'from its first to its last record'), 'duration'],
  ];
  const kept = all.filter(([column]) => column.left || any(column.value));
  const columns = kept.map(([column]) => column);
  const foot = workload.repetitions.length > 1 ? spreads(kept, measure) : null;
  return [h('h3', null, called(workload.name)),
    table(`Repetitions of ${workload.name}`, columns, workload.repetitions, { foot })];
}

function spreads(kept, measure) {
  const row = (kind, label, written) => {
    const cells = kept.map(([, name], i) => {
      const spread = name && measure(name);
      return i === 0 ? label : spread ? written(spread, MEASURES[name][1]) : '';
    });
    cells.kind = kind;
    return cells;
  };
  return [
    row('mean', 'mean', (s, w) => w(s.mean)),
    row('spread', '±', (s, w) => (s.deviation === null ? NONE : [w(s.deviation), s.mean > 0 ? h('small', { class: 'below' }, percent(s.deviation / s.mean)) : ''])),
    row('spread', '95 % interval', (s, w) => interval(s.interval, w, s.n)),
  ];
}

function interval(found, written) {
  if (!found) return NONE;
  return h('span', { class: 'interval' }, h('span', null, written(Math.max(0, found[0]))), h('span', null, '– ', written(found[1])));
}

/** Runs beside the first: means, and how many times as large. */
function comparison(report) {
  if (report.runs.length < 2) return null;
  const [first, ...others] = report.runs;
  const blocks = report.comparison.map(({ workload, measures }) => {
    const rows = measures.filter((m) => m.spreads.some(Boolean));
    if (!rows.length) return null;
    const columns = [
      text('measure', (row) => MEASURES[row.measure][0]),
      ...report.runs.map((run, i) => ({ name: run.label, title: run.name, cell: (row) => meanCell(row, i) })),
      ...others.map((run, i) => ({ name: `${run.label} / ${first.label}`, title: `${run.name} against ${first.name}`, cell: (row) => ratioCell(row, i) })),
    ];
    columns[0].value = null;
    return [h('h3', null, called(workload)), table(`Runs compared, ${workload}`, columns, rows)];
  });
  return section('comparison', 'Runs compared', blocks,
    note('Means over repetitions, with their 95 % intervals. The ratio is that of the geometric means, with its 95 % interval by Welch’s t on the logarithms; ',
      'it is coloured where the interval leaves 1 out. Without two repetitions on both sides there is no interval, and a ratio says little.'));
}

function meanCell(row, i) {
  const spread = row.spreads[i];
  if (!spread) return NONE;
  const written = MEASURES[row.measure][1];
  const [low, high] = spread.interval || [];
  return [h('b', null, written(spread.mean)), h('small', { class: 'below' }, spread.interval ? `${written(Math.max(0, low))} – ${written(high)}, ` : '', `n = ${spread.n}`)];
}

function ratioCell(row, i) {
  const found = row.ratios[i];
  if (!found) return NONE;
  const [low, high] = found.interval || [null, null];
  const better = MEASURES[row.measure][2];
  const sure = found.interval && (low > 1 || high < 1) ? Math.sign(found.ratio - 1) * better : 0;
  const verdict = sure > 0 ? 'better' : sure < 0 ? 'worse' : '';
  return h('span', { class: 'ratio ' + verdict }, h('b', null, times(found.ratio)),
    h('small', { class: 'below' }, verdict && `${verdict}, `, found.interval ? `${times(low)} – ${times(high)}` : 'no interval'));
}

function times(value) {
  if (!known(value)) return NONE;
  return (value >= 100 ? count(value) : value.toFixed(value < 10 ? 3 : 1)) + NBSP + '×';
}

/** Requests by name, checks, thresholds, the script's own metrics. */
function byName(report, run) {
  const suffix = report.runs.length > 1 ? ` of ${run.label}` : '';
  const parts = [];
  if (run.requests.length) {
    const quantile = (which) => (row) => (row.percentiles_ms ? row.percentiles_ms[which] : null);
    const rows = [...run.requests].sort((a, b) => b.count - a.count);
    parts.push(section('names' + run.index, 'Requests by name' + suffix, table('Requests by name', [
      { name: 'request', left: true, long: true, value: (row) => row.names[3], cell: (row) => [row.names[2], ' ', row.names[3], h('small', null, ' ', row.names[1])] },
      text('workload', (row) => called(row.names[0])),
      number('requests', (row) => row.count, count), number('failed', (row) => row.failed, count), number('share', (row) => (row.count ? row.failed / row.count : null), percent, 'of the requests of this name, how many failed'),
      number('mean', (row) => row.mean, took), ...QUANTILES.map((name, which) => number(name, quantile(which), took)),
      number('max', (row) => (row.extremes ? row.extremes[1] : null), took),
    ], rows),
    rows.some((row) => row.names[3] === '(others)') && note('Names beyond the 250th are summed up as (others): give requests a name tag.')));
  }
  if (run.thresholds.length) {
    parts.push(section('thresholds' + run.index, 'Thresholds' + suffix, table('Thresholds', [
      { name: 'verdict', left: true, value: (row) => (row.passed ? 1 : 0), cell: (row) => h('span', { class: row.passed ? 'good' : 'bad' }, row.passed ? '✓ passed' : '✗ missed') },
      prose('metric', (row) => row.metric), text('expression', (row) => row.expression), number('value', (row) => row.value, short),
    ], run.thresholds)));
  }
  if (run.checks.length) {
    parts.push(section('checks' + run.index, 'Checks' + suffix, table('Checks', [
      prose('check', (row) => row[1]), text('workload', (row) => called(row[0])),
      number('passed', (row) => row[2][0], count), number('failed', (row) => row[2][1], count),
      number('share', (row) => row[2][1] / (row[2][0] + row[2][1]), percent),
    ], [...run.checks].sort((a, b) => b[2][1] - a[2][1]))));
  }
  if (run.metrics.length) {
    parts.push(section('metrics' + run.index, 'The script’s own metrics' + suffix, table('Metrics', [
      text('metric', (row) => row[0][3]), text('workload', (row) => row[0][0]), text('repetition', (row) => row[0][1]), text('scenario', (row) => row[0][2] || NONE),
      text('type', (row) => row[1].kind),
      { name: 'values', left: true, long: true, cell: (row) => row[1].values.map(([name, value]) => h('span', { class: 'pair' }, h('span', null, name), ' ', short(value))) },
    ], run.metrics)));
  }
  return parts;
}
