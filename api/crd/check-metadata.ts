/**
 * What the API server says about metadata that a user writes (apimachinery: strict decoding of ObjectMeta, then
 * ValidateObjectMeta). What only the server sets is not looked into. Pure; no problem quotes a value.
 */
import { namespaceName, objectName } from '../external-secrets/shared.ts';
import type { ObjectMeta } from '../meta.ts';
import type { FieldPath } from '../problem.ts';
import { checkStructural, type SchemaProblem, type StructuralVerdict } from './check-structural.ts';
import type { StructuralSchema } from './structural.ts';

const text: StructuralSchema = { type: 'string' };
const opaque: StructuralSchema = { 'x-kubernetes-preserve-unknown-fields': true };
const texts: StructuralSchema = { type: 'object', additionalProperties: text };
const flag: StructuralSchema = { type: 'boolean' };

/** metav1.ObjectMeta. */
const OBJECT_META: StructuralSchema = {
  type: 'object',
  properties: {
    name: text,
    generateName: text,
    namespace: text,
    labels: texts,
    annotations: texts,
    finalizers: { type: 'array', items: text },
    ownerReferences: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          apiVersion: text,
          kind: text,
          name: text,
          uid: text,
          controller: flag,
          blockOwnerDeletion: flag,
        },
      },
    },
    ...Object.fromEntries(
      [
        'creationTimestamp',
        'deletionGracePeriodSeconds',
        'deletionTimestamp',
        'generation',
        'managedFields',
        'resourceVersion',
        'selfLink',
        'uid',
      ].map((name) => [name, opaque]),
    ),
  },
};

const NAME_PART = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL_VALUE = /^(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const MAX_NAME = 63;
/** Of all annotations of an object together, bytes. */
const MAX_ANNOTATIONS = 256 * 1024;

/** @param scope of the kind @param metadata as it stands in the object; undefined if there is none */
export function checkMetadata(
  scope: 'Namespaced' | 'Cluster',
  metadata: unknown,
): Pick<StructuralVerdict, 'unknown' | 'invalid'> {
  const path: FieldPath = ['metadata'];
  const { unknown, invalid, value } = checkStructural(OBJECT_META, metadata ?? {}, path);
  if (invalid.length > 0) return { unknown, invalid };
  const { name, generateName, namespace, labels, annotations } = value as ObjectMeta;
  const problems: SchemaProblem[] = [];
  const report = (rule: SchemaProblem['rule'], field: FieldPath, message: string): void => {
    problems.push({ rule, path: [...path, ...field], message });
  };
  if (!name && !generateName) report('schema-required', ['name'], 'name the object');
  else if (name && !objectName().safeParse(name).success)
    report(
      'schema-format',
      ['name'],
      'must be lower case letters, digits, "-" and ".", at most 253, a letter or digit at both ends',
    );
  if (scope === 'Namespaced' && namespace && !namespaceName().safeParse(namespace).success)
    report(
      'schema-format',
      ['namespace'],
      'must be lower case letters, digits and "-", at most 63, a letter or digit at both ends',
    );
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isQualifiedName(key)) report('schema-format', ['labels', key], QUALIFIED);
    if (value.length > MAX_NAME || !LABEL_VALUE.test(value))
      report(
        'schema-format',
        ['labels', key],
        'must be letters, digits, "-", "_" and ".", at most 63, a letter or digit at both ends',
      );
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    // The server compares keys in lower case, so that an upper case prefix passes.
    if (!isQualifiedName(key.toLowerCase())) report('schema-format', ['annotations', key], QUALIFIED);
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > MAX_ANNOTATIONS)
    report('schema-format', ['annotations'], `must be at most ${MAX_ANNOTATIONS} bytes together`);
  return { unknown, invalid: problems };
}

const QUALIFIED =
  'the key must be a name of at most 63 letters, digits, "-", "_" and ".", if need be with a DNS name and "/" before it';

function isQualifiedName(key: string): boolean {
  const parts = key.split('/');
  const name = parts.pop() ?? '';
  const [prefix] = parts;
  return (
    parts.length <= 1 &&
    name.length <= MAX_NAME &&
    NAME_PART.test(name) &&
    (prefix === undefined || objectName().safeParse(prefix).success)
  );
}
