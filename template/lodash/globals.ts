/** The functions that a lodash template may call by name: a part of JavaScript's and of Node's, `yaml` and `_.escape`. */
import { stringify } from 'yaml';
import { GoError } from '../function.ts';
import { readYaml, YamlMap, type YamlValue } from '../go-yaml.ts';
import { fromUtf8, toUtf8 } from '../value.ts';
import { encodingOf } from './methods.ts';
import {
  Bytes,
  Callable,
  Fault,
  fromPlain,
  isDict,
  nameOf,
  newDict,
  type Run,
  toNumber,
  toText,
  type Value,
} from './values.ts';

type Global = (args: readonly Value[], run: Run) => Value;

/** `&`, `<`, `>`, `"` and `'` as HTML has them, as lodash escapes. */
export function escapeHtml(text: string, run: Run): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  run.budget.allocate(text.length);
  const escaped = text.replace(/[&<>"']/g, (one) => entities[one] ?? one);
  run.budget.allocate(escaped.length);
  return escaped;
}

/** What would change the result and is not known here. Callbacks get more than they ask for, so numbers and lists pass. */
function withoutOptions(name: string, options: readonly Value[]): void {
  if (options.some((option) => option instanceof Callable || (option !== undefined && isDict(option))))
    throw new Fault(`${name} takes one argument`);
}

/** Before a text is parsed: what comes of it takes some times its size. */
function parsing(text: string, run: Run): void {
  run.budget.spend(text.length / 8);
  run.budget.allocate(4 * text.length);
}

/** JavaScript's words quote the text, which is a secret. */
function parseJson([text, ...options]: readonly Value[], run: Run): Value {
  withoutOptions('JSON.parse', options);
  const source = toText(text, run);
  parsing(source, run);
  let plain: unknown;
  try {
    plain = JSON.parse(source);
  } catch {
    throw new Fault(
      text === undefined
        ? 'JSON.parse of undefined: there is no such key'
        : 'JSON.parse: the text is no JSON',
    );
  }
  return fromPlain(plain, run);
}

/** Spends for every part of a value, and refuses functions in it and values that contain themselves. */
function measure(value: Value, run: Run): void {
  run.budget.spend(1);
  if (value instanceof Callable) throw new Fault('a function cannot be written out');
  if (typeof value === 'string') run.budget.allocate(2 * value.length);
  if (value instanceof Bytes) run.budget.allocate(8 * value.bytes.length);
  const members = Array.isArray(value)
    ? value
    : value !== undefined && isDict(value)
      ? Object.values(value)
      : [];
  if (members.length === 0) return;
  run.budget.enter();
  for (const member of members) measure(member, run);
  run.budget.leave();
}

function stringifyJson([value, replacer, indent]: readonly Value[], run: Run): Value {
  if (replacer !== undefined && replacer !== null)
    throw new Fault('JSON.stringify takes no replacer but null');
  measure(value, run);
  const width = typeof indent === 'number' || typeof indent === 'string' ? indent : undefined;
  const text: string | undefined = JSON.stringify(value, null, width);
  run.budget.allocate(text?.length ?? 0);
  return text;
}

/** YAML of a value, laid out as js-yaml does: two blanks, lists indented, folded beyond column 80. */
function dumpYaml([value, ...options]: readonly Value[], run: Run): Value {
  withoutOptions('yaml.dump', options);
  measure(value, run);
  if (value === undefined) throw new Fault('yaml.dump of undefined');
  const text = stringify(value, { version: '1.1', singleQuote: true, aliasDuplicateObjects: false });
  run.budget.allocate(text.length);
  return text;
}

function loadYaml([text, ...options]: readonly Value[], run: Run): Value {
  withoutOptions('yaml.load', options);
  const source = toText(text, run);
  parsing(source, run);
  const plain = (value: YamlValue): unknown => {
    run.budget.spend(1);
    if (typeof value === 'string') return toUtf8(value);
    if (typeof value === 'bigint') return Number(value);
    if (Array.isArray(value)) return value.map(plain);
    if (!(value instanceof YamlMap)) return value;
    return Object.fromEntries([...value.entries].map(([key, member]) => [toUtf8(key), plain(member)]));
  };
  try {
    return fromPlain(plain(readYaml(fromUtf8(source), (steps) => run.budget.spend(steps))), run);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new Fault('yaml.load: the text is no YAML');
  }
}

/** The members of an object or array, by name. */
function entries([value]: readonly Value[], run: Run): [string, Value][] {
  if (value === null || value === undefined) throw new Fault(`cannot list the members of ${nameOf(value)}`);
  const found: [string, Value][] =
    Array.isArray(value) || isDict(value) ? Object.entries(value as Readonly<Record<string, Value>>) : [];
  run.budget.spend(found.length);
  run.budget.allocate(32 * found.length);
  return found;
}

function fromEntries([pairs]: readonly Value[], run: Run): Value {
  if (!Array.isArray(pairs)) throw new Fault(`Object.fromEntries takes an array, not ${nameOf(pairs)}`);
  const dict = newDict();
  run.budget.spend(pairs.length);
  for (const pair of pairs) {
    if (!Array.isArray(pair)) throw new Fault('Object.fromEntries takes an array of pairs');
    dict[toText(pair[0], run)] = pair[1];
  }
  return dict;
}

function bufferFrom([source, encoding]: readonly Value[], run: Run): Value {
  if (source instanceof Bytes) return source;
  if (Array.isArray(source)) {
    run.budget.allocate(source.length);
    return new Bytes(Buffer.from(source.map((one) => toNumber(one, run))));
  }
  if (typeof source !== 'string') throw new Fault(`Buffer.from takes a string, not ${nameOf(source)}`);
  run.budget.allocate(3 * source.length);
  return new Bytes(Buffer.from(source, encodingOf(encoding)));
}

/** @throws Fault where JavaScript throws a URIError */
function uri(convert: (text: string) => string): Global {
  return ([text], run) => {
    const source = toText(text, run);
    run.budget.allocate(9 * source.length);
    try {
      return convert(source);
    } catch {
      throw new Fault('the text cannot be encoded or decoded for a URI');
    }
  };
}

const numbers =
  (compute: (...numbers: number[]) => number): Global =>
  (args, run) =>
    compute(...args.map((arg) => toNumber(arg, run)));

/** Functions by their whole name. */
const FUNCTIONS: Readonly<Record<string, Global>> = {
  'Array.isArray': ([value]) => Array.isArray(value),
  'Buffer.from': bufferFrom,
  'JSON.parse': parseJson,
  'JSON.stringify': stringifyJson,
  'Math.abs': numbers(Math.abs),
  'Math.ceil': numbers(Math.ceil),
  'Math.floor': numbers(Math.floor),
  'Math.max': numbers(Math.max),
  'Math.min': numbers(Math.min),
  'Math.round': numbers(Math.round),
  'Object.entries': (args, run) => entries(args, run),
  'Object.fromEntries': fromEntries,
  'Object.keys': (args, run) => entries(args, run).map(([name]) => name),
  'Object.values': (args, run) => entries(args, run).map(([, member]) => member),
  '_.escape': ([value], run) =>
    value === null || value === undefined ? '' : escapeHtml(toText(value, run), run),
  'yaml.dump': dumpYaml,
  'yaml.load': loadYaml,
  'yaml.safeDump': dumpYaml,
  'yaml.safeLoad': loadYaml,
  Boolean: ([value]) => Boolean(value),
  Number: (args, run) => (args.length === 0 ? 0 : toNumber(args[0], run)),
  String: (args, run) => (args.length === 0 ? '' : toText(args[0], run)),
  decodeURIComponent: uri(decodeURIComponent),
  encodeURI: uri(encodeURI),
  encodeURIComponent: uri(encodeURIComponent),
  parseFloat: ([text], run) => Number.parseFloat(toText(text, run)),
  parseInt: ([text, base], run) =>
    Number.parseInt(toText(text, run), base === undefined ? undefined : toNumber(base, run)),
  print(args, run) {
    for (const arg of args) if (arg !== null && arg !== undefined) run.print(toText(arg, run));
    return undefined;
  },
};

export const FUNCTION_NAMES: ReadonlySet<string> = new Set(Object.keys(FUNCTIONS));
/** What stands before the dot of some of them. */
export const NAMESPACES: ReadonlySet<string> = new Set(
  [...FUNCTION_NAMES].filter((name) => name.includes('.')).map((name) => name.slice(0, name.indexOf('.'))),
);

/** @throws Fault if there is no such function, or it cannot do what is asked */
export function callGlobal(name: string, args: readonly Value[], run: Run): Value {
  if (!FUNCTION_NAMES.has(name)) throw new Fault(`no function ${name}`);
  return FUNCTIONS[name]?.(args, run);
}
