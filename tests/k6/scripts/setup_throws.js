// An exception in setup: no iteration ever runs.
import http from 'k6/http';

export const options = { vus: 2, iterations: 4 };

export function setup() {
  console.log('setup begins');
  http.get(`${__ENV.TARGET}/?from=setup`);
  throw new Error('no "luck"\nin setup ü');
}

export default function () {
  http.get(`${__ENV.TARGET}/`);
}

export function teardown() {
  console.log('never said');
}

export function handleSummary() {
  console.warn('the summary of nothing');
  return {};
}
