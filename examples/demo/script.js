// A small shop under load, for `make demo`: ten seconds, three scenarios, and something of
// everything that a log should hold. The server is examples/target.
import { check, group, sleep } from 'k6';
import http from 'k6/http';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
import exec from 'k6/execution';

const target = __ENV.TARGET || 'http://127.0.0.1:8080';

const orders = new Counter('orders');
const basketItems = new Trend('basket_items');
const stockLeft = new Gauge('stock_left');
const coupons = new Rate('coupon_used');

export const options = {
  scenarios: {
    browse: {
      executor: 'constant-vus',
      exec: 'browse',
      vus: 3,
      duration: '9s',
      gracefulStop: '1s',
      tags: { workload: 'reading', team: 'shop' },
    },
    checkout: {
      executor: 'constant-arrival-rate',
      exec: 'checkout',
      rate: 6,
      timeUnit: '1s',
      duration: '9s',
      preAllocatedVUs: 6,
      gracefulStop: '1s',
      tags: { workload: 'writing', team: 'payments' },
    },
    report: {
      executor: 'shared-iterations',
      exec: 'report',
      vus: 1,
      iterations: 3,
      startTime: '2s',
      maxDuration: '8s',
      gracefulStop: '1s',
      tags: { workload: 'reading' },
    },
  },
  thresholds: {
    http_req_duration: ['p(95)<1000'],
    // Every tenth payment fails: this one is meant to be missed.
    'http_req_failed{scenario:checkout}': ['rate<0.02'],
    'http_req_duration{scenario:checkout}': ['max<2000'],
    checks: ['rate>0.8'],
  },
};

export function setup() {
  console.info(`setup: the shop is at ${target}`);
  const answer = http.get(`${target}/`, { tags: { name: 'home' } });
  if (answer.status !== 200) {
    exec.test.abort(`nobody answers at ${target}`);
  }
  return { stock: 1000, opened: Date.now() };
}

export function browse() {
  group('catalogue', () => {
    const pages = http.batch([
      ['GET', `${target}/`, null, { tags: { name: 'home' } }],
      ['GET', `${target}/bytes/20000`, null, { tags: { name: 'picture' } }],
    ]);
    check(pages[0], { 'home is there': (r) => r.status === 200 });
    check(pages[1], { 'picture is whole': (r) => r.body.length === 20000 });
  });
  group('product', () => {
    const ms = 10 + ((exec.vu.iterationInScenario * 37) % 90);
    const page = http.get(`${target}/delay/${ms}`, { tags: { name: 'product page' } });
    check(page, { 'product page is there': (r) => r.status === 200 });
  });
  sleep(0.2);
}

export function checkout(data) {
  const n = exec.scenario.iterationInTest;
  const items = 1 + (n % 5);
  if (n === 20) {
    throw new Error(`basket ${n} is gone`);
  }
  group('basket', () => {
    const basket = JSON.stringify({ basket: n, items });
    const answer = http.post(`${target}/json`, basket, {
      headers: { 'Content-Type': 'application/json' },
      tags: { name: 'basket' },
    });
    check(answer, { 'basket is echoed': (r) => r.json('items') === items });
  });
  const paid = http.get(`${target}/flaky?rate=0.1`, { tags: { name: 'payment' } });
  coupons.add(n % 3 === 0, { kind: 'percent' });
  if (check(paid, { 'payment went through': (r) => r.status === 200 })) {
    orders.add(1, { kind: 'web' });
    basketItems.add(items);
    stockLeft.add(data.stock - n);
  } else {
    console.warn(`basket ${n}: the payment failed with ${paid.status}`);
  }
}

export function report() {
  const answer = http.get(`${target}/delay/${600 + 150 * exec.scenario.iterationInTest}`, {
    tags: { name: 'daily report' },
  });
  check(answer, { 'report in 800 ms': (r) => r.timings.duration < 800 });
  const gone = http.get(`${target}/status/404`, { tags: { name: 'old report' } });
  if (gone.status === 404) {
    console.error('the old report is gone:', gone.url);
  }
}

export function teardown(data) {
  console.log(`teardown: the shop was open for ${((Date.now() - data.opened) / 1000).toFixed(1)} s`);
}
