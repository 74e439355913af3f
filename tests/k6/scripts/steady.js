// A hundred iterations a second for three seconds, whatever an output does.
export const options = {
  scenarios: {
    steady: { executor: 'constant-arrival-rate', rate: 100, timeUnit: '1s', duration: '3s', preAllocatedVUs: 20 },
  },
};

export default function () {
  console.log('an iteration');
}
