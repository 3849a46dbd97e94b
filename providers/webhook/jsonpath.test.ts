// The goldens come from Go: test/oracles/go-jsonpath
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseKeepingNumbers } from '../../api/json.ts';
import { compileJsonPath, JsonPathError } from './jsonpath.ts';

interface Golden {
  readonly document: unknown;
  readonly results: readonly { readonly path: string; readonly error?: string; readonly result: unknown }[];
}

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'testdata/jsonpath.golden.json'), 'utf8'),
) as Golden;

/** Members of an object come in any order in Go, by name here. */
const ANY_ORDER: ReadonlySet<string> = new Set(['$.*', '$.store.*', '$..price', '$.store..price', '$..*']);
/** What the library does not know, or gets nothing from, and this does. */
const MORE: Readonly<Record<string, unknown>> = {
  "$['text']": 'just text',
  "$['limit','text']": [10, 'just text'],
  '$.dash-ed': 1,
  '$.store.book[-1].title': '',
  '$.store.book.0.title': 'Sayings',
  '$.store.book[:-2].title': ['Sayings', 'Sword'],
  '$.store.book[?(@.price < 10)].title': ['Sayings', 'Moby Dick'],
  '$.store.book[?(@.price>10)].title': ['Sword', ''],
  '$.store.book[?(@.price <= 8.95)].title': ['Sayings'],
  '$.store.book[?(@.price >= 22)].title': [''],
  "$.store.book[?(@.category=='fiction')].title": ['Sword', 'Moby Dick', ''],
  '$.store.book[?(@.category == "fiction" && @.price < 10)].title': ['Moby Dick'],
  '$.store.book[?(@.price > 20 || @.price < 8.96)].title': ['Sayings', ''],
  '$.store.book[?((@.price > 20 || @.price < 8.96) && @.category == "fiction")].title': [''],
  '$.store.book[?(@.price < $.limit)].title': ['Sayings', 'Moby Dick'],
  '$..book[?(@.price < 10)].title': ['Sayings', 'Moby Dick'],
  '$.store.book[?(1 < 2)].price': [8.95, 12.99, 8.99, 22],
};

const sorted = (list: unknown): unknown =>
  Array.isArray(list) ? list.map((one) => JSON.stringify(one)).sort() : list;

describe('JSONPath as in Go', () => {
  for (const { path, error, result } of golden.results) {
    test(path, () => {
      const get = (): unknown => compileJsonPath(path)(golden.document);
      if (Object.hasOwn(MORE, path)) assert.deepEqual(get(), MORE[path]);
      else if (error !== undefined) assert.throws(get, JsonPathError);
      else if (ANY_ORDER.has(path)) assert.deepEqual(sorted(get()), sorted(result));
      else assert.deepEqual(get(), result);
    });
  }
});

test('numbers keep their digits, and are compared as numbers', () => {
  const document = parseKeepingNumbers('{"list":[{"n":12345678901234567890,"k":"a"},{"n":1.0,"k":"b"}]}');
  const [first] = compileJsonPath('$.list[?(@.n > 5)].n')(document) as { rawJSON: string }[];
  assert.equal(first?.rawJSON, '12345678901234567890');
  assert.deepEqual(compileJsonPath('$.list[?(@.n == 1)].k')(document), ['b']);
});

test('names of JavaScript are names like any other', () => {
  const document: unknown = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}');
  assert.equal(compileJsonPath('$.__proto__.a')(document), 1);
  assert.equal(compileJsonPath('$.constructor')(document), 2);
  assert.throws(() => compileJsonPath('$.toString')(document), JsonPathError);
  assert.throws(() => compileJsonPath('$.length')([1]), JsonPathError);
});

test('work is bounded: in width, in depth, and in a filter within a filter', () => {
  const wide = { list: Array.from({ length: 3_000 }, (_, i) => ({ i })) };
  let deep: unknown = 1;
  for (let i = 0; i < 300; i++) deep = [deep];
  for (const [path, document] of [
    ['$..*..*..*', deep],
    ['$.list[?($.list[?($..i == 1)] == 1)]', wide],
  ] as const)
    assert.throws(() => compileJsonPath(path)(document), /too many values/);
  assert.throws(() => compileJsonPath(`$[?(${'('.repeat(200)}1`), /nested too deeply/);
});
