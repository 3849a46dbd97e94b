import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { passwordSpec } from '../../api/generators/v1alpha1/password.ts';
import { formatProblem } from '../../api/problem.ts';
import { decodeBase32 } from '../../template/functions/base64.ts';
import { passwordGenerator } from './password.ts';

interface Golden {
  readonly wish: {
    readonly length: number;
    readonly digits: number;
    readonly symbols: number;
    readonly symbolCharacters: string;
    readonly noUpper: boolean;
    readonly allowRepeat: boolean;
  };
  readonly error?: string;
  readonly letters: number;
  readonly digits: number;
  readonly symbols: number;
}

// From Go: test/oracles/go-password
const GOLDEN = join(import.meta.dirname, 'testdata/password.golden.json');
const goldens = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Golden[];

const problemsOf = (spec: object): string[] =>
  passwordGenerator.validateSpec(passwordSpec.parse(spec)).map(formatProblem);
const generate = (spec: object): Record<string, string> =>
  Object.fromEntries(
    [...passwordGenerator.generate(passwordSpec.parse(spec))].map(([key, value]) => [
      key,
      value.revealText(),
    ]),
  );
const passwordOf = (spec: object): string => generate(spec)['password'] ?? '';
const count = (text: string, set: RegExp): number => text.match(set)?.length ?? 0;

test('wishes are granted and refused as by the library of External Secrets Operator', () => {
  assert.ok(goldens.length > 200);
  for (const { wish, error, letters, digits, symbols } of goldens) {
    const what = JSON.stringify(wish);
    const problems = problemsOf(wish);
    if (error !== undefined) {
      assert.equal(problems.length > 0, true, what);
      assert.ok(problems[0]?.includes(`: ${error}`), `${what}: ${problems[0]} is not ${error}`);
      continue;
    }
    assert.deepEqual(problems, [], what);
    const password = passwordOf(wish);
    assert.deepEqual(
      [password.length, count(password, /[A-Za-z]/g), count(password, /[0-9]/g)],
      [letters + digits + symbols, letters, digits],
      what,
    );
    if (wish.noUpper) assert.equal(count(password, /[A-Z]/g), 0, what);
    if (!wish.allowRepeat) assert.equal(new Set(password).size, password.length, what);
  }
});

test('by default a quarter are digits and a quarter symbols, of 24', () => {
  for (const [spec, length, each] of [
    [{}, 24, 6],
    [{ length: 0 }, 24, 6],
    [{ length: -1 }, 24, 6],
    [{ length: 10 }, 10, 2],
    [{ length: 3 }, 3, 0],
  ] as const) {
    const password = passwordOf(spec);
    assert.deepEqual(
      [password.length, count(password, /\d/g), count(password, /[^A-Za-z\d]/g)],
      [length, each, each],
    );
  }
});

describe('random', () => {
  const draws = Array.from({ length: 4_000 }, () =>
    passwordOf({ length: 4, digits: 1, symbols: 1, symbolCharacters: '-_' }),
  );

  test('every character and every place has its chance', () => {
    const digits = new Set(draws.map((password) => /\d/.exec(password)?.[0]));
    assert.equal(digits.size, 10);
    const letters = new Set(draws.join('').replaceAll(/[^A-Za-z]/g, ''));
    assert.equal(letters.size, 52);
    for (let place = 0; place < 4; place += 1) {
      const here = draws.filter((password) => password.search(/\d/) === place).length;
      // A thousand, and 27 for a standard deviation.
      assert.ok(Math.abs(here - 1_000) < 200, `${here} of 4000 at ${place}`);
    }
  });

  test('none is made twice', () => {
    const many = Array.from({ length: 1_000 }, () => passwordOf({}));
    assert.equal(new Set(many).size, many.length);
  });
});

test('each of secretKeys gets a password of its own', () => {
  const made = generate({ secretKeys: ['a', 'b', 'c'] });
  assert.deepEqual(Object.keys(made), ['a', 'b', 'c']);
  assert.equal(new Set(Object.values(made)).size, 3);
});

test('encodings are those of Go, of the finished password', () => {
  // 22 letters and digits: one byte each, and padding in all encodings that have it.
  const spec = { length: 22, symbols: 0 };
  const alphabet = /^[A-Za-z0-9]{22}$/;
  assert.match(passwordOf({ ...spec, encoding: 'raw' }), alphabet);
  const base64 = passwordOf({ ...spec, encoding: 'base64' });
  assert.match(base64, /^[A-Za-z0-9+/]{30}==$/);
  assert.match(Buffer.from(base64, 'base64').toString(), alphabet);
  const hex = passwordOf({ ...spec, encoding: 'hex' });
  assert.match(hex, /^[0-9a-f]{44}$/);
  assert.match(Buffer.from(hex, 'hex').toString(), alphabet);
  const base32 = passwordOf({ ...spec, encoding: 'base32' });
  assert.match(base32, /^[A-Z2-7]{36}====$/);
  const decoded = decodeBase32(base32);
  assert.ok('bytes' in decoded);
  assert.match(decoded.bytes, alphabet);
});

test('base64url has its own two characters, and padding', () => {
  // In UTF-8 these give the sextets 62 and 63 often.
  const spec = {
    length: 40,
    digits: 0,
    symbols: 40,
    symbolCharacters: '~?>\u{10FFFF}\u{FFFD}',
    allowRepeat: true,
  };
  const texts = Array.from({ length: 50 }, () => passwordOf({ ...spec, encoding: 'base64url' }));
  for (const text of texts) {
    assert.match(text, /^[A-Za-z0-9_-]+={0,2}$/);
    assert.equal(text.length % 4, 0);
    assert.equal(Array.from(Buffer.from(text, 'base64url').toString()).length, 40);
  }
  assert.match(texts.join(''), /[-_]/);
});

test('symbols are characters, not bytes', () => {
  const password = passwordOf({ length: 3, digits: 0, symbols: 3, symbolCharacters: 'é€𝄞' });
  assert.deepEqual(Array.from(password).sort(), ['é', '€', '𝄞'].sort());
});

test('what can never give a password is refused with its field', () => {
  for (const [spec, words] of [
    [{ digits: -1 }, 'digits: must not be negative; set it to 0 for none'],
    [{ symbols: -2 }, 'symbols: must not be negative; set it to 0 for none'],
    [{ secretKeys: [''] }, 'secretKeys[0]: secretKeys must be non-empty and unique; name each key once'],
    [
      { secretKeys: ['a', 'b', 'a'] },
      'secretKeys[2]: secretKeys must be non-empty and unique; name each key once',
    ],
    [
      { length: 70_000, allowRepeat: true },
      'length: no object gives more than 65536 characters; make the password shorter',
    ],
    [
      { symbols: 3, symbolCharacters: '---' },
      'symbols: number of symbols exceeds available symbols and repeats are not allowed: 3 of 1; set allowRepeat, or ask for less',
    ],
  ] as const) {
    assert.deepEqual(problemsOf(spec), [words]);
  }
});

test('symbols that are letters, too, may run out without repeats: an error, not an endless search', () => {
  const spec = { length: 27, digits: 0, symbols: 1, symbolCharacters: 'a', noUpper: true };
  assert.deepEqual(problemsOf(spec), []);
  assert.throws(() => passwordOf(spec), {
    code: 'INVALID_OBJECT',
    message: /symbols exceeds available symbols/,
  });
});
