// Says something each time that its init code runs.
import exec from 'k6/execution';

console.log('init code runs');

export const options = { vus: 5, iterations: 5 };

export default function () {
  console.log(`VU ${exec.vu.idInTest}`);
}
