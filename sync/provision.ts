/** Brings the ExternalSecret of a ClusterExternalSecret into one namespace, or takes it out: the requests. */
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { type KubeClient, PATCH } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound } from '../kube/errors.ts';
import { externalSecretPath, getExternalSecret } from '../kube/objects.ts';
import {
  changesTo,
  clusterOwner,
  desiredExternalSecret,
  externalSecretName,
  type PatchStep,
} from './cluster-external-secret.ts';

/**
 * `unchanged`: no request was needed. `gone`: the namespace is going or gone, so nothing is wanted there any more.
 * `refused`: what stands there is not touched.
 */
export type Provisioned =
  | { readonly result: 'created' | 'changed' | 'unchanged' | 'gone' }
  | { readonly result: 'refused'; readonly reason: string };

interface ProvisionDeps {
  readonly kube: KubeClient;
  readonly signal: AbortSignal;
}

/** The hooks that the API server calls for a create may take up to 34 s together. */
const WRITE_TIMEOUT_MS = 40_000;
const FIELD_MANAGER = 'external-secrets';
/** Somebody who changes the object all the time is left to a later turn. */
const MAX_TRIES = 3;

/**
 * @param seen the object of that name as it is known; undefined if none is
 * @throws KubeError, of which some are worth another try
 */
export async function provision(
  ces: ClusterExternalSecret,
  namespace: string,
  seen: ExternalSecret | undefined,
  deps: ProvisionDeps,
): Promise<Provisioned> {
  const name = externalSecretName(ces);
  const desired = desiredExternalSecret(ces, namespace);
  let live = seen;
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (live === undefined) {
        await create(desired, namespace, name, deps);
        return { result: 'created' };
      }
      const reason = whyUntouchable(live, ces);
      if (reason !== undefined) return { result: 'refused', reason };
      const steps = changesTo(live, desired);
      if (steps.length === 0) return { result: 'unchanged' };
      await change(steps, namespace, name, deps);
      return { result: 'changed' };
    } catch (error) {
      if (isNamespaceTerminating(error) || (live === undefined && isNotFound(error)))
        return { result: 'gone' };
      const outdated = isAlreadyExists(error) || isConflict(error) || isNotFound(error);
      if (!outdated || attempt === MAX_TRIES) throw error;
      live = await findExternalSecret(namespace, name, deps);
    }
  }
}

/** Deletes the object in the version that was seen, if it still belongs to this ClusterExternalSecret. @throws KubeError */
export async function withdraw(
  ces: ClusterExternalSecret,
  seen: ExternalSecret,
  deps: ProvisionDeps,
): Promise<void> {
  const { namespace = '', name = '' } = seen.metadata;
  let live: ExternalSecret | undefined = seen;
  for (let attempt = 1; live !== undefined && clusterOwner(live) === ces.metadata.name; attempt += 1) {
    const { uid, resourceVersion, deletionTimestamp } = live.metadata;
    if (deletionTimestamp !== undefined) return;
    try {
      await deps.kube.request('DELETE', externalSecretPath(namespace, name), {
        body: { preconditions: { uid, resourceVersion } },
        signal: deps.signal,
        timeoutMs: WRITE_TIMEOUT_MS,
        what: `delete ExternalSecret ${namespace}/${name}`,
      });
      return;
    } catch (error) {
      if (isNotFound(error)) return;
      if (!isConflict(error) || attempt === MAX_TRIES) throw error;
      live = await findExternalSecret(namespace, name, deps);
    }
  }
}

function whyUntouchable(live: ExternalSecret, ces: ClusterExternalSecret): string | undefined {
  const owner = clusterOwner(live);
  if (owner !== ces.metadata.name) {
    const whose =
      owner === undefined
        ? 'it was not made by this ClusterExternalSecret'
        : `it belongs to ClusterExternalSecret ${owner}`;
    return `external secret already exists in namespace: ${whose} and is left as it is`;
  }
  return live.metadata.deletionTimestamp === undefined
    ? undefined
    : 'the ExternalSecret is being deleted; it is made anew when it is gone';
}

async function create(
  desired: ExternalSecret,
  namespace: string,
  name: string,
  { kube, signal }: ProvisionDeps,
): Promise<void> {
  await kube.request('POST', externalSecretPath(namespace), {
    body: desired,
    query: { fieldManager: FIELD_MANAGER },
    signal,
    timeoutMs: WRITE_TIMEOUT_MS,
    what: `create ExternalSecret ${namespace}/${name}`,
  });
}

async function change(
  steps: readonly PatchStep[],
  namespace: string,
  name: string,
  { kube, signal }: ProvisionDeps,
): Promise<void> {
  await kube.request('PATCH', externalSecretPath(namespace, name), {
    contentType: PATCH.json,
    body: steps,
    query: { fieldManager: FIELD_MANAGER },
    signal,
    timeoutMs: WRITE_TIMEOUT_MS,
    what: `change ExternalSecret ${namespace}/${name}`,
  });
}

/** The ExternalSecret as it is now; undefined = there is none. @throws KubeError */
export async function findExternalSecret(
  namespace: string,
  name: string,
  { kube, signal }: ProvisionDeps,
): Promise<ExternalSecret | undefined> {
  try {
    return await getExternalSecret<ExternalSecret>(kube, namespace, name, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
