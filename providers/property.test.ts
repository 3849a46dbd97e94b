// The goldens come from Go: test/oracles/go-json
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseKeepingNumbers } from '../api/json.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { ProviderError } from './contract.ts';
import { gjson } from './gjson.ts';
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

  test('numbers are written as gjson writes them, or at the top as in the source where the provider says so', () => {
    const text = '{"a":{"n":1.50,"m":1E+3},"n":1.50,"big":12345678901234567890}';
    assert.equal(lookup(text, 'a.n'), '1.5');
    assert.equal(lookup(text, 'a.m'), '1000');
    assert.equal(lookup(text, 'n'), '1.5');
    assert.equal(lookup(text, 'big'), '12345678901234567890');
    const source = new JsonText(text, 'x', { numbers: 'source' });
    assert.equal(source.value('n')?.revealText(), '1.50');
    assert.equal(source.value('a.n')?.revealText(), '1.5');
  });

  test('an element of a list at the top', () => {
    assert.equal(lookup('["x",{"y":"z"}]', '1.y'), 'z');
  });

  test('text that is not JSON has no keys; a path finds in it what gjson finds', () => {
    assert.equal(lookup('plain', 'a'), undefined);
    assert.equal(lookup('{"a":1', 'a'), '1');
    assert.equal(lookup('{"a.b":1', 'a.b'), undefined);
  });

  test('bytes that are no UTF-8 stay as they are', () => {
    const value = SecretValue.fromBytes(Buffer.from('{"a":{"b":"\xff\xfe"}}', 'latin1'));
    assert.deepEqual(new JsonText(value, 'secret x').value('a.b')?.revealBytes(), Buffer.from([0xff, 0xfe]));
  });

  test('dots of a name may be tried before the path', () => {
    const text = '{"l":[{"a.b":"dots"}],"x":{"y":"path"},"ax.y":"pattern"}';
    assert.equal(new JsonText(text, 'x', { paths: 'dots-first' }).value('a*.y')?.revealText(), 'pattern');
    assert.equal(new JsonText(text, 'x', { paths: 'dots-first' }).value('x.y')?.revealText(), 'path');
    assert.equal(new JsonText(text, 'x').value('a*.y'), undefined);
  });

  for (const [path, result] of [
    ['l.#', '2'],
    ['l.#(n=="b").v', '12345678901234567890'],
    ['l.#.n', '["a","b"]'],
    ['l*.0.n', 'a'],
    ['l|0|n', 'a'],
    ['l.#.v|@reverse', '[12345678901234567890,1.50]'],
    ['l.@this.0.v', '1.5'],
    ['[l.#,l.0.n]', '[2,"a"]'],
    ['{"k":l.0.n}', '{"k":"a"}'],
    ['!"x"', 'x'],
    ['none', ''],
  ] as const) {
    test(`understands ${path}`, () => {
      const text = '{"l":[{"n":"a","v":1.50},{"n":"b","v":12345678901234567890}],"none":null}';
      assert.equal(lookup(text, path), result);
    });
  }

  test('a path that takes too much work is refused, without the value', () => {
    const path = Array.from({ length: 40 }, () => '[@this,@this]').join('|');
    assert.throws(
      () => lookup('{"a":"SENTINEL"}', path),
      (error: ProviderError) =>
        error.code === 'PROVIDER_INVALID_CONFIG' &&
        /secret x: .* too much work/.test(error.message) &&
        !error.message.includes('SENTINEL'),
    );
  });

  test('finds whatever is there, in any JSON (property-based)', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (object, pick) => {
        const names = Object.keys(object);
        const name = names[pick % names.length] ?? '';
        const raw = JSON.stringify(object[name]);
        const value = object[name];
        const expected =
          value === null
            ? ''
            : typeof value === 'string'
              ? JSON.parse(raw)
              : typeof value === 'number'
                ? gjson(raw, '@this')?.text
                : raw;
        for (const text of [JSON.stringify(object), JSON.stringify(object, null, 3)]) {
          const found = lookup(text, name);
          const compact = typeof object[name] === 'object' && object[name] !== null;
          assert.equal(compact && found !== undefined ? JSON.stringify(JSON.parse(found)) : found, expected);
        }
      }),
    );
  });
});

describe('9.4 JSONToSecretDataMap: members', () => {
  const members = (text: string, style: 'go' | 'source'): Record<string, string> =>
    Object.fromEntries(
      [...new JsonText(text, 'secret x').members(style)].map(([name, value]) => [name, value.revealText()]),
    );

  test('9.4 GetByteValue: strings bare, null empty, numbers and nested as the source has them or Go writes them', () => {
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
