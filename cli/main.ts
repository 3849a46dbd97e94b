/** The program `esa`. */
import { buffer } from 'node:stream/consumers';
import { run } from './run.ts';

// Whoever reads the output may have seen enough (`esa render ... | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  // Only a terminal has the method; it minds NO_COLOR.
  colours: process.stdout.isTTY && process.stdout.hasColors(),
  progress: process.stderr.isTTY,
  readInput: () => buffer(process.stdin),
});
