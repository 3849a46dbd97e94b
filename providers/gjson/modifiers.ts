/** Modifiers: `@name` or `@name:argument` in a path makes a new text of the one at hand. */
import { type PrettyOptions, pretty, ugly } from './pretty.ts';
import {
  booleanOf,
  children,
  exists,
  integerOf,
  isArray,
  isObject,
  parse,
  type Result,
  textOf,
} from './result.ts';
import { isValidJson, quoteJson, trimBlank } from './text.ts';

/** What modifiers need of the lookup that runs them. */
export interface ModifierTools {
  /** Counts characters read or written; throws when too many. */
  spend(characters: number): void;
  /** Runs one level deeper; throws when too deep. */
  nested<T>(work: () => T): T;
  lookup(json: string, path: string): Result;
}

type Modifier = (json: string, argument: string, tools: ModifierTools) => string;

const list = (texts: readonly string[]): string => `[${texts.join(',')}]`;
const member = (key: string, value: string): string => `${key}:${value}`;

/** The member of the argument, a JSON object; undefined if it has none. Of two the last counts. */
function option(argument: string, name: string): Result | undefined {
  if (argument === '') return undefined;
  return [...children(parse(argument))].findLast(([key]) => textOf(key) === name)?.[1];
}

const flag = (argument: string, name: string): boolean => {
  const value = option(argument, name);
  return value !== undefined && booleanOf(value);
};

/** The inside of an object or array. */
function unwrapped(json: string): string {
  const text = trimBlank(json);
  return text.length >= 2 && /^[[{]/.test(text) ? text.slice(1, -1) : text;
}

/** Without white space at both ends, by Go's strings.TrimSpace for ASCII. */
const trimSpace = (text: string): string => text.replace(/^[\t-\r ]+|[\t-\r ]+$/g, '');

function reverse(json: string): string {
  const value = parse(json);
  if (isArray(value)) return list([...children(value)].map(([, { raw }]) => raw).reverse());
  if (!isObject(value)) return json;
  const members = [...children(value)].map(([key, { raw }]) => member(key.raw, raw));
  return `{${members.reverse().join(',')}}`;
}

function keys(json: string): string {
  const value = parse(json);
  return list([...children(value)].map(([key]) => (isObject(value) ? key.raw : 'null')));
}

function values(json: string): string {
  const value = parse(json);
  return isArray(value) ? json : list([...children(value)].map(([, { raw }]) => raw));
}

function flatten(json: string, argument: string, tools: ModifierTools): string {
  const value = parse(json);
  if (!isArray(value)) return json;
  tools.spend(json.length);
  const deep = flag(argument, 'deep');
  const elements = [...children(value)].map(([, element]) => {
    if (!isArray(element)) return trimSpace(element.raw);
    const inner = deep ? tools.nested(() => flatten(element.raw, argument, tools)) : element.raw;
    return trimSpace(unwrapped(inner));
  });
  return list(elements.filter((text) => text !== ''));
}

/** One object of all objects in an array; of members with one name the first has the place, the last the value. */
function join(json: string, argument: string): string {
  const value = parse(json);
  if (!isArray(value)) return json;
  const objects = [...children(value)].map(([, element]) => element).filter(isObject);
  if (flag(argument, 'preserve')) return `{${objects.map(({ raw }) => unwrapped(raw)).join(',')}}`;
  const members = new Map<string, { readonly key: string; value: string }>();
  for (const object of objects) {
    for (const [key, { raw }] of children(object)) {
      const known = members.get(textOf(key));
      if (known === undefined) members.set(textOf(key), { key: key.raw, value: raw });
      else known.value = raw;
    }
  }
  return `{${[...members.values()].map((one) => member(one.key, one.value)).join(',')}}`;
}

/** An object of arrays as an array of objects. */
function group(json: string): string {
  const value = parse(json);
  if (!isObject(value)) return '';
  const groups: string[][] = [];
  for (const [key, column] of children(value)) {
    if (!isArray(column)) continue;
    let row = 0;
    for (const [, { raw }] of children(column)) {
      const members = groups[row] ?? [];
      members.push(member(key.raw, raw));
      groups[row++] = members;
    }
  }
  return list(groups.map((members) => `{${members.join(',')}}`));
}

/** What is at the path in the text, in its children, their children and so on. */
function dig(json: string, path: string, tools: ModifierTools): string {
  const found: string[] = [];
  const descend = (parent: Result): void => {
    tools.spend(parent.raw.length);
    const here = tools.lookup(parent.raw, path);
    if (exists(here)) {
      tools.spend(here.raw.length);
      found.push(here.raw);
    }
    if (!isArray(parent) && !isObject(parent)) return;
    for (const [, child] of children(parent)) tools.nested(() => descend(child));
  };
  descend(parse(json));
  return list(found);
}

/** The white space of a text that has anything else in it; as it is otherwise. */
const onlySpace = (text: string): string => text.replace(/[^ \t\r\n]/g, '');

function prettyOptions(argument: string): PrettyOptions {
  const [sortKeys, indent, prefix, width] = ['sortKeys', 'indent', 'prefix', 'width'].map((name) =>
    option(argument, name),
  );
  return {
    sortKeys: sortKeys !== undefined && booleanOf(sortKeys),
    indent: indent === undefined ? '  ' : onlySpace(textOf(indent)),
    prefix: prefix === undefined ? '' : onlySpace(textOf(prefix)),
    width: width === undefined ? 80 : integerOf(width),
  };
}

const MODIFIERS: ReadonlyMap<string, Modifier> = new Map<string, Modifier>([
  ['this', (json) => json],
  ['valid', (json) => (isValidJson(json) ? json : '')],
  ['fromstr', (json) => (isValidJson(json) ? textOf(parse(json)) : '')],
  ['tostr', quoteJson],
  ['pretty', (json, argument, tools) => pretty(json, prettyOptions(argument), tools)],
  ['ugly', ugly],
  ['reverse', reverse],
  ['keys', keys],
  ['values', values],
  ['flatten', flatten],
  ['join', join],
  ['group', group],
  ['dig', dig],
]);

export const isModifier = (name: string): boolean => MODIFIERS.has(name);

/** The text that the modifier makes. @throws GjsonLimitError through the tools */
export function applyModifier(name: string, json: string, argument: string, tools: ModifierTools): string {
  tools.spend(json.length + argument.length);
  const made = MODIFIERS.get(name)?.(json, argument, tools) ?? json;
  tools.spend(made.length);
  return made;
}
