/** The fields of a schema, one row each, as the pages of docs/reference show them. */
import type { StructuralSchema } from '../../api/crd/structural.ts';

export interface Field {
  /** Such as `spec.data[].remoteRef.key`; `*` stands for a key of a map. */
  readonly path: string;
  readonly schema: StructuralSchema;
  readonly required: boolean;
  /** Where the fields below it stand, if not on this page: a link in Markdown. */
  readonly elsewhere: string | undefined;
}

/** Gives the link to the page that has the fields below this one, if another page has. */
export type Elsewhere = (path: string, schema: StructuralSchema) => string | undefined;

/** Metadata, apiVersion and kind are the same for all kinds, and not listed. */
const OF_EVERY_KIND = new Set(['apiVersion', 'kind', 'metadata']);

/** All fields below a schema, parents first, in the order of the schema. */
export function fieldsOf(schema: StructuralSchema, elsewhere: Elsewhere, prefix = ''): readonly Field[] {
  const fields: Field[] = [];
  const walk = (at: StructuralSchema, path: string): void => {
    for (const [name, member] of Object.entries(at.properties ?? {})) {
      if (path === '' && OF_EVERY_KIND.has(name)) continue;
      visit(member, path === '' ? name : `${path}.${name}`, at.required?.includes(name) ?? false);
    }
    if (at.items !== undefined) walk(at.items, `${path}[]`);
    if (at.additionalProperties !== undefined) walk(at.additionalProperties, `${path}.*`);
  };
  const visit = (member: StructuralSchema, path: string, required: boolean): void => {
    const link = elsewhere(path, member);
    fields.push({ path, schema: member, required, elsewhere: link });
    if (link === undefined) walk(member, path);
  };
  walk(schema, prefix);
  return fields;
}

/** `list of objects`, `map of strings`, and the like. */
export function typeOf(schema: StructuralSchema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'integer or string';
  if (schema.type === 'array') return `list of ${plural(typeOf(schema.items ?? {}))}`;
  if (schema.type === 'object' && schema.additionalProperties !== undefined)
    return `map of ${plural(typeOf(schema.additionalProperties))}`;
  if (schema.type === undefined) return 'any';
  return schema.format === undefined || ['int32', 'int64'].includes(schema.format)
    ? schema.type
    : `${schema.type} (${schema.format})`;
}

const plural = (type: string): string =>
  type === 'any' ? 'anything' : type.replace(/^\w+/, (word) => `${word}s`);

interface Validation {
  readonly rule: string;
  readonly message?: string;
}

/** Rules in CEL that hold for a schema. */
export const validationsOf = (schema: StructuralSchema): readonly Validation[] =>
  (schema['x-kubernetes-validations'] as readonly Validation[] | undefined) ?? [];

const LIMITS = [
  ['minLength', 'at least', 'characters'],
  ['maxLength', 'at most', 'characters'],
  ['minItems', 'at least', 'entries'],
  ['maxItems', 'at most', 'entries'],
  ['minProperties', 'at least', 'members'],
  ['maxProperties', 'at most', 'members'],
] as const;

/** Patterns that stand for something with a name. */
const PATTERNS: Readonly<Record<string, string>> = {
  [String.raw`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`]: 'A DNS name.',
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$': 'A DNS label.',
  '^[-._a-zA-Z0-9]+$': 'Letters, digits, `-`, `.` and `_`.',
};

const code = (value: unknown): string =>
  `\`${typeof value === 'string' ? value || '""' : JSON.stringify(value)}\``;

const limit = (bound: 'at least' | 'at most', count: number | undefined, what: string): readonly string[] => {
  if (count === undefined) return [];
  if (bound === 'at least' && count === 1) return ['Not empty.'];
  return [`${bound === 'at least' ? 'At least' : 'At most'} ${count} ${what}.`];
};

/** What a value has to be beside its type, and what it is if nobody says it; each a few words of Markdown. */
export function constraintsOf(schema: StructuralSchema): readonly string[] {
  // What holds for each entry of a list or map is said of the list.
  const each = schema.items ?? schema.additionalProperties;
  const ofEach = each?.properties === undefined && each !== undefined ? constraintsOf(each) : [];
  return [
    ...(schema.default === undefined ? [] : [`Default ${code(schema.default)}.`]),
    ...(schema.enum === undefined ? [] : [`One of ${schema.enum.map(code).join(', ')}.`]),
    ...(schema.minimum === undefined ? [] : [`At least ${schema.minimum}.`]),
    ...(schema.maximum === undefined ? [] : [`At most ${schema.maximum}.`]),
    ...LIMITS.flatMap(([name, bound, what]) => limit(bound, schema[name], what)),
    ...(schema.pattern === undefined ? [] : [PATTERNS[schema.pattern] ?? `Matches ${code(schema.pattern)}.`]),
    ...validationsOf(schema).map(({ rule, message }) =>
      `Rule: ${message ?? code(rule)}.`.replace(/\.\.$/, '.'),
    ),
    ...(schema['x-kubernetes-preserve-unknown-fields'] === true && schema.type === 'object'
      ? ['Taken as it is.']
      : []),
    ...ofEach.map((words) => `Each: ${words.charAt(0).toLowerCase()}${words.slice(1)}`),
  ];
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');

/** A table of fields. */
export function fieldTable(fields: readonly Field[]): readonly string[] {
  return [
    '| field | type | |',
    '|---|---|---|',
    ...fields.map(({ path, schema, required, elsewhere }) => {
      const description = (schema.description ?? '').trim();
      const words = [
        ...(required ? ['**Required.**'] : []),
        description === '' || /[.!?]$/.test(description) ? description : `${description}.`,
        ...constraintsOf(schema),
        ...(elsewhere === undefined ? [] : [`Fields: ${elsewhere}.`]),
      ].filter((one) => one !== '');
      return `| \`${path}\` | ${typeOf(schema)} | ${cell(words.join(' '))} |`;
    }),
  ];
}
