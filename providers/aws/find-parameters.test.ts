import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ParameterStringFilter } from '@aws-sdk/client-ssm';
import { SecretValue } from '../../api/secret-value.ts';
import { type FindRequest, ProviderError, type RemoteObject } from '../contract.ts';
import { findParameters, folderOf, type ParameterRequests } from './find-parameters.ts';

// AWS itself is tested on stand-ins, end to end; here it is what is asked of it, and what is made of the answers.

const NAMES = ['/app/db', '/app/mail', '/other', '/team/app/db', 'bare'];
const objectOf = (name: string): RemoteObject => ({
  get: () => SecretValue.fromText(`value of ${name}`),
  getMap: () => new Map(),
});

function aws(denied?: ProviderError) {
  const asked: string[] = [];
  const filters: (readonly ParameterStringFilter[])[] = [];
  const page = <T>(all: readonly T[], token: string | undefined) => {
    const at = Number(token ?? 0);
    return { found: all.slice(at, at + 2), next: at + 2 < all.length ? String(at + 2) : undefined };
  };
  const requests: ParameterRequests = {
    async byPath(path, token) {
      asked.push(`path ${path}`);
      if (denied !== undefined) throw denied;
      const below = NAMES.filter((name) => path === '/' || name.startsWith(`${path}/`));
      return page(
        below.map((name) => ({ name, object: objectOf(name) })),
        token,
      );
    },
    async describe(given, token) {
      asked.push('describe');
      filters.push(given);
      return page(NAMES, token);
    },
    async read(name) {
      asked.push(`read ${name}`);
      return name === '/app/mail' ? undefined : objectOf(name);
    },
  };
  const find = async (request: FindRequest, prefix?: string) => {
    const found = await findParameters({ prefix }, request, (name) => `canonical ${name}`, requests);
    for (const { key, canonicalKey, object } of found) {
      assert.equal(canonicalKey, `canonical ${key}`);
      assert.equal(object.get(undefined).revealText(), `value of ${key}`);
    }
    return found.map(({ key }) => key);
  };
  return { asked, filters, find };
}

describe('9.4 GetAllSecrets of parameters', () => {
  test('by name: all pages below the path, whose values come along', async () => {
    const { asked, find } = aws();
    assert.deepEqual(await find({ nameRegexp: 'db$' }), ['/app/db', '/team/app/db']);
    assert.deepEqual(asked, ['path /', 'path /', 'path /']);
    assert.deepEqual(await find({ nameRegexp: '.', path: '/app/' }), ['/app/db', '/app/mail']);
    assert.equal(asked.at(-1), 'path /app');
  });

  test('where that is denied, a list of names and a read of each match; another failure is one', async () => {
    const { asked, find } = aws(new ProviderError('PROVIDER_DENIED', 'no'));
    assert.deepEqual(await find({ nameRegexp: '^/app' }), ['/app/db']);
    assert.deepEqual([asked[0], ...asked.slice(-2)], ['path /', 'read /app/db', 'read /app/mail']);
    const throttled = aws(new ProviderError('PROVIDER_THROTTLED', 'slow down'));
    await assert.rejects(throttled.find({ nameRegexp: '.' }), { code: 'PROVIDER_THROTTLED' });
    assert.deepEqual(throttled.asked, ['path /']);
  });

  test('by tags, with a path and a name if they are there: all of it counts', async () => {
    const { asked, filters, find } = aws();
    assert.deepEqual(await find({ tags: { team: 'a', env: 'b' }, path: '/team', nameRegexp: 'team' }), [
      '/team/app/db',
    ]);
    assert.deepEqual(filters[0], [
      { Key: 'tag:team', Option: 'Equals', Values: ['a'] },
      { Key: 'tag:env', Option: 'Equals', Values: ['b'] },
      { Key: 'Path', Option: 'Recursive', Values: ['/team'] },
    ]);
    assert.ok(!asked.some((one) => one.startsWith('path')));
    await find({ tags: { team: 'a' } });
    assert.deepEqual(filters.at(-1), [{ Key: 'tag:team', Option: 'Equals', Values: ['a'] }]);
  });

  test('only what begins with the prefix of the store', async () => {
    const { asked, find } = aws();
    assert.deepEqual(await find({ nameRegexp: '.' }, '/app/d'), ['/app/db']);
    assert.deepEqual(asked, ['path /app']);
    assert.deepEqual(await find({ nameRegexp: '.' }, 'b'), ['bare']);
  });

  test('what cannot work is said without a request', async () => {
    const { asked, find } = aws();
    await assert.rejects(find({ path: '/app' }), {
      code: 'PROVIDER_INVALID_CONFIG',
      message: /unexpected find/,
    });
    await assert.rejects(find({ path: 'app', nameRegexp: '.' }), { code: 'PROVIDER_INVALID_CONFIG' });
    await assert.rejects(find({ nameRegexp: 'a(' }), { code: 'PROVIDER_INVALID_CONFIG' });
    assert.deepEqual(asked, []);
  });
});

test('the folder to look in', () => {
  for (const [prefix, path, folder] of [
    [undefined, undefined, '/'],
    ['/', undefined, '/'],
    ['/prod/', undefined, '/prod'],
    ['/prod/team-', undefined, '/prod'],
    ['prod/', undefined, '/'],
    ['/prod/', '/prod/a/', '/prod/a'],
    [undefined, '/', '/'],
  ] as const) {
    assert.equal(folderOf(prefix, path), folder, `${prefix} ${path}`);
  }
});
