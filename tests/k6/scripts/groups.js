// Nested groups, checks that pass and fail, names that need escapes.
import { check, group } from 'k6';
import http from 'k6/http';

export const options = { vus: 3, iterations: 12 };

export default function () {
  group('outer "quoted"', () => {
    const answer = http.get(`${__ENV.TARGET}/`);
    check(answer, {
      'status is 200': (r) => r.status === 200,
      'never true ü\n2nd line': () => false,
    });
    group('inner\\ \u2028 日本', () => {
      console.log(`in the inner group, VU ${__VU}, iteration ${__ITER}`);
      check(http.get(`${__ENV.TARGET}/status/404`), { 'is 404': (r) => r.status === 404 }, { depth: '2' });
    });
  });
  http.get(`${__ENV.TARGET}/bytes/100?a=1&b=%20#part`);
}
