import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Filter } from '@aws-sdk/client-secrets-manager';
import { SecretValue } from '../../api/secret-value.ts';
import type { FindRequest } from '../contract.ts';
import { findSecrets, validateAwsFind } from './find.ts';

// AWS itself is tested on stand-ins, end to end; here it is what is asked of it, and what is made of the answers.

const NAMES = ['app/db', 'app/mail', 'other', 'team/app/db', 'team/x'];

function aws(names: readonly string[] = NAMES, pageSize = 2) {
  const asked: (readonly Filter[])[] = [];
  const read: string[] = [];
  return {
    asked,
    read,
    requests: {
      async list(filters: readonly Filter[], token: string | undefined) {
        asked.push(filters);
        const at = Number(token ?? 0);
        const next = at + pageSize < names.length ? String(at + pageSize) : undefined;
        return { names: names.slice(at, at + pageSize), next };
      },
      async read(name: string) {
        read.push(name);
        if (name.endsWith('mail')) return undefined;
        return { get: () => SecretValue.fromText(name), getMap: () => new Map() };
      },
    },
  };
}

async function found(request: FindRequest, prefix?: string) {
  const { asked, read, requests } = aws();
  const all = await findSecrets({ region: 'us-west-2', prefix }, request, requests);
  return {
    asked,
    read,
    keys: all.map(({ key }) => key),
    canonical: all.map(({ canonicalKey }) => canonicalKey),
  };
}

describe('9.4 GetAllSecrets', () => {
  test('by name: every page, the whole name, and only what matches is read', async () => {
    const { asked, read, keys, canonical } = await found({ nameRegexp: 'db$' });
    assert.deepEqual(keys, ['app/db', 'team/app/db']);
    assert.deepEqual(canonical, ['us-west-2/app/db', 'us-west-2/team/app/db']);
    assert.deepEqual(read.sort(), keys);
    assert.deepEqual(asked, [[], [], []]);
  });

  test('a secret without a value is left out', async () => {
    const { read, keys } = await found({ nameRegexp: '^app/' });
    assert.deepEqual(read.sort(), ['app/db', 'app/mail']);
    assert.deepEqual(keys, ['app/db']);
  });

  test('tags and path are filters', async () => {
    const tag = [
      { Key: 'tag-key', Values: ['env'] },
      { Key: 'tag-value', Values: ['prod'] },
    ];
    assert.deepEqual((await found({ tags: { env: 'prod' } })).asked[0], tag);
    assert.deepEqual((await found({ tags: { env: 'prod' }, nameRegexp: 'x', path: 'app/' })).asked[0], [
      ...tag,
      { Key: 'name', Values: ['app/'] },
    ]);
  });

  test('nothing outside of the prefix of the store is found, whatever the path', async () => {
    const all = await found({ nameRegexp: 'db$' }, 'team/');
    assert.deepEqual(all.keys, ['team/app/db']);
    assert.deepEqual(all.asked[0], [{ Key: 'name', Values: ['team/'] }]);
    assert.deepEqual((await found({ nameRegexp: '.', path: 'app/' }, 'team/')).read, [
      'team/app/db',
      'team/x',
    ]);
  });

  test('what can never work is said without a request', async () => {
    const many = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`k${i}`, 'v']));
    for (const [request, said] of [
      [{}, /unexpected find operator/],
      [{ path: 'app/' }, /unexpected find operator/],
      [{ tags: {} }, /unexpected find operator/],
      [{ tags: many }, /10 filters/],
    ] as const) {
      assert.match(validateAwsFind({}, request) ?? '', said);
      await assert.rejects(found(request), { code: 'PROVIDER_INVALID_CONFIG', message: said });
    }
    assert.equal(validateAwsFind({}, { nameRegexp: '.*' }), undefined);
    const { asked, requests } = aws();
    await assert.rejects(
      findSecrets({ region: 'us-west-2', prefix: undefined }, { nameRegexp: '(' }, requests),
      { code: 'PROVIDER_INVALID_CONFIG' },
    );
    assert.deepEqual(asked, []);
  });

  test('an account without end', async () => {
    const names = Array.from({ length: 100_001 }, (_, i) => `s${i}`);
    const { requests } = aws(names, 1_000);
    await assert.rejects(
      findSecrets({ region: 'us-west-2', prefix: undefined }, { nameRegexp: 'x' }, requests),
      /more than 100000 names/,
    );
  });
});
