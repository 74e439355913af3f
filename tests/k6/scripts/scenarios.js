// Scenarios side by side with tags of their own, which say workload and repetition; tags set for a VU.
import { Counter } from 'k6/metrics';
import exec from 'k6/execution';
import http from 'k6/http';

const counted = new Counter('counted');

export const options = {
  tags: { campaign: 'nightly', workload: 'of-the-run' },
  scenarios: {
    browse: {
      executor: 'per-vu-iterations', vus: 2, iterations: 3, exec: 'browse',
      tags: { workload: 'browse', repetition: '1', shop: 'a' },
    },
    buy: {
      executor: 'shared-iterations', vus: 2, iterations: 4, exec: 'buy',
      tags: { workload: 'buy', repetition: '2' },
    },
    steady: {
      executor: 'constant-arrival-rate', rate: 20, timeUnit: '1s', duration: '1s', preAllocatedVUs: 2, exec: 'steady',
    },
    overrun: {
      executor: 'constant-arrival-rate', rate: 30, timeUnit: '1s', duration: '1s', preAllocatedVUs: 1, maxVUs: 1,
      exec: 'overrun', gracefulStop: '1s',
    },
  },
};

export function browse() {
  http.get(`${__ENV.TARGET}/?page=${exec.scenario.iterationInTest}`, { tags: { name: 'browse' } });
  console.log(`browse ${exec.vu.idInTest}/${exec.scenario.iterationInTest}`);
}

export function buy() {
  exec.vu.metrics.tags.repetition = '7';
  http.post(`${__ENV.TARGET}/json`, '{}');
  counted.add(1, { basket: 'full' });
  exec.vu.metrics.tags.repetition = '2';
  counted.add(1);
}

export function steady() {
  http.get(`${__ENV.TARGET}/flaky?rate=0.3`, { tags: { name: 'flaky' } });
}

export function overrun() {
  http.get(`${__ENV.TARGET}/delay/60`);
}
