import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterSecretPolicySpec } from '../policy/cluster-secret-policy.ts';
import { buildPolicyCrd } from './policy-crd.ts';

test('the definition of ClusterSecretPolicy', () => {
  const { metadata, spec } = buildPolicyCrd();
  assert.equal(metadata.name, 'clustersecretpolicies.external-secrets-admission.io');
  assert.deepEqual(
    [spec.scope, spec.names.shortNames, spec.names.categories],
    ['Cluster', ['csp'], ['external-secrets']],
  );
  const [version, ...more] = spec.versions;
  assert.deepEqual(more, []);
  assert.ok(version?.served && version.storage);
  assert.equal(version.subresources, undefined);
  const root = version.schema.openAPIV3Schema;
  assert.deepEqual(root.required, ['spec']);
  assert.equal(root.properties?.['status'], undefined);
  const rules = root.properties?.['spec']?.properties ?? {};
  assert.deepEqual(Object.keys(rules), Object.keys(clusterSecretPolicySpec.shape));
  assert.equal(rules['effect']?.default, 'Deny');
  // Lists are bounded: every one of them is looked through in each review.
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.type === 'array') assert.equal(rule.maxItems, 256, name);
  }
});
