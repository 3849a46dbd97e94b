import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SecretValue } from '../../api/secret-value.ts';
import type { FoundObject, RemoteObject } from '../../providers/contract.ts';
import { atPath } from './lodash-path.ts';
import { type KesEntry, kesValues } from './values.ts';

const object = (value: string | Uint8Array): RemoteObject => ({
  get: () => (typeof value === 'string' ? SecretValue.fromText(value) : SecretValue.fromBytes(value)),
  getMap: () => {
    throw new Error('not asked');
  },
});
const shown = (values: ReadonlyMap<string, SecretValue>): Record<string, string> =>
  Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()]));
const value = (
  remote: string | Uint8Array,
  entry: Partial<Extract<KesEntry, { kind: 'value' }>> = {},
): Record<string, string> => shown(kesValues({ ...VALUE, ...entry }, object(remote)));
const VALUE = {
  kind: 'value',
  name: 'k',
  key: 'remote',
  property: undefined,
  binary: false,
  json: false,
} as const;
const members = (remote: string | Uint8Array, binary = false): Record<string, string> =>
  shown(kesValues({ kind: 'members', binary }, object(remote)));
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('data', () => {
  const json = JSON.stringify({
    a: { b: 'deep', list: [1, { z: 'in a list' }] },
    'tls.crt': 'a name with a dot',
    tls: { crt: 'the path' },
    'x[0]': 'brackets',
    no: null,
    yes: true,
    empty: '',
    '': 'no name',
  });
  const rows: readonly (readonly [string, string])[] = [
    ['a.b', 'deep'],
    ['a["b"]', 'deep'],
    ["a['b']", 'deep'],
    ['a.list[1].z', 'in a list'],
    ['a.list.1.z', 'in a list'],
    ['a.list[0]', '1'],
    ['tls.crt', 'a name with a dot'],
    ['x[0]', 'brackets'],
    ['no', 'null'],
    ['yes', 'true'],
    ['empty', ''],
    ['a', '{"b":"deep","list":[1,{"z":"in a list"}]}'],
    ['a.list', '[1,{"z":"in a list"}]'],
  ];
  test('K39 property: a member, a path of lodash, a name with dots first', () => {
    for (const [property, expected] of rows)
      assert.deepEqual(value(json, { property }), { k: expected }, property);
  });

  test('K38 a property that is missing fails, and is named', () => {
    for (const property of [
      'b',
      'a.c',
      'a.list[9]',
      'a.b.c',
      'no.x',
      'constructor',
      '__proto__.x',
      'toString',
    ]) {
      assert.throws(() => value(json, { property }), {
        code: 'PROVIDER_PROPERTY_NOT_FOUND',
        message: `Could not find property ${property} in remote`,
      });
    }
    assert.throws(() => value('{}', { property: '' }), { code: 'PROVIDER_PROPERTY_NOT_FOUND' });
    assert.throws(() => value('7', { property: 'rawJSON' }), { code: 'PROVIDER_PROPERTY_NOT_FOUND' });
  });

  test('K40 K47 a property of what is not JSON: the key is left out', () => {
    assert.deepEqual(value('not json', { property: 'a' }), {});
    assert.deepEqual(value(Uint8Array.of(0xff, 0xfe), { property: 'a' }), {});
  });

  test('K41 K86 a plain value is as it is', () => {
    for (const text of ['plain', '', '{"a":1} ', 'pä€']) assert.deepEqual(value(text), { k: text });
  });

  test('K42 K51 isBinary: base64 becomes bytes, of a whole value or of a property; else it stays text', () => {
    assert.deepEqual(value(base64('hello'), { binary: true }), { k: 'hello' });
    assert.deepEqual(value(`{"a":"${base64('hello')}"}`, { binary: true, property: 'a' }), { k: 'hello' });
    assert.deepEqual(value(base64('hello')), { k: base64('hello') });
    assert.deepEqual(value(Buffer.from('öl'), { binary: true }), { k: 'öl' });
  });

  test('K49 K53 bytes that are no text are kept, with isBinary and without', () => {
    const bytes = Uint8Array.of(0, 1, 0xff, 0xfe, 0x80);
    for (const binary of [true, false]) {
      const values = kesValues({ ...VALUE, binary }, object(bytes));
      assert.deepEqual([...(values.get('k')?.revealBytes() ?? [])], [...bytes]);
    }
  });

  test('K72 K50 what vault holds is written as compact JSON, with the digits of numbers', () => {
    const text = '{ "b": "<&>", "a": 12345678901234567890, "u": "\\u003c" }';
    assert.deepEqual(value(text, { json: true }), { k: '{"b":"<&>","a":12345678901234567890,"u":"<"}' });
    assert.deepEqual(value(text, { property: 'a' }), { k: '12345678901234567890' });
  });
});

describe('dataFrom and dataFromWithOptions', () => {
  test('K44 each member of an object; texts as they are, all else as compact JSON', () => {
    assert.deepEqual(members('{"a":"x","b":1,"c":null,"d":[1, 2],"e":{"f":true}}'), {
      a: 'x',
      b: '1',
      c: 'null',
      d: '[1,2]',
      e: '{"f":true}',
    });
  });

  test('K44 K47 what has no members brings nothing, and is no error', () => {
    for (const text of ['not json', '', '7', 'null', 'true']) assert.deepEqual(members(text), {}, text);
  });

  test('a list and a text spread', () => {
    assert.deepEqual(members('["x",{"y":1}]'), { 0: 'x', 1: '{"y":1}' });
    assert.deepEqual(members('"ab"'), { 0: 'a', 1: 'b' });
  });

  test('K45 isBinary of dataFromWithOptions counts', () => {
    assert.deepEqual(members(`{"a":"${base64('hello')}"}`, true), { a: 'hello' });
  });
});

describe('path', () => {
  const found = (key: string, text: string): FoundObject => ({
    key,
    canonicalKey: key,
    object: object(text),
  });
  const all = [
    found('/app/a', '1'),
    found('/app/deep/a', '2'),
    found('/app/deep/b', '3'),
    found('/apple/c', '4'),
  ];
  const parameters = (path: string, recursive: boolean): Record<string, string> =>
    shown(kesValues({ kind: 'path', path, recursive, binary: false }, all));

  test('K87 the last part of each name; deeper ones with recursive only, the later of two wins', () => {
    assert.deepEqual(parameters('/app', false), { a: '1' });
    assert.deepEqual(parameters('/app/', false), { a: '1' });
    assert.deepEqual(parameters('/app', true), { a: '2', b: '3' });
    assert.deepEqual(parameters('/none', true), {});
  });
});

test('paths as lodash reads them', () => {
  const json = { a: { '': 1, 'b.c': 2, 'd"e': 3 }, '': { x: 4 }, list: ['x'] };
  const rows: readonly (readonly [string, unknown])[] = [
    ['a.', 1],
    ['a["b.c"]', 2],
    ['a["d\\"e"]', 3],
    ['.x', 4],
    ['list[0]', 'x'],
    ['list[-1]', undefined],
    ['list.0.0', undefined],
  ];
  for (const [path, expected] of rows) assert.equal(atPath(json, path)?.value, expected, path);
});
