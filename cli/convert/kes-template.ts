/** spec.template of kubernetes-external-secrets (KES) as target.template: its texts as Go templates, next to what is fetched. */
import { isUtf8 } from 'node:buffer';
import { isJsonObject } from '../../api/json.ts';
import type { FieldPath } from '../../api/problem.ts';
import { isLodash } from '../../template/lodash/lodash.ts';
import { goText, lodashBase64ToGo, lodashToGo } from './lodash-to-go.ts';
import type { Remarks } from './remarks.ts';

export interface TemplateParts {
  readonly template: Readonly<Record<string, unknown>> | undefined;
  readonly immutable: boolean | undefined;
}

const record = (value: unknown): Readonly<Record<string, unknown>> => (isJsonObject(value) ? value : {});

/** As Kubernetes reads a field of text that YAML made something else of. */
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : undefined;

/**
 * @param value the template, if there is one
 * @param legacyType spec.type, for which template.type is the newer place
 * @param keys that are fetched by name
 * @param hasMetadata the object has labels or annotations, which ESO copies where there is no template
 */
export function convertTemplate(
  value: unknown,
  legacyType: string | undefined,
  keys: ReadonlySet<string>,
  hasMetadata: boolean,
  remarks: Remarks,
): TemplateParts {
  const at: FieldPath = ['spec', 'template'];
  const source = record(value);
  const { type, metadata, data, stringData, immutable, apiVersion, kind, ...others } = source;
  for (const name of Object.keys(others))
    remarks.notKept([...at, name], 'is no field of a Secret that can be set');
  for (const [name, given, fixed] of [
    ['apiVersion', apiVersion, 'v1'],
    ['kind', kind, 'Secret'],
  ] as const)
    if (given !== undefined && given !== fixed) remarks.note([...at, name], 'had no effect');
  const texts = new Map<string, string>();
  for (const [key, one] of Object.entries(record(data))) {
    // The fetched value won over a key of the template.
    if (keys.has(key))
      remarks.note([...at, 'data', key], 'had no effect beside the fetched value, and is left out');
    else assign(texts, key, encoded(one, keys, [...at, 'data', key], remarks));
  }
  for (const [key, one] of Object.entries(record(stringData)))
    assign(texts, key, plain(one, keys, [...at, 'stringData', key], remarks));
  const meta = convertMetadata(metadata, keys, [...at, 'metadata'], remarks);
  const wantedType = textOf(type) ?? legacyType;
  const template = {
    ...(wantedType === undefined ? {} : { type: wantedType }),
    mergePolicy: 'Merge',
    ...(meta === undefined ? {} : { metadata: meta }),
    ...(texts.size === 0 ? {} : { data: Object.fromEntries(texts) }),
  };
  const needed = Object.keys(template).length > 1 || hasMetadata;
  return {
    template: needed ? template : undefined,
    immutable: typeof immutable === 'boolean' ? immutable : undefined,
  };
}

function assign(texts: Map<string, string>, key: string, text: string | undefined): void {
  if (text !== undefined) texts.set(key, text);
}

function convertMetadata(
  value: unknown,
  keys: ReadonlySet<string>,
  at: FieldPath,
  remarks: Remarks,
): Readonly<Record<string, unknown>> | undefined {
  const { name, labels, annotations, finalizers, ...others } = record(value);
  if (name !== undefined) remarks.note([...at, 'name'], 'had no effect, and is left out');
  for (const other of Object.keys(others)) remarks.notKept([...at, other], 'cannot be set by a template');
  const texts = (field: string, map: unknown): Readonly<Record<string, string>> | undefined => {
    const entries = Object.entries(record(map)).flatMap(([key, one]) => {
      const text = plain(one, keys, [...at, field, key], remarks);
      return text === undefined ? [] : [[key, text] as const];
    });
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  };
  const converted = Object.fromEntries(
    Object.entries({
      annotations: texts('annotations', annotations),
      labels: texts('labels', labels),
      finalizers: Array.isArray(finalizers) ? finalizers : undefined,
    }).filter(([, one]) => one !== undefined),
  );
  return Object.keys(converted).length === 0 ? undefined : converted;
}

/** A text as it is to stand in the Secret. */
function plain(
  value: unknown,
  keys: ReadonlySet<string>,
  at: FieldPath,
  remarks: Remarks,
): string | undefined {
  const text = textOf(value);
  if (text === undefined) {
    remarks.notKept(at, 'is no text');
    return undefined;
  }
  if (!isLodash(text)) return goText(text);
  return translated(lodashToGo(text, keys), at, remarks);
}

/** A text that stands in base64. */
function encoded(
  value: unknown,
  keys: ReadonlySet<string>,
  at: FieldPath,
  remarks: Remarks,
): string | undefined {
  const text = textOf(value);
  if (text !== undefined && isLodash(text)) return translated(lodashBase64ToGo(text, keys), at, remarks);
  const bytes = Buffer.from(text ?? '', 'base64');
  if (text === undefined || bytes.toString('base64') !== text.replaceAll(/\s/g, '')) {
    remarks.notKept(at, 'is no base64');
    return undefined;
  }
  return isUtf8(bytes) ? goText(bytes.toString()) : `{{ "${bytes.toString('base64')}" | b64dec }}`;
}

function translated(
  result: ReturnType<typeof lodashToGo>,
  at: FieldPath,
  remarks: Remarks,
): string | undefined {
  if (!result.ok) {
    remarks.notKept(at, result.reason);
    return undefined;
  }
  for (const note of result.notes) remarks.note(at, note);
  return result.text;
}
