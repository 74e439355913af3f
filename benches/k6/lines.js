// Logs the lines of a file, for k6's own `--log-output=loki`: what comes faster than its limit is lost, so it pauses.
import { sleep } from 'k6';

const lines = open(__ENV.LINES).split('\n').slice(0, -1);
const AT_ONCE = 4000;

export default function () {
  lines.forEach((line, index) => {
    if (index > 0 && index % AT_ONCE === 0) sleep(1.1);
    console.log(line);
  });
}
