/**
 * The rules that stand in more than one layer: CEL in the CRDs, ValidatingAdmissionPolicies, the webhook. One
 * table, and each layer judges all of it alone on a real API server; verdicts are compared, not texts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { type Manifest as InstalledManifest, manifestText, productManifests } from '../harness/install.ts';
import { type Product, startProduct } from '../harness/product.ts';
import { externalSecret, namespace } from './support/vault.ts';

const LAYERS = ['crd-cel', 'vap', 'webhook'] as const;
type Layer = (typeof LAYERS)[number];

const WHERE = 'layers';
const POLICY = {
  apiVersion: 'external-secrets-admission.io/v1alpha1',
  kind: 'ClusterSecretPolicy',
  metadata: { name: 'static' },
  spec: {
    namespaceSelector: {
      matchLabels: { case: WHERE },
      matchExpressions: [
        { key: 'case', operator: 'In', values: [WHERE] },
        { key: 'other', operator: 'DoesNotExist' },
      ],
    },
    creationPolicies: ['Owner', 'Merge', 'None', 'CreateOrMerge'],
    deletionPolicies: ['Retain', 'Delete', 'Merge'],
    secretTypes: ['Opaque', 'kubernetes.io/tls'],
    requiredLabels: [{ key: 'team', values: ['shop', 'web'] }],
    maximumKeys: 3,
  },
};

const ALL: readonly Layer[] = LAYERS;
const BY_WEBHOOK_AND_VAP: readonly Layer[] = ['vap', 'webhook'];
const NOBODY: readonly Layer[] = [];

interface Case {
  readonly what: string;
  /** Namespace; by default the one that the policy selects. */
  readonly where?: string;
  readonly spec?: object;
  readonly labels?: Readonly<Record<string, string>>;
  readonly refusedBy: readonly Layer[];
}

const extract = { extract: { key: 'k' } };
const find = { find: { name: { regexp: 'x' } } };
const generator = { generatorRef: { kind: 'Password', name: 'p' } };
const keys = (...names: string[]): object => ({
  data: names.map((secretKey) => ({ secretKey, remoteRef: { key: 'k' } })),
});
const target = (more: object): object => ({ target: more });
const typed = (type: string): object => target({ template: { type } });
const from = (into: string): object =>
  target({ template: { templateFrom: [{ target: into, literal: 'a: b' }] } });

const CASES: readonly Case[] = [
  { what: 'a plain one', refusedBy: NOBODY },
  { what: 'extract', spec: { data: [], dataFrom: [extract] }, refusedBy: NOBODY },
  {
    what: 'Merge with deletionPolicy Merge',
    spec: target({ creationPolicy: 'Merge', deletionPolicy: 'Merge' }),
    refusedBy: NOBODY,
  },
  { what: 'Owner with deletionPolicy Delete', spec: target({ deletionPolicy: 'Delete' }), refusedBy: NOBODY },
  {
    what: '1: Delete with Merge',
    spec: target({ creationPolicy: 'Merge', deletionPolicy: 'Delete' }),
    refusedBy: ALL,
  },
  {
    what: '1: Delete with None',
    spec: target({ creationPolicy: 'None', deletionPolicy: 'Delete' }),
    refusedBy: ALL,
  },
  {
    what: '1: Delete with CreateOrMerge',
    spec: target({ creationPolicy: 'CreateOrMerge', deletionPolicy: 'Delete' }),
    refusedBy: ALL,
  },
  {
    what: '2: Merge with None',
    spec: target({ creationPolicy: 'None', deletionPolicy: 'Merge' }),
    refusedBy: ALL,
  },
  { what: '3: empty lists', spec: { data: [], dataFrom: [] }, refusedBy: ALL },
  { what: '3: no list', spec: { data: null }, refusedBy: ALL },
  { what: '4: ServiceAccount token', spec: typed('kubernetes.io/service-account-token'), refusedBy: ALL },
  { what: '6: bootstrap token', spec: typed('bootstrap.kubernetes.io/token'), refusedBy: ALL },
  { what: 'an ordinary type', spec: typed('kubernetes.io/tls'), refusedBy: NOBODY },
  { what: '7: target Spec', spec: from('Spec'), refusedBy: BY_WEBHOOK_AND_VAP },
  { what: '7: target datax', spec: from('datax'), refusedBy: BY_WEBHOOK_AND_VAP },
  { what: 'target in another case', spec: from('aNNotations'), refusedBy: NOBODY },
  { what: '8: extract and find', spec: { dataFrom: [{ ...extract, ...find }] }, refusedBy: ALL },
  { what: '8: find and generator', spec: { dataFrom: [{ ...find, sourceRef: generator }] }, refusedBy: ALL },
  { what: '9: an empty entry', spec: { dataFrom: [extract, {}] }, refusedBy: ALL },
  { what: '9: rewrite alone', spec: { dataFrom: [{ rewrite: [] }] }, refusedBy: ALL },
  { what: '10: an empty source', spec: { dataFrom: [{ sourceRef: {} }] }, refusedBy: ALL },
  {
    what: 'an entry with its own store',
    spec: { dataFrom: [{ ...extract, sourceRef: { storeRef: { name: 's' } } }] },
    refusedBy: NOBODY,
  },
  { what: '11: a key twice', spec: keys('a', 'a'), refusedBy: BY_WEBHOOK_AND_VAP },
  {
    what: 'a key twice with deletionPolicy Merge',
    spec: { ...keys('a', 'a'), target: { deletionPolicy: 'Merge' } },
    refusedBy: NOBODY,
  },
  { what: 'creationPolicies', spec: target({ creationPolicy: 'Orphan' }), refusedBy: BY_WEBHOOK_AND_VAP },
  { what: 'secretTypes', spec: typed('example.com/x'), refusedBy: BY_WEBHOOK_AND_VAP },
  { what: 'requiredLabels: missing', labels: {}, refusedBy: BY_WEBHOOK_AND_VAP },
  { what: 'requiredLabels: wrong', labels: { team: 'other' }, refusedBy: BY_WEBHOOK_AND_VAP },
  { what: 'maximumKeys', spec: keys('a', 'b', 'c', 'd'), refusedBy: BY_WEBHOOK_AND_VAP },
  {
    what: 'creationPolicies in a namespace that the policy does not select',
    where: 'default',
    spec: target({ creationPolicy: 'Orphan' }),
    refusedBy: NOBODY,
  },
  { what: 'as many keys as there may be', spec: keys('a', 'b', 'c'), refusedBy: NOBODY },
];

let cp: ControlPlane;
let product: Product | undefined;

const pathIn = (where: string): string =>
  `/apis/external-secrets.io/v1/namespaces/${where}/externalsecrets?dryRun=All`;

/** True if the API server refuses the create; whatever is neither created nor refused is an error. */
async function refuses({ where = WHERE, spec = {}, labels = { team: 'shop' } }: Case): Promise<boolean> {
  const manifest = externalSecret(where, 'probe', { refreshInterval: '1h', ...spec }, { labels });
  const { status, body } = await cp.request<{ message?: string }>('POST', pathIn(where), manifest);
  if (status === 201) return false;
  assert.ok(status === 422 || status === 403, `${status} ${body.message ?? ''}`);
  return true;
}

async function verdicts(): Promise<Record<string, boolean>> {
  const entries = await Promise.all(CASES.map(async (one) => [one.what, await refuses(one)] as const));
  return Object.fromEntries(entries);
}

const expected = (layer: Layer): Record<string, boolean> =>
  Object.fromEntries(CASES.map(({ what, refusedBy }) => [what, refusedBy.includes(layer)]));

const CRDS = () =>
  productManifests({ webhookPort: 1, configurations: false, conversion: false }).filter(
    ({ kind }) => kind === 'CustomResourceDefinition',
  );

const apply = async (manifests: readonly InstalledManifest[]): Promise<void> => {
  // Server-side, so that what is left out goes away.
  await cp.kubectlOutput(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
    stdin: manifestText(manifests),
  });
};

/** The same CRDs without the rules in CEL. */
function withoutCel(manifests: readonly InstalledManifest[]): readonly InstalledManifest[] {
  const text = JSON.stringify(manifests, (key, value: unknown) =>
    key === 'x-kubernetes-validations' ? undefined : value,
  );
  return JSON.parse(text) as InstalledManifest[];
}

const vapManifests = (): readonly InstalledManifest[] =>
  ['external-secret-rules.yaml', 'cluster-secret-policies.yaml'].flatMap((file) =>
    parseAllDocuments(readFileSync(join(ROOT, 'deploy/vap', file), 'utf8')).map(
      (document) => document.toJS() as InstalledManifest,
    ),
  );

const caseNamed = (what: string): Case => {
  const found = CASES.find((one) => one.what === what);
  assert.ok(found);
  return found;
};

/** Until a case is judged like this: the API server follows definitions and policies by watches. */
const until = (what: string, refused: boolean): Promise<true> =>
  eventually(async () => (await refuses(caseNamed(what))) === refused, {
    timeout: 30_000,
    what: `${what} ${refused ? 'refused' : 'admitted'}`,
  });

describe('the same verdicts in every layer that has the rule', () => {
  before(async () => {
    cp = await startControlPlane({ controllerManager: false });
    await apply(CRDS());
    const names = CRDS().map(({ metadata }) => `crd/${metadata.name}`);
    await cp.kubectlOutput(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
    await cp.kindsChanged();
    await cp.kubectlOutput(['apply', '-f', '-'], {
      stdin: JSON.stringify(namespace(WHERE, { case: WHERE })),
    });
    await eventually(
      async () => (await cp.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(POLICY) })).code === 0,
    );
  });
  after(async () => {
    await product?.stop();
    await cp.stop();
  });

  test('crd-cel', async () => {
    await until('3: empty lists', true);
    assert.deepEqual(await verdicts(), expected('crd-cel'));
  });

  test('vap', async () => {
    await apply(withoutCel(CRDS()));
    await until('3: empty lists', false);
    await apply(vapManifests());
    await until('3: empty lists', true);
    await until('maximumKeys', true);
    assert.deepEqual(await verdicts(), expected('vap'));
    await cp.kubectlOutput(['delete', '--wait', '-f', join(ROOT, 'deploy/vap')]);
    await until('3: empty lists', false);
    await until('maximumKeys', false);
  });

  test('webhook', async () => {
    product = await startProduct(cp, {
      poller: false,
      conversion: false,
      keptCrds: CRDS().map(({ metadata }) => metadata.name),
    });
    await until('maximumKeys', true);
    assert.deepEqual(await verdicts(), expected('webhook'));
  });
});
