/** Reads what the checks look at. Nothing is written; each list and each wait has a bound. */

import { GROUP, HUB_VERSION, OUR_GROUP } from '../../api/external-secrets/names.ts';
import type {
  ClusterExternalSecret,
  ExternalSecret,
  SecretStore,
} from '../../api/external-secrets/v1/index.ts';
import { type CallOptions, type KubeClient, METADATA_ONLY } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { getSecret, type KubeObject, type SecretObject } from '../../kube/objects.ts';
import { type ResourcePath, resourcePath } from '../../kube/path.ts';
import { MARKER_SECRET } from '../../sync/marker-keys.ts';
import type { Cluster } from '../cluster/access.ts';
import { listObjects } from '../cluster/list.ts';
import { readCertificates } from './gather-certificates.ts';
import { tryCreates } from './gather-probes.ts';
import { findReferences } from './gather-references.ts';
import { readReleases } from './gather-releases.ts';
import { reviewRights } from './gather-rights.ts';
import { installOf } from './install.ts';
import { seen } from './seen.ts';
import type {
  ClusterState,
  Configuration,
  Definition,
  Deployment,
  EndpointSlice,
  FlowSchema,
  Lease,
  Listed,
  MetadataOnly,
  Namespace,
  Pod,
  Seen,
  Service,
} from './state.ts';

/** Objects of one kind that are read; of more it is said that they were not. */
const MOST = 20_000;
export const CA_SECRET = 'external-secrets-admission-ca';

const ADMISSION = { group: 'admissionregistration.k8s.io', version: 'v1' };
const OURS = { group: GROUP, version: HUB_VERSION };

interface ListOptions {
  readonly metadataOnly?: boolean;
  readonly labels?: string;
}

async function list<T extends KubeObject>(
  { kube, call }: Pick<Cluster, 'kube' | 'call'>,
  at: ResourcePath,
  { metadataOnly = false, labels }: ListOptions = {},
): Promise<Listed<T>> {
  const items: T[] = [];
  const options = {
    ...call,
    query: { labelSelector: labels },
    ...(metadataOnly ? { accept: METADATA_ONLY.list } : {}),
  };
  for await (const item of listObjects<T>(kube, resourcePath(at), options)) {
    if (items.length === MOST) return { items, cut: true };
    // What made an object, field by field, is half of it and of no use here.
    items.push(
      at.resource === 'leases' ? item : { ...item, metadata: { ...item.metadata, managedFields: undefined } },
    );
  }
  return { items, cut: false };
}

const whole = async <T>(listed: Promise<Listed<T>>): Promise<readonly T[]> => (await listed).items;

/** A kind that the cluster does not have has no objects. */
const ifKnown = <T>(listed: Promise<Listed<T>>): Promise<Listed<T>> =>
  listed.catch((error: unknown) => {
    if (isNotFound(error)) return { items: [], cut: false };
    throw error;
  });

const secretOrNone = (kube: KubeClient, namespace: string, name: string, call: CallOptions) =>
  getSecret(kube, namespace, name, call).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });

/** Deployments of the whole cluster, or where that is not allowed of one namespace. */
async function readDeployments(
  cluster: Cluster,
  namespace: string | undefined,
): Promise<Seen<readonly Deployment[]>> {
  const at = { group: 'apps', version: 'v1', resource: 'deployments' };
  const all = await seen('Deployments', whole(list<Deployment & KubeObject>(cluster, at)));
  if (all.ok || namespace === undefined) return all;
  return seen('Deployments', whole(list<Deployment & KubeObject>(cluster, { ...at, namespace })));
}

async function readConfigurations(cluster: Cluster): Promise<readonly Configuration[]> {
  const [validating, mutating] = await Promise.all([
    list<Configuration & KubeObject>(cluster, { ...ADMISSION, resource: 'validatingwebhookconfigurations' }),
    list<Configuration & KubeObject>(cluster, { ...ADMISSION, resource: 'mutatingwebhookconfigurations' }),
  ]);
  return [...validating.items, ...mutating.items];
}

async function readStores(cluster: Cluster): Promise<Listed<SecretStore>> {
  const [own, shared] = await Promise.all([
    list<SecretStore>(cluster, { ...OURS, resource: 'secretstores' }),
    ifKnown(list<SecretStore>(cluster, { ...OURS, resource: 'clustersecretstores' })),
  ]);
  return { items: [...own.items, ...shared.items], cut: own.cut || shared.cut };
}

/** ESO's lease is in its own namespace, so those of all that have a Deployment of it are read. */
async function readLeases(cluster: Cluster, namespace: string): Promise<readonly Lease[]> {
  const at = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', namespace };
  return (await list<Lease>(cluster, at)).items;
}

export interface GatherOptions {
  /** Where the programs are; found out if absent. */
  readonly namespace: string | undefined;
  /** Says what is being read. */
  readonly progress: (text: string) => void;
}

/** @throws KubeError if the API server does not answer at all, or does not know who asks */
export async function gather(
  cluster: Cluster,
  { namespace: said, progress }: GatherOptions,
): Promise<ClusterState> {
  const { kube, call } = cluster;
  progress('asking the API server');
  const before = Date.now();
  const { version, time } = await kube.serverVersion(call);
  // In whole seconds; it was read somewhere between the two.
  const here = (before + Date.now()) / 2;
  const now = time === undefined ? here : time + 500;

  progress('reading CRDs, webhook configurations and Deployments');
  const [definitions, configurations, deployments] = await Promise.all([
    seen('CustomResourceDefinitions', readDefinitions(cluster)),
    seen('webhook configurations', readConfigurations(cluster)),
    readDeployments(cluster, said),
  ]);
  const install = installOf({ namespace: said, configurations, deployments });
  const { namespace } = install;
  const core = (resource: string): ResourcePath => ({ version: 'v1', resource, namespace });

  progress('reading what belongs to the installation');
  const [
    services,
    endpointSlices,
    pods,
    leases,
    accounts,
    authority,
    markerKey,
    flowSchemas,
    missingRights,
    probes,
    releases,
  ] = await Promise.all([
    seen('Services', whole(list<Service & KubeObject>(cluster, core('services')))),
    seen(
      'EndpointSlices',
      whole(
        list<EndpointSlice>(
          cluster,
          { ...core('endpointslices'), group: 'discovery.k8s.io' },
          { labels: `kubernetes.io/service-name=${install.service.name}` },
        ),
      ),
    ),
    seen('Pods', whole(list<Pod & KubeObject>(cluster, core('pods')))),
    seen('Leases', readLeases(cluster, namespace)),
    seen(
      'ServiceAccounts',
      whole(list<MetadataOnly>(cluster, core('serviceaccounts'), { metadataOnly: true })),
    ),
    seen<SecretObject | undefined>(`Secret ${CA_SECRET}`, secretOrNone(kube, namespace, CA_SECRET, call)),
    seen<SecretObject | undefined>(
      `Secret ${MARKER_SECRET}`,
      secretOrNone(kube, namespace, MARKER_SECRET, call),
    ),
    seen(
      'FlowSchemas',
      whole(
        list<FlowSchema>(cluster, {
          group: 'flowcontrol.apiserver.k8s.io',
          version: 'v1',
          resource: 'flowschemas',
        }),
      ),
    ),
    reviewRights(cluster, install, definitions),
    tryCreates(cluster, install, definitions),
    readReleases(cluster, definitions),
  ]);

  progress('reading stores, ExternalSecrets and Secrets');
  const scoped = install.scope === undefined ? {} : { namespace: install.scope };
  const [certificates, namespaces, stores, externalSecrets, clusterExternalSecrets, pushSecrets, secrets] =
    await Promise.all([
      readCertificates(cluster, install, pods),
      seen('Namespaces', list<Namespace & KubeObject>(cluster, { version: 'v1', resource: 'namespaces' })),
      seen('stores', readStores(cluster)),
      seen(
        'ExternalSecrets',
        list<ExternalSecret>(cluster, { ...OURS, resource: 'externalsecrets', ...scoped }),
      ),
      seen(
        'ClusterExternalSecrets',
        ifKnown(list<ClusterExternalSecret>(cluster, { ...OURS, resource: 'clusterexternalsecrets' })),
      ),
      seen(
        'PushSecrets',
        ifKnown(
          list<MetadataOnly>(
            cluster,
            { group: GROUP, version: 'v1alpha1', resource: 'pushsecrets' },
            { metadataOnly: true },
          ),
        ),
      ),
      seen(
        'Secrets',
        list<MetadataOnly>(
          cluster,
          { version: 'v1', resource: 'secrets', ...scoped },
          { metadataOnly: true },
        ),
      ),
    ]);
  progress('looking for what stores refer to');
  const references = await findReferences(cluster, stores, secrets);

  return {
    now,
    ownClockAheadMs: time === undefined ? undefined : here - now,
    version,
    install,
    definitions,
    configurations,
    services,
    endpointSlices,
    deployments,
    pods,
    leases,
    accounts,
    missingRights,
    authority,
    markerKey,
    certificates,
    flowSchemas,
    probes,
    releases,
    namespaces,
    stores,
    externalSecrets,
    clusterExternalSecrets,
    pushSecrets,
    secrets,
    references,
  };
}

/** Those that concern us: their schemas are large, and a cluster may have hundreds. */
async function readDefinitions(cluster: Cluster): Promise<readonly Definition[]> {
  const at = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
  const all = await list<MetadataOnly>(cluster, at, { metadataOnly: true });
  const names = all.items
    .map(({ metadata }) => metadata.name)
    .filter(
      (name) =>
        name.endsWith(`.${GROUP}`) ||
        name.endsWith(`.${OUR_GROUP}`) ||
        name.endsWith('.kubernetes-client.io'),
    );
  return Promise.all(
    names.map((name) =>
      cluster.kube.request<Definition>('GET', resourcePath({ ...at, name }), {
        ...cluster.call,
        what: `read CustomResourceDefinition ${name}`,
      }),
    ),
  );
}
