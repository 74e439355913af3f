// Tags of the user that bear the names of k6's, of the record's fields and of our own tags.
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import http from 'k6/http';

const names = [
  // what our records call their own values
  'duration_ms', 'blocked_ms', 'connecting_ms', 'tls_handshaking_ms', 'sending_ms', 'waiting_ms', 'receiving_ms',
  'failed', 'metric', 'type', 'contains', 'value', 'check', 'passed', 'instance', 'data_sent', 'data_received',
  'phase', 'exception', 'stack', 'truncated_bytes', 'context', 'final', 'source', 'count', 'rate', 'vu', 'iter', 'iteration',
  // the fields of a record
  'timestamp', 'level', 'host', 'logger', 'message', 'event_type', 'package', 'plugin', 'tags', 'kind',
  // what a collision turns into, and a name that nothing collides with
  'tag_duration_ms', 'tag_tag_duration_ms', 'tag_value', 'tag_', 'plain',
];
const everything = Object.fromEntries(names.map((name) => [name, `user's ${name}`]));
const system = { method: 'my method', status: '999', url: 'my url', name: 'my name', group: 'my group', proto: 'my proto' };

const counter = new Counter('my_counter');
const trend = new Trend('duration_ms');

export const options = { vus: 1, iterations: 3, tags: { run_wide: 'yes', value: 'of the run' } };

export default function () {
  http.get(`${__ENV.TARGET}/`, { tags: everything });
  http.get(`${__ENV.TARGET}/status/500`, { tags: system });
  http.get(`${__ENV.TARGET}/`, { tags: { workload: 'other', repetition: '5', component: 'part', run_id: 'elsewhere' } });
  check(null, { 'check with tags': () => false, 'and one more': () => true }, everything);
  check(null, { 'check with system tags': () => true }, system);
  counter.add(1, everything);
  counter.add(2.5, system);
  counter.add(3, { workload: 'w3', scenario: 'renamed' });
  trend.add(4, { metric: 'not_a_metric', type: 'gauge' });
}
