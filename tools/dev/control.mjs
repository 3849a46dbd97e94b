/**
 * Tells a running `make dev` to stop or start a program; what WEBHOOK_STOP_CMD and its like in .dev/env call.
 * Plain JavaScript, so that it runs on whatever Node the caller's shell finds.
 *
 *   node control.mjs SOCKET webhook|poller stop|start
 *
 * Returns when the program has ended, or is ready.
 */
import { request } from 'node:http';

const [socketPath, program, action] = process.argv.slice(2);
const fail = (message) => {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
};

request({ socketPath, method: 'POST', path: `/${program}/${action}` }, (response) => {
  let text = '';
  response.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  response.once('end', () => {
    if (response.statusCode !== 200) fail(text.trim());
  });
})
  .once('error', (error) =>
    fail(`nobody listens at ${socketPath} (${error.code}): is \`make dev\` still running?`),
  )
  .end();
