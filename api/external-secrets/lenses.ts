/**
 * Two-way views between a spec of the hub version and one of an older version.
 *
 * `down` turns a hub value into what the older version can show, and hands back the facts that it cannot
 * say. `up` does the reverse: it puts those facts back where what they belonged to is still shown as it was.
 * Whatever has an unexpected type is shown as it is, in both directions; nothing here throws.
 */
import { isJsonObject, type JsonObject } from '../json.ts';
import type { FieldPath } from '../problem.ts';

export interface Shown {
  /** undefined: the field is absent. */
  readonly value: unknown;
  /** What the older version cannot say; undefined: nothing. */
  readonly facts?: unknown;
}

export interface Lens {
  down(hub: unknown): Shown;
  /** @param facts what `down` once handed back, or anything at all: users can write there */
  up(shown: unknown, facts: unknown): unknown;
  /** Where a field of the hub stands in the older version; undefined: nowhere. Both relative to the value. */
  path(hub: FieldPath): FieldPath | undefined;
}

/** One element of a list. Elements are restored whole, so there are no facts, only whether something is lost. */
export interface ElementLens {
  down(hub: unknown): { readonly value: unknown; readonly lost: boolean } | 'hidden';
  up(shown: unknown): unknown;
  path(hub: FieldPath): FieldPath | undefined;
}

/** Names of fields that the older version lacks, with the default that needs no words (undefined: none). */
export type HiddenFields = Readonly<Record<string, string | undefined>>;

/** A copy without the hidden fields, and those that had something to say. */
export function hide(source: JsonObject, fields: HiddenFields): { value: JsonObject; hidden: JsonObject } {
  const value: Record<string, unknown> = { ...source };
  const hidden: Record<string, unknown> = {};
  for (const [name, unspoken] of Object.entries(fields)) {
    if (!(name in value)) continue;
    if (unspoken === undefined || value[name] !== unspoken) hidden[name] = value[name];
    delete value[name];
  }
  return { value, hidden };
}

/** A path into an object with hidden fields: the same, unless it leads to one of them. */
export function visiblePath(hub: FieldPath, fields: HiddenFields): FieldPath | undefined {
  return hub[0] !== undefined && Object.hasOwn(fields, hub[0]) ? undefined : hub;
}

export const isEmpty = (object: JsonObject): boolean => Object.keys(object).length === 0;

/** Both versions have the same. */
export const same: Lens = { down: (value) => ({ value }), up: (shown) => shown, path: (hub) => hub };

interface ObjectOptions {
  readonly hidden?: HiddenFields;
  readonly members?: Readonly<Record<string, Lens>>;
  /** Make the object anew for its facts when it is no longer shown (clients drop empty objects). */
  readonly revive?: boolean;
}

/** An object with fields that the older version lacks, and members that differ inside. */
export function object({ hidden = {}, members = {}, revive = false }: ObjectOptions): Lens {
  return {
    down(hub) {
      if (!isJsonObject(hub)) return { value: hub };
      const split = hide(hub, hidden);
      const value: Record<string, unknown> = { ...split.value };
      const facts: Record<string, unknown> = { ...split.hidden };
      for (const [name, lens] of Object.entries(members)) {
        const shown = lens.down(value[name]);
        assign(value, name, shown.value);
        assign(facts, name, shown.facts);
      }
      return isEmpty(facts) ? { value } : { value, facts };
    },
    up(shown, facts) {
      const known = isJsonObject(facts) ? facts : {};
      const visible = shown === undefined && revive && !isEmpty(known) ? {} : shown;
      if (!isJsonObject(visible)) return visible;
      const value: Record<string, unknown> = { ...visible };
      for (const name of Object.keys(hidden)) {
        if (!(name in value)) assign(value, name, known[name]);
      }
      for (const [name, lens] of Object.entries(members)) {
        assign(value, name, lens.up(value[name], known[name]));
      }
      return value;
    },
    path(hub) {
      const [name, ...rest] = hub;
      const lens = name !== undefined && Object.hasOwn(members, name) ? members[name] : undefined;
      if (lens === undefined || name === undefined) return visiblePath(hub, hidden);
      const path = lens.path(rest);
      return path && [name, ...path];
    },
  };
}

function assign(target: Record<string, unknown>, name: string, value: unknown): void {
  if (value === undefined) delete target[name];
  else target[name] = value;
}

/**
 * A list. What is lost is kept as pairs [index, whole element of the hub]. An element that is shown comes
 * back only where an element is shown exactly as it was, wherever it has moved; a changed one loses what was
 * hidden of it. An element that cannot be shown at all belongs to the list and comes back at its index.
 */
export function list(element: ElementLens): Lens {
  return {
    down(hub) {
      if (!Array.isArray(hub)) return { value: hub };
      const value: unknown[] = [];
      const facts: [number, unknown][] = [];
      for (const [index, item] of hub.entries()) {
        const shown = element.down(item);
        if (shown !== 'hidden') value.push(shown.value);
        if (shown === 'hidden' || shown.lost) facts.push([index, item]);
      }
      return facts.length === 0 ? { value } : { value, facts };
    },
    up(shown, facts) {
      if (shown !== undefined && !Array.isArray(shown)) return shown;
      const kept = readPairs(facts);
      const visible: readonly unknown[] = shown ?? [];
      const value = restoreShown(element, visible, kept);
      for (const [index, item] of kept) {
        if (element.down(item) === 'hidden') value.splice(index, 0, item);
      }
      return shown === undefined && value.length === 0 ? undefined : value;
    },
    path(hub) {
      const [index, ...rest] = hub;
      if (index === undefined) return hub;
      const path = element.path(rest);
      return path && [index, ...path];
    },
  };
}

function readPairs(facts: unknown): [number, unknown][] {
  if (!Array.isArray(facts)) return [];
  const pairs = facts.filter(
    (pair): pair is [number, unknown] =>
      Array.isArray(pair) && pair.length === 2 && Number.isSafeInteger(pair[0]) && pair[0] >= 0,
  );
  return pairs.sort((a, b) => a[0] - b[0]);
}

function restoreShown(
  element: ElementLens,
  visible: readonly unknown[],
  kept: readonly [number, unknown][],
): unknown[] {
  const value = visible.map((item) => element.up(item));
  if (kept.length === 0 || visible.length === 0) return value;
  const places = new Map<string, number[]>();
  for (const [index, item] of visible.entries()) {
    const text = canonical(item);
    const known = places.get(text);
    if (known === undefined) places.set(text, [index]);
    else known.push(index);
  }
  let hiddenBefore = 0;
  for (const [index, item] of kept) {
    const shown = element.down(item);
    if (shown === 'hidden') {
      hiddenBefore += 1;
      continue;
    }
    const free = places.get(canonical(shown.value));
    if (free === undefined || free.length === 0) continue;
    // Of several that look alike, the one in the old place.
    const place = Math.max(free.indexOf(index - hiddenBefore), 0);
    const [taken] = free.splice(place, 1);
    if (taken !== undefined) value[taken] = item;
  }
  return value;
}

/** JSON with sorted names, to compare by. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    isJsonObject(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

/** A single value that both versions have in different words. */
export function scalar(
  toShown: (hub: unknown) => unknown,
  toHub: (shown: unknown) => unknown = (shown) => shown,
): Lens {
  return {
    down(hub) {
      const value = toShown(hub);
      return toHub(value) === hub ? { value } : { value, facts: hub };
    },
    up: (shown, facts) => (facts !== undefined && toShown(facts) === shown ? facts : toHub(shown)),
    path: (hub) => hub,
  };
}
