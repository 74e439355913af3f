// All of k6's system tags, VU and iteration as metadata of each sample among them.
import { check } from 'k6';
import { Trend } from 'k6/metrics';
import http from 'k6/http';

const trend = new Trend('with_all_tags');

export const options = {
  vus: 2,
  iterations: 6,
  systemTags: [
    'proto', 'subproto', 'status', 'method', 'url', 'name', 'group', 'check', 'error', 'error_code', 'tls_version',
    'scenario', 'service', 'expected_response', 'iter', 'vu', 'ocsp_status', 'ip',
  ],
};

export function setup() {
  http.get(`${__ENV.TARGET}/?from=setup`);
}

export default function () {
  http.get(`${__ENV.TARGET}/`);
  http.get(`${__ENV.TARGET}/status/418`, { tags: { vu: 'not a number', iter: '-1' } });
  check(1, { 'is one': (v) => v === 1 });
  trend.add(__ITER);
}
