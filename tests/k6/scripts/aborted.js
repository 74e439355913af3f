// Runs until it is interrupted; says so in teardown and in handleSummary.
import { sleep } from 'k6';
import http from 'k6/http';

export const options = { vus: 4, duration: '60s' };

export default function () {
  http.get(`${__ENV.TARGET}/delay/20`);
  console.log(`VU ${__VU} did ${__ITER}`);
  sleep(0.02);
}

export function teardown() {
  http.get(`${__ENV.TARGET}/?from=teardown`);
  console.log('teardown after the interruption');
}

export function handleSummary() {
  console.log('summary after the interruption');
  return {};
}
