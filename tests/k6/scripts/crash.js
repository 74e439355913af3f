// Load that can be counted: each VU numbers its requests, in the URL for the server and in a tag for our file.
import http from 'k6/http';

export const options = { vus: 4, duration: '30s' };

export default function () {
  const tags = { name: 'counted', vu_number: String(__VU), number: String(__ITER) };
  http.get(`${__ENV.TARGET}/${__VU}/${__ITER}`, { tags });
  if (__ITER % 50 === 0) console.log(`VU ${__VU} at ${__ITER}`);
}
