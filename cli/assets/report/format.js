// How numbers and times are written. Every number has its unit, and a blank that does not break.

const NONE = '–';
const NBSP = '\u00a0';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

function known(value) {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/** A count. */
function count(value) {
  return known(value) ? whole.format(value) : NONE;
}

/** Three digits, more where they stand before the point. */
function digits(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 100) return whole.format(value);
  if (size === 0) return '0';
  const places = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return value.toFixed(places);
}

/** Three digits, without zeros that say nothing: for axes and bare values. */
function short(value) {
  if (!known(value)) return NONE;
  const text = digits(value);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** A time that something took, in milliseconds. */
function took(ms, write = digits) {
  if (!known(ms)) return NONE;
  if (ms !== 0 && ms < 0.1) return write(ms * 1000) + NBSP + 'µs';
  if (ms < 1000) return write(ms) + NBSP + 'ms';
  return ms < 60_000 ? write(ms / 1000) + NBSP + 's' : lasted(ms);
}

/** A length of time, in milliseconds, as people say it. */
function lasted(ms) {
  if (!known(ms)) return NONE;
  if (ms < 60_000) return short(ms / 1000) + NBSP + 's';
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return hours + NBSP + 'h' + NBSP + minutes + NBSP + 'min';
  return minutes + NBSP + 'min' + (seconds % 60 ? NBSP + (seconds % 60) + NBSP + 's' : '');
}

function perSecond(value) {
  return known(value) ? digits(value) + '/s' : NONE;
}

/** A share of 1. */
function percent(share) {
  if (!known(share)) return NONE;
  if (share !== 0 && share < 0.0001) return '<' + NBSP + '0.01' + NBSP + '%';
  return short(share * 100) + NBSP + '%';
}

function bytes(value) {
  if (!known(value)) return NONE;
  for (const unit of ['bytes', 'kB', 'MB']) {
    if (value < 1000) return (unit === 'bytes' ? count(value) : digits(value)) + NBSP + unit;
    value /= 1000;
  }
  return digits(value) + NBSP + 'GB';
}

/** `1 log`, `2 logs`. */
function counted(value, one, many) {
  return count(value) + NBSP + (value === 1 ? one : many || one + 's');
}

function iso(ms) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? NONE : date.toISOString();
}

/** `2026-11-22 10:11:12` of a moment, in UTC. */
function moment(ms) {
  return known(ms) ? iso(ms).slice(0, 19).replace('T', ' ') : NONE;
}

/** `10:11:12.123` of a moment, in UTC. */
function clock(ms) {
  return known(ms) ? iso(ms).slice(11, 23) : NONE;
}

/** `+1:02.5` since a beginning, in seconds. */
function since(seconds) {
  const sign = seconds < 0 ? '−' : '+';
  const size = Math.abs(seconds);
  const [hours, minutes] = [Math.floor(size / 3600), Math.floor(size / 60) % 60];
  const rest = size % 60;
  const tail = Number.isInteger(rest) ? String(rest) : rest.toFixed(1);
  const pair = (text) => (text.indexOf('.') === 1 || text.length === 1 ? '0' + text : text);
  if (hours > 0) return sign + hours + ':' + pair(String(minutes)) + ':' + pair(tail);
  return sign + minutes + ':' + pair(tail);
}
