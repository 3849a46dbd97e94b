/**
 * Installs the product on a control plane of the harness from the same files that users apply. Only what
 * needs a node differs: Deployments are left out, and the Service leads to this machine's loopback.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { ROOT } from '../../tools/setup/paths.mjs';
import type { ControlPlane } from './control-plane.ts';

export interface InstallOptions {
  /** `external-secrets-system` by default. */
  readonly namespace?: string;
  /** Port of 127.0.0.1 that the API server finds the hooks on. */
  readonly webhookPort: number;
  /** Registers the validating and the mutating configuration; true by default. */
  readonly configurations?: boolean;
  /** Registers the conversion webhook in the CRDs; false means strategy None. True by default. */
  readonly conversion?: boolean;
}

export interface Installation {
  readonly namespace: string;
  readonly configurations: boolean;
  readonly conversion: boolean;
  readonly serviceName: string;
  /** Paths of kubeconfigs that log in as the programs' ServiceAccounts, with their RBAC and no more. */
  readonly kubeconfigs: { readonly webhook: string; readonly poller: string };
}

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
interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: { conversion?: { strategy: string; webhook?: { clientConfig?: { service?: ServiceReference } } } };
  webhooks?: { clientConfig: { service?: ServiceReference } }[];
}

function readManifests(directory: string, namespace: string): Manifest[] {
  const path = join(ROOT, directory);
  return readdirSync(path)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .flatMap((file) => {
      const text = readFileSync(join(path, file), 'utf8').replaceAll(MANIFEST_NAMESPACE, namespace);
      return parseAllDocuments(text).map((document) => document.toJS() as Manifest | null);
    })
    .filter((manifest) => manifest !== null);
}

/** The API server runs on this machine, so it may resolve the Service's name itself. */
function leadToLoopback(manifest: Manifest, port: number): void {
  if (manifest.kind === 'Service') {
    Object.assign(manifest, { spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] } });
  }
  const services = [
    ...(manifest.webhooks ?? []).map(({ clientConfig }) => clientConfig.service),
    manifest.spec?.conversion?.webhook?.clientConfig?.service,
  ];
  for (const service of services) if (service !== undefined) service.port = port;
}

async function apply(cp: ControlPlane, manifests: readonly Manifest[]): Promise<void> {
  const stdin = manifests
    .map((manifest) => stringify(manifest, { aliasDuplicateObjects: false }))
    .join('---\n');
  await cp.kubectlOutput(['apply', '-f', '-'], { stdin });
}

/** @throws Error with kubectl's words if a manifest is refused */
export async function installProduct(
  cp: ControlPlane,
  { namespace = MANIFEST_NAMESPACE, webhookPort, configurations = true, conversion = true }: InstallOptions,
): Promise<Installation> {
  const crds = readManifests('deploy/crds', namespace);
  const others = readManifests('deploy/manifests', namespace).filter(
    ({ kind }) => kind !== 'Deployment' && (configurations || !kind.endsWith('WebhookConfiguration')),
  );
  for (const manifest of [...crds, ...others]) {
    if (!conversion && manifest.spec?.conversion !== undefined)
      manifest.spec.conversion = { strategy: 'None' };
    leadToLoopback(manifest, webhookPort);
  }
  // A namespace has to be there before what goes into it.
  const namespacesFirst = others.toSorted(
    (a, b) => Number(b.kind === 'Namespace') - Number(a.kind === 'Namespace'),
  );
  await apply(cp, [...namespacesFirst, ...crds]);
  const names = crds.map(({ metadata }) => `crd/${metadata.name}`);
  await cp.kubectlOutput(['wait', '--for=condition=Established', '--timeout=30s', ...names]);

  // Owners of a kind that the garbage collector does not know yet would be collected late.
  if (cp.processes['kube-controller-manager'] !== undefined) await cp.startControllerManager();

  const kubeconfigOf = async (account: string): Promise<string> =>
    cp.writeKubeconfig(`${namespace}-${account}`, await cp.serviceAccountToken(namespace, account));
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
