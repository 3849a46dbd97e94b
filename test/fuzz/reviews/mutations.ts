/** Changes to JSON trees, as clumsy and malicious people make them. */
import type { Random } from '../random.ts';
import { deep, long } from './case.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json } | RawJson;
type RawJson = { readonly rawJSON: string };

// V8 has it before TypeScript's library knows it.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => RawJson };

const LONE_SURROGATE = '\ud800';
const STRINGS = [
  '',
  ' ',
  '0',
  'true',
  'null',
  LONE_SURROGATE,
  `a${LONE_SURROGATE}b\udfff`,
  '\u0000',
  'line\nbreak\u001b[31m\u0007',
  '\u202egnirts',
  '\u2028',
  '\ufeffbom',
  '\u{1f510}'.repeat(80),
  'e\u0301',
  '..',
  '../../../api/v1/secrets',
  '/',
  '%2e%2e%2f',
  'a/b?c#d',
  '__proto__',
  'constructor',
  '[object Object]',
  'UPPER.case',
  '-',
  '{{',
  '{{ fail .password }}',
  '{{ range 1000000000 }}x{{ end }}',
  '{{ template "a" }}',
  '(a+)+$',
  '(?<=a)b',
  '[',
  '*',
  '-1s',
  '99999999999999999999h',
  '1h1h',
  '2026-13-45T99:99:99Z',
  'http://169.254.169.254/',
  'https://[::1',
  'file:///etc/passwd',
  'external-secrets.io/v1',
  'external-secrets.io/v1beta1',
  'external-secrets.io/v2',
  'ExternalSecret',
  'ClusterSecretStore',
  'Webhook',
  'CREATE',
  'DELETE',
  '[[1,{"x":2}]]',
  '{"data":[[0,{"secretKey":"x","sourceRef":{}}]],"dataFrom":[[5,{"find":{}}]]}',
];
const NUMBERS = [
  '-0',
  '1e999',
  '-1e999',
  '9007199254740993',
  '12345678901234567890123',
  '1.50',
  '0.1e-7',
  '-1',
];
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  '',
  LONE_SURROGATE,
  'spec',
  'metadata',
  'data',
  'dataFrom',
  'extract',
  'find',
  'templateFrom',
  'template',
  'engineVersion',
  'provider',
  'annotations',
  'external-secrets-admission.io/require-sync',
  'external-secrets-admission.io/conversion-data',
];

/** A value that hardly ever belongs where it is put. */
export function oddValue(random: Random): Json {
  switch (random.below(9)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
    case 3:
      return rawJSON(random.pick(NUMBERS));
    case 4:
      return random.pick<Json>([[], {}, [[]], [null], [{}], { a: {} }, JSON.parse('{"__proto__":{"x":1}}')]);
    case 5:
      if (random.chance(0.2)) return deep(random.pick([30, 70, 300, 990, 1500, 3000, 6000, 12_000, 200_000]));
      return random.chance(0.1) ? long(random.pick([200, 200, 5_000, 300_000, 3_000_000])) : {};
    default:
      return random.pick(STRINGS);
  }
}

const isTree = (value: Json): value is Json[] | { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !('rawJSON' in value && Object.isFrozen(value));

const keysOf = (tree: Json[] | { [name: string]: Json }): string[] => Object.keys(tree);

function get(tree: Json[] | { [name: string]: Json }, key: string): Json {
  return (Array.isArray(tree) ? tree[Number(key)] : tree[key]) ?? null;
}

function set(tree: Json[] | { [name: string]: Json }, key: string, value: Json): void {
  if (Array.isArray(tree)) tree[Number(key)] = value;
  // An assignment to __proto__ would change what the object is.
  else Object.defineProperty(tree, key, { value, enumerable: true, writable: true, configurable: true });
}

interface Place {
  readonly tree: Json[] | { [name: string]: Json };
  readonly key: string;
}

/** A member somewhere in the tree; deep ones are as likely as those at the top. */
function somewhere(root: Json, random: Random): Place | undefined {
  const places: Place[] = [];
  const visit = (tree: Json): void => {
    if (!isTree(tree)) return;
    for (const key of keysOf(tree)) {
      places.push({ tree, key });
      visit(get(tree, key));
    }
  };
  visit(root);
  return places.length === 0 ? undefined : random.pick(places);
}

function remove({ tree, key }: Place): void {
  if (Array.isArray(tree)) tree.splice(Number(key), 1);
  else delete tree[key];
}

/** A deep copy, with raw numbers and members called __proto__. */
export function copy(value: Json): Json {
  if (!isTree(value)) return value;
  if (Array.isArray(value)) return value.map(copy);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copy(member)]));
}

/** Changes one thing in the tree. @param grafts trees whose parts are put into this one */
export function mutate(root: Json, random: Random, grafts: readonly Json[]): void {
  const place = somewhere(root, random);
  if (place === undefined) return;
  const { tree, key } = place;
  const value = get(tree, key);
  const put = (next: Json): void => set(tree, key, next);
  const from = somewhere(random.chance(0.5) ? root : random.pick(grafts), random);
  switch (random.below(10)) {
    case 0:
    case 1:
      remove(place);
      break;
    case 2:
    case 3:
    case 4:
      put(oddValue(random));
      break;
    case 5:
      // The same member once more, under another name.
      if (Array.isArray(tree)) tree.splice(Number(key), 0, copy(value));
      else set(tree, random.pick(NAMES), copy(value));
      break;
    case 6:
      if (Array.isArray(tree)) {
        tree.reverse();
        break;
      }
      remove(place);
      set(tree, random.chance(0.5) ? random.pick(NAMES) : `${key}s`, value);
      break;
    case 7:
      put(random.chance(0.5) ? [value] : { [key]: value });
      break;
    case 8:
      if (from !== undefined) put(copy(get(from.tree, from.key)));
      break;
    default:
      put(otherShape(value));
  }
}

/** The same content as another type. */
function otherShape(value: Json): Json {
  if (Array.isArray(value)) return Object.fromEntries(value.entries());
  if (isTree(value)) return Object.values(value);
  return typeof value === 'string' ? value.split('') : JSON.stringify(value);
}

/** Smaller trees, largest cuts first: each lacks one member, or has a plain value in its place. */
export function* smaller(root: Json): Generator<Json> {
  const paths: string[][] = [];
  const visit = (tree: Json, path: string[]): void => {
    if (!isTree(tree)) return;
    for (const key of keysOf(tree)) {
      paths.push([...path, key]);
      visit(get(tree, key), [...path, key]);
    }
  };
  visit(root, []);
  paths.sort((a, b) => a.length - b.length);
  for (const path of paths) {
    const next = copy(root);
    let tree = next;
    for (const key of path.slice(0, -1)) tree = isTree(tree) ? get(tree, key) : null;
    const last = path.at(-1);
    if (!isTree(tree) || last === undefined) continue;
    remove({ tree, key: last });
    yield next;
  }
}
