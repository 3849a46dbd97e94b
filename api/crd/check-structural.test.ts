import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { validValue, withDefaults } from '../../test/arbitraries/structural.ts';
import { formatFieldPath } from '../problem.ts';
import { checkStructural } from './check-structural.ts';
import { buildCrds } from './crds.ts';
import { buildGeneratorCrds } from './generator-crds.ts';
import { buildPolicyCrd } from './policy-crd.ts';
import type { StructuralSchema } from './structural.ts';

const said = (schema: StructuralSchema, value: unknown): string[] => {
  const { unknown, invalid } = checkStructural(schema, value, ['spec']);
  return [...unknown, ...invalid].map(
    ({ rule, path, message }) => `${formatFieldPath(path)}: ${message} [${rule}]`,
  );
};

const text: StructuralSchema = { type: 'string' };
const object = (
  properties: Record<string, StructuralSchema>,
  more: StructuralSchema = {},
): StructuralSchema => ({
  type: 'object',
  properties,
  ...more,
});

describe('what the API server refuses by a structural schema', () => {
  const cases: readonly [string, StructuralSchema, unknown, string[]][] = [
    ['the right type', text, 'a', []],
    [
      'a number for text',
      text,
      60,
      ['spec: must be of type string, not integer; put it in quotes [schema-type]'],
    ],
    [
      'text for a number',
      { type: 'integer' },
      '6',
      ['spec: must be of type integer, not string [schema-type]'],
    ],
    ['an integer with a point', { type: 'integer' }, 60.0, []],
    [
      'a fraction for an integer',
      { type: 'integer' },
      1.5,
      ['spec: must be of type integer, not number [schema-type]'],
    ],
    ['a list for an object', object({}), [], ['spec: must be of type object, not array [schema-type]']],
    ['int-or-string', { 'x-kubernetes-int-or-string': true }, '1h', []],
    [
      'neither',
      { 'x-kubernetes-int-or-string': true },
      1.5,
      ['spec: must be of type integer or string, not number [schema-type]'],
    ],
    ['one of an enum', { type: 'string', enum: ['a', 'b'] }, 'b', []],
    [
      'none of an enum',
      { type: 'string', enum: ['a', 'b'] },
      'c',
      ['spec: supported values: "a", "b" [schema-enum]'],
    ],
    ['a pattern is not anchored', { type: 'string', pattern: 'b' }, 'abc', []],
    ['no match', { type: 'string', pattern: '^b' }, 'abc', ['spec: must match ^b [schema-format]']],
    ['length in code points', { type: 'string', maxLength: 1 }, '😀', []],
    [
      'too long',
      { type: 'string', maxLength: 1 },
      'ab',
      ['spec: must have at most 1 characters, has 2 [schema-format]'],
    ],
    ['too small', { type: 'integer', minimum: 1 }, 0, ['spec: must be 1 or more [schema-format]']],
    ['too large', { type: 'integer', maximum: 1 }, 2, ['spec: must be 1 or less [schema-format]']],
    [
      'too few items',
      { type: 'array', items: text, minItems: 1 },
      [],
      ['spec: must have at least 1 items, has 0 [schema-format]'],
    ],
    [
      'an item',
      { type: 'array', items: text },
      ['a', 1],
      ['spec[1]: must be of type string, not integer; put it in quotes [schema-type]'],
    ],
    [
      'null as an item',
      { type: 'array', items: text },
      [null],
      ['spec[0]: must be of type string, not null [schema-type]'],
    ],
    ['null counts as absent', object({ a: text }), { a: null }, []],
    [
      'also where it is needed',
      object({ a: text }, { required: ['a'] }),
      { a: null },
      ['spec.a: set this field [schema-required]'],
    ],
    ['null that the field can hold', object({ a: { ...text, nullable: true } }), { a: null }, []],
    ['a default for what is needed', object({ a: { ...text, default: 'x' } }, { required: ['a'] }), {}, []],
    ['a member of a map', { type: 'object', additionalProperties: text }, { 'a.b': 'c' }, []],
    [
      'a wrong member of a map',
      { type: 'object', additionalProperties: text },
      { 'a.b': true },
      ['spec[a.b]: must be of type string, not boolean; put it in quotes [schema-type]'],
    ],
    [
      'an unknown field',
      object({ name: text }),
      { other: 1 },
      ['spec.other: no such field; remove it or correct its name [schema-unknown-field]'],
    ],
    [
      'a misspelt field',
      object({ refreshInterval: text }),
      { refreshIntervall: 1 },
      [
        'spec.refreshIntervall: no such field (did you mean refreshInterval?); remove it or correct its name [schema-unknown-field]',
      ],
    ],
    [
      'the case of a field',
      object({ name: text }),
      { Name: 1 },
      ['spec.Name: no such field (did you mean name?); remove it or correct its name [schema-unknown-field]'],
    ],
    ['anything where nothing is pruned', { 'x-kubernetes-preserve-unknown-fields': true }, { a: [null] }, []],
    [
      'too many members, without the unknown ones',
      object({ a: text, b: text }, { maxProperties: 1 }),
      { a: '', nothingLikeIt: '' },
      ['spec.nothingLikeIt: no such field; remove it or correct its name [schema-unknown-field]'],
    ],
    [
      'a field called __proto__',
      object({}),
      JSON.parse('{"__proto__": 1}'),
      ['spec.__proto__: no such field; remove it or correct its name [schema-unknown-field]'],
    ],
  ];
  for (const [what, schema, value, expected] of cases)
    it(what, () => assert.deepEqual(said(schema, value), expected));

  it('no problem quotes a value', () => {
    const secret = 'hunter2'.repeat(50);
    for (const schema of [{ type: 'integer' }, { type: 'string', enum: ['a'], pattern: '^b', maxLength: 1 }])
      assert.doesNotMatch(said(schema, secret).join(), /hunter2/);
  });

  it('what is stored has defaults and no unknown fields; the input stays', () => {
    const schema = object({
      a: object({ b: { ...text, default: 'x' } }, { default: {} }),
      c: { ...text, default: 'y' },
    });
    const input = Object.freeze({ c: null, d: 1 });
    assert.deepEqual(checkStructural(schema, input).value, { a: { b: 'x' }, c: 'y' });
    assert.deepEqual(input, { c: null, d: 1 });
  });
});

describe('the schemas of the CRDs', () => {
  const crds = [
    ...buildCrds({ providers: {}, conversion: 'None' }),
    ...buildGeneratorCrds(),
    buildPolicyCrd(),
  ];
  for (const { spec } of crds) {
    for (const { name, schema } of spec.versions) {
      const part = schema.openAPIV3Schema.properties?.['spec'];
      assert.ok(part);
      it(`${spec.names.kind} ${name}: nothing is said against what they allow, and defaults are as the server sets them`, () => {
        fc.assert(
          fc.property(validValue(part), (value) => {
            const { unknown, invalid, value: stored } = checkStructural(part, value);
            assert.deepEqual([...unknown, ...invalid], []);
            assert.deepEqual(stored, withDefaults(part, value));
          }),
          { numRuns: 20, seed: 6 },
        );
      });
    }
  }
});
