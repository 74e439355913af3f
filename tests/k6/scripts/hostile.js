// Input that no log was made for, each piece between two ordinary ones.
import { Counter, Gauge, Trend } from 'k6/metrics';
import { check, group } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

const between = new Counter('between');
const numbers = new Gauge('numbers');
const times = new Trend('times');
let step = 0;

export const options = { vus: 1, iterations: 1 };

function ordinary() {
  between.add(1, { step: String(step) });
  console.log(`ordinary ${step}`);
  step += 1;
}

// Not more: what k6 itself does with the tags of a request grows with the square of their number.
function manyTags(value) {
  const tags = {};
  for (let i = 0; i < 1000; i += 1) tags[`z${String(i).padStart(4, '0')}`] = value;
  return tags;
}

export default function () {
  const controls = Array.from({ length: 32 }, (_, i) => String.fromCharCode(i)).join('');
  const names = ['', ' ', '"', '\\', '\n', '\u0000', controls, '\u2028', '{"a":1}', '\u{1f600}'];
  ordinary();
  const tags = {};
  names.forEach((name) => { tags[name] = name; });
  http.get(`${__ENV.TARGET}/`, { tags });
  ordinary();
  http.get(`${__ENV.TARGET}/`, { tags: manyTags('v') });
  ordinary();
  http.get(`${__ENV.TARGET}/`, { tags: manyTags('v'.repeat(400)) });
  ordinary();
  names.filter((name) => name && !name.includes('::')).forEach((name) => {
    group(name, () => check(1, { [name]: () => false }));
    exec.vu.metrics.tags[name] = name;
  });
  ordinary();
  console.log('x'.repeat(10 * 1024 * 1024));
  ordinary();
  console.error('\u0001"'.repeat(1024 * 1024));
  ordinary();
  http.get(`${__ENV.TARGET}/`, { tags: { repetition: '0' } });
  http.get(`${__ENV.TARGET}/`, { tags: { repetition: 'many' } });
  ordinary();
  http.get(`${__ENV.TARGET}/`, { tags: { component: '../../etc/x', run_id: '../other', workload: '/' } });
  ordinary();
  http.get(`${__ENV.TARGET}/`, { tags: { component: '', workload: '', scenario: '', repetition: '' } });
  ordinary();
  const fields = ['timestamp', 'level', 'host', 'logger', 'message', 'event_type', 'package', 'plugin', 'tags', 'phase',
    'exception', 'stack', 'truncated_bytes', 'waiting_ms', 'duration_ms', 'instance'];
  http.get(`${__ENV.TARGET}/`, { tags: Object.fromEntries(fields.map((name) => [name, `of ${name}`])) });
  ordinary();
  const halves = 'a\ud800b\udc00';
  http.get(`${__ENV.TARGET}/`, { tags: { halves } });
  console.log(halves);
  ordinary();
  [0, -0, 2 ** 63, -(2 ** 63), 2 ** 64, Number.MAX_VALUE, Number.MIN_VALUE, Infinity, -Infinity, NaN].forEach((value) => {
    [numbers, times].forEach((metric) => {
      try {
        metric.add(value, { of: String(value) });
      } catch (error) {
        console.log(`refused by k6: ${error}`);
      }
    });
  });
  ordinary();
}
