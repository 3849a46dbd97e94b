/** How the older versions of a kind differ from the newest, field by field. */
import { isDeepStrictEqual } from 'node:util';
import type { StructuralSchema } from '../../api/crd/structural.ts';
import { constraintsOf, type Field, fieldsOf, typeOf } from './fields.ts';

const signature = ({ schema, required }: Field): readonly unknown[] => [
  typeOf(schema),
  required,
  constraintsOf(schema),
];

const list = (paths: readonly string[]): string => paths.map((path) => `\`${path}\``).join(', ');

/** Of fields below one another only the uppermost. */
const roots = (paths: readonly string[]): readonly string[] =>
  paths.filter(
    (path) => !paths.some((other) => other !== path && new RegExp(`^${RegExpOf(other)}[.[]`).test(path)),
  );

const RegExpOf = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** Sentences in Markdown; empty if the schemas demand the same. */
export function differences(newest: StructuralSchema, older: StructuralSchema): readonly string[] {
  const fields = (schema: StructuralSchema): ReadonlyMap<string, Field> =>
    new Map(fieldsOf(schema, () => undefined).map((field) => [field.path, field]));
  const now = fields(newest);
  const then = fields(older);
  const gone = roots([...then.keys()].filter((path) => !now.has(path)));
  const added = roots([...now.keys()].filter((path) => !then.has(path)));
  const changed = [...then].flatMap(([path, before]) => {
    const after = now.get(path);
    if (after === undefined || isDeepStrictEqual(signature(before), signature(after))) return [];
    const words = [
      ...(typeOf(before.schema) === typeOf(after.schema) ? [] : [`of type ${typeOf(before.schema)}.`]),
      ...(before.required === after.required ? [] : [before.required ? 'is required.' : 'is not required.']),
      ...(isDeepStrictEqual(constraintsOf(before.schema), constraintsOf(after.schema))
        ? []
        : [constraintsOf(before.schema).join(' ') || 'has no default and no further constraint.']),
    ];
    return [`\`${path}\`: ${words.join(' ')}`];
  });
  return [
    ...(gone.length === 0 ? [] : [`Only there: ${list(gone)}.`]),
    ...(added.length === 0 ? [] : [`Not there: ${list(added)}.`]),
    ...changed,
  ];
}
