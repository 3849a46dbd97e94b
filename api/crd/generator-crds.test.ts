import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GENERATOR_GROUP } from '../generators/names.ts';
import type { CustomResourceDefinition } from './crds.ts';
import { buildGeneratorCrds } from './generator-crds.ts';
import type { StructuralSchema } from './structural.ts';

const crds = buildGeneratorCrds();

function specOf(kind: string): StructuralSchema {
  const crd: CustomResourceDefinition | undefined = crds.find(({ spec }) => spec.names.kind === kind);
  const spec = crd?.spec.versions[0]?.schema.openAPIV3Schema.properties?.['spec'];
  assert.ok(spec);
  return spec;
}

describe('the definitions of generators', () => {
  it('are of the 18 kinds of External Secrets Operator, and the one of an article', () => {
    const groups = crds.map(({ spec }) => spec.group);
    assert.equal(groups.filter((group) => group === GENERATOR_GROUP).length, 18);
    assert.deepEqual(
      crds
        .filter(({ spec }) => spec.group !== GENERATOR_GROUP || spec.scope === 'Cluster')
        .map(({ metadata, spec }) => [metadata.name, spec.scope]),
      [
        ['clustergenerators.generators.external-secrets.io', 'Cluster'],
        ['secretgenerators.external-secrets.io', 'Namespaced'],
      ],
    );
  });

  it('have one version, which needs no conversion, and the categories of External Secrets Operator', () => {
    for (const { spec } of crds) {
      assert.deepEqual(
        spec.versions.map(({ name, served, storage }) => [name, served, storage]),
        [['v1alpha1', true, true]],
      );
      assert.deepEqual(spec.conversion, { strategy: 'None' });
      assert.deepEqual(spec.names.categories, ['external-secrets', 'external-secrets-generators']);
      assert.equal(spec.names.singular, spec.names.kind.toLowerCase());
      assert.equal(spec.names.plural, `${spec.names.singular}s`);
    }
  });

  it('keep the defaults and limits of a Password, also within a ClusterGenerator', () => {
    for (const spec of [
      specOf('Password'),
      specOf('ClusterGenerator').properties?.['generator']?.properties?.['passwordSpec'],
    ]) {
      const { length, digits, noUpper, allowRepeat, encoding, secretKeys } = spec?.properties ?? {};
      assert.deepEqual(
        [length?.default, digits?.default, noUpper?.default, allowRepeat?.default, encoding?.default],
        [24, undefined, false, false, 'raw'],
      );
      assert.deepEqual(encoding?.enum, ['base64', 'base64url', 'base32', 'hex', 'raw']);
      assert.equal(secretKeys?.minItems, 1);
      assert.equal(spec?.required, undefined);
    }
  });

  it('prune nothing of kinds that are not supported yet', () => {
    for (const spec of [
      specOf('QuayAccessToken'),
      specOf('ClusterGenerator').properties?.['generator']?.properties?.['grafanaSpec'],
    ])
      assert.equal(spec?.['x-kubernetes-preserve-unknown-fields'], true);
  });

  it('let a ClusterGenerator hold exactly one spec', () => {
    const spec = specOf('ClusterGenerator');
    assert.deepEqual(spec.required, ['kind', 'generator']);
    const { generator, kind } = spec.properties ?? {};
    assert.deepEqual([generator?.minProperties, generator?.maxProperties], [1, 1]);
    assert.equal(Object.keys(generator?.properties ?? {}).length, kind?.enum?.length);
  });
});
