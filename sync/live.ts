/**
 * Stores, namespaces and what stores refer to, read from the API server when asked. Reviews that ask for the
 * same object at the same time share one GET, but only one that began after each of them arrived: a store
 * applied a moment before the ExternalSecret, perhaps through another API server, is seen.
 */
import type { Clock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import {
  createToken,
  getConfigMap,
  getGenerator,
  getNamespace,
  getSecret,
  getServiceAccount,
  getStore,
} from '../kube/objects.ts';
import type { KeyReference, ProviderPorts } from '../providers/contract.ts';
import { orAbort } from './abort.ts';
import { FreshReads } from './fresh-reads.ts';
import type { GeneratorObject, GeneratorReader } from './generators.ts';
import { decodeData } from './secret-data.ts';
import type { StoreObject, StoreReader } from './stores.ts';
import type { TemplateReader } from './template-sources.ts';

/** A shared GET is not bound to the deadline of one of those who wait for it. */
const READ_TIMEOUT_MS = 5_000;

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
  readonly #reads: FreshReads<unknown>;

  constructor(kube: KubeClient, clock: Clock) {
    this.#kube = kube;
    this.#clock = clock;
    this.#reads = new FreshReads({ clock, keepMs: 0 });
  }

  /** @param notBefore what is read is at least as new as this moment (monotonic milliseconds) */
  reader(notBefore: number): StoreReader {
    return {
      store: (kind, namespace, name, signal) =>
        this.#get(`${kind}/${namespace ?? ''}/${name}`, notBefore, signal, (options) =>
          ifFound(getStore<StoreObject>(this.#kube, { kind, namespace, name }, options)),
        ),
      namespaceLabels: async (name, signal) => {
        const object = await this.#get(`namespace/${name}`, notBefore, signal, (options) =>
          getNamespace(this.#kube, name, options),
        );
        return object.metadata.labels ?? {};
      },
    };
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

  /** The objects alone are shared between those who ask at one time, never what is made from them. */
  generators(notBefore: () => number): GeneratorReader {
    return {
      generator: ({ kind, name }, namespace, signal) =>
        this.#get(`${kind}/${namespace}/${name}`, notBefore(), signal, (options) =>
          ifFound(getGenerator<GeneratorObject>(this.#kube, { kind, namespace, name }, options)),
        ),
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
        const text = keyOf(secret?.data, 'Secret', secret !== undefined, ref);
        return { value: SecretValue.fromBytes(Buffer.from(text, 'base64')), version: version(secret) };
      },
      configMapKey: async (ref, signal) => {
        const configMap = await this.#get(
          `configmap/${ref.namespace}/${ref.name}`,
          notBefore(),
          signal,
          (options) => ifFound(getConfigMap(this.#kube, ref.namespace, ref.name, options)),
        );
        return {
          value: keyOf(configMap?.data, 'ConfigMap', configMap !== undefined, ref),
          version: version(configMap),
        };
      },
      serviceAccountToken: async (request, signal) => {
        try {
          return await createToken(this.#kube, request, { signal });
        } catch (error) {
          if (!isNotFound(error)) throw error;
          throw new EsaError(
            'REFERENCE_NOT_FOUND',
            `ServiceAccount ${request.namespace}/${request.name} not found`,
          );
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
        throw new EsaError('REFERENCE_NOT_FOUND', `ServiceAccount ${namespace}/${name} not found`);
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

function keyOf(
  data: Readonly<Record<string, string>> | undefined,
  kind: string,
  exists: boolean,
  ref: KeyReference,
): string {
  // The sentence is the one that ESO's users know from its events.
  if (!exists)
    throw new EsaError(
      'REFERENCE_NOT_FOUND',
      `cannot get Kubernetes ${kind === 'Secret' ? 'secret' : 'configmap'} "${ref.name}" from namespace "${ref.namespace}": not found`,
    );
  const text = data !== undefined && Object.hasOwn(data, ref.key) ? data[ref.key] : undefined;
  if (text === undefined)
    throw new EsaError('REFERENCE_NOT_FOUND', `${kind} ${ref.namespace}/${ref.name} has no key "${ref.key}"`);
  return text;
}
