// The goldens come from Go: test/oracles/go-json
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseKeepingNumbers } from '../api/json.ts';
import type { ProviderError } from './contract.ts';
import { marshalGo } from './go-json.ts';
import golden from './go-values.golden.json' with { type: 'json' };
import { JsonText } from './property.ts';

const lookup = (text: string, property: string): string | undefined =>
  new JsonText(text, 'secret x').value(property)?.revealText();

describe('paths give what gjson gives', () => {
  for (const { path, result } of golden.paths) {
    // A top-level key with a dot in its name is found by that name here; gjson wants the dot escaped.
    const expected = path === 'fav.movie' ? 'Deer Hunter' : (result ?? undefined);
    test(JSON.stringify(path), () => assert.equal(lookup(golden.document, path), expected));
  }
});

describe('property', () => {
  test('an exact key outranks a path', () => {
    assert.equal(lookup('{"a":{"b":"path"},"a.b":"key"}', 'a.b'), 'key');
    assert.equal(lookup('{"*":"star","#":"hash"}', '*'), 'star');
  });

  test('numbers keep their digits', () => {
    assert.equal(lookup('{"a":{"n":1.50,"m":1E+3}}', 'a.n'), '1.50');
    assert.equal(lookup('{"a":{"n":1.50,"m":1E+3}}', 'a.m'), '1E+3');
    assert.equal(lookup('{"n":12345678901234567890}', 'n'), '12345678901234567890');
  });

  test('an element of a list at the top', () => {
    assert.equal(lookup('["x",{"y":"z"}]', '1.y'), 'z');
  });

  test('text that is not JSON has no properties', () => {
    assert.equal(lookup('plain', 'a'), undefined);
    assert.equal(lookup('{"a":1', 'a'), undefined);
  });

  for (const path of [
    'a.#',
    '#',
    'a.#(b=="c").d',
    'a*',
    'a?',
    'a|b',
    '@this',
    'a.@keys',
    '{a,b}',
    '[a]',
    '!"x"',
    '..0',
  ]) {
    test(`says that ${JSON.stringify(path)} is not supported yet`, () => {
      assert.throws(
        () => lookup('{"b":1}', path),
        (error: ProviderError) =>
          error.code === 'PROVIDER_INVALID_CONFIG' && /not supported yet/.test(error.message),
      );
    });
  }

  test('finds whatever is there, in any JSON (property-based)', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (object, pick) => {
        const names = Object.keys(object);
        const name = names[pick % names.length] ?? '';
        const raw = JSON.stringify(object[name]);
        const expected =
          object[name] === null ? '' : typeof object[name] === 'string' ? JSON.parse(raw) : raw;
        for (const text of [JSON.stringify(object), JSON.stringify(object, null, 3)]) {
          const found = lookup(text, name);
          const compact = typeof object[name] === 'object' && object[name] !== null;
          assert.equal(compact && found !== undefined ? JSON.stringify(JSON.parse(found)) : found, expected);
        }
      }),
    );
  });
});

describe('members', () => {
  const members = (text: string, style: 'go' | 'source'): Record<string, string> =>
    Object.fromEntries(
      [...new JsonText(text, 'secret x').members(style)].map(([name, value]) => [name, value.revealText()]),
    );

  test('strings bare, null empty, numbers as written, nested as the source or Go writes it', () => {
    const text = '{"s":"a\\"b","n":null,"b":true,"i":12345678901234567890,"o":{ "z":1, "a":"<" },"l":[ 1 ]}';
    const common = { s: 'a"b', n: '', b: 'true', i: '12345678901234567890' };
    assert.deepEqual(members(text, 'source'), { ...common, o: '{ "z":1, "a":"<" }', l: '[ 1 ]' });
    assert.deepEqual(members(text, 'go'), { ...common, o: '{"a":"\\u003c","z":1}', l: '[1]' });
  });

  test('of two members with one name the last counts', () => {
    assert.deepEqual(members('{"a":1,"a":2}', 'go'), { a: '2' });
  });

  test('names such as __proto__ are plain names', () => {
    const found = new JsonText('{"__proto__":"x","constructor":"y"}', 'secret x').members('go');
    assert.deepEqual([...found.keys()], ['__proto__', 'constructor']);
  });

  for (const text of ['[1]', '"text"', '7', 'null', 'not json', '']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => members(text, 'go'), {
        code: 'PROVIDER_INVALID_RESPONSE',
        message: /not a JSON object/,
      });
    });
  }

  test('no value is in an error', () => {
    assert.throws(
      () => new JsonText('"SENTINEL"', 'secret x').members('go'),
      (error: Error) => !error.message.includes('SENTINEL'),
    );
  });
});

test('what marshalGo writes can be read back member by member', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (object) => {
      const text = marshalGo(parseKeepingNumbers(JSON.stringify(object)));
      const keys = [...new JsonText(text, 'x').members('go').keys()];
      assert.deepEqual(keys.sort(), Object.keys(object).sort());
    }),
  );
});
