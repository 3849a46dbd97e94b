/**
 * `esa doctor` on a real control plane: a healthy installation gives no finding, and each of the faults below, prepared on
 * it, is found, with the remedy that mends it. Remedies that are commands are run as they are printed.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { FindingId } from '../../cli/doctor/catalogue.ts';
import type { Finding } from '../../cli/doctor/finding.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { Cluster } from './support/cluster.ts';
import { examine, gravities, type Report, Workplace } from './support/doctor.ts';
import { externalSecret, passwordOf, prepare, secretStore } from './support/vault.ts';

const WHERE = 'shop';
const SYSTEM = 'external-secrets-system';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const VALIDATING = `${ADMISSION}/validatingwebhookconfigurations/external-secrets-admission`;
const MUTATING = `${ADMISSION}/mutatingwebhookconfigurations/zz-external-secrets-admission`;
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases/external-secrets-admission-poller`;
const CA = `/api/v1/namespaces/${SYSTEM}/secrets/external-secrets-admission-ca`;
const MARKER = `/api/v1/namespaces/${SYSTEM}/secrets/external-secrets-admission-marker`;
const WITHIN_MS = 60_000;

let bed: Bed;
let cluster: Cluster;
let workplace: Workplace;

before(async () => {
  bed = await startBed({ product: { kes: true } });
  cluster = new Cluster(bed.cp);
  workplace = new Workplace(bed, bed.product.webhook.port ?? 0);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, WHERE);
  await cluster.create(externalSecret(WHERE, 'app'));
  await cluster.synced(WHERE, 'app');
});
after(() => bed.stop());

async function send(method: string, path: string, body?: unknown, contentType?: string): Promise<void> {
  const headers = contentType === undefined ? {} : { 'content-type': contentType };
  const answer = await bed.cp.request<{ message?: string }>(method, path, body, headers);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body?.message ?? ''}`);
}
const merge = (path: string, body: object): Promise<void> =>
  send('PATCH', path, body, 'application/merge-patch+json');
const change = (path: string, ...operations: object[]): Promise<void> =>
  send('PATCH', path, operations, 'application/json-patch+json');
const remove = (path: string): Promise<void> => send('DELETE', path);
const create = (path: string, body: object): Promise<void> => send('POST', path, body);

const look = (): Promise<Report> => examine(bed.cp.kubeconfig);

/** Waits until doctor finds nothing but notes. */
const clean = (): Promise<unknown> =>
  eventually(
    async () => {
      const report = await look();
      assert.deepEqual(
        report.findings
          .filter(({ severity }) => severity !== 'note')
          .map(({ id, where, what }) => [id, where, what]),
        [],
      );
      assert.equal(report.code, 0);
      return true;
    },
    { timeout: WITHIN_MS, interval: 500, what: 'a clean bill of health' },
  );

interface Fault {
  /** What is done to the cluster. */
  readonly name: string;
  readonly id: FindingId;
  readonly prepare: () => Promise<unknown>;
  readonly where: RegExp;
  readonly what: RegExp;
  /** What else follows from it. */
  readonly also?: readonly FindingId[];
  /** The remedy, where it is no command: words that it has to have, and how it is done. */
  readonly cure?: { readonly words: RegExp; readonly act: () => Promise<unknown> };
  /** For its commands. */
  readonly stdin?: () => string;
  /** How the cluster comes back to what it was, where the remedy leaves something. */
  readonly after?: () => Promise<unknown>;
  /** Found, but it makes nobody ill. */
  readonly isNote?: true;
}

const deployment = (namespace: string, name: string, image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name, image }] },
    },
  },
});
const DEPLOYMENTS = (namespace: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments`;

const status = (resource: 'pods' | 'deployments', name: string, value: object): Promise<void> => {
  const path = resource === 'pods' ? `/api/v1/namespaces/${SYSTEM}/pods` : DEPLOYMENTS(SYSTEM);
  return merge(`${path}/${name}/status`, { status: value });
};

/** A Deployment of ours as the chart makes it, and its Pods, as a kubelet would report them. */
async function installProgram(
  program: 'webhook' | 'poller',
  { address, port }: { readonly address: string | undefined; readonly port: number },
): Promise<void> {
  const labels = {
    'app.kubernetes.io/name': 'external-secrets-admission',
    'app.kubernetes.io/part-of': 'external-secrets-admission',
    'app.kubernetes.io/component': program,
  };
  const name = `external-secrets-admission-${program}`;
  const replicas = program === 'webhook' ? 2 : 1;
  const spec = {
    serviceAccountName: name,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: program,
        image: 'example.com/esa:0.1.0',
        args: [program, '--kes'],
        ports: [{ name: 'metrics', containerPort: port }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  };
  await create(DEPLOYMENTS(SYSTEM), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
  await status('deployments', name, { replicas, readyReplicas: replicas });
  for (let index = 0; index < replicas; index++) {
    const pod = `${program}-${index}`;
    await create(`/api/v1/namespaces/${SYSTEM}/pods`, { metadata: { name: pod, labels }, spec });
    await status('pods', pod, {
      conditions: [{ type: 'Ready', status: 'True' }],
      ...(address === undefined ? {} : { podIP: address, podIPs: [{ ip: address }] }),
    });
  }
}

const stopWebhook = (): Promise<void> => bed.product.webhook.stop();
const startWebhook = (): Promise<void> => bed.product.webhook.start();
const restartBoth = async (): Promise<void> => {
  await Promise.all([bed.product.webhook.stop(), bed.product.poller.stop()]);
  await Promise.all([bed.product.webhook.start(), bed.product.poller.start()]);
};

/** A chart with a CRD among its templates, as that of External Secrets Operator. */
function writeEsoChart(): void {
  workplace.write(
    'external-secrets/external-secrets/Chart.yaml',
    'apiVersion: v2\nname: external-secrets\nversion: 2.9.0\n',
  );
  workplace.write('external-secrets/external-secrets/values.yaml', 'crds:\n  annotations: {}\n');
  workplace.write(
    'external-secrets/external-secrets/templates/pushsecret.yaml',
    `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: pushsecrets.external-secrets.io
  annotations:
    controller-gen.kubebuilder.io/version: v0.19.0
    {{- with .Values.crds.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  group: external-secrets.io
  names: {kind: PushSecret, listKind: PushSecretList, plural: pushsecrets, singular: pushsecret, shortNames: [ps]}
  scope: Namespaced
  versions:
    - name: v1alpha1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`,
  );
}

const FAULTS: readonly Fault[] = [
  {
    name: 'a CRD was deleted',
    id: 'crd-missing',
    prepare: () => remove(`${DEFINITIONS}/clustersecretpolicies.external-secrets-admission.io`),
    where: /^CustomResourceDefinition clustersecretpolicies\.external-secrets-admission\.io$/,
    what: /ClusterSecretPolicy is not a kind/,
  },
  {
    name: 'a CRD of an older release, without a field',
    id: 'crd-outdated',
    prepare: () =>
      change(`${DEFINITIONS}/passwords.generators.external-secrets.io`, {
        op: 'remove',
        path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/encoding',
      }),
    where: /passwords\.generators/,
    what: /It lacks spec\.encoding of v1alpha1\./,
  },
  {
    name: 'a CRD that serves old versions and converts none',
    id: 'crd-conversion-none',
    prepare: () =>
      merge(`${DEFINITIONS}/secretstores.external-secrets.io`, {
        spec: { conversion: { strategy: 'None', webhook: null } },
      }),
    where: /secretstores\.external-secrets\.io$/,
    what: /serves v1beta1 and v1alpha1/,
  },
  {
    name: 'a CRD that the webhook of somebody else converts',
    id: 'crd-conversion-elsewhere',
    prepare: () =>
      merge(`${DEFINITIONS}/clustersecretstores.external-secrets.io`, {
        spec: {
          conversion: {
            webhook: { clientConfig: { service: { name: 'external-secrets-webhook', namespace: 'eso' } } },
          },
        },
      }),
    where: /clustersecretstores\.external-secrets\.io$/,
    what: /Service external-secrets-webhook in namespace eso/,
  },
  {
    name: 'objects stored in an old version',
    id: 'crd-stored-versions',
    prepare: () =>
      merge(`${DEFINITIONS}/externalsecrets.external-secrets.io/status`, {
        status: { storedVersions: ['v1', 'v1beta1'] },
      }),
    where: /externalsecrets\.external-secrets\.io$/,
    what: /names v1beta1 beside v1/,
  },
  {
    name: 'CRDs that go with a Helm release',
    id: 'crd-unprotected',
    prepare: async () => {
      writeEsoChart();
      await workplace.run(
        'helm install external-secrets external-secrets/external-secrets -n eso --create-namespace',
      );
      // What people do who have heard of the annotation: Helm does not look there.
      await workplace.run(
        'kubectl annotate crd pushsecrets.external-secrets.io helm.sh/resource-policy=keep',
      );
    },
    where: /^Helm release eso\/external-secrets$/,
    what: /`helm uninstall external-secrets -n eso` \(chart external-secrets 2\.9\.0\) would delete 1 CRD: pushsecrets/,
    after: async () => {
      await workplace.run('helm uninstall external-secrets -n eso');
      const { status } = await bed.cp.request('GET', `${DEFINITIONS}/pushsecrets.external-secrets.io`);
      assert.equal(status, 200, 'the release has kept its CRD');
      await remove(`${DEFINITIONS}/pushsecrets.external-secrets.io`);
    },
  },
  {
    name: 'the mutating webhook configuration was deleted',
    id: 'webhook-configuration-missing',
    prepare: () => remove(MUTATING),
    where: /^MutatingWebhookConfiguration zz-external-secrets-admission$/,
    what: /Secrets are made by the poller/,
  },
  {
    name: 'a webhook that is called for labelled namespaces only, and fails open',
    id: 'webhook-configuration-edited',
    prepare: () =>
      change(
        VALIDATING,
        { op: 'add', path: '/webhooks/0/namespaceSelector/matchLabels', value: { secrets: 'checked' } },
        { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' },
      ),
    where: /^ValidatingWebhookConfiguration external-secrets-admission$/,
    what: /^validate\.externalsecret\.external-secrets\.io: failurePolicy is Ignore.*without the label secrets/,
    also: ['webhook-not-asked'],
  },
  {
    name: 'a webhook configuration of an installation before',
    id: 'webhook-duplicate',
    prepare: async () => {
      const { body } = await bed.cp.request<{ webhooks: { name: string }[] }>('GET', VALIDATING);
      const webhooks = body.webhooks.filter(
        ({ name }) => name === 'validate.secretstore.external-secrets.io',
      );
      await create(`${ADMISSION}/validatingwebhookconfigurations`, {
        metadata: { name: 'secrets-of-old' },
        webhooks,
      });
    },
    where: /^ValidatingWebhookConfiguration secrets-of-old$/,
    what: /validate\.secretstore\.external-secrets\.io calls our Service/,
  },
  {
    name: 'webhooks of External Secrets Operator that were left behind',
    id: 'eso-webhook',
    prepare: () =>
      create(`${ADMISSION}/validatingwebhookconfigurations`, {
        metadata: { name: 'externalsecret-validate', labels: { 'external-secrets.io/component': 'webhook' } },
        webhooks: [
          {
            name: 'validate.externalsecret.external-secrets.io',
            rules: [
              {
                apiGroups: ['external-secrets.io'],
                apiVersions: ['v1'],
                operations: ['CREATE', 'UPDATE', 'DELETE'],
                resources: ['externalsecrets'],
              },
            ],
            clientConfig: {
              service: {
                namespace: 'eso',
                name: 'external-secrets-webhook',
                path: '/validate-external-secrets-io-v1-externalsecret',
              },
            },
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            failurePolicy: 'Fail',
            timeoutSeconds: 5,
          },
        ],
      }),
    where: /^ValidatingWebhookConfiguration externalsecret-validate$/,
    what: /Service external-secrets-webhook in namespace eso/,
    also: ['webhook-refuses'],
  },
  {
    name: 'the Service of the webhook was deleted',
    id: 'webhook-service',
    prepare: () => remove(`/api/v1/namespaces/${SYSTEM}/services/external-secrets-admission-webhook`),
    where: /^Service external-secrets-system\/external-secrets-admission-webhook$/,
    what: /does not exist/,
    also: ['webhook-unreachable'],
  },
  {
    name: 'the webhook is down',
    id: 'webhook-unreachable',
    prepare: stopWebhook,
    where: /^Service external-secrets-system\/external-secrets-admission-webhook$/,
    what: /connection refused/,
    also: ['webhook-lease'],
    cure: { words: /whether the webhook runs/, act: startWebhook },
  },
  {
    name: 'somebody asks cert-manager for the CA, and there is none',
    id: 'ca-bundle',
    prepare: async () => {
      await merge(VALIDATING, {
        metadata: { annotations: { 'cert-manager.io/inject-ca-from': `${SYSTEM}/webhook` } },
      });
      const { body } = await bed.cp.request<{ webhooks: unknown[] }>('GET', VALIDATING);
      await change(
        VALIDATING,
        ...body.webhooks.map((_, index) => ({
          op: 'remove',
          path: `/webhooks/${index}/clientConfig/caBundle`,
        })),
      );
    },
    where: /^ValidatingWebhookConfiguration external-secrets-admission$/,
    what: /cert-manager is asked to write its caBundle/,
    also: ['webhook-unreachable'],
  },
  {
    name: 'the CA and the path of the hooks were changed while the webhook was down',
    id: 'hook-path',
    prepare: async () => {
      await stopWebhook();
      await change(
        MUTATING,
        { op: 'replace', path: '/webhooks/0/clientConfig/service/path', value: '/mutate' },
        { op: 'remove', path: '/webhooks/0/clientConfig/caBundle' },
      );
    },
    where: /^MutatingWebhookConfiguration zz-external-secrets-admission$/,
    what: /is not that of Secret external-secrets-admission-ca/,
    also: ['webhook-unreachable', 'webhook-lease', 'ca-bundle'],
    cure: { words: /see whether it runs and may patch/, act: startWebhook },
  },
  {
    name: 'the Secret of the CA holds something of somebody else',
    id: 'ca-broken',
    prepare: async () => {
      await stopWebhook();
      await remove(CA);
      await create(`/api/v1/namespaces/${SYSTEM}/secrets`, {
        metadata: { name: 'external-secrets-admission-ca' },
        stringData: { 'ca.crt': 'nothing', 'ca.key': 'sentinel-of-a-key' },
      });
    },
    where: /^Secret external-secrets-system\/external-secrets-admission-ca$/,
    what: /ca\.crt is not a certificate\. It does not carry our label/,
    also: ['webhook-unreachable', 'webhook-lease'],
    after: startWebhook,
  },
  {
    name: 'the Secret of the CA was deleted while the webhook was down',
    id: 'ca-missing',
    prepare: async () => {
      await stopWebhook();
      await remove(CA);
    },
    where: /^Secret external-secrets-system\/external-secrets-admission-ca$/,
    what: /does not exist/,
    also: ['webhook-unreachable', 'webhook-lease'],
    cure: { words: /The webhook makes it when it runs/, act: startWebhook },
  },
  {
    name: 'the key of the pending marker was damaged',
    id: 'marker-key',
    prepare: () => merge(MARKER, { stringData: { current: 'short' } }),
    where: /^Secret external-secrets-system\/external-secrets-admission-marker$/,
    what: /holds no usable key/,
    after: restartBoth,
  },
  {
    name: 'rights were taken from the poller',
    id: 'rights-missing',
    prepare: async () => {
      const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles/external-secrets-admission-poller';
      const { body } = await bed.cp.request<{ rules: { resources: string[] }[] }>('GET', path);
      await merge(path, {
        rules: body.rules.filter(({ resources }) => !resources.includes('serviceaccounts/token')),
      });
    },
    where: /^ServiceAccount external-secrets-system\/external-secrets-admission-poller$/,
    what: /^The poller may not: create serviceaccounts\/token\.$/,
  },
  {
    name: 'no poller runs, and refreshes are late',
    id: 'poller-lease',
    prepare: async () => {
      await bed.product.poller.stop();
      await cluster.patch(
        'ExternalSecret',
        WHERE,
        'app',
        { status: { refreshTime: '2026-01-01T00:00:00Z' } },
        { subresource: 'status' },
      );
    },
    where: /^Lease external-secrets-system\/external-secrets-admission-poller$/,
    what: /Nobody holds it/,
    also: ['objects-late'],
    cure: { words: /whether the poller runs/, act: () => bed.product.poller.start() },
  },
  {
    name: 'the clock of the poller’s node is an hour ahead',
    id: 'clock-program',
    prepare: async () => {
      await bed.product.poller.stop();
      const renewTime = new Date(Date.now() + 3_600_000).toISOString().replace('Z', '000Z');
      await merge(LEASE, {
        spec: { holderIdentity: 'poller-elsewhere', leaseDurationSeconds: 15, renewTime },
      });
    },
    where: /^Lease external-secrets-system\/external-secrets-admission-poller$/,
    what: /poller-elsewhere wrote a time that is 3(599|600) s ahead of the API server/,
    cure: {
      words: /Set the clock of the node/,
      act: async () => {
        await merge(LEASE, { spec: { holderIdentity: '' } });
        await bed.product.poller.start();
      },
    },
  },
  {
    name: 'the Secret that a store logs in with was deleted',
    id: 'store-secret',
    prepare: () => cluster.remove('Secret', WHERE, 'vault-token'),
    where: /^SecretStore shop\/vault$/,
    what: /^Secret shop\/vault-token does not exist\.$/,
    also: ['objects-not-ready'],
    stdin: () => bed.openBao.token,
  },
  {
    name: 'a store of a provider that is not supported, from before',
    id: 'store-provider',
    // In a namespace that no webhook is called for.
    prepare: () =>
      cluster.create(
        secretStore('kube-system', 'old', {
          provider: { akeyless: { akeylessGWApiURL: 'https://example.com' } },
        }),
      ),
    where: /^SecretStore kube-system\/old$/,
    what: /provider akeyless is not supported yet; supported: .*vault/,
    also: ['store-not-ready'],
    cure: {
      words: /Use one of the providers/,
      act: () => cluster.remove('SecretStore', 'kube-system', 'old'),
    },
  },
  {
    name: 'a store whose credentials are refused',
    id: 'store-not-ready',
    prepare: async () => {
      await cluster.patch('Secret', WHERE, 'vault-token', { stringData: { token: 'sentinel-of-a-token' } });
      await eventually(async () => (await cluster.ready('SecretStore', WHERE, 'vault'))?.status === 'False', {
        timeout: WITHIN_MS,
        what: 'a store that is not ready',
      });
    },
    where: /^SecretStore shop\/vault$/,
    what: /InvalidProviderConfig: unable to validate store/,
    also: ['objects-not-ready'],
    cure: {
      words:
        /auth block of the store.*\(PROVIDER_UNAUTHENTICATED\)|read access to this key\. \(PROVIDER_DENIED\)/,
      act: () => cluster.patch('Secret', WHERE, 'vault-token', { stringData: { token: bed.openBao.token } }),
    },
  },
  {
    name: 'three ExternalSecrets of keys that do not exist',
    id: 'objects-not-ready',
    prepare: async () => {
      const names = ['gone-1', 'gone-2', 'gone-3'];
      await Promise.all(names.map((name) => cluster.create(externalSecret(WHERE, name, passwordOf(name)))));
      await Promise.all(names.map((name) => cluster.failing(WHERE, name, /gone/, WITHIN_MS)));
    },
    where: /^3 ExternalSecrets: shop\/gone-1, shop\/gone-2, shop\/gone-3$/,
    what: /could not get secret data from provider/,
    cure: {
      words: /Create the secret at the provider.*\(PROVIDER_NOT_FOUND\)/,
      act: () =>
        Promise.all(
          ['gone-1', 'gone-2', 'gone-3'].map((name) => cluster.remove('ExternalSecret', WHERE, name)),
        ),
    },
  },
  {
    name: 'the target of an ExternalSecret belongs to nobody',
    id: 'target-unmanaged',
    prepare: async () => {
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'theirs', namespace: WHERE },
        stringData: { mine: 'sentinel-of-a-value' },
      });
      await cluster.create(externalSecret(WHERE, 'theirs'));
      await cluster.failing(WHERE, 'theirs', /belongs to nobody/, WITHIN_MS);
    },
    where: /^ExternalSecret shop\/theirs$/,
    what: /Secret shop\/theirs exists and belongs to nobody/,
    after: () => cluster.remove('ExternalSecret', WHERE, 'theirs'),
  },
  {
    name: 'a Secret whose ExternalSecret is gone',
    id: 'secrets-orphaned',
    prepare: () =>
      cluster.create({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: 'left',
          namespace: WHERE,
          labels: {
            'reconcile.external-secrets.io/managed': 'true',
            'reconcile.external-secrets.io/created-by': 'f'.repeat(56),
          },
        },
      }),
    where: /^1 Secret: shop\/left$/,
    what: /labels of ExternalSecrets that do not exist/,
    isNote: true,
  },
  {
    name: 'External Secrets Operator runs beside',
    id: 'eso-running',
    prepare: () =>
      create(
        DEPLOYMENTS(WHERE),
        deployment(WHERE, 'external-secrets', 'ghcr.io/external-secrets/external-secrets:v2.9.0'),
      ),
    where: /^Deployment shop\/external-secrets$/,
    what: /It runs ghcr\.io\/external-secrets\/external-secrets:v2\.9\.0 with 1 replica/,
  },
  {
    name: 'kubernetes-external-secrets runs beside',
    id: 'kes-running',
    prepare: () =>
      create(
        DEPLOYMENTS(WHERE),
        deployment(WHERE, 'kes', 'ghcr.io/external-secrets/kubernetes-external-secrets:8.5.5'),
      ),
    where: /^Deployment shop\/kes$/,
    what: /kubernetes-external-secrets:8\.5\.5/,
  },
];

const told: string[] = [];
/** The fault that was not mended; what comes after it would only wait for nothing. */
let left: string | undefined;

/** Finds the fault, and nothing else that is not said to follow from it. */
async function found({ id, where, what, also = [], isNote }: Fault): Promise<Finding> {
  return eventually(
    async () => {
      const report = await look();
      const known = new Set<FindingId>([id, ...also]);
      assert.deepEqual(
        gravities(report).filter((one) => !known.has(one)),
        [],
        report.text,
      );
      assert.ok(!/sentinel-of/.test(report.text), 'no value is shown');
      const one = report.findings.find(
        (each) => each.id === id && where.test(each.where) && what.test(each.what),
      );
      assert.ok(one, report.text);
      assert.equal(report.code, isNote ? 0 : 1);
      return one;
    },
    { timeout: WITHIN_MS, interval: 500, what: `the finding ${id}` },
  );
}

describe('esa doctor', { concurrency: 1 }, () => {
  test('a healthy installation has no finding but the note on fairness', async () => {
    await clean();
    const { findings, checks } = await look();
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['flow-schema'],
    );
    // What a bed without nodes does not show is named.
    assert.deepEqual(
      checks.filter(({ unseen }) => unseen.length > 0).map(({ name }) => name),
      ['webhook reached', 'certificates and keys', 'webhook and poller'],
    );
  });

  test('the commands of the page', async () => {
    const page = readFileSync(join(ROOT, 'docs/doctor.md'), 'utf8');
    const [, block = ''] = /^```sh\n(.*?)^```$/ms.exec(page) ?? [];
    const commands = block.trim().split('\n');
    assert.equal(commands.length, 3);
    const [text = '', , json = ''] = await Promise.all(commands.map((command) => workplace.run(command)));
    assert.match(text, /^external-secrets-admission in namespace external-secrets-system\n/);
    assert.match(text, /^ok {10}CustomResourceDefinitions \(25 of ours\)$/m);
    assert.match(text, /\n0 errors, 0 warnings, 1 note; 3 things could not be seen\n$/);
    assert.equal((JSON.parse(json) as { errors: number }).errors, 0);
  });

  for (const fault of FAULTS)
    test(`found, with its remedy: ${fault.name}`, async () => {
      const { id, cure, stdin } = fault;
      assert.equal(left, undefined, 'a fault before this one was not mended');
      left = fault.name;
      await fault.prepare();
      const finding = await found(fault);
      if (cure === undefined) {
        assert.ok(finding.commands.length > 0, 'the remedy is a command');
        for (const command of finding.commands) await workplace.run(command, stdin?.());
      } else {
        assert.match(finding.remedy, cure.words);
        await cure.act();
      }
      await fault.after?.();
      await clean();
      left = undefined;
      const how = cure === undefined ? finding.commands.join(' && ') : finding.remedy;
      told.push(`${fault.name} -> ${finding.severity} ${id} -> ${how}`);
    });

  test(
    'found, with its remedy: a store that is being deleted waits for a finalizer of External Secrets Operator',
    needsGarbageCollection(),
    async () => {
      const finalizer = 'secretstore.externalsecrets.io/finalizer';
      const store = secretStore(WHERE, 'stuck', { provider: { fake: { data: [] } } });
      await cluster.create({ ...store, metadata: { ...store.metadata, finalizers: [finalizer] } });
      await cluster.remove('SecretStore', WHERE, 'stuck');
      const fault: Fault = {
        name: 'a finalizer of External Secrets Operator',
        id: 'eso-finalizer',
        prepare: async () => {},
        where: /^1 SecretStore: shop\/stuck$/,
        what: /held by secretstore\.externalsecrets\.io\/finalizer/,
      };
      const { commands } = await found(fault);
      for (const command of commands) await workplace.run(command);
      assert.equal(await cluster.find('SecretStore', WHERE, 'stuck'), undefined);
      await clean();
      told.push(`${fault.name} -> warning eso-finalizer -> ${commands.join(' && ')}`);
    },
  );

  test('the form of the chart: Deployments, Pods and what their metrics say', async () => {
    assert.equal(left, undefined, 'a fault before this one was not mended');
    let notAfter = Date.now() + 20 * 86_400_000;
    const address = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
    // In place of a Pod: the API server's proxy connects to its address, which must not be that of a loopback.
    const metrics = createServer((_, response) => {
      const series = 'esa_certificate_expiry_timestamp_seconds{certificate="serving"}';
      response.end(`${series} ${notAfter / 1000}\n`);
    });
    await new Promise<void>((resolve) => metrics.listen(0, address ?? '127.0.0.1', resolve));
    const port = (metrics.address() as AddressInfo).port;
    for (const program of ['webhook', 'poller'] as const) await installProgram(program, { address, port });
    const seen = async (id: FindingId, where: RegExp, what: RegExp, remedy: RegExp): Promise<Finding> => {
      const fault: Fault = { name: id, id, prepare: async () => {}, where, what };
      const one = await found(fault);
      assert.match([one.remedy, ...one.commands].join('\n'), remedy);
      told.push(`${what.source} -> ${one.severity} ${id} -> ${one.commands.join(' && ') || one.remedy}`);
      return one;
    };
    try {
      await clean();
      const { checks } = await look();
      const unseen = checks.flatMap((check) => check.unseen);
      assert.deepEqual(
        unseen.filter((one) => !one.startsWith('the endpoints of the webhook: ')),
        address === undefined ? ['the certificates that replicas serve'] : [],
      );

      if (address !== undefined) {
        notAfter = Date.now() - 1_000;
        await seen(
          'ca-expiry',
          /^Pod external-secrets-system\/webhook-0$/,
          /The certificate that it serves was over/,
          /rollout restart deployment\/external-secrets-admission-webhook/,
        );
        notAfter = Date.now() + 20 * 86_400_000;
      }

      await status('pods', 'webhook-0', {
        conditions: [{ type: 'Ready', status: 'False' }],
        containerStatuses: [
          {
            name: 'webhook',
            image: 'x',
            imageID: '',
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } },
          },
        ],
      });
      await status('deployments', 'external-secrets-admission-webhook', { replicas: 2, readyReplicas: 1 });
      const unready = await seen(
        'program-not-ready',
        /-webhook$/,
        /1 of 2 Pods ready; Pod webhook-0: ImagePullBackOff \(no such image\), restarted 3 times/,
        /describe pod webhook-0/,
      );
      await workplace.run(unready.commands[0] ?? '');
      await status('pods', 'webhook-0', { conditions: [{ type: 'Ready', status: 'True' }] });
      await status('deployments', 'external-secrets-admission-webhook', { replicas: 2, readyReplicas: 2 });

      const poller = `${DEPLOYMENTS(SYSTEM)}/external-secrets-admission-poller`;
      await merge(poller, { spec: { replicas: 0 } });
      const scaled = await seen('program-not-ready', /-poller$/, /It is scaled to 0/, /--replicas=1$/);
      for (const command of scaled.commands) await workplace.run(command);
      await clean();

      const image = (tag: string) => ({
        op: 'replace',
        path: '/spec/template/spec/containers/0/image',
        value: `example.com/esa:${tag}`,
      });
      await change(poller, image('v0.3.1'));
      await seen(
        'program-versions',
        /-webhook$/,
        /The webhook runs example\.com\/esa:0\.1\.0, the poller example\.com\/esa:v0\.3\.1/,
        /Upgrade the older one/,
      );
      await change(poller, image('0.1.0'));
      await clean();
    } finally {
      metrics.close();
      metrics.closeAllConnections();
    }
  });

  test('fifteen faults and more, each found and mended', () => {
    console.log(told.join('\n'));
    assert.ok(told.length >= 15);
  });
});
