import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SharedFlight } from './shared-flight.ts';

/** Work that ends when told to, and says what became of it. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const log = { starts: 0, aborted: false };
  const start = (signal: AbortSignal): Promise<string> => {
    log.starts++;
    signal.addEventListener('abort', () => {
      log.aborted = true;
    });
    return promise;
  };
  return { log, start, resolve, reject };
}
const never = new AbortController().signal;

describe('SharedFlight', () => {
  test('runs once for all who ask while it is under way, and again afterwards', async () => {
    const flight = new SharedFlight<string>();
    const { log, start, resolve } = work();
    const all = Promise.all([flight.run(start, never), flight.run(start, never), flight.run(start, never)]);
    resolve('x');
    assert.deepEqual(await all, ['x', 'x', 'x']);
    assert.equal(log.starts, 1);
    await flight.run(start, never);
    assert.equal(log.starts, 2);
  });

  test('one who gives up does not stop the others', async () => {
    const flight = new SharedFlight<string>();
    const { log, start, resolve } = work();
    const leaving = new AbortController();
    const first = flight.run(start, leaving.signal);
    const second = flight.run(start, never);
    leaving.abort(new Error('bye'));
    await assert.rejects(first, /bye/);
    assert.equal(log.aborted, false);
    resolve('x');
    assert.equal(await second, 'x');
  });

  test('when the last gives up the work is aborted, and the next one starts anew', async () => {
    const flight = new SharedFlight<string>();
    const { log, start } = work();
    const leaving = [new AbortController(), new AbortController()];
    const waiting = leaving.map(({ signal }) => flight.run(start, signal));
    for (const controller of leaving) controller.abort(new Error('bye'));
    await Promise.allSettled(waiting);
    assert.equal(log.aborted, true);
    const next = work();
    next.resolve('y');
    assert.equal(await flight.run(next.start, never), 'y');
  });

  test('a failure reaches everyone and is not kept', async () => {
    const flight = new SharedFlight<string>();
    const { start, reject } = work();
    const both = [flight.run(start, never), flight.run(start, never)];
    reject(new Error('no'));
    for (const one of both) await assert.rejects(one, /no/);
    assert.equal(await flight.run(async () => 'fine', never), 'fine');
  });

  test('nobody starts with a signal that has aborted', async () => {
    const { log, start } = work();
    await assert.rejects(new SharedFlight<string>().run(start, AbortSignal.abort(new Error('late'))), /late/);
    assert.equal(log.starts, 0);
  });
});
