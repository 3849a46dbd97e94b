/**
 * Installs the product from the same files that users apply. Only what needs a node differs: Deployments are
 * left out, and the Service leads to this machine.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../../tools/setup/paths.mjs';
import type { Phase } from '../../webhook/mutate.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';

export interface InstallOptions {
  /** `external-secrets-system` by default. */
  readonly namespace?: string;
  /** Where the API server finds the hooks: a name or an IPv4 address, `localhost` by default, and a port. */
  readonly webhookHost?: string;
  readonly webhookPort: number;
  /** Registers the validating and the mutating configuration; true by default. */
  readonly configurations?: boolean;
  /** Which of the two sets of configurations; `mutating` by default. */
  readonly materialiseIn?: Phase;
  /** Registers the conversion webhook in the CRDs; false means strategy None. True by default. */
  readonly conversion?: boolean;
  /** Installs the CRD of kubernetes-external-secrets, too. */
  readonly kes?: boolean;
  /** Names of CRDs that the cluster has and keeps as they are; none by default. */
  readonly keptCrds?: readonly string[];
  /** Put on every object. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Installation {
  readonly namespace: string;
  /** A namespace whose objects are served; `default` by default. */
  readonly probeIn?: string;
  readonly configurations: boolean;
  readonly conversion: boolean;
  readonly serviceName: string;
  /** Paths of kubeconfigs that log in as the programs' ServiceAccounts, with their RBAC and no more. */
  readonly kubeconfigs: { readonly webhook: string; readonly poller: string };
}

/** What is nothing without a node. */
const OF_NODES = ['Deployment', 'PodDisruptionBudget'];
const MANIFEST_NAMESPACE = 'external-secrets-system';
const SERVICE_NAME = 'external-secrets-admission-webhook';
const SERVICE_ACCOUNTS = {
  webhook: 'external-secrets-admission-webhook',
  poller: 'external-secrets-admission-poller',
};

interface ServiceReference {
  name: string;
  port?: number;
}

/** A manifest as far as it is looked at here. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: { conversion?: { strategy: string; webhook?: { clientConfig?: { service?: ServiceReference } } } };
  webhooks?: { clientConfig: { service?: ServiceReference } }[];
}

/** Parsing them all takes half a second of CPU, which each bed would spend; so what was parsed once is kept. */
function parsed(text: string): Manifest[] {
  const directory = join(ROOT, '.cache/manifests');
  const file = join(directory, `${hash('sha256', text)}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Manifest[];
  const manifests = parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
  mkdirSync(directory, { recursive: true });
  // Others may do the same at the same moment, and must not see half a file.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(manifests));
  renameSync(draft, file);
  return manifests;
}

function readManifests(directory: string, namespace: string): Manifest[] {
  const path = join(ROOT, directory);
  return readdirSync(path)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .flatMap((file) =>
      parsed(readFileSync(join(path, file), 'utf8').replaceAll(MANIFEST_NAMESPACE, namespace)),
    );
}

/** True for a webhook configuration. */
export const isConfiguration = ({ kind }: Manifest): boolean => kind.endsWith('WebhookConfiguration');

/** A Service of this type is resolved by the API server itself, which then connects from where it runs. */
function leadTo(manifest: Manifest, host: string, port: number): void {
  if (manifest.kind === 'Service') {
    Object.assign(manifest, { spec: { type: 'ExternalName', externalName: host, ports: [{ port }] } });
  }
  const services = [
    ...(manifest.webhooks ?? []).map(({ clientConfig }) => clientConfig.service),
    manifest.spec?.conversion?.webhook?.clientConfig?.service,
  ];
  for (const service of services) if (service !== undefined) service.port = port;
}

/** Everything that installProduct() applies with these options, in that order. */
export function productManifests({
  namespace = MANIFEST_NAMESPACE,
  webhookHost = 'localhost',
  webhookPort,
  configurations = true,
  materialiseIn = 'mutating',
  conversion = true,
  kes = false,
  keptCrds = [],
  labels = {},
}: InstallOptions): readonly Manifest[] {
  const crds = [
    ...readManifests('deploy/crds', namespace),
    ...(kes ? readManifests('deploy/kes', namespace) : []),
  ].filter(({ metadata }) => !keptCrds.includes(metadata.name));
  const others = readManifests('deploy/manifests', namespace).filter(
    (manifest) =>
      !OF_NODES.includes(manifest.kind) &&
      ((configurations && materialiseIn === 'mutating') || !isConfiguration(manifest)),
  );
  if (configurations && materialiseIn === 'validating')
    others.push(...readManifests('deploy/materialise-in-validating', namespace));
  for (const manifest of [...crds, ...others]) {
    if (!conversion && manifest.spec?.conversion !== undefined)
      manifest.spec.conversion = { strategy: 'None' };
    leadTo(manifest, webhookHost, webhookPort);
    manifest.metadata.labels = { ...manifest.metadata.labels, ...labels };
  }
  // A namespace has to be there before what goes into it.
  const namespacesFirst = others.toSorted(
    (a, b) => Number(b.kind === 'Namespace') - Number(a.kind === 'Namespace'),
  );
  return [...namespacesFirst, ...crds];
}

/** For `kubectl ... -f -`. */
export const manifestText = (items: readonly Manifest[]): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
}

/**
 * Waits until the API server lists these kinds in its discovery, which it does once they are established. (It would
 * send more than a megabyte of definitions for each look at their conditions.)
 */
async function established(cluster: Cluster, crds: readonly Manifest[]): Promise<void> {
  const wanted = new Map<string, string[]>();
  for (const crd of crds) {
    const { group, names, versions } = (crd as Manifest & Definition).spec;
    for (const { name } of versions.filter(({ served }) => served)) {
      const path = `/apis/${group}/${name}`;
      wanted.set(path, [...(wanted.get(path) ?? []), names.plural]);
    }
  }
  for (const [path, plurals] of wanted) {
    await eventually(
      async () => {
        const { body } = await cluster.request<{ resources?: readonly { name: string }[] }>('GET', path);
        const served = new Set((body.resources ?? []).map(({ name }) => name));
        assert.deepEqual(
          plurals.filter((plural) => !served.has(plural)),
          [],
        );
        return true;
      },
      { timeout: 30_000, what: `the new kinds of ${path} are established` },
    );
  }
}

/** @throws Error with kubectl's words if a manifest is refused */
export async function installProduct(cluster: Cluster, options: InstallOptions): Promise<Installation> {
  const { namespace = MANIFEST_NAMESPACE, configurations = true, conversion = true } = options;
  const manifests = productManifests(options);
  const stdin = manifestText(manifests);
  // Checked by tests of their own; here it would have the API server write its whole OpenAPI each time.
  const rest = ['--validate=false', '-f', '-'];
  // What `apply` leaves where nothing was, without its look at each object; something of it may be there.
  const { code } = await cluster.kubectl(['create', '--save-config', ...rest], { stdin });
  if (code !== 0) await cluster.kubectlOutput(['apply', ...rest], { stdin });
  await established(
    cluster,
    manifests.filter(({ kind }) => kind === 'CustomResourceDefinition'),
  );
  await cluster.kindsChanged();

  const kubeconfigOf = async (account: string): Promise<string> =>
    cluster.writeKubeconfig(`${namespace}-${account}`, await cluster.serviceAccountToken(namespace, account));
  const [webhook, poller] = await Promise.all([
    kubeconfigOf(SERVICE_ACCOUNTS.webhook),
    kubeconfigOf(SERVICE_ACCOUNTS.poller),
  ]);
  return {
    namespace,
    configurations,
    conversion,
    serviceName: SERVICE_NAME,
    kubeconfigs: { webhook, poller },
  };
}
