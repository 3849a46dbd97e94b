import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commonError, retryAfterOf } from './answers.ts';

test('what a status means everywhere', () => {
  const answer = (status: number, headers = {}) => ({ status, headers, body: Buffer.from('') });
  for (const [status, code] of [
    [302, 'PROVIDER_INVALID_RESPONSE'],
    [408, 'PROVIDER_TIMEOUT'],
    [429, 'PROVIDER_THROTTLED'],
    [500, 'PROVIDER_UNREACHABLE'],
    [503, 'PROVIDER_UNREACHABLE'],
    [504, 'PROVIDER_UNREACHABLE'],
  ] as const) {
    const error = commonError('Cloud: read', answer(status), 'its words');
    assert.equal(error?.code, code);
    assert.match(error?.message ?? '', /^Cloud: read: /);
  }
  for (const status of [400, 401, 403, 404, 409])
    assert.equal(commonError('Cloud: read', answer(status), ''), undefined);
  assert.equal(commonError('x', answer(429, { 'retry-after': '3' }), '')?.retryAfterMs, 3_000);
  assert.equal(commonError('x', answer(500, { 'retry-after': '3' }), '')?.retryAfterMs, undefined);
});

test('Retry-After: seconds, a date, nonsense', () => {
  const after = (value: string | undefined, now?: number) => retryAfterOf({ 'retry-after': value }, now);
  assert.equal(after('7', 1_000), 7_000);
  assert.equal(after('7'), 7_000);
  assert.equal(after('Thu, 01 Jan 1970 00:00:31 GMT', 1_000), 30_000);
  assert.equal(after('Thu, 01 Jan 1970 00:00:31 GMT'), undefined);
  for (const none of [undefined, '0', 'soon', '-3', '99999999', '1e9', 'Thu, 01 Jan 1970 00:00:00 GMT'])
    assert.equal(after(none, 1_000), undefined);
  assert.equal(retryAfterOf(undefined), undefined);
});
