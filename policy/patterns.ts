/**
 * Patterns of ClusterSecretPolicies. A pattern is always about the whole text. Where it may hold
 * `{{namespace}}`, the name stands for itself: no character of it has a meaning in the pattern.
 */
import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import { compileGoRegexp, GoRegexpError, quoteMeta } from '../api/go-regexp.ts';
import type { KeyPattern } from '../api/policy/cluster-secret-policy.ts';

const PLACEHOLDER = '{{namespace}}';
/** A name of a namespace may hold a dash, which means something between brackets of an expression. */
const literal = (namespace: string): string => quoteMeta(namespace).replaceAll('-', '\\-');

/** What would be a wildcard elsewhere; refused, so that nobody believes it is one here. */
const FOREIGN_WILDCARDS = /[?[\]{}\\]/;

/**
 * The expression (RE2) that a glob stands for: `*` is any number of characters but the separator, `**` any number
 * of any characters.
 */
function globToRegexp(glob: string, separator: '/' | '.' | undefined): string {
  const within = separator === undefined ? '.*' : `[^${quoteMeta(separator)}]*`;
  return `(?s)${glob
    .split(/(\*+)/)
    .map((part) => (part.startsWith('*') ? (part.length > 1 ? '.*' : within) : quoteMeta(part)))
    .join('')}`;
}

/** Why a glob cannot be used; undefined if it can. @param placeholder true where `{{namespace}}` may stand */
export function globError(glob: string, placeholder: boolean): string | undefined {
  const rest = placeholder ? glob.replaceAll(PLACEHOLDER, '') : glob;
  const foreign = FOREIGN_WILDCARDS.exec(rest)?.[0];
  if (foreign === undefined) return undefined;
  const known = placeholder ? '*, ** and {{namespace}}; a regexp can say the rest' : '* and **';
  return `"${foreign}" has no meaning in a glob; it may hold ${known}`;
}

/** Why an expression of `keys` cannot be used; undefined if it can. */
export function keyRegexpError(source: string): string | undefined {
  // Any name will do: it cannot make a sound expression unsound.
  const probe = source.replaceAll(PLACEHOLDER, literal('a-namespace'));
  if (probe.includes('{{')) return 'only {{namespace}} is replaced; write it like that, without spaces';
  try {
    compileGoRegexp(probe);
    return undefined;
  } catch (error) {
    if (!(error instanceof GoRegexpError)) throw error;
    return error.reason;
  }
}

/** Compiled expressions by their text; null for one that cannot be compiled. */
const compiled = new LRUCache<string, { readonly regexp: RE2JS | null }>({ max: 4096 });

/** True if the expression matches the whole text. One that cannot be compiled matches nothing. */
function matchesWhole(source: string, text: string): boolean {
  let entry = compiled.get(source);
  if (entry === undefined) {
    entry = { regexp: compileOrNull(source) };
    compiled.set(source, entry);
  }
  return entry.regexp?.matches(text) ?? false;
}

function compileOrNull(source: string): RE2JS | null {
  try {
    return RE2JS.compile(source);
  } catch {
    return null;
  }
}

/** True if the glob means this name or host. */
export const matchesGlob = (glob: string, text: string, separator?: '.'): boolean =>
  globError(glob, false) === undefined && matchesWhole(globToRegexp(glob, separator), text);

/** True if the pattern means this canonical key, for an ExternalSecret of this namespace. */
export function matchesKey({ glob, regexp }: KeyPattern, namespace: string, key: string): boolean {
  if (glob !== undefined) {
    if (globError(glob, true) !== undefined) return false;
    const parts = glob.split(PLACEHOLDER).map((part) => globToRegexp(part, '/'));
    return matchesWhole(parts.join(literal(namespace)), key);
  }
  if (regexp === undefined || keyRegexpError(regexp) !== undefined) return false;
  return matchesWhole(regexp.replaceAll(PLACEHOLDER, literal(namespace)), key);
}

/** The pattern as it stands in messages, with the namespace filled in. */
export const showKeyPattern = ({ glob, regexp }: KeyPattern, namespace: string): string =>
  glob === undefined
    ? `/${(regexp ?? '').replaceAll(PLACEHOLDER, namespace)}/`
    : glob.replaceAll(PLACEHOLDER, namespace);
