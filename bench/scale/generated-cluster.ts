/**
 * Stands in for an API server that holds more objects than etcd can take on a machine for tests, and for the Vault that
 * they read: real HTTP, with pages of generated ExternalSecrets, watches that tell of every write, and Secrets and
 * statuses that are kept as they were written.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Shape {
  readonly count: number;
  readonly namespaces: number;
  /** Of each object, all of one remote object. */
  readonly keys: number;
  readonly refreshInterval: string;
}

type Json = Readonly<Record<string, unknown>>;
interface KubeJson extends Json {
  readonly metadata: Json;
}

const STORE = 'vault';
const GROUP = '/apis/external-secrets.io/v1';
const BOOKMARK_MS = 20_000;
const TIME = '2026-11-22T06:00:00Z';

const keyNames = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${index + 1}`);

/** What somebody applies. */
export function externalSecret(index: number, shape: Shape): KubeJson {
  const name = `app-${index}`;
  return {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name, namespace: `team-${index % shape.namespaces}` },
    spec: {
      data: keyNames(shape.keys).map((property) => ({
        remoteRef: { key: `bench/${name}`, property },
        secretKey: property,
      })),
      refreshInterval: shape.refreshInterval,
      secretStoreRef: { kind: 'ClusterSecretStore', name: STORE },
      target: { name },
    },
  };
}

export const clusterSecretStore = (server: string): KubeJson => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ClusterSecretStore',
  metadata: { name: STORE },
  spec: {
    provider: {
      vault: {
        server,
        path: 'secret',
        auth: { tokenSecretRef: { name: 'vault-token', namespace: 'default', key: 'token' } },
      },
    },
  },
});

const fields = (names: readonly string[]): Json =>
  Object.fromEntries(names.map((name) => [`f:${name}`, { '.': {} }]));
const managed = (manager: string, names: readonly string[]): Json => ({
  apiVersion: 'external-secrets.io/v1',
  fieldsType: 'FieldsV1',
  fieldsV1: { 'f:spec': { '.': {}, ...fields(names) } },
  manager,
  operation: 'Update',
  time: TIME,
});

export class GeneratedCluster {
  readonly #shape: Shape;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #statuses: { status: Json; version: number }[] = [];
  /** Everything that is not generated, by path. */
  readonly #objects = new Map<string, KubeJson>();
  readonly #secrets: string[] = [];
  readonly #watches = new Map<string, Set<ServerResponse>>();
  readonly #bookmarks: ReturnType<typeof setInterval>;
  #version: number;

  constructor(shape: Shape) {
    this.#shape = shape;
    this.#version = shape.count + 1_000;
    this.#bookmarks = setInterval(() => {
      for (const path of this.#watches.keys())
        this.#tell(path, 'BOOKMARK', { metadata: { resourceVersion: String(this.#version) } });
    }, BOOKMARK_MS);
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    this.#objects.set(`${GROUP}/clustersecretstores/${STORE}`, {
      ...clusterSecretStore(url),
      metadata: { name: STORE, uid: 'store', generation: 1, resourceVersion: '1' },
    });
    this.#objects.set('/api/v1/namespaces/default/secrets/vault-token', {
      metadata: { name: 'vault-token', namespace: 'default', uid: 'token', resourceVersion: '2' },
      data: { token: Buffer.from('bench').toString('base64') },
    });
    return url;
  }

  async stop(): Promise<void> {
    clearInterval(this.#bookmarks);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const body = text === '' ? undefined : (JSON.parse(text) as KubeJson);
    if (searchParams.get('watch') !== null) return this.#watch(pathname, response);
    const [status, answer] = pathname.startsWith('/v1/')
      ? this.#vault(pathname)
      : this.#answer(request.method ?? '', pathname, searchParams, body);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer));
  }

  #vault(path: string): [number, Json] {
    if (!path.startsWith('/v1/secret/data/')) return [200, { data: { ttl: 0, policies: ['root'] } }];
    const name = path.slice(path.lastIndexOf('/') + 1);
    const data = Object.fromEntries(
      keyNames(this.#shape.keys).map((key) => [key, `${name} ${key} ${'x'.repeat(40)}`]),
    );
    return [
      200,
      { data: { data, metadata: { version: 1, created_time: TIME, deletion_time: '', destroyed: false } } },
    ];
  }

  #answer(method: string, path: string, query: URLSearchParams, body: KubeJson | undefined): [number, Json] {
    if (method === 'GET' && path === `${GROUP}/externalsecrets`) return this.#externalSecrets(query);
    if (method === 'GET' && path === '/api/v1/secrets') return this.#secretMetadata(query);
    const status = /\/namespaces\/[^/]+\/externalsecrets\/app-(\d+)\/status$/.exec(path);
    if (method === 'PATCH' && status !== null)
      return this.#patchStatus(Number(status[1]), body ?? { metadata: {} });
    if (method === 'POST' && body !== undefined) return this.#create(path, body);
    if (method === 'PUT' && body !== undefined) return [200, this.#store(path, body)];
    const object = this.#objects.get(path);
    if (method === 'PATCH' && path.endsWith('/status')) return [200, { metadata: {}, ...body }];
    if (method !== 'GET') return [405, { kind: 'Status', code: 405, message: `${method} ${path}` }];
    if (object !== undefined) return [200, object];
    const collection = /^(?:\/api\/v1|\/apis\/[^/]+\/[^/]+)\/([^/]+)$/.exec(path);
    if (collection !== null) return [200, this.#list(this.#items(path))];
    return [
      404,
      { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404, message: `${path} not found` },
    ];
  }

  #items(path: string): Json[] {
    if (path === '/api/v1/namespaces')
      return Array.from({ length: this.#shape.namespaces }, (_, index) => ({
        metadata: { name: `team-${index}`, uid: `ns-${index}`, resourceVersion: '3', labels: {} },
      }));
    return [...this.#objects].filter(([key]) => key.startsWith(`${path}/`)).map(([, object]) => object);
  }

  #list(items: readonly Json[], next?: number): Json {
    const metadata = {
      resourceVersion: String(this.#version),
      ...(next === undefined ? {} : { continue: String(next) }),
    };
    return { metadata, items };
  }

  #page(query: URLSearchParams, total: number, item: (index: number) => Json): [number, Json] {
    const from = Number(query.get('continue') ?? 0);
    const to = Math.min(total, from + Number(query.get('limit') ?? total));
    const items = Array.from({ length: to - from }, (_, offset) => item(from + offset));
    return [200, this.#list(items, to < total ? to : undefined)];
  }

  #externalSecrets(query: URLSearchParams): [number, Json] {
    return this.#page(query, this.#shape.count, (index) => this.#externalSecret(index));
  }

  /** As the API server shows it: defaults written, members sorted, with the fields of those who wrote it. */
  #externalSecret(index: number): KubeJson {
    const { metadata, spec, ...rest } = externalSecret(index, this.#shape) as KubeJson & {
      spec: { data: { remoteRef: Json; secretKey: string }[]; target: Json };
    };
    const known = this.#statuses[index];
    const defaults = {
      conversionStrategy: 'Default',
      decodingStrategy: 'None',
      metadataPolicy: 'None',
      nullBytePolicy: 'Ignore',
    };
    return {
      ...rest,
      metadata: {
        creationTimestamp: TIME,
        generation: 1,
        managedFields: [
          managed('kubectl', ['data', 'refreshInterval', 'secretStoreRef', 'target']),
          ...(known === undefined
            ? []
            : [managed('external-secrets', ['conditions', 'refreshTime', 'binding'])]),
        ],
        ...metadata,
        resourceVersion: String(known?.version ?? index + 1_000),
        uid: `5f1f4a1e-3c54-4d0c-9f5e-${String(index).padStart(12, '0')}`,
      },
      spec: {
        ...spec,
        data: spec.data.map(({ remoteRef, secretKey }) => ({
          remoteRef: { ...defaults, ...remoteRef },
          secretKey,
        })),
        refreshPolicy: 'Periodic',
        target: { creationPolicy: 'Owner', deletionPolicy: 'Retain', ...spec.target },
      },
      ...(known === undefined ? {} : { status: known.status }),
    };
  }

  #patchStatus(index: number, patch: Json): [number, Json] {
    this.#version += 1;
    const before = this.#statuses[index]?.status ?? {};
    this.#statuses[index] = { status: { ...before, ...(patch['status'] as Json) }, version: this.#version };
    const object = this.#externalSecret(index);
    this.#tell(`${GROUP}/externalsecrets`, 'MODIFIED', object);
    return [200, object];
  }

  #secretMetadata(query: URLSearchParams): [number, Json] {
    return this.#page(query, this.#secrets.length, (index) => ({
      metadata: this.#objects.get(this.#secrets[index] ?? '')?.metadata ?? {},
    }));
  }

  #create(collection: string, body: KubeJson): [number, Json] {
    if (collection.endsWith('/events')) return [201, body];
    const path = `${collection}/${String(body.metadata['name'])}`;
    if (this.#objects.has(path)) return [409, { kind: 'Status', reason: 'AlreadyExists', code: 409 }];
    const object = this.#store(path, body);
    if (collection.endsWith('/secrets')) {
      this.#secrets.push(path);
      this.#tell('/api/v1/secrets', 'ADDED', { metadata: object.metadata });
    }
    return [201, object];
  }

  #store(path: string, body: KubeJson): KubeJson {
    this.#version += 1;
    const uid = this.#objects.get(path)?.metadata['uid'] ?? `uid-${this.#version}`;
    const metadata = {
      ...body.metadata,
      uid,
      creationTimestamp: TIME,
      resourceVersion: String(this.#version),
    };
    const object = { ...body, metadata };
    this.#objects.set(path, object);
    return object;
  }

  #watch(path: string, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const watches = this.#watches.get(path) ?? new Set();
    this.#watches.set(path, watches.add(response));
    response.on('close', () => watches.delete(response));
  }

  #tell(path: string, type: string, object: Json): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    for (const watch of this.#watches.get(path) ?? []) watch.write(line);
  }
}
