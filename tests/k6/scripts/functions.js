// Functions under load, as campaigns of them do it: a scenario for each, with the tag `function`, at a constant rate;
// custom metrics named by function; two repetitions side by side; failures,
// checks, log lines, a threshold that is missed, and too few virtual users for the slow one.
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';

const target = __ENV.TARGET;
const functions = { figlet: 'delay/200', env: 'flaky?rate=0.2' };
const metrics = {};
const scenarios = {};
for (const name of Object.keys(functions)) {
  metrics[name] = {
    success: new Rate(`success_rate_${name}`),
    latency: new Trend(`latency_${name}`, true),
    count: new Counter(`request_count_${name}`),
  };
  for (const repetition of ['1', '2']) {
    scenarios[`${name}_${repetition}`] = {
      executor: 'constant-arrival-rate', rate: 20, timeUnit: '1s', duration: '4s', preAllocatedVUs: 3, exec: 'call',
      env: { FUNCTION: name }, tags: { function: name, repetition }, gracefulStop: '1s',
    };
  }
}

export const options = {
  scenarios,
  thresholds: { success_rate_env: ['rate>0.95'], http_req_duration: ['p(95)<5000'] },
};

export function setup() {
  http.get(`${target}/delay/20`, { tags: { name: 'warm-up' } });
}

export function call() {
  const name = __ENV.FUNCTION;
  const answer = http.get(`${target}/${functions[name]}`, { tags: { name: exec.scenario.iterationInTest % 4 ? name : `${name} cold` } });
  const { success, latency, count } = metrics[name];
  success.add(answer.status === 200);
  latency.add(answer.timings.duration);
  count.add(1);
  check(answer, { 'it answered': (r) => r.status === 200 });
  if (exec.scenario.iterationInTest === 7) console.warn(`${name} answers with ${answer.status}`);
  if (exec.scenario.iterationInTest === 11) throw new Error(`${name} is gone`);
}

export function teardown() {
  http.get(`${target}/delay/20`, { tags: { name: 'clean-up' } });
}
