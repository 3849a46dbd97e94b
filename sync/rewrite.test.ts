// The goldens come from Go: test/oracles/go-values
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RewriteStep } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import golden from './go-values.golden.json' with { type: 'json' };
import { rewriteKeys } from './rewrite.ts';

const secrets = (values: Record<string, string>): Map<string, SecretValue> =>
  new Map(Object.entries(values).map(([key, text]) => [key, SecretValue.fromText(text)]));

function rewritten(values: Record<string, string>, ...steps: RewriteStep[]): Record<string, string> {
  const out = rewriteKeys(secrets(values), steps);
  return Object.fromEntries([...out].map(([key, value]) => [key, value.revealText()]));
}

describe('9.4 RewriteMap regexp', () => {
  for (const { source, target, key, out } of golden.regexp) {
    test(`${JSON.stringify(key)}: ${source} -> ${target}`, () =>
      assert.deepEqual(rewritten({ [key]: 'v' }, { regexp: { source, target } }), { [out]: 'v' }));
  }

  test('of keys that become one, the last in byte order wins, however they came', () => {
    const step: RewriteStep = { regexp: { source: '[0-9]', target: '' } };
    assert.deepEqual(rewritten({ k2: 'two', k1: 'one', k10: 'ten' }, step), { k: 'two' });
    assert.deepEqual(rewritten({ k10: 'ten', k1: 'one', k2: 'two' }, step), { k: 'two' });
  });

  test('an expression that does not compile', () => {
    assert.throws(() => rewritten({ a: 'v' }, { regexp: { source: 'a(', target: '' } }), {
      code: 'REWRITE',
      message:
        'failed rewrite operation[0]: regexp failed with failed to compile: error parsing regexp: missing closing ): `a(`',
    });
  });
});

describe('9.4 RewriteMap transform', () => {
  const transform = (template: string): RewriteStep => ({ transform: { template } });

  test('is a template over the key', () => {
    assert.deepEqual(rewritten({ 'db-pass': 'v' }, transform('{{ .value | upper | replace "-" "_" }}')), {
      DB_PASS: 'v',
    });
    assert.deepEqual(rewritten({ schlüssel: 'v' }, transform('x_{{ .value }}_é')), { x_schlüssel_é: 'v' });
  });

  test('of keys that become one, the last in byte order wins', () => {
    assert.deepEqual(rewritten({ b: '2', a: '1' }, transform('same')), { same: '2' });
  });

  test('says which step and key', () => {
    assert.throws(() => rewritten({ a: 'v' }, transform('{{')), {
      code: 'TEMPLATE_PARSE',
      message: /^failed rewrite operation\[0\]: /,
    });
    assert.throws(
      () => rewritten({ 'the-key': 'SENTINEL' }, transform('ok'), transform('{{ .nope }}')),
      (error: Error) => {
        assert.match(
          error.message,
          /operation\[1\]: transform failed with failed to execute template for key "ok"/,
        );
        assert.doesNotMatch(error.message, /SENTINEL/);
        return true;
      },
    );
  });

  test('must not take its time', () => {
    assert.throws(() => rewritten({ a: 'v' }, transform('{{ bcrypt .value }}')), {
      code: 'TEMPLATE_BUDGET',
      message: /must not make keys, certificates or password hashes/,
    });
  });

  test('has one budget for all keys', () => {
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`k${i}`, 'v']));
    const started = performance.now();
    assert.throws(() => rewritten(many, transform('{{ range $i, $x := until 100000 }}{{ $i }}{{ end }}')), {
      code: 'TEMPLATE_BUDGET',
    });
    assert.equal(Object.keys(rewritten(many, transform('p-{{ .value }}'))).length, 2_000);
    assert.ok(performance.now() - started < 2_000);
  });
});

describe('9.4 RewriteMerge', () => {
  const merge = (options: NonNullable<RewriteStep['merge']>): RewriteStep => ({ merge: options });
  const json = (value: unknown): string => JSON.stringify(value);

  for (const { json: text, refused, members, object } of golden.objects) {
    test(`of ${JSON.stringify(text)}`, () => {
      if (refused) {
        assert.throws(() => rewritten({ a: text }, merge({})), {
          code: 'REWRITE',
          message: /merge failed with failed to unmarshal JSON: the value of key "a"/,
        });
        return;
      }
      const out = rewriteKeys(secrets({ a: text }), [merge({})]);
      assert.deepEqual(
        new Map([...out].map(([key, value]) => [key, value.revealText()])),
        new Map(Object.entries(members ?? {})),
      );
      assert.equal(rewritten({ a: text }, merge({ strategy: 'JSON', into: 'all' }))['all'], object);
    });
  }

  test('integers keep the digits that a float64 would lose', () => {
    const text = '{"i":12345678901234567890,"o":{"i":12345678901234567890}}';
    assert.deepEqual(rewritten({ a: text }, merge({})), {
      i: '12345678901234567890',
      o: '{"i":12345678901234567890}',
    });
  });

  test('Extract replaces all keys; JSON keeps them and adds one', () => {
    const values = { a: json({ x: 1 }), b: json({ y: '2' }) };
    assert.deepEqual(rewritten(values, merge({})), { x: '1', y: '2' });
    assert.deepEqual(rewritten(values, merge({ strategy: 'JSON', into: 'all' })), {
      ...values,
      all: '{"x":1,"y":"2"}',
    });
    assert.deepEqual(rewritten(values, merge({ strategy: 'JSON', into: 'a' })), {
      ...values,
      a: '{"x":1,"y":"2"}',
    });
  });

  test('strategy JSON needs into', () => {
    for (const into of [undefined, '']) {
      assert.throws(
        () => rewritten({ a: '{}' }, merge({ strategy: 'JSON', ...(into === undefined ? {} : { into }) })),
        /merge failed with missing 'into' field/,
      );
    }
  });

  test('conflicts are listed, unless they are ignored: then the last wins', () => {
    const values = { b: json({ x: 'b', y: 'b', z: 'b' }), a: json({ z: 'a', x: 'a', w: 'a' }) };
    assert.throws(() => rewritten(values, merge({})), {
      code: 'REWRITE',
      message: 'failed rewrite operation[0]: merge failed with conflicts: x, z',
    });
    assert.deepEqual(rewritten(values, merge({ conflictPolicy: 'Ignore' })), {
      x: 'b',
      y: 'b',
      z: 'b',
      w: 'a',
    });
  });

  test('keys of priority come last, in their order', () => {
    const values = { a: json({ x: 'a' }), b: json({ x: 'b' }), c: json({ x: 'c' }) };
    const ignoring = (...priority: string[]) =>
      rewritten(values, merge({ priority, conflictPolicy: 'Ignore' }))['x'];
    assert.equal(ignoring(), 'c');
    assert.equal(ignoring('a'), 'a');
    assert.equal(ignoring('a', 'b'), 'b');
    assert.equal(ignoring('c', 'b', 'a'), 'a');
  });

  test('a key of priority that was not read', () => {
    const values = { a: json({ x: 'a' }) };
    assert.throws(() => rewritten(values, merge({ priority: ['nope'] })), {
      code: 'REWRITE',
      message: /merge failed with key "nope" not found in input map/,
    });
    assert.deepEqual(
      rewritten(values, merge({ priority: ['nope', 'a'], priorityPolicy: 'IgnoreNotFound' })),
      {
        x: 'a',
      },
    );
  });

  test('no value is in an error, and nesting has an end', () => {
    for (const text of [
      'SENTINEL',
      '{"a":"SENTINEL",}',
      '"SENTINEL"',
      '['.repeat(5_000),
      `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
    ]) {
      assert.throws(
        () => rewritten({ k: text }, merge({})),
        (error: Error) => !error.message.includes('SENTINEL') && error.message.includes('"k"'),
      );
    }
  });
});

test('steps follow each other', () => {
  assert.deepEqual(
    rewritten(
      { 'app/db': '{"user":"u","pass":"p"}', 'app/mail': '{"host":"h"}' },
      { regexp: { source: '^app/', target: '' } },
      { merge: { strategy: 'JSON', into: 'all' } },
      { transform: { template: 'c_{{ .value }}' } },
    ),
    {
      c_all: '{"host":"h","pass":"p","user":"u"}',
      c_db: '{"user":"u","pass":"p"}',
      c_mail: '{"host":"h"}',
    },
  );
});

test('no step, and a step that says nothing, leave all as it is', () => {
  assert.deepEqual(rewritten({ 'a/b': 'v' }), { 'a/b': 'v' });
  assert.deepEqual(rewritten({ 'a/b': 'v' }, {}), { 'a/b': 'v' });
});
