// What k6 does not judge: no failed, no expected_response.
import http from 'k6/http';

http.setResponseCallback(null);

export const options = { vus: 2, iterations: 6 };

export default function () {
  http.get(`${__ENV.TARGET}/status/500`);
  http.get(`${__ENV.TARGET}/`, { responseCallback: http.expectedStatuses(404) });
  http.get(`${__ENV.TARGET}/status/404`, { responseCallback: http.expectedStatuses(404, { min: 500, max: 599 }) });
  http.get('http://127.0.0.1:1/refused');
}
