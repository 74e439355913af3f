// Thresholds that pass, fail, abort, on metrics with tags; lines of handleSummary.
import { Rate, Trend } from 'k6/metrics';
import { sleep } from 'k6';
import http from 'k6/http';

const broken = new Rate('broken');
const waited = new Trend('waited', true);

export const options = {
  vus: 2,
  duration: '20s',
  thresholds: {
    broken: [{ threshold: 'rate<0.1', abortOnFail: true, delayAbortEval: '200ms' }],
    'waited{kind:short}': ['p(95)<1000', 'avg<0.5'],
    http_req_failed: ['rate<2'],
    iterations: ['count>1000000'],
  },
  summaryTrendStats: ['avg', 'p(99)'],
};

if (__ENV.SHORT) {
  delete options.duration;
  options.iterations = 10;
}

export default function () {
  http.get(`${__ENV.TARGET}/`);
  broken.add(true);
  waited.add(1.5, { kind: 'short' });
  waited.add(150, { kind: 'long' });
  sleep(0.05);
}

export function handleSummary(data) {
  console.log('handleSummary says hello');
  console.error(`and knows ${Object.keys(data.metrics).includes('broken')} ü \u2028 end`);
  return { stdout: 'the summary\n' };
}
