// The goldens come from Go: test/oracles/go-gjson
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fromUtf8, toUtf8 } from '../template/value.ts';
import { GjsonLimitError, gjson } from './gjson.ts';

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`testdata/gjson.${name}.json`, import.meta.url), 'utf8'));
const { documents, cases } = read('cases') as {
  documents: Record<string, string>;
  cases: [document: string, path: string][];
};
const golden = read('golden') as ([type: string, raw: string, text?: string] | null)[];

describe('finds what the Go module finds', () => {
  assert.ok(cases.length >= 300 && cases.length === golden.length);
  for (const [document, text] of Object.entries(documents)) {
    test(document, () => {
      for (const [index, [name, path]] of cases.entries()) {
        if (name !== document) continue;
        const found = gjson(fromUtf8(text), fromUtf8(path));
        const [type, raw, shown = raw] = golden[index] ?? [];
        assert.deepEqual(
          found && { type: found.type, raw: toUtf8(found.raw), text: toUtf8(found.text) },
          type === undefined ? undefined : { type: type.toLowerCase(), raw, text: shown },
          `case ${index}: ${JSON.stringify(path)}`,
        );
      }
    });
  }
});

describe('costs no more than its budget', () => {
  const limited = (json: string, path: string): void => {
    assert.throws(() => gjson(json, path), GjsonLimitError);
  };

  test('a text that doubles at each step', () => {
    limited('[1]', Array.from({ length: 40 }, () => '[@this,@this]').join('|'));
    limited('"\\\\"', Array.from({ length: 40 }, () => '@tostr').join('|'));
  });

  test('queries in queries over a long list', () => {
    const list = `[${Array.from({ length: 30_000 }, () => '{"a":[1,2,3,4]}').join(',')}]`;
    limited(`{"l":${list}}`, 'l.#(a.#(>0))#.a.#(>5)#');
    limited(list, Array.from({ length: 400 }, () => '@dig:a').join('.'));
  });

  test('nesting', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    limited(deep, `0${'.0'.repeat(99_999)}`);
    limited(deep, '@flatten:{"deep":true}');
    limited(deep, '@dig:x');
    limited('{}', '['.repeat(50_000) + ']'.repeat(50_000));
    limited('{}', '@this|'.repeat(50_000));
  });

  test('a pattern of many stars', () => {
    limited(`{"${'a'.repeat(5_000)}":1}`, `${'a*'.repeat(30)}b*a`);
  });

  test('a large value and a plain path are far from it', () => {
    const json = `{"x":${JSON.stringify('y'.repeat(4_000_000))},"a":{"b":[1,2,{"c":"d"}]}}`;
    assert.equal(gjson(json, 'a.b.#(c=="d").c')?.text, 'd');
  });
});
