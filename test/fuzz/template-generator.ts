/** Random templates, mostly well typed: expressions are chosen by the parameter types of the functions. */
import type { FunctionMap } from '../../template/function.ts';
import { type GoType, mapOf, sliceOf, T } from '../../template/value.ts';
import type { Random } from './random.ts';

/**
 * Functions whose results differ from run to run: clocks, randomness, new keys and ciphertexts, the order of keys
 * of a map; and those that take a date and fall back to the clock.
 */
const UNSTABLE =
  /^(now|ago|unixEpoch|date|dateInZone|date_in_zone|htmlDate|htmlDateInZone|date_modify|dateModify|must_date_modify|mustDateModify|rand.*|shuffle|uuidv4|gen.*|buildCustomCert|derivePassword|bcrypt|htpasswd|encryptAES|keys|values|.*[pP]kcs12.*|.*ToPKCS12.*)$/;

const STRINGS = [
  '',
  'a',
  'b',
  'Hello World',
  'é😀x',
  'a,b,c',
  '1',
  '-5',
  '0x1F',
  '010',
  '1.5',
  '1e3',
  'true',
  'null',
  '{"a":1,"b":[1,2.5,{"c":null}],"z":"<&>"}',
  '[1,"x",[]]',
  'k: v\nl:\n  - 1\n  - yes\n',
  'YWJj',
  'MFRGG===',
  '616263',
  '2024-02-29',
  '2006-01-02',
  '2024-02-29T12:30:00Z',
  '1h30m',
  '1.2.3',
  '1.2.3-beta.1+b2',
  '^1.2',
  '>=1.0, <2 || 3.x',
  'https://u:p@example.com:8080/p/a?q=1&r=%20#frag',
  '[a-z]+',
  '(a)(b)?',
  '(',
  '$1-\u0024{1}x',
  '%d %s',
  '%v|%T|%q',
  '%5.2f%%',
  '  x y  ',
  'a\nb\n\nc',
  '\tx',
  '../a//b.tar.gz',
  'snake_case CamelCase kebab-case',
  'Ünïcödé ß ŉ ǆ',
  '"quoted" \\ `back`',
  '\u0000\u0001\u007f',
  'fail',
  'a',
] as const;

const INTEGERS = [
  '0',
  '1',
  '2',
  '3',
  '5',
  '-1',
  '-2',
  '10',
  '100',
  '0x10',
  "'a'",
  '1_000',
  '9223372036854775807',
  '-9223372036854775808',
] as const;

const FLOATS = ['0.0', '1.5', '-2.5', '3.0', '1e6', '1e21', '1e-7', '0.1', '123456789.125', '.5'] as const;
const OTHERS = ['nil', 'true', 'false', '1i', '1+2i', '$', '.'] as const;
const NOISE = [
  ...'{ } ( ) | . $ : = - , " \' ` # / * % + 0 a é'.split(' '),
  ' ',
  '\n',
  '{{',
  '}}',
  '{{-',
  '-}}',
  ' | ',
  ':=',
  'end',
  'else',
  'nil',
  'range',
];

/** Functions that take anything, but want a list. */
const OF_LISTS =
  /^(must)?(first|rest|last|initial|reverse|uniq|compact|without|has|slice|chunk|append|prepend|push)$|^(concat|join|sortAlpha|toStrings)$/i;

const MAX_DEPTH = 3;

/** The data of a case by key. */
export type Data = Readonly<Record<string, string>>;

export interface Generated {
  readonly template: string;
  readonly data: Data;
}

interface Callable {
  readonly name: string;
  readonly params: readonly GoType[];
  readonly variadic: boolean;
  readonly result: GoType;
}

const list = sliceOf(T.any);
const map = mapOf(T.any);

const builtin = (names: string, params: readonly GoType[], result: GoType, variadic = true): Callable[] =>
  names.split(' ').map((name) => ({ name, params, result, variadic }));

const BUILTINS: readonly Callable[] = [
  ...builtin('and or index', [T.any, T.any], T.any),
  ...builtin('eq', [T.any, T.any], T.bool),
  ...builtin('ne lt le gt ge', [T.any, T.any], T.bool, false),
  ...builtin('not', [T.any], T.bool, false),
  ...builtin('len', [T.any], T.int, false),
  ...builtin('print println html js urlquery', [T.any], T.string),
  ...builtin('printf', [T.string, T.any], T.string),
];

const quoted = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\x7f');

export class TemplateGenerator {
  readonly #random: Random;
  readonly #callables: readonly Callable[];
  #hasTemplate = false;
  readonly #keys: readonly string[] = ['a', 'b', 'n', 'json', 'empty', 'k-x'];
  #variables: string[] = [];

  constructor(random: Random, functions: FunctionMap) {
    this.#random = random;
    const stable = [...functions].filter(([name, { slow }]) => slow !== true && !UNSTABLE.test(name));
    this.#callables = [
      ...BUILTINS,
      ...BUILTINS,
      ...stable.map(([name, { params, variadic = false, result }]) => ({
        name,
        params: OF_LISTS.test(name) ? params.map((type) => (type === T.any ? list : type)) : params,
        variadic,
        result,
      })),
    ];
  }

  next(): Generated {
    this.#variables = [];
    this.#hasTemplate = this.#random.chance(0.15);
    const definitions = this.#hasTemplate ? `{{define "t"}}${this.#statements(1)}{{end}}` : '';
    this.#variables = [];
    const template = definitions + this.#statements(0);
    const data = Object.fromEntries(this.#keys.map((key) => [key, this.#random.pick(STRINGS)]));
    return { template: this.#random.chance(0.12) ? this.#disturb(template) : template, data };
  }

  /** A few characters more or less. */
  #disturb(template: string): string {
    let text = template;
    for (let edits = 1 + this.#random.below(3); edits > 0; edits--) {
      const at = this.#random.below(text.length + 1);
      const removed = this.#random.chance(0.5) ? this.#random.below(3) : 0;
      const added = this.#random.chance(0.6) ? this.#random.pick(NOISE) : '';
      text = text.slice(0, at) + added + text.slice(at + removed);
    }
    return text;
  }

  #statements(depth: number): string {
    const variables = this.#variables.length;
    let text = '';
    for (let count = 1 + this.#random.below(3); count > 0; count--) text += this.#statement(depth);
    this.#variables.length = variables;
    return text;
  }

  #action(inside: string): string {
    const left = this.#random.chance(0.1) ? '{{- ' : this.#random.chance(0.5) ? '{{ ' : '{{';
    const right = this.#random.chance(0.1) ? ' -}}' : this.#random.chance(0.5) ? ' }}' : '}}';
    return left + inside + right;
  }

  #statement(depth: number): string {
    const random = this.#random;
    const kind = depth >= 3 ? random.below(6) : random.below(12);
    if (kind < 4) return this.#action(this.#pipeline(T.any, 0));
    if (kind === 4) return random.pick([' x ', '\n', 'text', ' \t\n ', '{ ', '}}']);
    if (kind === 5) return this.#declaration();
    if (kind === 6) return this.#if(depth);
    if (kind === 7) return `${this.#action(`with ${this.#pipeline(T.any, 1)}`)}${this.#rest(depth)}`;
    if (kind === 8 && this.#hasTemplate) {
      return this.#action(`template ${random.chance(0.95) ? '"t"' : '"u"'} ${this.#pipeline(T.any, 2)}`);
    }
    if (kind === 9) return this.#action('/* comment */').replace(/{{ /, '{{').replace(/ }}$/, '}}');
    return this.#range(depth);
  }

  #declaration(): string {
    const name = `$${this.#random.pick(['x', 'y', 'z'])}`;
    const assigns = this.#variables.includes(name) && this.#random.chance(0.5);
    const text = this.#action(`${name} ${assigns ? '=' : ':='} ${this.#pipeline(T.any, 0)}`);
    this.#variables.push(name);
    return text + this.#action(name);
  }

  #if(depth: number): string {
    return `${this.#action(`if ${this.#pipeline(T.any, 1)}`)}${this.#rest(depth)}`;
  }

  #rest(depth: number): string {
    const body = this.#statements(depth + 1);
    const otherwise = this.#random.chance(0.4) ? this.#action('else') + this.#statements(depth + 1) : '';
    return body + otherwise + this.#action('end');
  }

  #range(depth: number): string {
    const random = this.#random;
    const source = random.chance(0.5)
      ? this.#pipeline(list, 1)
      : this.#pipeline(random.pick([map, T.any, T.int]), 1);
    const variables = random.pick(['', '', '$e := ', '$i, $e := ']);
    const before = this.#variables.length;
    if (variables.includes('$e')) this.#variables.push('$e');
    if (variables.includes('$i')) this.#variables.push('$i');
    const jump = random.chance(0.2) ? this.#action(random.pick(['break', 'continue'])) : '';
    const text = this.#action(`range ${variables}${source}`) + this.#statements(depth + 1) + jump;
    this.#variables.length = before;
    return text + this.#rest(depth);
  }

  /** One to three commands. */
  #pipeline(type: GoType, depth: number): string {
    const callable = this.#random.chance(0.35) ? this.#callable(type) : undefined;
    const last = callable?.params.at(-1);
    if (callable === undefined || last === undefined) return this.#expression(type, depth, false);
    const args = this.#arguments(callable, depth + 1).slice(0, -1);
    return `${this.#pipeline(last, depth + 1)} | ${[callable.name, ...args].join(' ')}`;
  }

  #callable(type: GoType): Callable {
    const wrong = this.#random.chance(0.02);
    const fitting = this.#callables.filter(
      ({ result }) => wrong || type.kind === 'interface' || result === type || result.kind === 'interface',
    );
    return this.#random.pick(fitting.length > 0 ? fitting : this.#callables);
  }

  #arguments({ params, variadic }: Callable, depth: number): string[] {
    const fixed = variadic ? params.slice(0, -1) : params;
    const last = params.at(-1);
    const more =
      variadic && last !== undefined ? Array.from({ length: this.#random.below(4) }, () => last) : [];
    const types = [...fixed, ...more];
    if (this.#random.chance(0.02)) types.pop();
    if (this.#random.chance(0.02)) types.push(T.any);
    return types.map((type) => this.#expression(type, depth, true));
  }

  #expression(type: GoType, depth: number, isArgument: boolean): string {
    if (depth >= MAX_DEPTH || this.#random.chance(isArgument ? 0.55 : 0.15)) return this.#leaf(type);
    const callable = this.#callable(type);
    const call = [callable.name, ...this.#arguments(callable, depth + 1)].join(' ');
    if (!isArgument) return call;
    return `(${call})${this.#random.chance(0.04) ? this.#random.pick(['.a', '.b', '.Major', '.x.y']) : ''}`;
  }

  #leaf(type: GoType): string {
    const random = this.#random;
    if (random.chance(0.02)) return this.#leaf(random.pick([T.string, T.int, T.float64, T.any]));
    if (this.#variables.length > 0 && random.chance(0.25)) return random.pick(this.#variables);
    switch (type.kind) {
      case 'string':
        return random.chance(0.2) ? `.${random.pick(['a', 'b', 'n', 'json'])}` : quoted(random.pick(STRINGS));
      case 'bool':
        return random.pick(['true', 'false']);
      case 'float32':
      case 'float64':
        return random.pick(FLOATS);
      case 'slice':
        return random.pick([
          '(list)',
          '(list 1 "a" nil)',
          '(list "b" "a" "b")',
          '(until 3)',
          '(splitList "," .a)',
        ]);
      case 'map':
        return random.pick([
          '(dict)',
          '(dict "a" 1 "b" "x")',
          '(dict "a" (dict "b" (list 1 2)))',
          '(fromJson .json)',
        ]);
      case 'interface': {
        if (random.chance(0.3)) return random.pick(OTHERS);
        if (random.chance(0.1)) return random.pick(['$.a', '.json', '.b', '$.n']);
        return this.#leaf(random.pick([T.string, T.string, T.int, T.float64, list, map]));
      }
      case 'struct':
        return '(toDate "2006-01-02" "2024-02-29")';
      default:
        return random.pick(INTEGERS);
    }
  }
}
