import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { namespaceSegments, requestSegments, secretPath } from './paths.ts';

const path = (version: 'v1' | 'v2', mount: string | undefined, key: string, part?: 'metadata'): string => {
  const found = secretPath({ version, path: mount }, key);
  return typeof found === 'string' ? found : requestSegments(found, version, part).join('/');
};

describe("9.4 path building: paths follow ESO's rules", () => {
  for (const [version, mount, key, expected] of [
    ['v2', 'secret', 'foo', 'secret/data/foo'],
    ['v2', 'secret', 'secret/foo', 'secret/data/foo'],
    ['v2', 'secret', 'secret/data/foo', 'secret/data/foo'],
    ['v2', 'secret', 'data/foo', 'secret/data/data/foo'],
    ['v2', 'secret/path', 'foo', 'secret/path/data/foo'],
    ['v2', 'secret/path', 'secret/path/foo', 'secret/path/data/foo'],
    ['v2', 'secret/path', 'secret/path/data/foo', 'secret/path/data/foo'],
    ['v2', 'secret', 'secretive/foo', 'secret/data/secretive/foo'],
    ['v2', 'secret', 'secret', 'secret/data/secret'],
    ['v1', 'secret', 'foo', 'secret/foo'],
    ['v1', 'secret/path', 'secret/path/foo', 'secret/path/foo'],
    ['v1', 'secret', 'secret/data/foo', 'secret/data/foo'],
    ['v2', undefined, 'secret/path/foo', 'secret/data/path/foo'],
    ['v2', undefined, 'secret/path/data/foo', 'secret/path/data/foo'],
    ['v2', '', 'secret/foo', 'secret/data/foo'],
    ['v1', undefined, 'secret/path/foo', 'secret/path/foo'],
    ['v2', undefined, 'secret/data', 'secret/data/data'],
    ['v2', '/secret/', '/foo/', 'secret/data/foo'],
  ] as const) {
    test(`${version} mount ${mount ?? '-'} key ${key}`, () =>
      assert.equal(path(version, mount, key), expected));
  }

  for (const [mount, key, expected] of [
    ['secret', 'secret/data/foo', 'secret/metadata/foo'],
    [undefined, 'secret/path/data/foo', 'secret/path/metadata/foo'],
    [undefined, 'secret/foo', 'secret/metadata/foo'],
  ] as const) {
    test(`metadata of mount ${mount ?? '-'} key ${key}`, () =>
      assert.equal(path('v2', mount, key, 'metadata'), expected));
  }
});

describe('keys that would lead elsewhere are refused', () => {
  for (const key of ['', '/', 'a//b', '../x', 'a/../b', './a', 'a/.', 'a/..', '\ud800']) {
    test(JSON.stringify(key), () => assert.match(path('v2', 'secret', key), /^key must/));
  }
  test('a mount too', () => assert.match(path('v2', 'a/../sys', 'x'), /^path must/));
  test('a key without a mount anywhere', () => {
    assert.match(path('v2', undefined, 'foo'), /must start with the mount/);
    assert.match(path('v1', undefined, 'foo'), /must start with the mount/);
  });
});

test('namespaces: slashes and the name of the root do not count', () => {
  assert.deepEqual(namespaceSegments(undefined), []);
  for (const root of ['', '/', 'root', 'root/']) assert.deepEqual(namespaceSegments(root), []);
  for (const team of ['a/b', '/a/b/', 'a/b/']) assert.deepEqual(namespaceSegments(team), ['a', 'b']);
});
