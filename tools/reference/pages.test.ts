/** The reference has every field of the CRDs, once. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { CustomResourceDefinition } from '../../api/crd/crds.ts';
import { ROOT } from '../setup/paths.mjs';
import { constraintsOf, fieldsOf, fieldTable, typeOf } from './fields.ts';
import { referencePages } from './pages.ts';
import { differences } from './versions.ts';

const pages = referencePages();

test('every kind has a page, and every field a row there or behind its link', () => {
  const files = ['crds', 'kes'].flatMap((folder) =>
    readdirSync(join(ROOT, 'deploy', folder))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => join(ROOT, 'deploy', folder, name)),
  );
  for (const file of files) {
    const { spec } = parse(readFileSync(file, 'utf8')) as CustomResourceDefinition;
    const page = pages.get(`docs/reference/${spec.group}/${spec.names.kind}.md`);
    assert.ok(page !== undefined, file);
    const schema = spec.versions.find(({ storage }) => storage)?.schema.openAPIV3Schema ?? {};
    const moved: string[] = [];
    for (const { path } of fieldsOf(schema, () => undefined)) {
      if (moved.some((above) => path.startsWith(`${above}.`) || path.startsWith(`${above}[`))) continue;
      const row: string | undefined = page.split('\n').find((line) => line.startsWith(`| \`${path}\` |`));
      assert.ok(row !== undefined, `${file}: ${path}`);
      if (row.includes('Fields: [')) moved.push(path);
    }
  }
});

test('what is said elsewhere is there', () => {
  const providers = pages.get('docs/reference/external-secrets.io/providers.md') ?? '';
  assert.match(providers, /^\| `vault\.auth\.kubernetes\.role` \| string \| \*\*Required\.\*\* /m);
  const cluster = pages.get('docs/reference/generators.external-secrets.io/ClusterGenerator.md') ?? '';
  assert.match(cluster, /`spec\.generator\.passwordSpec` .* Fields: \[Password\]\(Password\.md\)/);
  assert.doesNotMatch(cluster, /passwordSpec\.length/);
});

test('types, defaults, bounds and rules in words', () => {
  assert.equal(typeOf({ type: 'array', items: { type: 'string' } }), 'list of strings');
  assert.equal(typeOf({ type: 'object', additionalProperties: { type: 'string' } }), 'map of strings');
  assert.equal(typeOf({ 'x-kubernetes-int-or-string': true }), 'integer or string');
  assert.deepEqual(
    constraintsOf({
      type: 'string',
      default: 'a',
      enum: ['a', ''],
      minLength: 1,
      maxLength: 9,
      'x-kubernetes-validations': [{ rule: 'self != "b"', message: 'not b' }],
    }),
    ['Default `a`.', 'One of `a`, `""`.', 'Not empty.', 'At most 9 characters.', 'Rule: not b.'],
  );
  const [, , row] = fieldTable([
    { path: 'a', schema: { type: 'string', description: 'One | two' }, required: true, elsewhere: undefined },
  ]);
  assert.equal(row, String.raw`| \`a\` | string | **Required.** One \| two. |`.replaceAll('\\`', '`'));
});

test('versions: what is only in one, and what is demanded otherwise', () => {
  const of = (properties: object, required: readonly string[] = []) =>
    ({ type: 'object', properties, required }) as Parameters<typeof differences>[0];
  assert.deepEqual(
    differences(
      of({
        a: { type: 'string', default: 'x' },
        b: { type: 'object', properties: { c: {} } },
        d: { type: 'integer' },
      }),
      of({ a: { type: 'string' }, d: { type: 'string' }, e: { type: 'object', properties: { f: {} } } }, [
        'a',
      ]),
    ),
    [
      'Only there: `e`.',
      'Not there: `b`.',
      '`a`: is required. has no default and no further constraint.',
      '`d`: of type string.',
    ],
  );
});
