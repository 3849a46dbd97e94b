/**
 * The calls that the engine makes, each one request. Objects are plain JSON as the API server sent them.
 * All of them throw KubeError, or the EsaError that the caller's signal was aborted with.
 */
import { GROUP, HUB_VERSION, type StoreKind } from '../api/external-secrets/names.ts';
import { type GeneratorRefKind, generatorResource } from '../api/generators/names.ts';
import { KES_GROUP, KES_PLURAL, KES_VERSION, splitName } from '../api/kubernetes-client/names.ts';
import type { KubernetesObject, ObjectMeta } from '../api/meta.ts';
import { SecretValue } from '../api/secret-value.ts';
import { type CallOptions, type KubeClient, PATCH } from './client.ts';
import { KubeError } from './errors.ts';
import { type ResourcePath, resourcePath } from './path.ts';

/** A core/v1 Secret as it is on the wire: values in base64. */
export interface SecretObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

/** A core/v1 ConfigMap. */
export interface ConfigMapObject {
  readonly metadata: ObjectMeta;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

/** What every object has; narrow it with a type of your own. */
export type KubeObject = KubernetesObject & { readonly metadata: ObjectMeta };

export interface WriteOptions extends CallOptions {
  /** Recorded in managedFields for what this write sets. */
  readonly fieldManager: string;
}

const secretPath = (namespace: string, name?: string): string =>
  resourcePath({ version: 'v1', resource: 'secrets', namespace, name });

export const getSecret = (
  kube: KubeClient,
  namespace: string,
  name: string,
  options: CallOptions = {},
): Promise<SecretObject> =>
  kube.request('GET', secretPath(namespace, name), { ...options, what: `read Secret ${namespace}/${name}` });

/** POST: never overwrites (isAlreadyExists). `secret.metadata` names the namespace and the Secret. */
export function createSecret(
  kube: KubeClient,
  secret: SecretObject,
  options: WriteOptions,
): Promise<SecretObject> {
  const { namespace, name } = named(secret);
  const { fieldManager, ...call } = options;
  return kube.request('POST', secretPath(namespace), {
    ...call,
    query: { fieldManager },
    body: { ...secret, apiVersion: 'v1', kind: 'Secret' },
    what: `create Secret ${namespace}/${name}`,
  });
}

/**
 * PUT of the whole Secret. `secret.metadata.resourceVersion` is what was read; if the Secret has changed
 * since, nothing is written (isConflict).
 */
export function replaceSecret(
  kube: KubeClient,
  secret: SecretObject,
  options: WriteOptions,
): Promise<SecretObject> {
  const { namespace, name } = named(secret);
  requireVersion(secret.metadata.resourceVersion);
  const { fieldManager, ...call } = options;
  return kube.request('PUT', secretPath(namespace, name), {
    ...call,
    query: { fieldManager },
    body: { ...secret, apiVersion: 'v1', kind: 'Secret' },
    what: `replace Secret ${namespace}/${name}`,
  });
}

/**
 * JSON merge patch (null removes a key), on condition that the Secret still has `resourceVersion`
 * (isConflict otherwise; if it is gone, isNotFound).
 */
export function patchSecret(
  kube: KubeClient,
  at: { readonly namespace: string; readonly name: string; readonly resourceVersion: string },
  patch: Readonly<Record<string, unknown>>,
  options: WriteOptions,
): Promise<SecretObject> {
  requireVersion(at.resourceVersion);
  const { fieldManager, ...call } = options;
  return kube.request('PATCH', secretPath(at.namespace, at.name), {
    ...call,
    query: { fieldManager },
    contentType: PATCH.merge,
    body: withVersion(patch, at.resourceVersion),
    what: `patch Secret ${at.namespace}/${at.name}`,
  });
}

/** DELETE of exactly this Secret in exactly this version (isConflict otherwise). */
export async function deleteSecret(
  kube: KubeClient,
  at: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  },
  options: CallOptions = {},
): Promise<void> {
  requireVersion(at.resourceVersion);
  await kube.request('DELETE', secretPath(at.namespace, at.name), {
    ...options,
    body: { preconditions: { uid: at.uid, resourceVersion: at.resourceVersion } },
    what: `delete Secret ${at.namespace}/${at.name}`,
  });
}

export const getConfigMap = (
  kube: KubeClient,
  namespace: string,
  name: string,
  options: CallOptions = {},
): Promise<ConfigMapObject> =>
  kube.request('GET', resourcePath({ version: 'v1', resource: 'configmaps', namespace, name }), {
    ...options,
    what: `read ConfigMap ${namespace}/${name}`,
  });

export const getServiceAccount = (
  kube: KubeClient,
  namespace: string,
  name: string,
  options: CallOptions = {},
): Promise<KubeObject> =>
  kube.request('GET', resourcePath({ version: 'v1', resource: 'serviceaccounts', namespace, name }), {
    ...options,
    what: `read ServiceAccount ${namespace}/${name}`,
  });

export const getNamespace = (
  kube: KubeClient,
  name: string,
  options: CallOptions = {},
): Promise<KubeObject> =>
  kube.request('GET', resourcePath({ version: 'v1', resource: 'namespaces', name }), {
    ...options,
    what: `read Namespace ${name}`,
  });

/** An ExternalSecret in the hub version, or one of KES as it is stored. @param name see `qualifiedName` */
export const getExternalSecret = <T extends KubeObject>(
  kube: KubeClient,
  namespace: string,
  name: string,
  options: CallOptions = {},
): Promise<T> =>
  kube.request('GET', externalSecretPath(namespace, name), {
    ...options,
    what: `read ExternalSecret ${namespace}/${name}`,
  });

/** A SecretStore of `namespace`, or a ClusterSecretStore (`namespace` undefined), in the hub version. */
export const getStore = <T extends KubeObject>(
  kube: KubeClient,
  store: { readonly kind: StoreKind; readonly namespace: string | undefined; readonly name: string },
  options: CallOptions = {},
): Promise<T> =>
  kube.request('GET', storePath(store), { ...options, what: `read ${store.kind} ${store.name}` });

/** A generator of `namespace`, or one of the cluster if its kind is. */
export function getGenerator<T extends KubeObject>(
  kube: KubeClient,
  generator: { readonly kind: GeneratorRefKind; readonly namespace: string; readonly name: string },
  options: CallOptions = {},
): Promise<T> {
  const { kind, namespace, name } = generator;
  const { namespaced, ...resource } = generatorResource(kind);
  const path = resourcePath({ ...resource, namespace: namespaced ? namespace : undefined, name });
  return kube.request('GET', path, { ...options, what: `read ${kind} ${name}` });
}

/** Path of an ExternalSecret in the hub version, or of one of KES if the name says so (see `qualifiedName`). */
export function externalSecretPath(namespace: string, name?: string, subresource?: 'status'): string {
  const { kes, name: own } = splitName(name ?? '');
  const kind = kes
    ? { group: KES_GROUP, version: KES_VERSION, resource: KES_PLURAL }
    : { group: GROUP, version: HUB_VERSION, resource: 'externalsecrets' };
  return resourcePath({ ...kind, namespace, name: name === undefined ? undefined : own, subresource });
}

/** Path of a store in the hub version. */
const storePath = (store: {
  readonly kind: StoreKind;
  readonly namespace: string | undefined;
  readonly name: string;
}): string =>
  resourcePath({
    group: GROUP,
    version: HUB_VERSION,
    resource: store.kind === 'SecretStore' ? 'secretstores' : 'clustersecretstores',
    namespace: store.kind === 'SecretStore' ? store.namespace : undefined,
    name: store.name,
  });

/**
 * JSON merge patch of the status subresource, on condition of `resourceVersion` if one is given
 * (isConflict otherwise). @returns the object after it
 */
export function patchStatus<T extends KubeObject>(
  kube: KubeClient,
  at: ResourcePath & { readonly name: string; readonly resourceVersion?: string | undefined },
  status: unknown,
  options: WriteOptions,
): Promise<T> {
  const { fieldManager, ...call } = options;
  return kube.request('PATCH', resourcePath({ ...at, subresource: 'status' }), {
    ...call,
    query: { fieldManager },
    contentType: PATCH.merge,
    body: at.resourceVersion === undefined ? { status } : withVersion({ status }, at.resourceVersion),
    what: `write status of ${at.resource} ${at.namespace === undefined ? '' : `${at.namespace}/`}${at.name}`,
  });
}

/** Whose token to make, for whom, and for how long. No audiences: those of the API server itself. */
export interface TokenOrder {
  readonly namespace: string;
  readonly name: string;
  readonly audiences: readonly string[];
  /** The API server takes 600 at least, and may shorten it. */
  readonly expirationSeconds: number;
}

/** A bound token of a ServiceAccount (TokenRequest). @returns expiresAt in milliseconds since the epoch */
export async function createToken(
  kube: KubeClient,
  order: TokenOrder,
  options: CallOptions = {},
): Promise<{ token: SecretValue; expiresAt: number }> {
  const { namespace, name, audiences, expirationSeconds } = order;
  resourcePath({ version: 'v1', resource: 'serviceaccounts', namespace, name }); // checks both names
  const answer = await kube.call(
    `request a token of ServiceAccount ${namespace}/${name}`,
    options,
    (callOptions) =>
      kube.core.createNamespacedServiceAccountToken(
        { namespace, name, body: { spec: { audiences: [...audiences], expirationSeconds } } },
        callOptions,
      ),
  );
  const { token, expirationTimestamp } = answer.status ?? {};
  if (!token || !expirationTimestamp) {
    throw new KubeError(`request a token of ServiceAccount ${namespace}/${name}: the answer holds no token`, {
      status: 0,
      reason: 'InvalidResponse',
    });
  }
  return { token: SecretValue.fromText(token), expiresAt: expirationTimestamp.getTime() };
}

/** The caller as an AdmissionReview's userInfo describes it. */
export interface UserInfo {
  readonly username?: string | undefined;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface AccessQuestion {
  readonly verb: string;
  readonly group: string;
  readonly version?: string | undefined;
  readonly resource: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/** May this user do that (SubjectAccessReview)? A review that was not decided counts as no. */
export async function reviewAccess(
  kube: KubeClient,
  user: UserInfo,
  question: AccessQuestion,
  options: CallOptions = {},
): Promise<boolean> {
  const extra = Object.entries(user.extra ?? {}).map(
    ([key, values]) => [key, [...values]] as [string, string[]],
  );
  const review = await kube.call(
    `review access to ${question.verb} ${question.resource}`,
    options,
    (callOptions) =>
      kube.authorization.createSubjectAccessReview(
        {
          body: {
            spec: {
              ...(user.username === undefined ? {} : { user: user.username }),
              ...(user.uid === undefined ? {} : { uid: user.uid }),
              ...(user.groups === undefined ? {} : { groups: [...user.groups] }),
              extra: Object.fromEntries(extra),
              resourceAttributes: definedOnly(question),
            },
          },
        },
        callOptions,
      ),
  );
  return review.status?.allowed === true && review.status.denied !== true;
}

function named(object: KubeObject): { namespace: string; name: string } {
  const { namespace, name } = object.metadata;
  if (!namespace || !name) throw new TypeError('an object without namespace or name cannot be written');
  return { namespace, name };
}

// An empty resourceVersion would be an unconditional write, which design forbids.
function requireVersion(resourceVersion: string | undefined): void {
  if (!resourceVersion) throw new TypeError('a conditional write needs the resourceVersion that was read');
}

function withVersion(patch: Readonly<Record<string, unknown>>, resourceVersion: string): unknown {
  const metadata = patch['metadata'];
  return {
    ...patch,
    metadata: { ...(typeof metadata === 'object' ? metadata : {}), resourceVersion },
  };
}

function definedOnly<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
