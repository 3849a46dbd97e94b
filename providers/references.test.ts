import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { collector, type Problem } from '../api/problem.ts';
import type { StoreContext } from './contract.ts';
import {
  checkReference,
  isReferent,
  type ReferenceOptions,
  resolveReference,
  type StoreReference,
} from './references.ts';

const common = { name: 'store', uid: 'u', generation: 1 };
const namespaced: StoreContext = {
  ...common,
  kind: 'SecretStore',
  namespace: 'team-a',
  callerNamespace: 'team-a',
};
const cluster: StoreContext = {
  ...common,
  kind: 'ClusterSecretStore',
  namespace: undefined,
  callerNamespace: 'team-b',
};
const alone: StoreContext = { ...cluster, callerNamespace: undefined };
const path = ['auth', 'tokenSecretRef'];

function problemsOf(
  store: Pick<StoreContext, 'kind' | 'namespace'>,
  reference: StoreReference,
  options: ReferenceOptions = {},
): readonly Problem[] {
  const { report, problems } = collector();
  checkReference(store, reference, path, report, options);
  return problems;
}

describe('9.4 ValidateSecretSelector, ValidateServiceAccountSelector: a namespaced store', () => {
  test('reaches its own namespace, named or not', () => {
    assert.deepEqual(resolveReference(namespaced, { name: 'x' }, path), { namespace: 'team-a', name: 'x' });
    assert.deepEqual(resolveReference(namespaced, { name: 'x', namespace: 'team-a' }, path), {
      namespace: 'team-a',
      name: 'x',
    });
  });

  // The class of GHSA advisories where a tenant's store read another tenant's Secret, ConfigMap (caProvider,
  // CVE-2026-42875) or took a token of another tenant's ServiceAccount.
  for (const options of [{}, { namespaceRequired: true }]) {
    test(`reaches no other namespace (${JSON.stringify(options)})`, () => {
      const reference = { name: 'x', namespace: 'team-b' };
      assert.throws(() => resolveReference(namespaced, reference, path, options), {
        code: 'REFERENCE_FORBIDDEN',
        message:
          /SecretStore store: auth\.tokenSecretRef\.namespace: namespace should either be empty or match/,
      });
      const [problem] = problemsOf(namespaced, reference, options);
      assert.equal(problem?.reason, 'FieldValueForbidden');
      assert.deepEqual(problem?.path, ['auth', 'tokenSecretRef', 'namespace']);
    });
  }

  test('9.4 caProvider: uses its own namespace for a CA without one (not that of the caller or of this program)', () => {
    const foreignCaller = { ...namespaced, callerNamespace: 'team-z' };
    assert.equal(
      resolveReference(foreignCaller, { name: 'ca' }, ['caProvider'], { namespaceRequired: true }).namespace,
      'team-a',
    );
  });

  test('without a namespace of its own (a manifest on a desk) any named one is refused', () => {
    const manifest = { kind: 'SecretStore', namespace: undefined } as const;
    assert.equal(problemsOf(manifest, { name: 'x', namespace: 'a' })[0]?.reason, 'FieldValueForbidden');
    assert.deepEqual(problemsOf(manifest, { name: 'x' }), []);
  });
});

describe('9.4 ValidateReferentSecretSelector: a ClusterSecretStore', () => {
  test('reaches the namespace it names, for whichever caller', () => {
    assert.deepEqual(resolveReference(cluster, { name: 'x', namespace: 'ops' }, path), {
      namespace: 'ops',
      name: 'x',
    });
  });

  test("without one reaches the caller's, and nobody else's", () => {
    assert.equal(isReferent(cluster, { name: 'x' }), true);
    assert.deepEqual(resolveReference(cluster, { name: 'x' }, path), { namespace: 'team-b', name: 'x' });
    assert.deepEqual(resolveReference(cluster, { name: 'x', namespace: '' }, path), {
      namespace: 'team-b',
      name: 'x',
    });
  });

  test('alone, a reference without a namespace cannot be followed', () => {
    assert.throws(() => resolveReference(alone, { name: 'x' }, path), { code: 'PROVIDER_INVALID_CONFIG' });
  });

  test('has to name the namespace of a CA (regression #6313 of ESO)', () => {
    const reference = { name: 'ca' };
    assert.throws(() => resolveReference(cluster, reference, ['caProvider'], { namespaceRequired: true }), {
      code: 'PROVIDER_INVALID_CONFIG',
    });
    const named = resolveReference(cluster, { name: 'ca', namespace: 'ops' }, ['caProvider'], {
      namespaceRequired: true,
    });
    assert.equal(named.namespace, 'ops');
  });
});

describe('names that would lead elsewhere in a URL are refused', () => {
  for (const reference of [
    { name: '../../../kube-system/secrets/x' },
    { name: 'a/b' },
    { name: '..' },
    { name: '' },
    {},
    { name: 'x?y' },
    { name: 'x', namespace: '../kube-system' },
    { name: 'x', namespace: 'a.b' },
    { name: 'x', namespace: 'A' },
  ]) {
    test(JSON.stringify(reference), () => {
      assert.equal(problemsOf(cluster, reference).length, 1);
      assert.throws(() => resolveReference(cluster, reference, path));
    });
  }
});
