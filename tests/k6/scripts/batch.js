// Batches: several methods, redirects, failures of the connection, tags and names for one request.
import http from 'k6/http';

export const options = { vus: 2, iterations: 6, batch: 10 };

export default function () {
  const base = __ENV.TARGET;
  http.batch([
    ['GET', `${base}/`],
    ['GET', `${base}/redirect/2`, null, { tags: { kind: 'redirected' } }],
    ['POST', `${base}/json`, JSON.stringify({ a: [1, 2] }), { headers: { 'Content-Type': 'application/json' } }],
    ['PUT', `${base}/status/503`, 'body', { tags: { name: 'put something' } }],
    ['HEAD', `${base}/`, null, { tags: { name: 'head', empty: '' } }],
    ['DELETE', `${base}/status/204`],
    ['GET', 'http://127.0.0.1:1/refused'],
    ['GET', `${base}/delay/300`, null, { timeout: '50ms' }],
    ['GET', http.url`${base}/bytes/${Math.floor(Math.random() * 10)}`],
  ]);
  http.batch({ one: `${base}/status/500`, two: { method: 'GET', url: `${base}/flaky?rate=0.5` } });
}
