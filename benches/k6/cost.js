// The same work for every output: requests against the target, a check each.
import { check, sleep } from 'k6';
import http from 'k6/http';

const paced = __ENV.MODE === 'paced';

export const options = paced
  ? { vus: 60, duration: `${__ENV.SECONDS}s` }
  : { scenarios: { work: { executor: 'shared-iterations', vus: 20, iterations: Number(__ENV.REQUESTS), maxDuration: '5m' } } };

export default function () {
  const answer = http.get(`${__ENV.TARGET}/`);
  check(answer, { 'status is 200': (r) => r.status === 200 });
  if (paced) sleep(0.02);
}

export function handleSummary(data) {
  const { iterations, http_reqs: requests } = data.metrics;
  return { [__ENV.SUMMARY]: JSON.stringify({ iterations: iterations.values.count, requests: requests.values.count }) };
}
