import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SecretValue } from '../../api/secret-value.ts';
import { type FindRequest, ProviderError } from '../contract.ts';
import { findSecrets, validateVaultFind } from './find.ts';
import { requestSegments, type SecretPath } from './paths.ts';

// The server itself is tested end to end; here it is what is asked of it, and what is made of the answers.

interface Entry {
  readonly value?: string;
  readonly metadata?: Record<string, string>;
}
type Config = Parameters<typeof validateVaultFind>[0];

const v2 = (more: Partial<Config> = {}): Config => ({
  version: 'v2',
  path: 'secret',
  namespace: undefined,
  ...more,
});

/** An engine in memory: entries by their path inside the mount. */
function engine(entries: Record<string, Entry>, version: 'v1' | 'v2' = 'v2') {
  const asked: string[] = [];
  const nameOf = (path: SecretPath): string => path.secret.join('/');
  return {
    asked,
    requests: {
      async list(folder: SecretPath): Promise<string[]> {
        asked.push(`list ${requestSegments(folder, version, 'metadata').join('/')}`);
        const prefix = folder.secret.map((segment) => `${segment}/`).join('');
        const names = Object.keys(entries)
          .filter((name) => name.startsWith(prefix))
          .map((name) => name.slice(prefix.length).replace(/\/.*/, '/'));
        if (names.length === 0) throw new ProviderError('PROVIDER_NOT_FOUND', 'no such secret');
        return [...new Set(names)];
      },
      async metadata(path: SecretPath) {
        asked.push(`metadata ${nameOf(path)}`);
        return entries[nameOf(path)]?.metadata;
      },
      async read(path: SecretPath) {
        asked.push(`read ${requestSegments(path, version).join('/')}`);
        const value = entries[nameOf(path)]?.value;
        if (value === undefined) return undefined;
        return { get: () => SecretValue.fromText(value), getMap: () => new Map() };
      },
    },
  };
}

const SECRETS: Record<string, Entry> = {
  secret1: { value: '1', metadata: { foo: 'bar' } },
  secret2: { value: '2', metadata: { foo: 'baz' } },
  secret3: { metadata: { foo: 'baz' } },
  tag: { value: 't', metadata: { foo: 'baz', more: 'x' } },
  'path/1': { value: 'p1', metadata: { foo: 'path' } },
  'path/deep/er/2': { value: 'p2', metadata: { foo: 'path' } },
};

async function keys(request: FindRequest, config: Config = v2(), entries = SECRETS): Promise<string[]> {
  const { requests } = engine(entries, config.version);
  return (await findSecrets(config, request, requests)).map(({ key }) => key);
}

describe('9.4: what is found', () => {
  test('by name: the whole path has to match, deleted secrets are left out, tags do not count', async () => {
    assert.deepEqual(await keys({ nameRegexp: 'secret.*' }), ['secret1', 'secret2']);
    assert.deepEqual(await keys({ nameRegexp: '^path/' }), ['path/1', 'path/deep/er/2']);
    assert.deepEqual(await keys({ nameRegexp: '2$', tags: { foo: 'bar' } }), ['path/deep/er/2', 'secret2']);
  });

  test('by tags: all of them, exactly', async () => {
    assert.deepEqual(await keys({ tags: { foo: 'baz' } }), ['secret2', 'tag']);
    assert.deepEqual(await keys({ tags: { foo: 'baz', more: 'x' } }), ['tag']);
    assert.deepEqual(await keys({ tags: { foo: 'ba' } }), []);
  });

  test('by path, which stays in the key as it is written', async () => {
    assert.deepEqual(await keys({ path: 'path' }), ['path/1', 'path/deep/er/2']);
    assert.deepEqual(await keys({ path: 'path', tags: { foo: 'path' } }), ['path/1', 'path/deep/er/2']);
    assert.deepEqual(await keys({ path: 'path/', nameRegexp: '1$' }), ['path//1']);
    assert.deepEqual(await keys({ path: '/path', nameRegexp: '1$' }), ['/path/1']);
    assert.deepEqual(await keys({ path: 'secret/path', nameRegexp: '1$' }), ['secret/path/1']);
    assert.deepEqual(await keys({ path: 'secret/data/path', nameRegexp: '1$' }), ['secret/data/path/1']);
    assert.deepEqual(await keys({ path: 'secret', nameRegexp: 'tag' }), ['secret/tag']);
  });

  test('without criteria: everything, and no metadata is asked for', async () => {
    const { asked, requests } = engine(SECRETS);
    assert.equal((await findSecrets(v2(), {}, requests)).length, 5);
    assert.ok(!asked.some((one) => one.startsWith('metadata')));
  });

  test('a path that is not there is not found; a folder that went away meanwhile is empty', async () => {
    await assert.rejects(keys({ path: 'nope', nameRegexp: '.*' }), { code: 'PROVIDER_NOT_FOUND' });
    const { requests } = engine(SECRETS);
    const list = async (folder: SecretPath): Promise<string[]> =>
      folder.secret.length === 0 ? ['secret1', 'gone/'] : requests.list(folder);
    const found = await findSecrets(v2(), { nameRegexp: '.*' }, { ...requests, list });
    assert.deepEqual(
      found.map(({ key }) => key),
      ['secret1'],
    );
  });
});

test('version 1 has neither metadata nor tags, and its mount is not taken off the path', async () => {
  const config = v2({ version: 'v1', path: 'kv' });
  const { asked, requests } = engine({ 'kv/a': { value: 'x' } }, 'v1');
  const [found] = await findSecrets(config, { path: 'kv', nameRegexp: 'a' }, requests);
  assert.equal(found?.key, 'kv/a');
  assert.equal(found?.canonicalKey, 'kv/kv/a');
  assert.deepEqual(asked, ['list kv/kv', 'read kv/kv/a']);
  await assert.rejects(keys({ tags: { a: 'b' }, nameRegexp: 'a' }, config), {
    code: 'PROVIDER_INVALID_CONFIG',
    message: 'cannot perform find by tag operations with kv version v1',
  });
});

test('without a mount in the store the path names it', async () => {
  const config = v2({ path: undefined, namespace: 'team/a' });
  const { asked, requests } = engine(SECRETS);
  const [found] = await findSecrets(config, { path: 'squad/kv/data/path', nameRegexp: '1$' }, requests);
  assert.equal(found?.key, 'squad/kv/data/path/1');
  assert.equal(found?.canonicalKey, 'team/a/squad/kv/data/path/1');
  assert.equal(asked[0], 'list squad/kv/metadata/path');
});

describe('what can never work is said without a request', () => {
  for (const [name, config, request, said] of [
    ['no mount, no path', v2({ path: undefined }), { nameRegexp: 'x' }, /<mount>\/data\/<folder>/],
    [
      'no mount, path without data',
      v2({ path: undefined }),
      { path: 'secret/app' },
      /<mount>\/data\/<folder>/,
    ],
    ['no mount, version 1', v2({ path: undefined, version: 'v1' }), { path: 'kv/app' }, /needs the mount/],
    ['a path that leaves the mount', v2(), { path: '../other' }, /find\.path must not have/],
    ['an empty segment', v2(), { path: 'a//b' }, /find\.path must not have empty/],
  ] as const) {
    test(name, async () => {
      assert.match(validateVaultFind(config, request) ?? '', said);
      const { asked, requests } = engine(SECRETS);
      await assert.rejects(findSecrets(config, request, requests), { code: 'PROVIDER_INVALID_CONFIG' });
      assert.deepEqual(asked, []);
    });
  }

  test('an expression that does not compile', async () => {
    const { asked, requests } = engine(SECRETS);
    await assert.rejects(findSecrets(v2(), { nameRegexp: '(' }, requests), {
      code: 'PROVIDER_INVALID_CONFIG',
    });
    assert.deepEqual(asked, []);
  });
});

test('folders without end, and names without number', async () => {
  const { requests } = engine({});
  await assert.rejects(
    findSecrets(v2(), { nameRegexp: 'x' }, { ...requests, list: async () => ['again/'] }),
    /more than 50 deep/,
  );
  const wide = Array.from({ length: 60_000 }, (_, i) => `s${i}`);
  const list = async ({ secret }: SecretPath): Promise<string[]> =>
    secret.length === 0 ? ['a/', 'b/'] : wide;
  await assert.rejects(
    findSecrets(v2(), { nameRegexp: 'x' }, { ...requests, list }),
    /more than 100000 names/,
  );
  await assert.rejects(
    findSecrets(v2(), { tags: { a: 'b' } }, { ...requests, list: async () => wide }),
    /60000 secrets would have to be asked for their tags/,
  );
});
