/**
 * Random objects for the structural schema of a CRD, and the defaulting that the API server does with it: what
 * property tests of conversion and schemas run on. A field that is added to a schema is covered at once.
 */
import fc from 'fast-check';
import type { StructuralSchema } from '../../api/crd/structural.ts';
import { isRawNumber } from '../../api/json.ts';

/** Valid values of a schema. Defaults are sometimes written out and sometimes not. */
export function validValue(schema: StructuralSchema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema['x-kubernetes-int-or-string'] === true) {
    return fc.oneof(fc.nat(100_000), fc.constantFrom('0', '90s', '1h', '1.5s', '250ms', 'soon', ''));
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) {
    return fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 });
  }
  const value = validOfType(schema);
  return schema.nullable === true ? fc.option(value) : value;
}

function validOfType(schema: StructuralSchema): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'string':
      return validString(schema);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      if (schema.minimum !== undefined || schema.maximum !== undefined)
        return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 2 ** 31 - 1 });
      return schema.format === 'int32' ? fc.integer() : fc.maxSafeInteger();
    case 'array':
      return fc.array(validValue(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 4 });
    case 'object':
      return validObject(schema);
    default:
      throw new Error(`no arbitrary for type ${String(schema.type)}`);
  }
}

function validString(schema: StructuralSchema): fc.Arbitrary<string> {
  if (schema.format === 'date-time') return fc.constant('2026-11-22T10:00:00Z');
  if (schema.format === 'byte') return fc.base64String({ maxLength: 8 });
  const { minLength = 0, maxLength = 20 } = schema;
  if (schema.pattern === undefined)
    return fc.string({ minLength, maxLength: Math.min(maxLength, 20), unit: 'grapheme' });
  return fc
    .stringMatching(new RegExp(schema.pattern, 'u'), { size: 'small' })
    .filter((text) => text.length >= minLength && text.length <= maxLength);
}

function validObject(schema: StructuralSchema): fc.Arbitrary<unknown> {
  if (schema.additionalProperties !== undefined) {
    return fc.dictionary(fc.string({ maxLength: 8 }), validValue(schema.additionalProperties), {
      maxKeys: 3,
    });
  }
  const members = Object.entries(schema.properties ?? {}).map(
    ([name, member]) => [name, validValue(member)] as const,
  );
  if (schema.maxProperties === 1) {
    return fc.oneof(...members.map(([name, member]) => member.map((value) => ({ [name]: value }))));
  }
  return fc.record(Object.fromEntries(members), {
    requiredKeys: [...(schema.required ?? [])],
    noNullPrototype: true,
  });
}

/** What the API server makes of an object when it decodes it: missing fields get their defaults. */
export function withDefaults(schema: StructuralSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults(schema.items ?? {}, item));
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return value;
  const members = schema.properties ?? {};
  const out: Record<string, unknown> = { ...value };
  for (const [name, member] of Object.entries(members)) {
    if (out[name] === undefined && member.default !== undefined) out[name] = structuredClone(member.default);
    if (out[name] !== undefined) out[name] = withDefaults(member, out[name]);
  }
  if (schema.additionalProperties === undefined) return out;
  const values = schema.additionalProperties;
  return Object.fromEntries(Object.entries(out).map(([name, item]) => [name, withDefaults(values, item)]));
}
