import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SecretValue } from '../api/secret-value.ts';
import { FIND_LIMITS, type FoundObject } from './contract.ts';
import { inParallel, nameExpression, readFound } from './find.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const found = (key: string, bytes = 1): FoundObject => {
  const value = SecretValue.fromBytes(Buffer.alloc(bytes));
  return { key, canonicalKey: key, object: { get: () => value, getMap: () => new Map() } };
};

describe('requests side by side', () => {
  test('keep the order, and are never more than eight', async () => {
    let running = 0;
    let most = 0;
    const items = Array.from({ length: 50 }, (_, i) => i);
    const results = await inParallel(items, async (item) => {
      most = Math.max(most, ++running);
      for (let i = 0; i < (item * 7) % 5; i++) await tick();
      running--;
      return item * 2;
    });
    assert.deepEqual(
      results,
      items.map((item) => item * 2),
    );
    assert.equal(most, 8);
    assert.deepEqual(await inParallel([], tick), []);
  });

  test('stop at the first failure', async () => {
    let begun = 0;
    await assert.rejects(
      inParallel(
        Array.from({ length: 100 }, (_, i) => i),
        async (item) => {
          begun++;
          await tick();
          if (item === 3) throw new Error('three');
        },
      ),
      /three/,
    );
    await tick();
    await tick();
    assert.ok(begun <= 16, `${begun}`);
  });
});

test('what was found is in the order of bytes, without what is gone', async () => {
  const keys = ['b', 'a', 'B', 'é', '😀', '\uffee', 'gone'];
  const all = await readFound(keys, async (key) => (key === 'gone' ? undefined : found(key)));
  assert.deepEqual(
    all.map(({ key }) => key),
    ['B', 'a', 'b', 'é', '\uffee', '😀'],
  );
});

test('no find is larger than a Secret could be', async () => {
  const many = Array.from({ length: FIND_LIMITS.objects + 1 }, (_, i) => `${i}`);
  await assert.rejects(
    readFound(many, async (key) => found(key)),
    { code: 'PROVIDER_INVALID_CONFIG', message: /more than 5000 secrets; narrow it with find\.path/ },
  );
  await assert.rejects(
    readFound(['a', 'b'], async (key) => found(key, FIND_LIMITS.bytes / 2 + 1)),
    /more than 16777216 bytes/,
  );
});

test('an expression that does not compile is named with what is wrong', () => {
  assert.throws(() => nameExpression('a('), {
    code: 'PROVIDER_INVALID_CONFIG',
    message: /could not compile find\.name\.regexp \[a\(\]: error parsing regexp: missing closing \)/,
  });
});
