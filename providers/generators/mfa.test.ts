import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mfaSpec } from '../../api/generators/v1alpha1/mfa.ts';
import { formatProblem } from '../../api/problem.ts';
import { encodeBase32 } from '../../template/functions/base64.ts';
import type { StoreContext } from '../contract.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { mfaGenerator, totp } from './mfa.ts';

const secret = { name: 'seed', key: 'otp' };
const store: StoreContext = {
  kind: 'SecretStore',
  name: 'MFA team/code',
  namespace: 'team',
  uid: '',
  generation: 1,
  callerNamespace: 'team',
};
const SEED = '12345678901234567890';

async function generate(seed: string, more: object = {}, now = 59_000): Promise<Record<string, string>> {
  const cluster = new MemoryCluster({ now: () => now, monotonic: () => now });
  cluster.set('Secret', 'team/seed', { otp: seed });
  const spec = mfaSpec.parse({ secret, ...more });
  const use = { store, ports: cluster.ports };
  const values = await mfaGenerator.generate(spec, use, AbortSignal.timeout(5_000));
  return Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()]));
}

describe('the vectors of RFC 6238', () => {
  const seeds = { sha1: 20, sha256: 32, sha512: 64 };
  for (const [time, sha1, sha256, sha512] of [
    [59, '94287082', '46119246', '90693936'],
    [1111111109, '07081804', '68084774', '25091201'],
    [1111111111, '14050471', '67062674', '99943326'],
    [1234567890, '89005924', '91819424', '93441116'],
    [2000000000, '69279037', '90698825', '38618901'],
    [20000000000, '65353130', '77737706', '47863826'],
  ] as const) {
    test(`at ${time}`, () => {
      for (const [algorithm, token] of Object.entries({ sha1, sha256, sha512 })) {
        const seed = Buffer.from(SEED.repeat(4).slice(0, seeds[algorithm as keyof typeof seeds]));
        assert.equal(totp(seed, time, mfaSpec.parse({ secret, algorithm, length: 8 })), token, algorithm);
      }
    });
  }
});

test('six digits of sha1, half a minute long; what is left of it beside', async () => {
  const seed = encodeBase32(SEED);
  assert.deepEqual(await generate(seed), { token: '287082', timeLeft: '1' });
  assert.deepEqual(await generate(seed, { length: 0, timePeriod: 0, algorithm: '' }), {
    token: '287082',
    timeLeft: '1',
  });
  assert.deepEqual(await generate(seed, {}, 60_000), { token: '359152', timeLeft: '30' });
  assert.equal((await generate(seed, { timePeriod: 60 }))['timeLeft'], '1');
  assert.deepEqual(await generate(seed, { when: '1970-01-01T00:00:59Z' }, 9e9), {
    token: '287082',
    timeLeft: '1',
  });
});

test('a seed as people write it: in groups, in small letters, without its padding', async () => {
  const seed = encodeBase32(SEED).toLowerCase();
  for (const text of [
    `${seed}\n`,
    seed.replace(/=+$/, ''),
    seed.replace(/(.{4})/g, '$1 '),
    `${seed.slice(0, 8)}-${seed.slice(8)}`,
  ])
    assert.equal((await generate(text))['token'], '287082', text);
});

test('what is no seed is an error that does not show it; a foreign namespace is forbidden', async () => {
  for (const text of ['SENTINEL 0189', '', '====']) {
    await assert.rejects(generate(text), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
      assert.match(error.message, /^key otp of Secret team\/seed is no seed in base32/);
      assert.doesNotMatch(error.message, /SENTINEL/);
      return true;
    });
  }
  await assert.rejects(generate('x', { secret: { ...secret, key: 'none' } }), {
    code: 'REFERENCE_NOT_FOUND',
  });
  await assert.rejects(generate('x', { secret: { ...secret, namespace: 'other' } }), {
    code: 'REFERENCE_FORBIDDEN',
  });
});

test('what can never be a token is refused with its field', () => {
  const problemsOf = (more: object): string[] =>
    mfaGenerator.validateSpec(mfaSpec.parse({ secret, ...more })).map(formatProblem);
  for (const [more, words] of [
    [{ length: 11 }, 'length: a token has at most 10 digits'],
    [{ timePeriod: 90_000 }, 'timePeriod: at most 86400 seconds'],
    [{ algorithm: 'md5' }, 'algorithm: supported: sha1, sha256, sha512'],
    [{ when: 'soon' }, 'when: must be a time: 2026-01-31T12:00:00Z'],
    [{ secret: { key: 'x' } }, 'secret.name: name the Secret'],
    [{ secret: { name: 'x' } }, 'secret.key: name the key of the Secret'],
  ] as const) {
    assert.deepEqual(problemsOf(more), [words]);
  }
  for (const more of [{}, { length: 8 }, { algorithm: 'SHA-256' }, { algorithm: 'sha512' }])
    assert.deepEqual(problemsOf(more), []);
  assert.equal(mfaGenerator.lifeMs(mfaSpec.parse({ secret, timePeriod: 60 })), 60_000);
});
