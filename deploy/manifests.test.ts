import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { GENERATOR_REF_KINDS, type GeneratorRefKind, generatorResource } from '../api/generators/names.ts';
import { supportsGenerator } from '../providers/generators/registry.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs?: readonly string[];
}
interface Document {
  readonly kind: string;
  readonly rules?: readonly Rule[];
  readonly webhooks?: readonly {
    readonly name: string;
    readonly rules: readonly Rule[];
    readonly failurePolicy: string;
    readonly sideEffects: string;
    readonly timeoutSeconds: number;
    readonly reinvocationPolicy?: string;
  }[];
}

const read = (file: string, folder = 'manifests'): Document[] =>
  parseAllDocuments(readFileSync(join(import.meta.dirname, folder, file), 'utf8')).map(
    (document) => document.toJS() as Document,
  );
const resourcesOf = (rules: readonly Rule[]): string[] =>
  rules.flatMap(({ apiGroups, resources }) =>
    apiGroups.flatMap((group) => resources.map((one) => `${one}.${group}`)),
  );
const named = (kinds: readonly GeneratorRefKind[]): string[] =>
  kinds.map((kind) => `${generatorResource(kind).resource}.${generatorResource(kind).group}`).sort();

test('every kind of generator is validated, those of the cluster apart', () => {
  const webhooks = read('webhook-configurations.yaml').flatMap((document) => document.webhooks ?? []);
  const rulesOf = (name: string): readonly Rule[] => webhooks.find((one) => one.name === name)?.rules ?? [];
  assert.deepEqual(
    resourcesOf(rulesOf('validate.generator.external-secrets.io')).sort(),
    named(GENERATOR_REF_KINDS.filter((kind) => generatorResource(kind).namespaced)),
  );
  assert.deepEqual(
    resourcesOf(rulesOf('validate.clustergenerator.external-secrets.io')),
    named(['ClusterGenerator']),
  );
});

test('S58 no webhook is about Pods, or about anything but our own kinds', () => {
  const webhooks = read('webhook-configurations.yaml').flatMap((document) => document.webhooks ?? []);
  const groups = new Set(webhooks.flatMap(({ rules }) => rules.flatMap(({ apiGroups }) => apiGroups)));
  assert.deepEqual([...groups].sort(), [
    'external-secrets-admission.io',
    'external-secrets.io',
    'generators.external-secrets.io',
    'kubernetes-client.io',
  ]);
});

test('both programs may read the generators that can be used, the poller watch them, and no others', () => {
  for (const [file, verbsOfAll] of [
    ['rbac-webhook.yaml', 'get'],
    ['rbac-poller.yaml', 'get,list,watch'],
  ] as const) {
    const rules = read(file)
      .filter(({ kind }) => kind === 'ClusterRole')
      .flatMap((document) => document.rules ?? []);
    const all = new Set(named(GENERATOR_REF_KINDS));
    const readable = rules.filter(
      ({ verbs, ...rule }) => verbs?.join() === verbsOfAll && resourcesOf([rule]).some((one) => all.has(one)),
    );
    assert.deepEqual(
      resourcesOf(readable).sort(),
      named(GENERATOR_REF_KINDS.filter(supportsGenerator)),
      file,
    );
  }
});

test('in the variant for --materialise-in=validating the one hook has moved, and nothing else is different', () => {
  const documents = read('webhook-configurations.yaml');
  const [validating, mutating] = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'].map(
    (kind) => documents.find((one) => one.kind === kind),
  );
  const [variant, ...more] = read('webhook-configurations.yaml', 'materialise-in-validating');
  assert.deepEqual(more, []);
  const [materialize, ...others] = mutating?.webhooks ?? [];
  assert.deepEqual(others, []);
  assert.ok(materialize);
  const { reinvocationPolicy, ...moved } = materialize;
  assert.equal(reinvocationPolicy, 'Never');
  assert.deepEqual(variant, { ...validating, webhooks: [...(validating?.webhooks ?? []), moved] });
  // Whatever becomes of the Secret, a sound object is stored; and the API server is told of the side effect.
  const { failurePolicy, sideEffects, timeoutSeconds } = moved;
  assert.deepEqual([failurePolicy, sideEffects, timeoutSeconds], ['Ignore', 'NoneOnDryRun', 10]);
});

test('cert-manager’s certificate is for the Service that the configurations name, and its Secrets are not ours', () => {
  interface Certificate {
    readonly kind: string;
    readonly metadata: { readonly namespace: string };
    readonly spec: {
      readonly secretName?: string;
      readonly dnsNames?: readonly string[];
      readonly usages?: readonly string[];
      readonly ca?: { readonly secretName: string };
    };
  }
  const text = readFileSync(join(import.meta.dirname, 'cert-manager', 'certificates.yaml'), 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Certificate);
  const [service] = read('service.yaml') as unknown as { metadata: { name: string; namespace: string } }[];
  const issuer = documents.find(({ spec }) => spec.ca !== undefined);
  const [ca, serving] = documents.filter(({ kind }) => kind === 'Certificate');
  assert.equal(documents.length, 4);
  assert.equal(
    serving?.spec.dnsNames?.[0],
    `${service?.metadata.name ?? ''}.${service?.metadata.namespace ?? ''}.svc`,
  );
  assert.ok(serving?.spec.usages?.includes('server auth'));
  assert.equal(issuer?.spec.ca?.secretName, ca?.spec.secretName);
  for (const { metadata, spec } of documents) {
    assert.equal(metadata.namespace, service?.metadata.namespace);
    assert.notEqual(spec.secretName, 'external-secrets-admission-ca');
  }
});
