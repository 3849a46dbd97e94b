/**
 * The chart as docs/install.md has a user install, change, remove and bring it back. The Deployments, ReplicaSets and Pods
 * are those of the real controllers; the Pods run as processes of this machine (test/harness/kubelet.ts).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ObjectMeta } from '../../api/meta.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import { blocksOf } from '../docs/blocks.ts';
import { programDirectory, runScript } from '../docs/commands.ts';
import { pageFiles, pageText } from '../docs/pages.ts';
import { type Balancer, startBalancer } from '../harness/balancer.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { CHART, helm, helmOutput } from '../harness/helm.ts';
import { type Kubelet, startKubelet } from '../harness/kubelet.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { Cluster, valuesOf } from './support/cluster.ts';
import { kubeconform } from './support/kubeconform.ts';
import { administer, enableKubernetesAuth, externalSecret, namespace } from './support/vault.ts';

const NAMESPACE = 'external-secrets-system';
const PAGE = 'docs/install.md';
/** Those with commands that need Deployments. */
const RUNBOOKS = [
  'docs/runbooks/ExternalSecretsOtherPhase.md',
  'docs/runbooks/ExternalSecretsVersionsDiffer.md',
];
/** Of the article on kubernetes-external-secrets, the misspelt namespace too. */
const KES = {
  account: { namespace: 'external-secretes', name: 'external-secrets-kubernetes-external-secrets' },
  role: 'kubernetes-external-secrets',
  key: 'kubernetes/data/cool/secrets',
};
const MIB = 1024 * 1024;
/** A busy machine may be slow; helm waits until the Pods are ready. */
const PATIENCE = ['--timeout', '10m'];
/** Kinds that only other people's CRDs make, as far as an API server has to know them to take an object. */
const FOREIGN_KINDS = [
  ['cert-manager.io', 'certificates', 'Certificate'],
  ['cert-manager.io', 'issuers', 'Issuer'],
  ['monitoring.coreos.com', 'servicemonitors', 'ServiceMonitor'],
  ['monitoring.coreos.com', 'prometheusrules', 'PrometheusRule'],
] as const;
/** Of all kinds that the chart has. */
const GROUP_VERSIONS = [
  'api/v1',
  ...[
    'admissionregistration.k8s.io',
    'apps',
    'cert-manager.io',
    'flowcontrol.apiserver.k8s.io',
    'monitoring.coreos.com',
    'networking.k8s.io',
    'policy',
    'rbac.authorization.k8s.io',
  ].map((group) => `apis/${group}/v1`),
];

let cp: ControlPlane;
let openBao: OpenBao;
let cluster: Cluster;
let balancer: Balancer;
let kubelet: Kubelet;

/** A namespace in which no Pod may be more than PodSecurity `restricted` allows. */
const restricted = (name: string) =>
  namespace(name, {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/warn': 'restricted',
  });

before(async () => {
  [openBao, cp, balancer] = await Promise.all([
    startOpenBao(),
    startControlPlane({
      controllers: ['deployment-controller', 'replicaset-controller'],
      // Both families of addresses.
      apiServerArgs: ['--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112'],
    }),
    startBalancer(),
  ]);
  cluster = new Cluster(cp);
  kubelet = startKubelet({ cluster: cp, namespace: NAMESPACE, balancer });
  await cluster.create(restricted(NAMESPACE));
});
after(async () => {
  await kubelet?.stop();
  await Promise.all([balancer?.stop(), cp?.stop(), openBao?.stop()]);
});

const page = readFileSync(join(ROOT, PAGE), 'utf8');

/** The arguments of the first command of the page that begins with these words. */
function documented(words: string): readonly string[] {
  const command = page.split('\n').find((line) => line.startsWith(words));
  assert.ok(command, `${PAGE} has no "${words}"`);
  return command
    .split(' ')
    .slice(1)
    .map((word) => (word === 'deploy/chart' ? CHART : word));
}

/** What leads the API server to the processes of this machine, and is quick enough for a test. */
const reach = () => ({
  webhook: {
    service: { type: 'ExternalName', externalName: 'localhost', port: balancer.port },
    lameDuck: '2s',
  },
});
const install = (): Promise<string> =>
  helmOutput([...documented('helm install'), ...PATIENCE], { cluster: cp, values: reach() });

interface Pod {
  readonly metadata: ObjectMeta & { readonly labels: Readonly<Record<string, string>> };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Programs of the Pods that are ready and not on their way out, in alphabetical order. */
async function readyPods(): Promise<readonly string[]> {
  const { items } = JSON.parse(await cp.kubectlOutput([...documented('kubectl get pods'), '-o', 'json'])) as {
    readonly items: readonly Pod[];
  };
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ status }) => status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'))
    .map(({ metadata }) => metadata.labels['app.kubernetes.io/component'] ?? '')
    .toSorted((a, b) => (a < b ? -1 : 1));
}

const greeting = (name: string) =>
  externalSecret('default', name, {
    secretStoreRef: { name: 'first' },
    data: [{ secretKey: 'greeting', remoteRef: { key: 'greeting' } }],
  });

/** Creates ExternalSecrets, one after the other, until it is stopped. */
function createAllTheTime(): { stop(): Promise<readonly { status: number; words: string }[]> } {
  let stopping = false;
  const answers: { status: number; words: string }[] = [];
  const done = (async () => {
    for (let count = 0; !stopping; count += 1) {
      const { status, body } = await cluster.attempt(greeting(`load-${count}`));
      answers.push({ status, words: body.message ?? '' });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return {
    stop: async () => {
      stopping = true;
      await done;
      return answers;
    },
  };
}

describe('docs/install.md with Helm', () => {
  test('S15 install: all Pods are ready, and the certificate is in place without cert-manager', async () => {
    await install();
    assert.deepEqual(await readyPods(), ['poller', 'webhook', 'webhook']);
    assert.deepEqual(kubelet.failures, []);
    const { body } = await cp.request<{ webhooks: readonly { clientConfig: { caBundle?: string } }[] }>(
      'GET',
      '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/external-secrets-admission',
    );
    assert.ok(body.webhooks.every(({ clientConfig }) => (clientConfig.caBundle ?? '') !== ''));
  });

  test('runbooks: Deployments answer what they are asked, and the Pods are found whose logs are wanted', async () => {
    const blocks = pageFiles()
      .filter((file) => file.startsWith('docs/runbooks/'))
      .flatMap((file) => blocksOf(pageText(file)).map((block) => ({ ...block, file })));
    const place = {
      directory: temporaryDirectory('runbooks'),
      programs: programDirectory({ kubectl: cp.kubectlBinary }),
      env: { KUBECONFIG: cp.kubeconfig },
    };
    const own = blocks.filter(({ marker }) => marker === 'run by: test/e2e/chart-install.test.ts');
    assert.deepEqual([...new Set(own.map(({ file }) => file))], RUNBOOKS);
    for (const { file, text } of own)
      await eventually(
        async () => {
          const { code, stdout } = await runScript(text, place);
          assert.equal(code, 0, stdout);
          assert.notEqual(stdout, '');
          return true;
        },
        { timeout: 60_000, what: `an answer to ${file}` },
      );

    // Only a node could answer the others, but whom they mean can be told.
    const asked = blocks
      .filter(({ marker }) => marker?.startsWith('not run: a node '))
      .map(({ text }) => text);
    const selectors = new Set(asked.flatMap((text) => / -l (\S+)/.exec(text)?.[1] ?? []));
    const deployments = new Set(asked.flatMap((text) => / (deployment\/\S+)/.exec(text)?.[1] ?? []));
    assert.deepEqual([selectors.size, deployments.size], [2, 2]);
    for (const selector of selectors) {
      const found = await cp.kubectlOutput(['get', 'pods', '-n', NAMESPACE, '-l', selector, '-o', 'name']);
      assert.notEqual(found, '', selector);
    }
    await cp.kubectlOutput(['get', '-n', NAMESPACE, ...deployments]);
  });

  test('a first Secret is there when kubectl returns', async () => {
    const stdin = /# first-secret\.yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    await cp.kubectlOutput(['apply', '-f', '-'], { stdin });
    await cp.kubectlOutput(documented('kubectl get secret first'));
    assert.deepEqual(valuesOf(await cluster.get('Secret', 'default', 'first')), { greeting: 'hello' });
  });

  test('a release fits into the Secret that Helm keeps it in, with room to grow', async () => {
    const { body } = await cp.request<{
      items: readonly { type: string; data: Readonly<Record<string, string>> }[];
    }>('GET', `/api/v1/namespaces/${NAMESPACE}/secrets?labelSelector=owner%3Dhelm`);
    const bytes = body.items.map(({ data }) => Buffer.from(data['release'] ?? '', 'base64').length);
    assert.equal(bytes.length, 1);
    assert.ok((bytes[0] ?? MIB) < 0.6 * MIB, `${bytes.join()} bytes`);
  });

  test('the dry run of an upgrade is taken by the API server', async () => {
    await helmOutput(documented('helm upgrade'), { cluster: cp, values: reach() });
  });

  test('S54 an upgrade refuses no create; KES logs in to Vault with the account and the role of the article', async () => {
    await cluster.create(namespace(KES.account.namespace));
    await enableKubernetesAuth({ cp, openBao }, cluster, []);
    await administer(openBao, 'POST', 'sys/mounts/kubernetes', { type: 'kv', options: { version: '2' } });
    await administer(openBao, 'PUT', 'sys/policies/acl/reader', {
      policy: 'path "kubernetes/data/*" { capabilities = ["read"] }',
    });
    await administer(openBao, 'POST', `auth/kubernetes/role/${KES.role}`, {
      bound_service_account_names: [KES.account.name],
      bound_service_account_namespaces: [KES.account.namespace],
      audience: 'vault',
      token_policies: ['reader'],
    });
    await administer(openBao, 'POST', KES.key, { data: { test: 't0p' } });
    const values = {
      ...reach(),
      replicaCount: 2,
      log: { level: 'debug' },
      kes: {
        enabled: true,
        vaultAudience: 'vault',
        env: { VAULT_ADDR: openBao.address },
        serviceAccount: { create: true, ...KES.account },
      },
    };
    const load = createAllTheTime();
    const command = documented('helm upgrade').filter((word) => !word.startsWith('--dry-run'));
    await helmOutput([...command, '--wait', ...PATIENCE], { cluster: cp, values });
    const answers = await load.stop();
    assert.ok(answers.length > 5);
    assert.deepEqual(
      answers.filter(({ status }) => status !== 201),
      [],
    );
    assert.deepEqual(kubelet.failures, []);
    assert.deepEqual(await readyPods(), ['poller', 'poller', 'webhook', 'webhook']);

    await cluster.create({
      apiVersion: 'kubernetes-client.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'cool-secret', namespace: 'default' },
      spec: {
        backendType: 'vault',
        vaultMountPoint: 'kubernetes',
        vaultRole: KES.role,
        data: [{ name: 'test', key: KES.key, property: 'test' }],
      },
    });
    const secret = await eventually(() => cluster.get('Secret', 'default', 'cool-secret'), {
      timeout: 60_000,
      what: 'the Secret of KES',
    });
    assert.deepEqual(valuesOf(secret), { test: 't0p' });
  });
});

describe('every rendering is taken by the API server and by kubeconform, field by field', () => {
  let conforms: Awaited<ReturnType<typeof kubeconform>>;

  before(async () => {
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const items = FOREIGN_KINDS.map(([group, plural, kind]) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural, kind },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    }));
    const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    await cp.kubectlOutput(['apply', '-f', '-'], { stdin });
    for (const name of ['team-a', 'elsewhere']) await cluster.create(restricted(name));
    await eventually(async () => (await cp.kubectl(['get', 'issuers,prometheusrules', '-A'])).code === 0, {
      timeout: 30_000,
      what: 'the kinds of others',
    });
    conforms = await kubeconform(cp, GROUP_VERSIONS);
  });

  for (const file of readdirSync(join(CHART, 'ci'))) {
    test(file, async () => {
      const values = ['--values', join(CHART, 'ci', file), '--set', 'installCRDs=false'];
      // Another release, so that nothing is merged with what is installed.
      const stdin = await helmOutput(['template', 'matrix', CHART, '-n', NAMESPACE, ...values]);
      const apply = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict'];
      const { code, stderr } = await cp.kubectl([...apply, '-f', '-'], { stdin });
      assert.equal(code, 0, stderr);
      // With hostNetwork no Pod can be restricted.
      if (file !== 'own-ca-values.yaml') assert.doesNotMatch(stderr, /would violate/);
      const checked = await conforms(stdin);
      assert.equal(checked.code, 0, checked.stdout + checked.stderr);
    });
  }

  test('a dry run of helm says what changes nothing', async () => {
    const values = ['--values', join(CHART, 'ci', 'eso-values.yaml'), '--set', 'installCRDs=false'];
    const { code, stdout, stderr } = await helm(
      ['install', 'matrix', CHART, '-n', NAMESPACE, '--dry-run=server', ...values],
      { cluster: cp },
    );
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /Values that change nothing here:\n(.*\n)*? {2}certController: there is no cert controller/,
    );
  });
});

describe('docs/install.md: removing it', () => {
  let secret: ObjectMeta;

  test('uninstall: the programs go; CRDs, objects and Secrets stay', async () => {
    const settled = await eventually(
      async () => {
        const { metadata } = await cluster.get('Secret', 'default', 'first');
        return metadata.ownerReferences?.length === 1 ? metadata : undefined;
      },
      { timeout: 60_000, what: 'the adoption of the first Secret' },
    );
    secret = settled;
    await helmOutput([...documented('helm uninstall'), ...PATIENCE], { cluster: cp });
    await eventually(async () => kubelet.running('poller').length + kubelet.running('webhook').length === 0, {
      timeout: 60_000,
      what: 'the end of the programs',
    });
    const { metadata } = await cluster.get('Secret', 'default', 'first');
    assert.deepEqual([metadata.uid, metadata.resourceVersion], [secret.uid, secret.resourceVersion]);
    await cp.kubectlOutput(['get', 'externalsecrets.external-secrets.io', 'first']);
    await cp.kubectlOutput(['get', 'externalsecrets.kubernetes-client.io', 'cool-secret']);
    const { stdout } = await cp.kubectl(['get', 'all,clusterroles', '-n', NAMESPACE, '-o', 'name']);
    assert.doesNotMatch(stdout, /external-secrets-admission/);
  });

  test('kustomize: the base and the example are rendered, and the base is taken by the API server', async () => {
    for (const folder of ['base', 'example'])
      await cp.kubectlOutput(['kustomize', join(ROOT, 'deploy/kustomize', folder)]);
    const apply = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict'];
    const { code, stderr } = await cp.kubectl([...apply, '-k', join(ROOT, 'deploy/kustomize/base')]);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /would violate/);
  });

  test('install again: what is there is taken over, and no Secret is written', async () => {
    await install();
    assert.deepEqual(await readyPods(), ['poller', 'webhook', 'webhook']);
    await cluster.create(greeting('again'));
    assert.deepEqual(valuesOf(await cluster.get('Secret', 'default', 'again')), { greeting: 'hello' });
    const { metadata } = await cluster.get('Secret', 'default', 'first');
    assert.deepEqual([metadata.uid, metadata.resourceVersion], [secret.uid, secret.resourceVersion]);
    assert.deepEqual(kubelet.failures, []);
  });
});
