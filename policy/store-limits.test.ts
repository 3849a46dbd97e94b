import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUR_GROUP } from '../api/external-secrets/names.ts';
import { DEFAULT_STORE_LIMITS, storeLimitFlags, storeLimits } from './store-limits.ts';

const flags = (changes: object = {}) => ({
  'store-max-in-flight': '32',
  'store-rate-limit': '0',
  'store-rate-burst': '1',
  'store-breaker-failures': '3',
  'store-breaker-cool-down': '1s',
  ...changes,
});

test('the defaults of the flags are those of the engine', () => {
  assert.deepEqual(storeLimitFlags(flags()), DEFAULT_STORE_LIMITS);
});

test('an annotation outranks a flag, also to take a limit away', () => {
  const defaults = storeLimitFlags(flags({ 'store-rate-limit': '20', 'store-max-in-flight': '4' }));
  assert.equal(defaults.rate, 20);
  const { limits, problems } = storeLimits(
    { [`${OUR_GROUP}/rate-limit`]: '0', [`${OUR_GROUP}/breaker-cool-down`]: '250ms', other: 'x' },
    defaults,
  );
  assert.deepEqual(limits, { ...defaults, rate: undefined, breakerCoolDownMs: 250 });
  assert.deepEqual(problems, []);
  assert.equal(storeLimits(undefined, defaults).limits, defaults);
});

test('a flag that makes no sense ends the program', () => {
  assert.throws(() => storeLimitFlags(flags({ 'store-rate-limit': 'fast' })), {
    code: 'CONFIGURATION',
    message:
      '--store-rate-limit: "fast" is not a number of requests a second from 1 to 10000, or 0 for no limit',
  });
});
