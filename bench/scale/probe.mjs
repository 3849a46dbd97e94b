/**
 * Loaded into the poller before its own code; it appends JSON lines to the file that SCALE_PROBE names. Plain JavaScript,
 * because Node's loader of TypeScript takes some ten MiB, which would count as the poller's.
 *
 * SIGUSR2: `{ max, p99 }`, the delays of the event loop in milliseconds since the start or since measuring was taken up
 * again. Each signal in turn ends measuring and takes it up: it needs a thousand turns a second of its own.
 * SIGHUP: `{ heapBytes }` after garbage was collected.
 */
import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const file = process.env['SCALE_PROBE'];
if (file !== undefined) {
  const append = (line) => appendFileSync(file, `${JSON.stringify(line)}\n`);
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  let measuring = true;
  process.on('SIGUSR2', () => {
    const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution);
    append({ max: milliseconds(delay.max), p99: milliseconds(delay.percentile(99)) });
    delay.reset();
    measuring = !measuring;
    if (measuring) delay.enable();
    else delay.disable();
  });
  process.on('SIGHUP', () => {
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    const { heapUsed, external } = process.memoryUsage();
    append({ heapBytes: heapUsed + external });
  });
}
