/** How the poller of a cluster serves ExternalSecrets of KES: by the flags and the environment of its Deployment. */
import { EsaError, toEsaError } from '../../api/errors.ts';
import type { KesEnvironment } from '../../api/kubernetes-client/environment.ts';
import { KES_CREDENTIALS } from '../../api/kubernetes-client/to-hub.ts';
import { isNotFound } from '../../kube/errors.ts';
import { getConfigMap, type KubeObject } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/path.ts';
import { takeKesEnvironment } from '../../sync/kes/take-environment.ts';
import type { Cluster } from '../cluster/access.ts';
import { KES_ASSUMED } from '../cluster/kes.ts';
import { listObjects } from '../cluster/list.ts';
import { readKesEnvironment } from '../convert/kes-environment.ts';
import { flag, PART_OF, programOf } from '../doctor/install.ts';
import type { Deployment } from '../doctor/state.ts';

export interface KesPoller {
  /** `off`: it runs without --kes. `unknown`: its Deployment cannot be read, or is none. */
  readonly state: 'serves' | 'off' | 'unknown';
  /** What it works with; with `unknown` something that names can be told with, and no more. */
  readonly environment: KesEnvironment;
  /** What was not seen of it. */
  readonly unseen: readonly string[];
}

const CREDENTIALS: readonly string[] = [
  KES_CREDENTIALS.azureClientId,
  KES_CREDENTIALS.azureClientSecret,
  KES_CREDENTIALS.googleKey,
];

type Container = NonNullable<NonNullable<Deployment['spec']['template']['spec']>['containers']>[number] & {
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name?: string } }[];
};

/** No value of a Secret is read. */
export async function kesPollerOf(cluster: Cluster, systemNamespace: string): Promise<KesPoller> {
  try {
    const deployment = await pollerDeployment(cluster, systemNamespace);
    if (deployment === undefined)
      return unknown(`there is no Deployment of the poller in namespace ${systemNamespace}`);
    const container: Container | undefined = deployment.spec.template.spec?.containers?.[0];
    const { args = [], envFrom = [] } = container ?? {};
    if (!args.includes('--kes')) return { state: 'off', environment: KES_ASSUMED, unseen: [] };
    return await environmentOf(cluster, systemNamespace, deployment, args, envFrom);
  } catch (error) {
    if (error instanceof EsaError) return unknown(error.message);
    throw error;
  }
}

const unknown = (why: string): KesPoller => ({ state: 'unknown', environment: KES_ASSUMED, unseen: [why] });

async function pollerDeployment(
  { kube, call }: Cluster,
  namespace: string,
): Promise<(Deployment & KubeObject) | undefined> {
  const path = resourcePath({ group: 'apps', version: 'v1', resource: 'deployments', namespace });
  const query = { labelSelector: `app.kubernetes.io/part-of=${PART_OF}` };
  for await (const one of listObjects<Deployment & KubeObject>(kube, path, { ...call, query }))
    if (programOf(one) === 'poller') return one;
  return undefined;
}

async function environmentOf(
  { kube, call }: Cluster,
  namespace: string,
  deployment: Deployment & KubeObject,
  args: readonly string[],
  envFrom: NonNullable<Container['envFrom']>,
): Promise<KesPoller> {
  const sources = await Promise.all(
    envFrom
      .flatMap(({ configMapRef }) => configMapRef?.name ?? [])
      .map(async (name) => {
        try {
          const { data } = await getConfigMap(kube, namespace, name, call);
          return [{ object: { kind: 'ConfigMap', metadata: { name }, data } }];
        } catch (error) {
          // It is named below, as what comes from a Secret is.
          if (isNotFound(error) || toEsaError(error).code === 'KUBE_API') return [];
          throw error;
        }
      }),
  );
  const read = readKesEnvironment([{ object: { ...deployment } }, ...sources.flat()], {
    namespace,
    serviceAccount: undefined,
    vaultAudience: undefined,
    values: new Map(),
  });
  const variables: NodeJS.ProcessEnv = Object.fromEntries(read.values);
  const unseen = [...read.unseen];
  for (const [name, { name: secret }] of read.secrets) {
    // Of these it counts that they are there.
    if (CREDENTIALS.includes(name)) variables[name] = 'set';
    else unseen.push(`${name}, of Secret ${secret}`);
  }
  const flags = {
    kes: true,
    'kes-service-account': flag(args, 'kes-service-account'),
    'kes-vault-audience': flag(args, 'kes-vault-audience'),
  };
  const taken = takeKesEnvironment(flags, namespace, variables);
  return { state: 'serves', environment: taken?.environment ?? KES_ASSUMED, unseen };
}
