// One of two k6 that write to one file.
import { check } from 'k6';
import http from 'k6/http';

export const options = { vus: 2, iterations: 150 };

export default function () {
  const answer = http.get(`${__ENV.TARGET}/bytes/10?who=${__ENV.WHO}`, { tags: { who: __ENV.WHO, long: 'x'.repeat(500) } });
  check(answer, { 'is 200': (r) => r.status === 200 });
  console.log(`${__ENV.WHO} ${__VU} ${__ITER}`);
}
