/** Objects that are wrong in one place, for comparing who refuses them. */
import type { Random } from '../../fuzz/random.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Path = readonly (string | number)[];

const LEAVES: readonly Json[] = [
  ...[
    null,
    true,
    0,
    -1,
    1.5,
    3_000_000_000,
    '',
    'x',
    ' ',
    'A B',
    '-',
    'x'.repeat(64),
    'x'.repeat(300),
    '1h',
    'soon',
  ],
  ...[
    'Owner',
    'Merge',
    'None',
    'Orphan',
    'Delete',
    'Retain',
    'v1',
    'ClusterSecretStore',
    'Data',
    '{{ .x',
    '(',
    '@daily',
  ],
  ...[[], {}, [null], ['x'], { x: 'y' }, { name: 'x' }, [{}], { kind: 'Password', name: 'p' }],
];
const FIELDS = [
  'name',
  'namespace',
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

function paths(value: Json, path: Path = []): Path[] {
  const members: [string | number, Json][] = Array.isArray(value)
    ? [...value.entries()]
    : typeof value === 'object' && value !== null
      ? Object.entries(value)
      : [];
  return [path, ...members.flatMap(([name, member]) => paths(member, [...path, name]))];
}

/** Copies of an object with one thing changed: removed, renamed, repeated, added or replaced; never its name. */
export function mutate(object: object, random: Random): object {
  const copy = structuredClone(object) as { [name: string]: Json };
  const places = paths(copy).filter(
    ([first, second]) =>
      first === 'spec' || (first === 'metadata' && second !== 'name' && second !== 'namespace'),
  );
  if (places.length === 0) return copy;
  const path = random.pick(places);
  let parent: Json = copy;
  for (const part of path.slice(0, -1)) parent = (parent as Record<string | number, Json>)[part] ?? null;
  const name = path.at(-1) ?? '';
  const holder = parent as Record<string | number, Json>;
  const value = holder[name] ?? null;
  const at = (member: string): void => {
    Object.defineProperty(value, member, {
      value: random.pick(LEAVES),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  };
  const kind = random.below(6);
  if (kind === 0) Array.isArray(parent) ? parent.splice(Number(name), 1) : delete holder[name];
  else if (kind === 1 && Array.isArray(value) && value.length > 0)
    value.push(structuredClone(random.pick(value)));
  else if (kind === 2 && !Array.isArray(parent)) {
    delete holder[name];
    holder[`${name}s`] = value;
  } else if (kind === 3 && typeof value === 'object' && value !== null && !Array.isArray(value))
    at(random.pick(FIELDS));
  else holder[name] = random.pick(LEAVES);
  return copy;
}
