/** The provider kubernetes: Secrets of another namespace or another cluster. */
import { SecretValue } from '../../api/secret-value.ts';
import {
  allFollowable,
  type BlockReference,
  dependenciesOf,
  readCa,
  readReference,
  referenceIdentity,
} from '../block-references.ts';
import {
  type Connection,
  type FindRequest,
  type FoundObject,
  type Provider,
  ProviderError,
  type ProviderPorts,
  type RemoteObject,
  type RemoteRef,
  type StoreContext,
} from '../contract.ts';
import { checkNames, nameExpression, readFound } from '../find.ts';
import type { HttpTarget } from '../http.ts';
import { cancelled } from '../http-errors.ts';
import { basePath } from '../server-url.ts';
import { digest } from '../sessions.ts';
import { KubernetesClient } from './client.ts';
import { type KubernetesConfig, kubernetesConfigSchema } from './config.ts';
import { fixedToken, readAuth, type TokenSource } from './credentials.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { KubernetesObject } from './object.ts';
import {
  apiServerUrl,
  isOwnCluster,
  OWN_SERVER,
  referencesOf,
  validateKubernetesConfig,
  validateKubernetesFind,
  validateKubernetesRef,
  warnKubernetesConfig,
} from './validate.ts';

class KubernetesConnection implements Connection {
  readonly #client: KubernetesClient;
  readonly #namespace: string;

  constructor(client: KubernetesClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async read(ref: Omit<RemoteRef, 'property'>, signal: AbortSignal): Promise<RemoteObject> {
    const impossible = validateKubernetesRef(ref);
    if (impossible !== undefined) {
      const text = `kubernetes secret ${JSON.stringify(ref.key)}: ${impossible}`;
      throw new ProviderError('PROVIDER_INVALID_CONFIG', text);
    }
    const secret = await this.#client.secret(ref.key, signal);
    const what = this.#what(ref.key);
    return ref.metadata === true
      ? KubernetesObject.ofMetadata(secret, what)
      : KubernetesObject.ofData(secret, what);
  }

  async find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    const impossible = validateKubernetesFind(request);
    if (impossible !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', impossible);
    const { tags, nameRegexp = '' } = request;
    const expression = tags === undefined ? nameExpression(nameRegexp) : undefined;
    const selector = Object.entries(tags ?? {}).map(([label, value]) => `${label}=${value}`);
    const all = await this.#client.names(tags && selector.join(','), signal, checkNames);
    const names = all.filter((name) => expression?.test(name) ?? true);
    return readFound(names, async (name) => {
      try {
        const object = KubernetesObject.ofData(await this.#client.secret(name, signal), this.#what(name));
        return { key: name, canonicalKey: `${this.#namespace}/${name}`, object };
      } catch (error) {
        // Deleted since it was listed.
        if (error instanceof ProviderError && error.code === 'PROVIDER_NOT_FOUND') return undefined;
        throw error;
      }
    });
  }

  validate(signal: AbortSignal): Promise<void> {
    return this.#client.checkAccess(signal);
  }

  async close(): Promise<void> {
    // Tokens and sockets are shared by the whole process.
  }

  #what(name: string): string {
    return `kubernetes secret ${this.#namespace}/${name}`;
  }
}

interface Reached {
  readonly target: HttpTarget;
  readonly host: string;
  readonly base: string;
  readonly tokens: TokenSource;
}

/** By the kubeconfig of a Secret. */
async function reachByKubeconfig(
  reference: BlockReference,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<Reached> {
  const config = readKubeconfig((await readReference(reference, store, ports, signal)).revealText());
  if (typeof config === 'string') {
    const text = `${store.kind} ${store.name}: the kubeconfig of authRef ${config}`;
    throw new ProviderError('PROVIDER_INVALID_CONFIG', text);
  }
  const { url, ca, certificate, token } = config;
  return {
    target: { origin: url.origin, ca, clientCertificate: certificate, guard: store.guard },
    host: url.host,
    base: basePath(url),
    tokens: fixedToken(token === undefined ? undefined : SecretValue.fromText(token)),
  };
}

async function reach(
  config: KubernetesConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<Reached> {
  const authRef = referencesOf(config).find(({ path }) => path[0] === 'authRef');
  if (authRef !== undefined) return reachByKubeconfig(authRef, store, ports, signal);
  const named = apiServerUrl(config);
  if (typeof named === 'string')
    throw new ProviderError('PROVIDER_INVALID_CONFIG', `${store.kind} ${store.name}: server.url: ${named}`);
  const [own, ca, { tokens, certificate }] = await Promise.all([
    isOwnCluster(config) ? ports.apiServer?.(signal) : undefined,
    readCa(config.server ?? {}, ['server'], store, ports, signal),
    readAuth(config, store, ports, signal),
  ]);
  const url = own === undefined ? named : new URL(own.url);
  return {
    target: {
      origin: url.origin,
      ...(own === undefined ? {} : { knownAs: OWN_SERVER }),
      ca: url.protocol === 'https:' ? (ca ?? own?.ca) : undefined,
      clientCertificate: certificate,
      guard: store.guard,
    },
    host: named.host,
    base: basePath(url),
    tokens,
  };
}

export const kubernetesProvider: Provider<KubernetesConfig> = {
  name: 'kubernetes',
  schema: kubernetesConfigSchema,
  capabilities: 'ReadWrite',
  validateConfig: validateKubernetesConfig,
  warnConfig: warnKubernetesConfig,
  validateRef: (_config, ref) => validateKubernetesRef(ref),
  validateFind: (_config, request) => validateKubernetesFind(request),
  canonicalKey: ({ remoteNamespace }, ref) => `${remoteNamespace}/${ref.key}`,

  identity(config, store) {
    const { server, auth, remoteNamespace, authRef } = config;
    const url = authRef === undefined ? apiServerUrl(config).toString() : '';
    return JSON.stringify([
      'kubernetes',
      url,
      remoteNamespace,
      referenceIdentity(referencesOf(config), store),
      auth?.serviceAccount?.audiences ?? [],
      digest([server?.caBundle]),
    ]);
  },

  servers(config) {
    const url = config.authRef === undefined ? apiServerUrl(config) : '';
    return typeof url === 'string' ? [] : [isOwnCluster(config) ? new URL(OWN_SERVER) : url];
  },

  dependencies: (config, store) => dependenciesOf(referencesOf(config), store),
  canValidate: (config, store) => allFollowable(referencesOf(config), store),

  async connect(config, store, ports, signal): Promise<Connection> {
    if (signal.aborted) throw cancelled(`${store.kind} ${store.name}`, signal);
    const reached = await reach(config, store, ports, signal);
    const namespace = config.remoteNamespace;
    return new KubernetesConnection(new KubernetesClient({ ...reached, namespace, ports }), namespace);
  },
};
