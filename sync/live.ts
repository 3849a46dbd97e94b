/**
 * Stores, namespaces and what stores refer to, read from the API server when asked. Reviews that ask for the
 * same object at the same time share one GET, but only one that began after each of them arrived: a store
 * applied a moment before the ExternalSecret, perhaps through another API server, is seen.
 */
import type { Clock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import {
  createToken,
  getConfigMap,
  getExternalSecret,
  getGenerator,
  getNamespace,
  getSecret,
  getServiceAccount,
  getStore,
  type SecretObject,
} from '../kube/objects.ts';
import type { KeyReference, NamedDependency, ProviderPorts } from '../providers/contract.ts';
import { orAbort } from './abort.ts';
import { FreshReads } from './fresh-reads.ts';
import type { GeneratorObject, GeneratorReader } from './generators.ts';
import { notServed, type Scope, WHOLE_CLUSTER } from './scope.ts';
import { decodeData } from './secret-data.ts';
import type { StoreObject, StoreReader } from './stores.ts';
import type { TemplateReader } from './template-sources.ts';

/** A shared GET is not bound to the deadline of one of those who wait for it. */
const READ_TIMEOUT_MS = 5_000;

/** How objects are read that are looked at for what they say about others. undefined = there is none. */
export interface ObjectReader {
  secret(namespace: string, name: string, signal: AbortSignal): Promise<SecretObject | undefined>;
  externalSecret(namespace: string, name: string, signal: AbortSignal): Promise<ExternalSecret | undefined>;
  /** Why nothing can be read there, in the words of the ports; undefined if the object and its key exist. */
  whyMissing(dependency: NamedDependency, signal: AbortSignal): Promise<string | undefined>;
}

async function ifFound<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export class LiveCluster {
  readonly #kube: KubeClient;
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #reads: FreshReads<unknown>;

  /** @param scope kinds that are not in it are not read: whoever asks for one gets KIND_NOT_SERVED */
  constructor(kube: KubeClient, clock: Clock, scope: Scope = WHOLE_CLUSTER) {
    this.#kube = kube;
    this.#clock = clock;
    this.#scope = scope;
    this.#reads = new FreshReads({ clock, keepMs: 0 });
  }

  /** @param notBefore what is read is at least as new as this moment (monotonic milliseconds) */
  reader(notBefore: number): StoreReader {
    return {
      store: async (kind, namespace, name, signal) => {
        const refusal = notServed(this.#scope, kind, name);
        if (refusal !== undefined) throw refusal;
        return this.#get(`${kind}/${namespace ?? ''}/${name}`, notBefore, signal, (options) =>
          ifFound(getStore<StoreObject>(this.#kube, { kind, namespace, name }, options)),
        );
      },
      namespaceLabels: async (name, signal) => {
        const object = await this.#get(`namespace/${name}`, notBefore, signal, (options) =>
          getNamespace(this.#kube, name, options),
        );
        return object.metadata.labels ?? {};
      },
    };
  }

  /** Annotations of a namespace. @param notBefore as for `reader` */
  async namespaceAnnotations(
    name: string,
    notBefore: number,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>> {
    const object = await this.#get(`namespace/${name}`, notBefore, signal, (options) =>
      getNamespace(this.#kube, name, options),
    );
    return object.metadata.annotations ?? {};
  }

  /** The objects that templateFrom names. @param notBefore as for `reader` */
  templates(notBefore: number): TemplateReader {
    return {
      configMap: async (namespace, name, signal) => {
        const configMap = await this.#get(`configmap/${namespace}/${name}`, notBefore, signal, (options) =>
          ifFound(getConfigMap(this.#kube, namespace, name, options)),
        );
        return configMap === undefined ? undefined : (configMap.data ?? {});
      },
      secret: async (namespace, name, signal) => {
        const secret = await this.#get(`secret/${namespace}/${name}`, notBefore, signal, (options) =>
          ifFound(getSecret(this.#kube, namespace, name, options)),
        );
        return secret === undefined ? undefined : decodeData(secret);
      },
    };
  }

  /** Objects that are looked at for what they say about others. @param notBefore as for `reader` */
  objects(notBefore: number): ObjectReader {
    const secret = (namespace: string, name: string, signal: AbortSignal) =>
      this.#get(`secret/${namespace}/${name}`, notBefore, signal, (options) =>
        ifFound(getSecret(this.#kube, namespace, name, options)),
      );
    return {
      secret,
      externalSecret: (namespace, name, signal) =>
        this.#get(`externalsecret/${namespace}/${name}`, notBefore, signal, (options) =>
          ifFound(getExternalSecret<ExternalSecret>(this.#kube, namespace, name, options)),
        ),
      whyMissing: async ({ kind, namespace, name, key = '' }, signal) => {
        const ref = { namespace, name, key };
        if (kind === 'Secret') {
          const found = await secret(namespace, name, signal);
          // Without a key the whole Secret is meant.
          if (key !== '') return whyNoKey(found, kind, ref);
          return found === undefined ? missing(kind, ref) : undefined;
        }
        if (kind === 'ConfigMap') {
          const configMap = await this.#get(`configmap/${namespace}/${name}`, notBefore, signal, (options) =>
            ifFound(getConfigMap(this.#kube, namespace, name, options)),
          );
          return whyNoKey(configMap, kind, ref);
        }
        const account = await this.#get(`serviceaccount/${namespace}/${name}`, notBefore, signal, (options) =>
          ifFound(getServiceAccount(this.#kube, namespace, name, options)),
        );
        return account === undefined ? noServiceAccount(namespace, name) : undefined;
      },
    };
  }

  /** The objects alone are shared between those who ask at one time, never what is made from them. */
  generators(notBefore: () => number): GeneratorReader {
    return {
      ports: this.ports(notBefore),
      generator: async ({ kind, name }, namespace, signal) => {
        const refusal = notServed(this.#scope, kind, name);
        if (refusal !== undefined) throw refusal;
        return this.#get(`${kind}/${namespace}/${name}`, notBefore(), signal, (options) =>
          ifFound(getGenerator<GeneratorObject>(this.#kube, { kind, namespace, name }, options)),
        );
      },
    };
  }

  ports(notBefore: () => number): ProviderPorts {
    return {
      clock: this.#clock,
      secretKey: async (ref, signal) => {
        const secret = await this.#get(
          `secret/${ref.namespace}/${ref.name}`,
          notBefore(),
          signal,
          (options) => ifFound(getSecret(this.#kube, ref.namespace, ref.name, options)),
        );
        const text = keyOf(secret, 'Secret', ref);
        return { value: SecretValue.fromBytes(Buffer.from(text, 'base64')), version: version(secret) };
      },
      secret: async ({ namespace, name }, signal) => {
        const secret = await this.#get(`secret/${namespace}/${name}`, notBefore(), signal, (options) =>
          ifFound(getSecret(this.#kube, namespace, name, options)),
        );
        if (secret === undefined)
          throw new EsaError('REFERENCE_NOT_FOUND', missing('Secret', { namespace, name }));
        const data = [...decodeData(secret)].map(
          ([key, bytes]) => [key, SecretValue.fromBytes(bytes)] as const,
        );
        return { labels: secret.metadata.labels ?? {}, data: new Map(data) };
      },
      configMapKey: async (ref, signal) => {
        const configMap = await this.#get(
          `configmap/${ref.namespace}/${ref.name}`,
          notBefore(),
          signal,
          (options) => ifFound(getConfigMap(this.#kube, ref.namespace, ref.name, options)),
        );
        return {
          value: keyOf(configMap, 'ConfigMap', ref),
          version: version(configMap),
        };
      },
      apiServer: async () => ({
        url: this.#kube.server,
        ca: await this.#kube.certificateAuthority(),
      }),
      serviceAccountToken: async (request, signal) => {
        try {
          return await createToken(this.#kube, request, { signal });
        } catch (error) {
          if (!isNotFound(error)) throw error;
          throw new EsaError('REFERENCE_NOT_FOUND', noServiceAccount(request.namespace, request.name));
        }
      },
      serviceAccountAnnotations: async (namespace, name, signal) => {
        const account = await this.#get(
          `serviceaccount/${namespace}/${name}`,
          notBefore(),
          signal,
          (options) => ifFound(getServiceAccount(this.#kube, namespace, name, options)),
        );
        if (account !== undefined) return account.metadata.annotations ?? {};
        throw new EsaError('REFERENCE_NOT_FOUND', noServiceAccount(namespace, name));
      },
    };
  }

  #get<T>(
    key: string,
    notBefore: number,
    signal: AbortSignal,
    read: (options: { timeoutMs: number }) => Promise<T>,
  ): Promise<T> {
    const shared = this.#reads.get(key, notBefore, () => read({ timeoutMs: READ_TIMEOUT_MS })) as Promise<T>;
    return orAbort(shared, signal, `reading ${key}`);
  }
}

const version = (
  object: { metadata: { uid?: string | undefined; resourceVersion?: string | undefined } } | undefined,
): string => `${object?.metadata.uid ?? ''}/${object?.metadata.resourceVersion ?? ''}`;

type Keyed = { readonly data?: Readonly<Record<string, string>> } | undefined;

function keyOf(object: Keyed, kind: 'Secret' | 'ConfigMap', ref: KeyReference): string {
  const why = whyNoKey(object, kind, ref);
  if (why !== undefined) throw new EsaError('REFERENCE_NOT_FOUND', why);
  return object?.data?.[ref.key] ?? '';
}

function whyNoKey(object: Keyed, kind: 'Secret' | 'ConfigMap', ref: KeyReference): string | undefined {
  if (object === undefined) return missing(kind, ref);
  return Object.hasOwn(object.data ?? {}, ref.key)
    ? undefined
    : `${kind} ${ref.namespace}/${ref.name} has no key "${ref.key}"`;
}

/** The sentence is the one that ESO's users know from its events. */
const missing = (kind: 'Secret' | 'ConfigMap', { namespace, name }: Omit<KeyReference, 'key'>): string =>
  `cannot get Kubernetes ${kind === 'Secret' ? 'secret' : 'configmap'} "${name}" from namespace "${namespace}": not found`;

const noServiceAccount = (namespace: string, name: string): string =>
  `ServiceAccount ${namespace}/${name} not found`;
