/** What the API server takes as labels, annotations and label selectors (apimachinery, package validation). */
import type { FieldPath, Report } from '../api/problem.ts';
import type { LabelSelector } from './store-conditions.ts';

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_NAME = 63;
const MAX_PREFIX = 253;
/** Of all annotations of an object together, keys and values in bytes. */
const MAX_ANNOTATIONS = 256 * 1024;

/** Why `key` cannot be the key of a label or an annotation; undefined if it can. */
export function labelKeyError(key: string): string | undefined {
  const slash = key.indexOf('/');
  const prefix = key.slice(0, Math.max(slash, 0));
  const name = key.slice(slash + 1);
  if (slash >= 0 && (prefix.length > MAX_PREFIX || !PREFIX.test(prefix)))
    return 'what stands before the slash must be a DNS name in lower case, such as example.com';
  if (name.length > MAX_NAME || !NAME.test(name))
    return `the name must be 1 to ${MAX_NAME} letters, digits, -, _ or ., and begin and end with a letter or digit`;
  return undefined;
}

/** Why `value` cannot be the value of a label; undefined if it can. */
export function labelValueError(value: string): string | undefined {
  if (value === '' || (value.length <= MAX_NAME && NAME.test(value))) return undefined;
  return `the value of a label must be at most ${MAX_NAME} letters, digits, -, _ or ., and begin and end with a letter or digit`;
}

/** @param path of the selector, relative to spec */
export function validateSelector(selector: LabelSelector, path: FieldPath, report: Report): void {
  const invalid = (at: FieldPath, reason: string | undefined): void => {
    if (reason !== undefined) report('selector-label', [...path, ...at], reason);
  };
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    invalid(['matchLabels', key], labelKeyError(key) ?? labelValueError(value));
  }
  for (const [index, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at: FieldPath = ['matchExpressions', index];
    invalid([...at, 'key'], labelKeyError(key));
    if (!['In', 'NotIn', 'Exists', 'DoesNotExist'].includes(operator)) {
      report(
        'selector-operator',
        [...path, ...at, 'operator'],
        `"${operator}" is not an operator; supported values: In, NotIn, Exists, DoesNotExist`,
      );
      continue;
    }
    const listed = operator === 'In' || operator === 'NotIn';
    if (listed && values.length === 0) {
      report(
        'selector-values',
        [...path, ...at, 'values'],
        `${operator} compares with values; list at least one`,
      );
    }
    if (!listed && values.length > 0) {
      report('selector-no-values', [...path, ...at, 'values'], `${operator} has no values; leave them out`);
    }
    for (const [position, value] of values.entries())
      invalid([...at, 'values', position], labelValueError(value));
  }
}

/** Labels and annotations that an object is to have. @param path of their parent, relative to spec */
export function validateMetadata(
  metadata: {
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  },
  path: FieldPath,
  report: Report,
): void {
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    const reason = labelKeyError(key) ?? labelValueError(value);
    if (reason !== undefined) report('ces-label', [...path, 'labels', key], reason);
  }
  let size = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    // Unlike those of labels, keys of annotations are compared without regard to case.
    const reason = labelKeyError(key.toLowerCase());
    if (reason !== undefined) report('ces-annotation', [...path, 'annotations', key], reason);
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > MAX_ANNOTATIONS) {
    report(
      'ces-annotations-size',
      [...path, 'annotations'],
      `${size} bytes are too many; an object may have ${MAX_ANNOTATIONS} bytes of annotations`,
    );
  }
}
