import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateOptions } from './certificate-flags.ts';

const none = {
  'ca-lifetime': undefined,
  'leaf-lifetime': undefined,
  'ca-overlap': undefined,
  'tls-cert-file': undefined,
  'tls-private-key-file': undefined,
};
const DAY = 86_400_000;

test('defaults: a year, 30 days, 10 minutes', () => {
  assert.deepEqual(certificateOptions(none), {
    files: undefined,
    times: { authorityMs: 365 * DAY, leafMs: 30 * DAY, overlapMs: 600_000, tickMs: 10_000 },
  });
});

test('short lives bring short waits along', () => {
  const { times } = certificateOptions({ ...none, 'ca-lifetime': '3m', 'leaf-lifetime': '40s' });
  assert.deepEqual(times, { authorityMs: 180_000, leafMs: 40_000, overlapMs: 30_000, tickMs: 2000 });
  assert.equal(certificateOptions({ ...none, 'ca-overlap': '2s' }).times.tickMs, 500);
});

test('what is out of its range or does not go together is refused by name', () => {
  const cases: [Partial<Record<keyof typeof none, string>>, RegExp][] = [
    [{ 'ca-lifetime': '1y' }, /^--ca-lifetime: "1y" is not a duration from 1m0s to 87600h0m0s$/],
    [{ 'ca-lifetime': '59s' }, /^--ca-lifetime/],
    [{ 'leaf-lifetime': '0' }, /^--leaf-lifetime: "0" is not a duration from 30s to/],
    [
      { 'ca-lifetime': '1h', 'ca-overlap': '11m' },
      /^--ca-overlap: "11m" is not a duration from 1s to 10m0s$/,
    ],
    [{ 'ca-overlap': '25h' }, /^--ca-overlap/],
    [{ 'tls-cert-file': 'a' }, /go together/],
    [{ 'tls-private-key-file': 'a' }, /go together/],
    [
      { 'tls-cert-file': 'a', 'tls-private-key-file': 'b', 'ca-lifetime': '1h' },
      /^--ca-lifetime.*means nothing/,
    ],
    [{ 'tls-cert-file': 'a', 'tls-private-key-file': 'b', 'ca-overlap': '1m' }, /^--ca-overlap/],
  ];
  for (const [flags, message] of cases) {
    assert.throws(() => certificateOptions({ ...none, ...flags }), { code: 'CONFIGURATION', message });
  }
});

test('files turn our own making off', () => {
  const flags = { ...none, 'tls-cert-file': '/tls/tls.crt', 'tls-private-key-file': '/tls/tls.key' };
  assert.deepEqual(certificateOptions(flags), {
    files: { cert: '/tls/tls.crt', key: '/tls/tls.key' },
    times: { tickMs: 2000 },
  });
});
