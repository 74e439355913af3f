// Custom metrics of all four kinds, hard numbers, metadata, tags set for the VU.
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
import exec from 'k6/execution';

const counter = new Counter('a_counter');
const bytes = new Counter('a_counter_of_bytes');
const gauge = new Gauge('a_gauge');
const rate = new Rate('a_rate');
const trend = new Trend('a_trend');
const times = new Trend('a_trend_of_times', true);

export const options = { vus: 2, iterations: 10 };

const numbers = [
  0, -0, 1, -1, 0.1, 0.1 + 0.2, 1 / 3, 1e15, 1e16, 1e21, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308,
  -1e-7, 9007199254740993, 123456789.123456789, 4.35, 1e-5, 1e-6,
];

export default function () {
  exec.vu.metrics.tags.step = 'numbers';
  exec.vu.metrics.metadata.trace_id = `trace-${__VU}-${__ITER}`;
  for (const number of numbers) {
    trend.add(number, { number: String(number) });
    gauge.add(number);
    if (number >= 0 && number < 1e300) counter.add(number); // a sum beyond a double's range is no number
  }
  exec.vu.metrics.tags.step = 'rest';
  times.add(12.5);
  bytes.add(4096, { unit: 'bytes' });
  rate.add(true);
  rate.add(false, { why: 'ü "quoted" \\ \n \u0001 \u2028 end' });
  rate.add(0);
  rate.add(17);
  delete exec.vu.metrics.metadata.trace_id;
  counter.add(1);
  counter.add(1);
  exec.vu.metrics.tags.number = 42;
  exec.vu.metrics.tags.truth = true;
  trend.add(2);
}
