import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ANNOTATION_KEEP_GENERATED } from '../api/external-secrets/names.ts';
import type { ExternalSecretSpec, GeneratorRef, TemplateSpec } from '../api/external-secrets/v1/index.ts';
import { formatProblem } from '../api/problem.ts';
import { checkGenerator } from './check-generator.ts';
import { externalSecretWarnings, validateExternalSecretSpec } from './validate-external-secret.ts';

const using = (generatorRef: GeneratorRef): ExternalSecretSpec => ({
  dataFrom: [{ sourceRef: { generatorRef } }],
});
const problemsOf = (spec: ExternalSecretSpec): string[] =>
  validateExternalSecretSpec(spec).map(formatProblem);
const AT = 'spec.dataFrom[0].sourceRef.generatorRef';

describe('generatorRef', () => {
  test('needs no store', () => {
    assert.deepEqual(problemsOf(using({ kind: 'Password', name: 'p' })), []);
    const more = {
      ...using({ kind: 'UUID', name: 'u' }),
      data: [{ secretKey: 'a', remoteRef: { key: 'k' } }],
    };
    assert.match(problemsOf(more).join(), /^spec\.secretStoreRef\.name: no store is named/);
  });

  test('names a kind that there is, in its group', () => {
    for (const kind of ['Fake', 'ClusterGenerator', 'Password', 'UUID'] as const) {
      const apiVersion = 'generators.external-secrets.io/v1alpha1';
      assert.deepEqual(problemsOf(using({ apiVersion, kind, name: 'x' })), []);
      assert.deepEqual(problemsOf(using({ apiVersion: 'external-secrets.io/v1alpha1', kind, name: 'x' })), [
        `${AT}.apiVersion: ${kind} is a kind of ${apiVersion}; write that`,
      ]);
    }
    const apiVersion = 'external-secrets.io/v1alpha1';
    assert.deepEqual(problemsOf(using({ apiVersion, kind: 'SecretGenerator', name: 'x' })), []);
    assert.deepEqual(problemsOf(using({ kind: 'Grafana', name: 'x' })), [
      `${AT}.kind: generator kind Grafana is not supported yet; supported: ClusterGenerator, ECRAuthorizationToken, Fake, GithubAccessToken, MFA, Password, SSHKey, STSSessionToken, UUID, VaultDynamicSecret, Webhook; remove this entry`,
    ]);
  });

  test('stands alone in its entry, and not in data', () => {
    const generatorRef: GeneratorRef = { kind: 'UUID', name: 'u' };
    assert.match(
      problemsOf({ dataFrom: [{ extract: { key: 'k' }, sourceRef: { generatorRef } }] }).join(),
      /cannot be set at the same time/,
    );
    assert.match(
      problemsOf({ data: [{ secretKey: 'a', remoteRef: { key: 'k' }, sourceRef: { generatorRef } }] }).join(),
      /a generator cannot fill a single entry; use it in dataFrom/,
    );
  });
});

test('keep-generated that can keep nothing deserves a word', () => {
  const warned = (template: TemplateSpec, annotations: Record<string, string>): string[] =>
    externalSecretWarnings(
      { ...using({ kind: 'Password', name: 'p' }), target: { template } },
      annotations,
    ).map(formatProblem);
  const keep = { [ANNOTATION_KEEP_GENERATED]: 'true' };
  const changes = { data: { line: 'is {{ .password }}' } };
  assert.deepEqual(warned(changes, keep), [
    `metadata.annotations[${ANNOTATION_KEEP_GENERATED}]: the template passes no generated value on`,
  ]);
  assert.deepEqual(warned(changes, {}), []);
  assert.deepEqual(warned({ ...changes, mergePolicy: 'Merge' }, keep), []);
  assert.deepEqual(warned({ data: { ...changes.data, password: '{{ .password }}' } }, keep), []);
});

describe('an object that is a generator', () => {
  test('is refused if it can never give a value', () => {
    const { problems, warnings } = checkGenerator('Password', { length: 2, digits: 2, symbols: 1 });
    assert.deepEqual([problems.length, warnings], [1, []]);
    assert.match(problems.map(formatProblem).join(), /^spec\.length: number of digits and symbols/);
  });

  test('is admitted with a word if its kind is not supported yet', () => {
    const { problems, warnings } = checkGenerator('Grafana', { url: 'x' });
    assert.deepEqual(problems, []);
    assert.match(warnings.map(formatProblem).join(), /^spec: generator kind Grafana is not supported yet/);
  });

  test('is admitted without a word otherwise', () => {
    assert.deepEqual(checkGenerator('UUID', undefined), { problems: [], warnings: [] });
  });
});
