import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GoError } from './function.ts';
import { readYaml, unmarshalStringMap } from './go-yaml.ts';
import { fromUtf8, toUtf8 } from './value.ts';

interface Golden {
  readonly text: string;
  readonly map?: Readonly<Record<string, string>>;
  readonly error?: string;
}

/** Written by test/oracles/go-yaml, with the library that Kubernetes reads YAML with. */
const goldens = JSON.parse(
  readFileSync(join(import.meta.dirname, 'testdata/string-map.golden.json'), 'utf8'),
) as Golden[];

function ours(text: string): Record<string, string> | string {
  try {
    const map = [...unmarshalStringMap(fromUtf8(text))];
    return Object.fromEntries(map.map(([key, value]) => [toUtf8(key), toUtf8(value)]));
  } catch (error) {
    if (error instanceof GoError) return toUtf8(error.goText);
    throw error;
  }
}

test('a document becomes a map of strings as Kubernetes makes it', () => {
  for (const { text, map, error } of goldens) assert.deepEqual(ours(text), error ?? map ?? {}, text);
});

test('what is no YAML is an error that names the line and quotes nothing', () => {
  for (const text of [
    'a: [s3cret',
    'x: 1\ns3cret\ny: 2',
    'a: s3cret: b',
    '\ta: s3cret',
    'a: "s3cret',
    'a: @s3cret',
  ]) {
    assert.throws(
      () => unmarshalStringMap(text),
      (error) =>
        error instanceof GoError &&
        /^error converting YAML to JSON: yaml: line \d+: [a-z ]+$/.test(error.message) &&
        !error.message.includes('s3cret'),
      text,
    );
  }
});

test('errors of values are told without the value', () => {
  for (const text of ['a: *s3cret', 'a: !!int s3cret', '[s3cret]: 1', '~: s3cret', 'a: &s3cret [*s3cret]']) {
    assert.throws(
      () => readYaml(text),
      (error) =>
        error instanceof GoError && error.goText.includes('s3cret') && !error.message.includes('s3cret'),
      text,
    );
  }
});

test('bytes that YAML does not allow are refused', () => {
  assert.throws(() => readYaml('a: \xff'), /invalid leading UTF-8 octet/);
  assert.throws(() => readYaml('a: \x01'), /control characters are not allowed/);
});

test('aliases of aliases are refused before they fill the memory', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 10; level++) {
    lines.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    );
  }
  assert.throws(() => readYaml(lines.join('\n')), /document contains excessive aliasing/);
});

test('deep nesting is an error and not the end of the stack', () => {
  for (const text of ['['.repeat(5000), `${'['.repeat(1000)}${']'.repeat(1000)}`, '- '.repeat(2000)]) {
    assert.throws(() => readYaml(text), GoError);
  }
});

test('keys cannot reach the prototype of anything', () => {
  const map = unmarshalStringMap('__proto__: x\nconstructor: z');
  assert.deepEqual(
    [...map],
    [
      ['__proto__', 'x'],
      ['constructor', 'z'],
    ],
  );
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('steps are asked for before the work', () => {
  const stop = new Error('enough');
  assert.throws(
    () =>
      readYaml('a: b', () => {
        throw stop;
      }),
    stop,
  );
});
