// gRPC by reflection: answers, an error, a stream.
import { check } from 'k6';
import grpc from 'k6/net/grpc';

const client = new grpc.Client();

export const options = { vus: 2, iterations: 4 };

export default function () {
  client.connect(__ENV.TARGET_GRPC, { plaintext: true, reflect: true });
  const good = client.invoke('grpc.health.v1.Health/Check', { service: 'target' }, { tags: { call: 'good' } });
  check(good, { 'is OK': (r) => r.status === grpc.StatusOK });
  const bad = client.invoke('grpc.health.v1.Health/Check', { service: 'no "such"' });
  check(bad, { 'is not found': (r) => r.status === grpc.StatusNotFound });
  client.close();
}
