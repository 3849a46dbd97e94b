/**
 * Password: as External Secrets Operator makes it with sethvargo/go-password (eso.md 6). Given numbers of letters,
 * digits and symbols are drawn, each from its own characters, and put in random order. Without repeats every
 * character occurs once at most, in the whole password.
 */
import { randomInt } from 'node:crypto';
import { EsaError } from '../../api/errors.ts';
import { type PasswordSpec, passwordSpec } from '../../api/generators/v1alpha1/password.ts';
import { collector, type Problem, type Report } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { encodeBase32 } from '../../template/functions/base64.ts';
import type { Generator } from './contract.ts';

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const SYMBOLS = '~!@#$%^&*()_+`-={}|[]\\:"<>?,./';
const DEFAULT_LENGTH = 24;
const DEFAULT_KEY = 'password';
/** Of all passwords of an object together; beyond it somebody has mistyped a number. */
const MAX_CHARACTERS = 65_536;

/** How many of which characters. */
interface Recipe {
  readonly letters: { readonly count: number; readonly from: readonly string[] };
  readonly digits: { readonly count: number; readonly from: readonly string[] };
  readonly symbols: { readonly count: number; readonly from: readonly string[] };
}

const lengthOf = ({ length }: PasswordSpec): number => (length > 0 ? length : DEFAULT_LENGTH);
const keysOf = ({ secretKeys }: PasswordSpec): readonly string[] => secretKeys ?? [DEFAULT_KEY];

function recipeOf(spec: PasswordSpec): Recipe {
  const length = lengthOf(spec);
  const digits = spec.digits ?? Math.floor(length / 4);
  const symbols = spec.symbols ?? Math.floor(length / 4);
  return {
    letters: { count: length - digits - symbols, from: Array.from(LOWER + (spec.noUpper ? '' : UPPER)) },
    digits: { count: digits, from: Array.from(DIGITS) },
    // The library takes an empty text for its default.
    symbols: { count: symbols, from: Array.from(spec.symbolCharacters || SYMBOLS) },
  };
}

/** The field that mends a number of characters of a class. */
const FIELDS = { letters: 'length', digits: 'digits', symbols: 'symbols' } as const;

function checkCounts(spec: PasswordSpec, report: Report): void {
  const recipe = recipeOf(spec);
  const negative = (['digits', 'symbols'] as const).filter((name) => recipe[name].count < 0);
  for (const name of negative)
    report('generator-password-negative', [name], 'must not be negative; set it to 0 for none');
  if (negative.length > 0) return;
  if (recipe.letters.count < 0) {
    report(
      'generator-password-length',
      ['length'],
      `number of digits and symbols must be less than total length: ${lengthOf(spec)} characters cannot hold ${recipe.digits.count} digits and ${recipe.symbols.count} symbols`,
    );
  }
  if (spec.allowRepeat) return;
  for (const name of ['letters', 'digits', 'symbols'] as const) {
    const { count, from } = recipe[name];
    const available = new Set(from).size;
    if (count <= available) continue;
    report(
      'generator-password-repeats',
      [FIELDS[name]],
      `number of ${name} exceeds available ${name} and repeats are not allowed: ${count} of ${available}; set allowRepeat, or ask for less`,
    );
  }
}

function validateSpec(spec: PasswordSpec): Problem[] {
  const { report, problems } = collector();
  checkCounts(spec, report);
  const keys = keysOf(spec);
  const wanted = 'secretKeys must be non-empty and unique; name each key once';
  const seen = new Set<string>();
  for (const [index, key] of keys.entries()) {
    const path = ['secretKeys', index];
    if (key === '') report('generator-password-key', path, wanted);
    else if (seen.has(key)) report('generator-password-key-twice', path, wanted);
    seen.add(key);
  }
  if (lengthOf(spec) * keys.length > MAX_CHARACTERS) {
    report(
      'generator-password-size',
      ['length'],
      `no object gives more than ${MAX_CHARACTERS} characters; make the password shorter`,
    );
  }
  return problems;
}

/** Draws `count` characters into `into`. Without repeats none is drawn that was drawn before, from whatever class. */
function draw(count: number, from: readonly string[], allowRepeat: boolean, into: string[]): void {
  const pool = allowRepeat ? [...from] : [...new Set(from)].filter((character) => !into.includes(character));
  for (let drawn = 0; drawn < count; drawn += 1) {
    const index = pool.length === 0 ? 0 : randomInt(pool.length);
    const character = pool[index];
    if (character === undefined) {
      // Only if symbolCharacters holds letters or digits, and those were drawn already.
      throw new EsaError(
        'INVALID_OBJECT',
        'number of symbols exceeds available symbols and repeats are not allowed: letters and digits have taken some of symbolCharacters; set allowRepeat',
      );
    }
    into.push(character);
    if (!allowRepeat) pool.splice(index, 1);
  }
}

/** Every order is as likely as any other (Fisher-Yates). */
function shuffle(characters: string[]): void {
  for (let last = characters.length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    const [a = '', b = ''] = [characters[last], characters[other]];
    characters[last] = b;
    characters[other] = a;
  }
}

function passwordOf(recipe: Recipe, allowRepeat: boolean): Buffer {
  const characters: string[] = [];
  for (const { count, from } of [recipe.letters, recipe.digits, recipe.symbols]) {
    draw(count, from, allowRepeat, characters);
  }
  shuffle(characters);
  return Buffer.from(characters.join(''));
}

function encode(password: Buffer, encoding: PasswordSpec['encoding']): SecretValue {
  switch (encoding) {
    case 'raw':
      return SecretValue.fromBytes(password);
    case 'base64':
    case 'hex':
      return SecretValue.fromText(password.toString(encoding));
    case 'base64url':
      // Node leaves out the padding, Go writes it.
      return SecretValue.fromText(password.toString('base64').replaceAll('+', '-').replaceAll('/', '_'));
    case 'base32':
      return SecretValue.fromText(encodeBase32(password.toString('latin1')));
  }
}

export const passwordGenerator = {
  kind: 'Password',
  schema: passwordSpec,
  validateSpec,
  generate(spec) {
    const recipe = recipeOf(spec);
    return new Map(
      keysOf(spec).map((key) => [key, encode(passwordOf(recipe, spec.allowRepeat), spec.encoding)]),
    );
  },
} satisfies Generator<PasswordSpec>;
