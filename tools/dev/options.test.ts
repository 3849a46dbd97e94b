import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDevFlags, UsageError } from './options.ts';

const read = (...args: string[]) => readDevFlags('tools/dev.ts', args, ['watch']);

test('a cluster of the user only where it is named', () => {
  assert.deepEqual(read(), { ownCluster: undefined, switches: new Set() });
  assert.deepEqual(read('--watch').switches, new Set(['watch']));
  assert.deepEqual(read('--context', 'kind-a').ownCluster, {
    context: 'kind-a',
    webhookHost: undefined,
    yes: false,
  });
  assert.deepEqual(read('--context=a', '--webhook-host=10.0.0.1', '--yes').ownCluster, {
    context: 'a',
    webhookHost: '10.0.0.1',
    yes: true,
  });
});

test('what makes no sense is refused in one line', () => {
  for (const [args, message] of [
    [['--yes'], /--yes are for a cluster of your own: add --context$/],
    [['--webhook-host', 'a'], /add --context$/],
    [['--context', ''], /--context names no context$/],
    [['--once'], /^tools\/dev\.ts: Unknown option '--once'/],
    [['kind-a'], /^tools\/dev\.ts: Unexpected argument 'kind-a'/],
  ] as const) {
    assert.throws(
      () => read(...args),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    );
  }
});
