import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FieldPath, formatFieldPath } from '../problem.ts';
import { pathInVersion } from './paths.ts';

/** `spec.data[0].key` -> ['spec', 'data', 0, 'key'] */
const pathOf = (text: string): FieldPath =>
  [...text.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([part, index]) =>
    index === undefined ? part : Number(index),
  );
const PARKED = 'metadata.annotations[external-secrets-admission.io/conversion-data]';

describe('pathInVersion', () => {
  const v1alpha1: Record<string, string> = {
    'spec.dataFrom[0].extract.key': 'spec.dataFrom[0].key',
    'spec.dataFrom[2].extract': 'spec.dataFrom[2]',
    'spec.dataFrom[0]': 'spec.dataFrom[0]',
    'spec.dataFrom': 'spec.dataFrom',
    'spec.dataFrom[0].extract.decodingStrategy': PARKED,
    'spec.dataFrom[0].find.name.regexp': PARKED,
    'spec.dataFrom[0].rewrite[1].regexp.source': PARKED,
    'spec.data[1].remoteRef.key': 'spec.data[1].remoteRef.key',
    'spec.data[1].remoteRef': 'spec.data[1].remoteRef',
    'spec.data[1].remoteRef.metadataPolicy': PARKED,
    'spec.data[1].sourceRef.generatorRef': PARKED,
    'spec.data[1].secretKey': 'spec.data[1].secretKey',
    'spec.data': 'spec.data',
    'spec.refreshPolicy': PARKED,
    'spec.refreshInterval': 'spec.refreshInterval',
    'spec.secretStoreRef.kind': 'spec.secretStoreRef.kind',
    'spec.target.deletionPolicy': PARKED,
    'spec.target.manifest.kind': PARKED,
    'spec.target.creationPolicy': 'spec.target.creationPolicy',
    'spec.target.template.engineVersion': 'spec.target.template.engineVersion',
    'spec.target.template.mergePolicy': PARKED,
    'spec.target.template.metadata.finalizers[0]': PARKED,
    'spec.target.template.metadata.labels.a': 'spec.target.template.metadata.labels.a',
    'spec.target.template.data.manifest': 'spec.target.template.data.manifest',
    'spec.target.template.templateFrom[0].literal': PARKED,
    'spec.target.template.templateFrom[0].secret.items[1].templateAs': PARKED,
    'spec.target.template.templateFrom[0].secret.items[1].key':
      'spec.target.template.templateFrom[0].secret.items[1].key',
    'spec.target.template.templateFrom[0].configMap.name':
      'spec.target.template.templateFrom[0].configMap.name',
    'spec.constructor': 'spec.constructor',
    'spec.target.toString.x': 'spec.target.toString.x',
    spec: 'spec',
    'metadata.name': 'metadata.name',
  };
  for (const [hub, expected] of Object.entries(v1alpha1)) {
    it(`v1alpha1 ${hub}`, () =>
      assert.equal(formatFieldPath(pathInVersion('v1alpha1', 'ExternalSecret', pathOf(hub))), expected));
  }

  it('v1beta1 and v1 have the paths of the hub', () => {
    for (const version of ['v1', 'v1beta1'] as const) {
      const path = ['spec', 'dataFrom', 0, 'find', 'name', 'regexp'];
      assert.deepEqual(pathInVersion(version, 'ExternalSecret', path), path);
    }
  });

  it('stores', () => {
    const at = (version: 'v1alpha1' | 'v1beta1', path: string) =>
      formatFieldPath(pathInVersion(version, 'ClusterSecretStore', pathOf(path)));
    assert.equal(at('v1beta1', 'spec.refreshInterval'), 'spec.refreshInterval');
    assert.equal(at('v1alpha1', 'spec.refreshInterval'), PARKED);
    assert.equal(at('v1alpha1', 'spec.conditions[0].namespaceRegexes[1]'), PARKED);
    assert.equal(at('v1alpha1', 'spec.provider.vault.auth'), 'spec.provider.vault.auth');
  });
});
