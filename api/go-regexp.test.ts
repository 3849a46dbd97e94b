// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how Go writes groups in a replacement
/** What is expected here is what Go 1.26 prints; template/testdata/regex.* compares many more cases with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileGoRegexp, GoRegexpError, quoteMeta } from './go-regexp.ts';

test('a replacement is expanded as by ReplaceAllString', () => {
  const regexp = compileGoRegexp('(?P<a>x*)(y)?');
  assert.equal(
    regexp.replaceAll('xxabyxc', '[$a|${2}|$1x|$$|$|${|${a}]'),
    '[xx|||$|$|${|xx]a[|||$|$|${|]b[|y||$|$|${|][x|||$|$|${|x]c[|||$|$|${|]',
  );
  assert.equal(compileGoRegexp('(b)').replaceAll('abc', '$1$01$9${1}é$1é'), 'abbéc');
  assert.equal(compileGoRegexp('(?P<__proto__>a)').replaceAll('abc', '<${__proto__}$constructor>'), '<a>bc');
});

test('successive matches are those of FindAllStringSubmatchIndex', () => {
  const all = (source: string, text: string, limit = -1): unknown => [
    ...compileGoRegexp(source).matches(text, limit),
  ];
  assert.deepEqual(all('(?P<a>x*)(y)?', 'xxabyx'), [
    [0, 2, 0, 2, -1, -1],
    [3, 3, 3, 3, -1, -1],
    [4, 5, 4, 4, 4, 5],
    [5, 6, 5, 6, -1, -1],
  ]);
  assert.deepEqual(all('^a', 'aaa'), [[0, 1]]);
  assert.deepEqual(all('a', 'aaa', 2), [
    [0, 1],
    [1, 2],
  ]);
  assert.deepEqual(all('a', 'aaa', 0), []);
});

test('the parts between matches are those of Split', () => {
  const split = (source: string, text: string, limit = -1): string[] =>
    [...compileGoRegexp(source).split(text, limit)].map(([start, end]) => text.slice(start, end));
  assert.deepEqual(split('', 'aé😀b'), ['a', 'é', '😀', 'b']);
  assert.deepEqual(split(',', 'a,b,c', 2), ['a', 'b,c']);
  assert.deepEqual(split(',', ''), ['']);
  assert.deepEqual(split(',', 'a,b', 0), []);
});

test('what Go refuses is refused in its words, and the reason alone quotes nothing', () => {
  const cases: readonly (readonly [source: string, message: string, reason: string])[] = [
    ['a(b', 'error parsing regexp: missing closing ): `a(b`', 'missing closing )'],
    [
      '\\',
      'error parsing regexp: trailing backslash at end of expression: ``',
      'trailing backslash at end of expression',
    ],
    [
      '(?=x)',
      'error parsing regexp: invalid or unsupported Perl syntax: `(?=`',
      'invalid or unsupported Perl syntax',
    ],
    ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`', 'invalid repeat count'],
    ['[a', 'error parsing regexp: missing closing ]: `[a`', 'missing closing ]'],
  ];
  for (const [source, message, reason] of cases) {
    assert.throws(
      () => compileGoRegexp(source),
      (error) => error instanceof GoRegexpError && error.message === message && error.reason === reason,
      source,
    );
  }
});

test('a quoted text matches itself only', () => {
  const text = 'a.b*c[1]{2}(x|y)^$\\+?';
  assert.ok(compileGoRegexp(`^${quoteMeta(text)}$`).test(text));
});
