// Everything that a script can say, in setup, VUs, teardown and handleSummary; exceptions; an abort from within.
import { fail } from 'k6';
import exec from 'k6/execution';

export const options = { vus: 1, iterations: 4 };

const controls = Array.from({ length: 32 }, (_, i) => String.fromCharCode(i)).join('');

export function setup() {
  console.log('setup: one line');
  return { from: 'setup' };
}

export default function (data) {
  switch (__ITER) {
    case 0:
      console.debug('debug line');
      console.info('info line');
      console.log('log line');
      console.warn('warn line');
      console.error('error line');
      console.log('');
      console.log(' leading and trailing \n');
      console.log(`controls ${controls} and \x7f\x80\x9f`);
      console.log('separators \u2028 \u2029, escapes " \\ / </script>, text grüße 你好 😀 \ufeff');
      console.log(`a lone surrogate: ${String.fromCharCode(0xd800)} and one more ${String.fromCharCode(0xdc00)}x, the last code point: ${String.fromCodePoint(0x10ffff)}`);
      console.log('an object', data, [1, 2, { a: null }], undefined, null, NaN, -0, true);
      console.log('{"level":"ERROR","message":"looks like a record"}');
      console.log(`long ${'0123456789 ü"\\'.repeat(5000)} end`);
      console.log('%s %d {} ${x} is not a format');
      return;
    case 1:
      throw new Error('thrown "on" purpose\nsecond line ü');
    case 2:
      fail('failed on purpose');
      return;
    default:
      exec.test.abort('aborted on purpose');
  }
}

export function teardown() {
  console.log('teardown: one line');
}

export function handleSummary() {
  console.log('handleSummary: one line \u0000 with a nul');
  console.warn(`handleSummary: ${'long '.repeat(2000)}`);
  return {};
}
