/** What kubectl tells of each kind, on the bed of kinds.test.ts. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Bed } from '../../harness/bed.ts';

const fail = (): never => assert.fail('a kind without a version');

interface OpenApiSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly items?: OpenApiSchema;
  readonly additionalProperties?: OpenApiSchema;
  readonly 'x-kubernetes-group-version-kind'?: readonly { readonly group: string; readonly kind: string }[];
}

/** Fields without a description, below a field; what the API server describes itself (metadata) is a reference. */
function* undescribed(schema: OpenApiSchema, path: string): Generator<string> {
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const at = `${path}.${name}`;
    if ((member.description ?? '').trim() === '' && name !== 'metadata') yield at;
    yield* undescribed(member, at);
  }
  if (schema.items !== undefined) yield* undescribed(schema.items, `${path}[]`);
  if (schema.additionalProperties !== undefined) yield* undescribed(schema.additionalProperties, `${path}.*`);
}

/** Registers the tests. @param bed once it is up */
export function kubectlExplains(bed: () => Bed): void {
  describe('kubectl explain', () => {
    interface Served {
      readonly group: string;
      readonly version: string;
      readonly kind: string;
      readonly plural: string;
    }
    let served: readonly Served[];
    before(async () => {
      const { body } = await bed().cp.request<{
        items: {
          spec: {
            group: string;
            names: { kind: string; plural: string };
            versions: { name: string; served: boolean }[];
          };
        }[];
      }>('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
      served = body.items.flatMap(({ spec: { group, names, versions: all } }) =>
        all.filter((one) => one.served).map(({ name }) => ({ group, version: name, ...names })),
      );
      assert.ok(served.length > 25);
    });

    test('every field of every kind and version has a description in the API that it reads', async () => {
      let fields = 0;
      for (const [path, kinds] of Map.groupBy(served, ({ group, version }) => `${group}/${version}`)) {
        const { body } = await bed().cp.request<{
          components: { schemas: Readonly<Record<string, OpenApiSchema>> };
        }>('GET', `/openapi/v3/apis/${path}`);
        const schemas = Object.values(body.components.schemas);
        for (const { group, kind } of kinds) {
          const schema = schemas.find((one) =>
            one['x-kubernetes-group-version-kind']?.some((gvk) => gvk.group === group && gvk.kind === kind),
          );
          assert.ok((schema?.description ?? '').length > 20, `${path} ${kind}`);
          assert.deepEqual([...undescribed(schema ?? {}, `${path} ${kind}`)], []);
          fields += JSON.stringify(schema).split('"description":').length - 1;
        }
      }
      assert.ok(fields > 2_000, `${fields} fields were looked at`);
    });

    test('prints each kind with its fields', async () => {
      for (const [name, versionsOfKind] of Map.groupBy(served, ({ plural, group }) => `${plural}.${group}`)) {
        const { group, version, kind, plural } =
          versionsOfKind.find((one) => one.version === 'v1') ?? versionsOfKind[0] ?? fail();
        const text = await bed().cp.kubectlOutput([
          'explain',
          plural,
          '--recursive',
          `--api-version=${group}/${version}`,
        ]);
        assert.match(text, new RegExp(`^KIND: +${kind}$`, 'm'));
        assert.match(text, /^DESCRIPTION:\n +\S/m, name);
        assert.match(text, /^ {2}spec\t/m, name);
      }
    });
  });
}
