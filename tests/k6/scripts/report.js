// Something of everything that a report shows, in three seconds: two workloads, phases, failures, log lines.
import { check, sleep } from 'k6';
import http from 'k6/http';
import { Trend } from 'k6/metrics';
import exec from 'k6/execution';

const target = __ENV.TARGET;
const items = new Trend('basket_items');

export const options = {
  scenarios: {
    read: { executor: 'constant-vus', exec: 'read', vus: 3, duration: '3s', gracefulStop: '1s', tags: { workload: 'reading' } },
    write: { executor: 'constant-arrival-rate', exec: 'write', rate: 10, timeUnit: '1s', duration: '3s', preAllocatedVUs: 5, gracefulStop: '1s', tags: { workload: 'writing' } },
  },
  thresholds: { http_req_failed: ['rate<0.01'], checks: ['rate>0.5'] },
};

export function setup() {
  http.get(`${target}/`, { tags: { name: 'home' } });
}

export function read() {
  const page = http.get(`${target}/delay/${5 + ((exec.vu.iterationInScenario * 7) % 30)}`, { tags: { name: 'page' } });
  check(page, { 'page is there': (r) => r.status === 200 });
}

export function write() {
  const n = exec.scenario.iterationInTest;
  const answer = http.get(`${target}/status/${n % 5 === 0 ? 503 : 200}`, { tags: { name: n % 5 === 0 ? 'broken' : 'write' } });
  check(answer, { 'it was written': (r) => r.status === 200 });
  items.add(n % 4);
  if (n === 1) console.error('basket 1 is empty');
  if (n === 12) throw new Error('the basket is gone');
  sleep(0.01);
}

export function teardown() {
  http.get(`${target}/`, { tags: { name: 'home' } });
}
