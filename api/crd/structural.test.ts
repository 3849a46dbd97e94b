import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { intOrString, opaqueObject } from '../external-secrets/shared.ts';
import { toStructural } from './structural.ts';

const tree = z.strictObject({
  get next() {
    return tree.optional();
  },
});

describe('toStructural', () => {
  const cases: [string, z.ZodType, object][] = [
    [
      'text with bounds',
      z.string().min(1).max(3).regex(/^a/),
      { type: 'string', minLength: 1, maxLength: 3, pattern: '^a' },
    ],
    ['integers', z.int(), { type: 'integer', format: 'int64' }],
    ['32-bit integers', z.int32(), { type: 'integer', format: 'int32' }],
    [
      'integers with bounds',
      z.int().min(1).max(9),
      { type: 'integer', format: 'int64', minimum: 1, maximum: 9 },
    ],
    [
      'integers with one bound',
      z.int32().min(0),
      { type: 'integer', format: 'int64', minimum: 0, maximum: 2 ** 31 - 1 },
    ],
    ['bytes', z.base64(), { type: 'string', format: 'byte' }],
    [
      'an integer or text',
      intOrString(),
      { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
    ],
    [
      'maps',
      z.record(z.string(), z.boolean()),
      { type: 'object', additionalProperties: { type: 'boolean' } },
    ],
    ['objects of anything', opaqueObject(), { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }],
    ['anything', z.unknown(), { 'x-kubernetes-preserve-unknown-fields': true }],
    ['nullable values', z.boolean().nullable(), { type: 'boolean', nullable: true }],
    [
      'strict objects, where a default makes a field optional',
      z.strictObject({
        a: z.string(),
        b: z.enum(['x', 'y']).default('x'),
        c: z.array(z.string()).min(1).optional().describe('d'),
      }),
      {
        type: 'object',
        properties: {
          a: { type: 'string' },
          b: { type: 'string', enum: ['x', 'y'], default: 'x' },
          c: { type: 'array', minItems: 1, items: { type: 'string' }, description: 'd' },
        },
        required: ['a'],
      },
    ],
    [
      'rules in CEL',
      z.strictObject({}).meta({ 'x-kubernetes-validations': [{ rule: 'true', message: 'm' }] }),
      { type: 'object', properties: {}, 'x-kubernetes-validations': [{ rule: 'true', message: 'm' }] },
    ],
  ];
  for (const [what, schema, expected] of cases) {
    it(`writes ${what}`, () => assert.deepEqual(toStructural(schema), expected));
  }

  const refused: [string, z.ZodType, string][] = [
    ['a union of types', z.union([z.string(), z.boolean()]), 'union at spec.list[]'],
    ['a tuple', z.tuple([z.string()]), 'union at spec.list[][]'],
    ['two patterns', z.string().regex(/a/).regex(/b/), 'keyword allOf at spec.list[]'],
    ['a format that the API server does not check alike', z.email(), 'format "email" at spec.list[]'],
    [
      'an open object',
      z.looseObject({ a: z.string() }),
      'additionalProperties beside properties at spec.list[]',
    ],
    ['a recursive type', tree, 'keyword definitions at its root'],
  ];
  for (const [what, schema, message] of refused) {
    it(`refuses ${what}, with its path`, () =>
      assert.throws(() => toStructural(z.strictObject({ spec: z.strictObject({ list: z.array(schema) }) })), {
        code: 'INTERNAL',
        message: `a CRD cannot express the ${message}`,
      }));
  }
});
