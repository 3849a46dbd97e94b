/**
 * Loaded into the poller before its own code: at SIGUSR2 it collects garbage and appends one JSON line to the file that
 * SCALE_PROBE names. The delays of the event loop are those since the line before.
 */
import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const file = process.env['SCALE_PROBE'];
if (file !== undefined) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  process.on('SIGUSR2', () => {
    const milliseconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution);
    const [max, p99] = [milliseconds(delay.max), milliseconds(delay.percentile(99))];
    collect();
    const { heapUsed, external } = process.memoryUsage();
    appendFileSync(file, `${JSON.stringify({ heapBytes: heapUsed + external, max, p99 })}\n`);
    delay.reset();
  });
}
