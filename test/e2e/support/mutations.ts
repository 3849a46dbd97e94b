/** Objects that are wrong in one place, for comparing who refuses them. */
import type { Random } from '../../fuzz/random.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Path = readonly (string | number)[];

const LEAVES: readonly Json[] = [
  ...[null, true, 0, -1, 1.5, 3_000_000_000, '', 'x', ' ', 'A B', '-', 'x'.repeat(64), 'x'.repeat(300)],
  ...['1h', 'soon', '@daily', '(', '{{ .x', 'v1', 'ClusterSecretStore', 'Data'],
  ...['Owner', 'Merge', 'None', 'Orphan', 'Delete', 'Retain'],
  ...[[], {}, [null], ['x'], { x: 'y' }, { name: 'x' }, [{}], { kind: 'Password', name: 'p' }],
];
const FIELDS = [
  'name',
  'kind',
  'key',
  'target',
  'data',
  'extract',
  'conditions',
  'version',
  'nope',
  '__proto__',
];

function pathsIn(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const members = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...members.flatMap(([name, member]) => pathsIn(member, [...path, name]))];
}

/** Only what may be changed without making it another object. */
const isOpen = ([first, second]: Path): boolean =>
  first === 'spec' ||
  (first === 'metadata' && second !== undefined && second !== 'name' && second !== 'namespace');

/** A copy with one thing removed, repeated, renamed, added or replaced; by chance it may still be sound. */
export function mutate(object: object, random: Random): object {
  const copy = structuredClone(object) as Record<string, Json>;
  const places = pathsIn(copy).filter(isOpen);
  const path = random.pick(places);
  const name = path.at(-1) ?? '';
  let holder = copy as Record<string | number, Json>;
  for (const part of path.slice(0, -1)) holder = holder[part] as Record<string | number, Json>;
  const value = holder[name];
  const kind = random.below(6);
  if (kind === 0 && Array.isArray(holder)) holder.splice(Number(name), 1);
  else if (kind === 0) delete holder[name];
  else if (kind === 1 && Array.isArray(value)) value.push(...structuredClone(value.slice(0, 1)));
  else if (kind === 2 && !Array.isArray(holder)) {
    delete holder[name];
    holder[`${name}s`] = value ?? null;
  } else if (kind === 3 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    // Not by assignment, for the sake of __proto__.
    const added = { value: random.pick(LEAVES), enumerable: true, configurable: true, writable: true };
    Object.defineProperty(value, random.pick(FIELDS), added);
  } else holder[name] = random.pick(LEAVES);
  return copy;
}
