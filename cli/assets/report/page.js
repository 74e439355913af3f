// The page: what the run was, what is missing, and then everything else.

const report = JSON.parse(document.getElementById('data').textContent);

function prepare() {
  report.runs.forEach((run, index) => {
    run.index = report.runs.length > 1 ? index + 1 : '';
    run.label = run.name;
    run.span = run.span || [report.made, report.made];
  });
  const names = report.runs.map((run) => run.name);
  // The same run twice, by two paths, still needs two names.
  report.runs.forEach((run, i) => {
    if (names.indexOf(run.name) !== i || names.lastIndexOf(run.name) !== i) run.label = `${run.name} (${i + 1})`;
  });
}

function head() {
  const many = report.runs.length > 1;
  return h('header', null,
    h('p', { class: 'kind' }, many ? `${report.runs.length} runs compared` : 'Run'),
    h('h1', null, many ? report.runs.map((run, i) => [i ? h('span', { class: 'versus' }, ' · ') : '', run.label]) : report.runs[0].label),
    many ? null : headLine(report.runs[0]));
}

function headLine(run) {
  const hosts = [...new Set(run.sources.map((source) => source.host))];
  const components = [...new Set(run.sources.map((source) => source.component))];
  const list = (names, one) => (names.length > 4 ? counted(names.length, one) : names.join(', '));
  return h('p', { class: 'line' }, !run.records ? run.path : [
    moment(run.span[0]), ' – ', (moment(run.span[0]).slice(0, 10) === moment(run.span[1]).slice(0, 10) ? moment(run.span[1]).slice(11) : moment(run.span[1])), ' UTC · ',
    lasted(run.span[1] - run.span[0]), ' · ', list(components, 'component'), ' on ', list(hosts, 'host'), ' · ', counted(run.records, 'record')]);
}

function levels(run, ...names) {
  return run.sources.reduce((sum, source) => sum + names.reduce((s, name) => s + source.levels[report.levels.indexOf(name)], 0), 0);
}

/** What is known to be missing: [records or null, sentence]. */
function missing(run) {
  const found = run.problems.map((problem) => [null, problem]);
  for (const hole of run.holes) {
    const from = hole.since ? `since ${moment(hole.since)}, ` : '';
    found.push([hole.event_type === 'log_gap' ? hole.lost : 0, `${moment(hole.at)} UTC, ${from}${hole.component} on ${hole.host}: ${hole.message}`]);
  }
  const names = ['samples', 'lines', 'records', 'records that were refused'];
  for (const process of run.processes) {
    const who = `k6 ${process.instance} on ${process.host}`;
    process.dropped.forEach((dropped, i) => {
      if (dropped) found.push([dropped, `${who} dropped ${count(dropped)} ${names[i]}`]);
    });
    if (!process.outcome && process.version) found.push([null, `${who} has no end in the log: it is still running, or it was killed`]);
  }
  if (run.living[0]) found.push([null, `${counted(run.living[0], 'record')} of living processes are not in the file yet: make the report again when they have ended`]);
  if (run.living[1]) found.push([run.living[1], `living processes have dropped ${counted(run.living[1], 'record')}`]);
  if (run.living[2]) found.push([run.living[2], `living processes have refused ${counted(run.living[2], 'record')}`]);
  const k6 = run.processes.reduce((sum, process) => sum + (process.http_reqs || 0), 0);
  const here = run.all_requests ? run.all_requests.count : 0;
  const ended = run.processes.length && run.processes.every((process) => process.outcome && process.samples !== 'none');
  if (ended && k6 !== here) found.push([k6 > here ? k6 - here : null, `k6 counted ${counted(k6, 'request')}, the log holds ${count(here)}: a filter of metrics, a drop, or a rotated file that is gone`]);
  if (run.ids.length > 1) found.push([null, `the files hold records of several runs (${run.ids.slice(0, 5).join(', ')}${run.ids.length > 5 ? ', …' : ''}): they are shown as one`]);
  return found;
}

function outcome(run) {
  const missed = run.thresholds.filter((threshold) => !threshold.passed).length;
  const outcomes = [...new Set(run.processes.map((process) => process.outcome || 'no end'))];
  const failed = run.commands.filter((command) => command.signal || (known(command.exit_code) && command.exit_code !== 0)).length;
  const bad = outcomes.some((each) => each !== 'passed') || missed > 0 || failed > 0;
  if (!run.processes.length && !run.commands.length) return null;
  const said = [outcomes.join(', '), missed ? `${counted(missed, 'threshold')} missed` : '', failed ? `${counted(failed, 'command')} failed` : ''].filter(Boolean);
  return { bad, text: said[0] || 'passed', more: said.slice(1).join(', ') };
}

function tiles(run) {
  const lost = missing(run);
  const sum = lost.reduce((total, [records]) => total + (records || 0), 0);
  const verdict = outcome(run);
  const requests = run.all_requests;
  const iterations = run.all_iterations;
  const checks = run.checks.reduce(([p, f], row) => [p + row[2][0], f + row[2][1]], [0, 0]);
  const errors = levels(run, 'ERROR', 'CRITICAL');
  const warnings = levels(run, 'WARNING');
  const all = [
    verdict && ['Outcome', verdict.text, verdict.more, verdict.bad ? 'bad' : 'good'],
    requests && ['Requests', count(requests.count), perSecond(requests.per_second)],
    requests && ['Failed', percent(requests.failed / requests.count), counted(requests.failed, 'request'), requests.failed ? 'bad' : ''],
    requests && requests.percentiles_ms && ['p95', (requests.summary ? '≤ ' : '') + took(requests.percentiles_ms[2]), `p50 ${took(requests.percentiles_ms[0])}, p99 ${took(requests.percentiles_ms[3])}`],
    iterations && ['Iterations', count(iterations.count), perSecond(iterations.per_second)],
    checks[0] + checks[1] > 0 && ['Checks', percent(checks[0] / (checks[0] + checks[1])), checks[1] ? `${count(checks[1])} failed` : 'all passed', checks[1] ? 'bad' : ''],
    ['Errors', count(errors), 'log lines', errors ? 'bad' : ''],
    ['Warnings', count(warnings), 'log lines', warnings ? 'warn' : ''],
    ['Missing', lost.length ? (sum ? count(sum) : 'see below') : 'nothing', lost.length ? (sum ? 'records, see below' : counted(lost.length, 'remark')) : 'that is known of', lost.length ? 'bad' : 'good'],
  ].filter(Boolean);
  return h('dl', { class: 'tiles' }, all.map(([name, value, more, mood]) => h('div', { class: mood || null }, h('dt', null, name), h('dd', null, value), h('dd', { class: 'more' }, more || NBSP))));
}

/** One row a run. */
function overview() {
  const of = (get) => (run) => (run.all_requests ? get(run.all_requests) : null);
  return section('runs', 'Runs', table('Runs', [
    text('run', (run) => run.label),
    when('began', (run) => run.span[0]),
    number('duration', (run) => run.span[1] - run.span[0], lasted),
    { name: 'outcome', left: true, value: (run) => (outcome(run) || {}).text, cell: (run) => { const verdict = outcome(run); return verdict ? h('span', { class: verdict.bad ? 'bad' : 'good' }, [verdict.text, verdict.more].filter(Boolean).join(', ')) : NONE; } },
    number('requests', of((total) => total.count), count), number('requests/s', of((total) => total.per_second), perSecond),
    number('failed', of((total) => total.failed / total.count), percent),
    ...QUANTILES.map((name, i) => number(name, of((total) => (total.percentiles_ms ? total.percentiles_ms[i] : null)), took)),
    number('errors', (run) => levels(run, 'ERROR', 'CRITICAL'), count), number('warnings', (run) => levels(run, 'WARNING'), count),
    number('missing', (run) => missing(run).length, (n) => (n ? counted(n, 'remark') : 'nothing')),
  ], report.runs));
}

function completeness() {
  const blocks = report.runs.map((run) => {
    const found = missing(run);
    const lines = run.files.length;
    const name = report.runs.length > 1 ? h('h3', null, run.label) : null;
    if (!found.length) {
      return [name, h('p', null, `Nothing that is known of: no drop and no gap is recorded, and ${counted(lines, 'file')} with ${counted(run.records, 'record')} ${lines === 1 ? 'was' : 'were'} read to the end.`)];
    }
    return [name, h('ul', { class: 'missing' }, found.slice(0, 100).map(([, sentence]) => h('li', null, sentence)), found.length > 100 && h('li', null, `and ${count(found.length - 100)} more`))];
  });
  return section('missing', 'What is missing', blocks);
}

/** Phases, commands, k6 processes, files: for those who want to know. */
function particulars(run) {
  const suffix = report.runs.length > 1 ? ` of ${run.label}` : '';
  const fold = (title, rows, ...columns) => rows.length > 0 && h('details', { class: 'fold' }, h('summary', null, title + suffix, ' ', h('small', null, count(rows.length))), table(title, columns, rows));
  return [
    fold('Commands', run.commands, prose('command', (row) => row.line || NONE), text('component', (row) => row.component), text('host', (row) => row.host), text('workload', (row) => row.workload), number('repetition', (row) => row.repetition, count),
      when('began', (row) => row.start), number('duration', (row) => row.duration_ms, took), { name: 'exit', left: true, value: (row) => row.signal || row.exit_code, cell: (row) => h('span', { class: row.signal || row.exit_code ? 'bad' : null }, row.signal || (known(row.exit_code) ? count(row.exit_code) : NONE)) }),
    fold('Phases', run.phases, text('phase', (row) => row.name), text('component', (row) => row.component), text('workload', (row) => row.workload), number('repetition', (row) => row.repetition, count),
      when('began', (row) => row.start), number('duration', (row) => (known(row.start) && known(row.end) ? row.end - row.start : null), lasted), text('outcome', (row) => row.outcome || (row.seen ? 'told by its records' : known(row.end) ? NONE : 'no end'))),
    fold('k6', run.processes, text('instance', (row) => row.instance), text('host', (row) => row.host), prose('script', (row) => row.script || NONE), text('version', (row) => row.version || NONE), text('samples', (row) => row.samples || NONE),
      text('outcome', (row) => row.outcome || 'no end'), number('exit code', (row) => row.exit_code, count), number('duration', (row) => row.duration_ms, lasted), prose('error', (row) => row.error || '')),
    fold('Records by kind', run.event_types, text('event_type', (row) => row[0]), number('records', (row) => row[1], count)),
    fold('Files', run.files, prose('file', (row) => row.path), number('records', (row) => row.records, count), number('size', (row) => row.bytes, bytes), number('broken lines', (row) => row.broken, count), prose('remark', (row) => row.problem || '')),
    run.facts_left_out > 0 && note(`${counted(run.facts_left_out, 'phase, threshold, command or gap', 'phases, thresholds, commands and gaps')} beyond the first 250 of each are not in these lists.`),
  ];
}

function contents(parts) {
  // Of several runs, a link to the first one's part is enough.
  const first = parts.filter((part) => !/[2-9]$|\d\d$/.test(part.id));
  const title = (part) => part.querySelector('h2').textContent.replace(report.runs.length > 1 ? ` of ${report.runs[0].label}` : '\0', '');
  const links = first.map((part) => h('a', { href: '#' + part.id }, title(part)));
  return h('nav', { 'aria-label': 'Contents' }, links);
}

/** Folded parts are printed open, and charts at the paper's width in its colours. */
function printing() {
  let opened = [];
  addEventListener('beforeprint', () => {
    document.documentElement.classList.add('paper');
    opened = [...document.querySelectorAll('details.fold:not([open])')];
    for (const each of opened) each.open = true;
    for (const chart of charts) chart.resize();
    redraw();
  });
  addEventListener('afterprint', () => {
    document.documentElement.classList.remove('paper');
    for (const each of opened) each.open = false;
    for (const chart of charts) chart.resize();
    redraw();
  });
}

function main() {
  prepare();
  const many = report.runs.length > 1;
  const runs = (make) => report.runs.flatMap((run) => make(run)).filter(Boolean);
  const quiet = !report.runs.some((run) => run.all_requests || run.all_iterations);
  const holes = report.runs.some((run) => missing(run).length);
  const parts = [
    many && overview(),
    many && comparison(report),
    quiet && messages(report),
    holes && completeness(),
    !quiet && overTime(report),
    ...runs((run) => repetitions(report, run)),
    !holes && completeness(),
    ...runs((run) => byName(report, run)),
    !quiet && messages(report),
    ...runs(volume),
    quiet && overTime(report),
  ].filter(Boolean);
  document.title = report.runs.map((run) => run.label).join(' · ') + ' – lb report';
  document.body.append(h('div', { class: 'page' },
    head(), many ? null : tiles(report.runs[0]), contents(parts), h('main', null, parts, section('particulars', 'Particulars', runs(particulars))),
    h('footer', null, `Made by lb ${report.version} report at ${moment(report.made)} UTC. Charts by uPlot (MIT, © 2022 Leon Sorokin).`)));
  // Charts need their place before they are drawn.
  for (const part of parts) if (part.start) part.start();
  printing();
}

main();
