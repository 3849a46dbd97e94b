/**
 * ExternalSecrets of KES beside those of ours. Most clusters have none, and nobody there shall notice that they were looked
 * for: the requests go beside the others, and a kind that the API server does not serve has no objects, also for those
 * whom it refuses before it says so.
 */
import { toEsaError } from '../../api/errors.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { readKesEnvironment } from '../../api/kubernetes-client/environment.ts';
import { KES_API_VERSION, KES_GROUP } from '../../api/kubernetes-client/names.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { checkKes } from '../../policy/check-kes.ts';
import { UsageError } from '../terminal.ts';
import type { Cluster } from './access.ts';
import { listObjects } from './list.ts';
import { getNamed, type Named, NotThere, namesOf, notThere, pathOf, readNamed } from './named.ts';

/**
 * In place of the environment of the programs where only names and times count: with it a key is named as the provider
 * names it. Nothing is ever read with it.
 */
export const KES_ASSUMED = readKesEnvironment(
  {
    VAULT_ADDR: 'https://vault.invalid',
    DEFAULT_VAULT_MOUNT_POINT: 'kubernetes',
    DEFAULT_VAULT_ROLE: 'kes',
    AZURE_CLIENT_ID: 'id',
    AZURE_CLIENT_SECRET: 'none',
    GOOGLE_APPLICATION_CREDENTIALS: '/none',
  },
  { serviceAccount: { namespace: 'kes', name: 'kes' }, vaultAudience: undefined },
);

/** In the form of the hub, for who asks what it reads and whether it is synced, and not from where. */
export const kesAsHub = (object: KubeObject): ExternalSecret => checkKes(object, KES_ASSUMED).hub;

export interface KesListed {
  /** In the form of the hub, see kesAsHub. */
  readonly objects: readonly ExternalSecret[];
  /** Why they could not be listed. */
  readonly unread: readonly string[];
}

/** @param namespace undefined: all of them */
export async function listKes(
  cluster: Pick<Cluster, 'kube' | 'call'>,
  namespace: string | undefined,
): Promise<KesListed> {
  const objects: ExternalSecret[] = [];
  try {
    for await (const object of listObjects(
      cluster.kube,
      pathOf('KesExternalSecret', namespace),
      cluster.call,
    ))
      objects.push(kesAsHub(object));
    return { objects, unread: [] };
  } catch (error) {
    return { objects, unread: (await concerns(cluster, error)) ? [toEsaError(error).message] : [] };
  }
}

/** False if what a request for KES failed with only says that there is nothing of KES. */
async function concerns({ kube, call }: Pick<Cluster, 'kube' | 'call'>, error: unknown): Promise<boolean> {
  if (isNotFound(error)) return false;
  if (!isForbidden(error)) return true;
  try {
    // Everybody who is logged in may ask this.
    await kube.request('GET', `/apis/${KES_API_VERSION}`, { ...call, what: `look for ${KES_API_VERSION}` });
    return true;
  } catch (answer) {
    return !isNotFound(answer);
  }
}

/**
 * The ExternalSecret that is meant, of one group or the other; isKes tells which.
 * @throws UsageError if both have one of the name and no group was said; NotThere; KubeError
 */
export async function getExternalSecret(cluster: Cluster, named: Named): Promise<KubeObject> {
  if (!named.anyGroup) return getNamed(cluster, named);
  const { name } = named;
  const [own, kes] = await Promise.allSettled([
    readNamed<KubeObject>(cluster, { kind: 'ExternalSecret', name }),
    readNamed<KubeObject>(cluster, { kind: 'KesExternalSecret', name }),
  ]);
  if (own.status === 'fulfilled') {
    if (kes.status === 'rejected') return own.value;
    throw new UsageError(
      `namespace ${cluster.namespace} has two ExternalSecrets ${name}: write kes/${name} for that of ${KES_GROUP}, externalsecrets.external-secrets.io/${name} for the other`,
    );
  }
  if (kes.status === 'fulfilled') return kes.value;
  if (!isNotFound(own.reason)) throw own.reason;
  const [names, others = [], isSaid] = await Promise.all([
    namesOf(cluster, 'ExternalSecret'),
    namesOf(cluster, 'KesExternalSecret'),
    concerns(cluster, kes.reason),
  ]);
  if (names === undefined) throw own.reason;
  const missing = notThere(cluster, named, [...names, ...others.map((other) => `kes/${other}`)]);
  throw isSaid ? new NotThere(`${missing.message}; ${toEsaError(kes.reason).message}`) : missing;
}
