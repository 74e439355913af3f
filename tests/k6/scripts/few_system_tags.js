// No system tags at all but one: what a record is made from may be missing.
import { check } from 'k6';
import http from 'k6/http';

export const options = { vus: 1, iterations: 3, systemTags: ['status'], discardResponseBodies: true };

export default function () {
  http.get(`${__ENV.TARGET}/`);
  http.get('http://127.0.0.1:1/refused');
  check(1, { 'nameless': (v) => v === 2 });
}
