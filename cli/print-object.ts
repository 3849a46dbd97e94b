/** Objects on standard output, as kubectl prints them. */
import { stringify } from 'yaml';

export const OUTPUT_FORMATS = ['yaml', 'json'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** The objects, one document each, with sorted fields; JSON documents simply follow each other. */
export function printObjects(objects: readonly object[], format: OutputFormat): string {
  if (format === 'json')
    return objects.map((object) => `${JSON.stringify(sorted(object), null, 4)}\n`).join('');
  return objects
    .map((object) =>
      stringify(object, { sortMapEntries: true, lineWidth: 0, version: '1.1', aliasDuplicateObjects: false }),
    )
    .join('---\n');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  );
}
