/** Changes objects where they stand in a YAML file, so that comments, order and spelling of all else stay. */
import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isScalar, isSeq, Pair, Scalar, visit, YAMLMap, YAMLSeq } from 'yaml';
import { isJsonObject } from '../../api/json.ts';
import type { FieldPath } from '../../api/problem.ts';
import { resolvePlain } from '../../template/go-yaml-resolve.ts';
import type { WrittenObject } from '../manifest.ts';

/** Makes the object in its document say what `after` says. */
export function rewriteObject({ object, document, within }: WrittenObject, after: object): void {
  const node = document.getIn(within, true);
  const target = within.length === 0 ? document.contents : node;
  // What an alias stands for is somebody else's, too.
  if (isMap(target) && !hasAliases(document)) {
    reconcile(target, object, after as Readonly<Record<string, unknown>>);
    return;
  }
  if (within.length === 0) document.contents = nodeOf(after) as typeof document.contents;
  else document.setIn(within, nodeOf(after));
}

function hasAliases(document: Document): boolean {
  let found = false;
  visit(document, {
    Alias: () => {
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

type Members = Readonly<Record<string, unknown>>;

function reconcile(node: YAMLMap, before: Members, after: Members): void {
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) node.delete(name);
  for (const [name, value] of Object.entries(after)) {
    const old = before[name];
    if (Object.hasOwn(before, name) && isDeepStrictEqual(old, value)) continue;
    const there: unknown = node.get(name, true);
    if (isMap(there) && isJsonObject(old) && isJsonObject(value)) reconcile(there, old, value);
    else if (isSeq(there) && Array.isArray(old) && Array.isArray(value) && old.length === value.length)
      reconcileItems(there, old, value);
    else if (isScalar(there) && typeof value === 'string') replaceText(there, value);
    else setMember(node, name, nodeOf(value));
  }
}

function reconcileItems(node: YAMLSeq, before: readonly unknown[], after: readonly unknown[]): void {
  for (const [index, value] of after.entries()) {
    const old = before[index];
    const there: unknown = node.get(index, true);
    if (isDeepStrictEqual(old, value)) continue;
    if (isMap(there) && isJsonObject(old) && isJsonObject(value)) reconcile(there, old, value);
    else node.set(index, nodeOf(value));
  }
}

/** In place, for the comment behind it. */
function replaceText(scalar: Scalar, text: string): void {
  const fresh = scalarOf(text);
  scalar.value = fresh.value;
  if (fresh.type === undefined || scalar.type === Scalar.PLAIN) {
    if (fresh.type === undefined) delete scalar.type;
    else scalar.type = fresh.type;
  }
}

function setMember(node: YAMLMap, name: string, value: unknown): void {
  const pair = node.items.find(({ key }) => (isScalar(key) ? key.value : key) === name);
  if (pair === undefined) node.add(new Pair(scalarOf(name), value));
  else pair.value = value;
}

/**
 * A value as a node of a document that is read with every scalar as text: what YAML would take for another type gets
 * quotes.
 */
export function nodeOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    const list = new YAMLSeq();
    list.items = value.map(nodeOf);
    return list;
  }
  if (isJsonObject(value)) {
    const map = new YAMLMap();
    map.items = Object.entries(value).map(([name, member]) => new Pair(scalarOf(name), nodeOf(member)));
    return map;
  }
  if (typeof value === 'string') return scalarOf(value);
  const scalar = new Scalar(String(value));
  scalar.type = Scalar.PLAIN;
  return scalar;
}

function scalarOf(text: string): Scalar {
  const scalar = new Scalar(text);
  if (text.includes('\n')) scalar.type = Scalar.BLOCK_LITERAL;
  else if (text === '' || /^\d{4}-\d/.test(text) || typeof resolvePlain(text).value !== 'string')
    // Times are text for Kubernetes, but not for every reader of YAML.
    scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}

/** Moves the comments of an entry to what it has become: those before it, and those behind its fields. */
export function moveComments(from: unknown, to: unknown, fields: Readonly<Record<string, FieldPath>>): void {
  if (!isMap(from) || !isMap(to)) return;
  if (from.commentBefore) to.commentBefore = from.commentBefore;
  if (from.comment) to.comment = from.comment;
  for (const [name, path] of Object.entries(fields)) {
    const old: unknown = from.get(name, true);
    const fresh: unknown = to.getIn(path, true);
    if (isScalar(old) && isScalar(fresh) && old.comment) fresh.comment = old.comment;
  }
}

/**
 * All documents of a file as text.
 * @param source the file as it was, for its layout
 */
export function textOf(documents: readonly Document[], source: string): string {
  const layout = { lineWidth: 0, indentSeq: hasIndentedLists(source) };
  return documents
    .filter(({ contents, commentBefore, comment }) => contents !== null || commentBefore || comment)
    .map((document, index) => {
      const text = document.toString(layout);
      return index > 0 && !text.startsWith('---') ? `---\n${text}` : text;
    })
    .join('');
}

/** Whether lists stand deeper than the name that they belong to, as the first one does. */
function hasIndentedLists(source: string): boolean {
  const match = /^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- /m.exec(source);
  return (match?.[2]?.length ?? 0) > (match?.[1]?.length ?? 0);
}
