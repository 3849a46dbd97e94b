/** Objects on the bed's API server, as a test reads and writes them: plain requests of the admin. */
import assert from 'node:assert/strict';
import { GROUP } from '../../../api/external-secrets/names.ts';
import type {
  ClusterExternalSecret,
  ExternalSecret,
  SecretStore,
} from '../../../api/external-secrets/v1/index.ts';
import { GENERATOR_REF_KINDS, generatorResource } from '../../../api/generators/names.ts';
import type { ObjectMeta } from '../../../api/meta.ts';
import type { SecretObject } from '../../../kube/objects.ts';
import { resourcePath } from '../../../kube/path.ts';
import type { ControlPlane } from '../../harness/control-plane.ts';
import { eventually } from '../../harness/eventually.ts';
import type { HttpAnswer } from '../../harness/http.ts';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string } & Readonly<
    Record<string, unknown>
  >;
  readonly [member: string]: unknown;
}

/** What the API server says of a refusal; of an object that it took, the members are not there. */
interface RefusalBody {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly field?: string }[] };
}

export interface KubeEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count?: number;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}

/** What tests read, by kind; all in their newest version. */
export interface Kinds {
  Secret: SecretObject;
  ConfigMap: { readonly metadata: ObjectMeta; readonly data?: Readonly<Record<string, string>> };
  Namespace: { readonly metadata: ObjectMeta };
  ServiceAccount: { readonly metadata: ObjectMeta };
  ResourceQuota: {
    readonly metadata: ObjectMeta;
    readonly status?: { readonly used?: Readonly<Record<string, string>> };
  };
  ExternalSecret: ExternalSecret;
  SecretStore: SecretStore;
  ClusterSecretStore: SecretStore;
  ClusterExternalSecret: ClusterExternalSecret;
}

const RESOURCES: Readonly<Record<string, string>> = {
  Secret: 'secrets',
  ConfigMap: 'configmaps',
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  ResourceQuota: 'resourcequotas',
  Pod: 'pods',
  ExternalSecret: 'externalsecrets',
  SecretStore: 'secretstores',
  ClusterSecretStore: 'clustersecretstores',
  ClusterSecretPolicy: 'clustersecretpolicies',
  ClusterExternalSecret: 'clusterexternalsecrets',
  ...Object.fromEntries(GENERATOR_REF_KINDS.map((kind) => [kind, generatorResource(kind).resource])),
};
const CORE: ReadonlySet<string> = new Set([
  'Secret',
  'ConfigMap',
  'Namespace',
  'ServiceAccount',
  'ResourceQuota',
]);

const apiVersionOf = (kind: string): string => (CORE.has(kind) ? 'v1' : `${GROUP}/v1`);

function pathOf(apiVersion: string, kind: string, namespace: string | undefined, name?: string): string {
  const resource = RESOURCES[kind];
  if (resource === undefined) throw new Error(`the tests do not know the plural of ${kind}`);
  const [version = '', group] = apiVersion.split('/').toReversed();
  return resourcePath({ group, version, resource, namespace, name });
}

/** An answer that has to be a success. @throws Error with the API server's words */
function successful<T>(what: string, { status, body }: HttpAnswer<T>): T {
  if (status < 300) return body;
  throw new Error(`${what}: ${status} ${(body as { message?: string } | undefined)?.message ?? ''}`);
}

/** The texts of the warnings that came with an answer; on the wire each is `299 - "text"`. */
function warningsOf(answer: HttpAnswer<unknown>): string[] {
  const { warning = [] } = answer.headers;
  return [warning]
    .flat()
    .flatMap((header) =>
      [...header.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
        text.replaceAll(/\\(.)/g, '$1'),
      ),
    );
}

export class Cluster {
  readonly cp: ControlPlane;

  constructor(cp: ControlPlane) {
    this.cp = cp;
  }

  /** POST. @param query parameters @returns status, body and the texts of the warnings */
  async attempt(
    manifest: Manifest,
    query: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; body: RefusalBody; warnings: string[] }> {
    const path = pathOf(manifest.apiVersion, manifest.kind, manifest.metadata.namespace);
    const asked = `${path}?${new URLSearchParams(query).toString()}`;
    const answer = await this.cp.request<RefusalBody>('POST', asked, manifest);
    return { status: answer.status, body: answer.body, warnings: warningsOf(answer) };
  }

  /** POST that has to succeed. @returns the object as stored */
  async create<T = { readonly metadata: ObjectMeta }>(manifest: Manifest): Promise<T> {
    const { kind, metadata } = manifest;
    const path = pathOf(manifest.apiVersion, kind, metadata.namespace);
    return successful(`create ${kind} ${metadata.name}`, await this.cp.request<T>('POST', path, manifest));
  }

  /** undefined if it does not exist. */
  async find<K extends keyof Kinds>(
    kind: K,
    namespace: string | undefined,
    name: string,
  ): Promise<Kinds[K] | undefined> {
    const answer = await this.cp.request<Kinds[K]>('GET', pathOf(apiVersionOf(kind), kind, namespace, name));
    return answer.status === 404 ? undefined : successful(`read ${kind} ${name}`, answer);
  }

  /** @throws Error if it does not exist */
  async get<K extends keyof Kinds>(kind: K, namespace: string | undefined, name: string): Promise<Kinds[K]> {
    const found = await this.find(kind, namespace, name);
    if (found === undefined) throw new Error(`${kind} ${namespace ?? ''}/${name} does not exist`);
    return found;
  }

  /** JSON merge patch. */
  async patch<K extends keyof Kinds>(
    kind: K,
    namespace: string | undefined,
    name: string,
    patch: object,
    { subresource }: { readonly subresource?: 'status' } = {},
  ): Promise<Kinds[K]> {
    const path =
      pathOf(apiVersionOf(kind), kind, namespace, name) +
      (subresource === undefined ? '' : `/${subresource}`);
    const headers = { 'content-type': 'application/merge-patch+json' };
    return successful(
      `patch ${kind} ${name}`,
      await this.cp.request<Kinds[K]>('PATCH', path, patch, headers),
    );
  }

  async remove(kind: keyof Kinds, namespace: string | undefined, name: string): Promise<void> {
    const answer = await this.cp.request('DELETE', pathOf(apiVersionOf(kind), kind, namespace, name));
    successful(`delete ${kind} ${name}`, answer);
  }

  async events(namespace: string): Promise<readonly KubeEvent[]> {
    const path = `/api/v1/namespaces/${namespace}/events`;
    return successful('list events', await this.cp.request<{ items: KubeEvent[] }>('GET', path)).items;
  }

  /** The values of a Secret as text; undefined if it does not exist. */
  async values(namespace: string, name: string): Promise<Record<string, string> | undefined> {
    const secret = await this.find('Secret', namespace, name);
    return secret === undefined ? undefined : valuesOf(secret);
  }

  /** The Ready condition of an ExternalSecret or store; undefined while there is none. */
  async ready(
    kind: 'ExternalSecret' | 'SecretStore' | 'ClusterSecretStore',
    namespace: string | undefined,
    name: string,
  ) {
    const object = await this.get(kind, namespace, name);
    return object.status?.conditions?.find(({ type }) => type === 'Ready');
  }

  /** Waits until a Secret holds exactly these values. */
  async holds(
    namespace: string,
    name: string,
    expected: Readonly<Record<string, string>>,
    timeout = 10_000,
  ): Promise<void> {
    await eventually(
      async () => {
        assert.deepEqual(await this.values(namespace, name), expected);
        return true;
      },
      { timeout, what: `the values of Secret ${namespace}/${name}` },
    );
  }

  /** Waits until an ExternalSecret is Ready=True. */
  async synced(namespace: string, name: string, timeout = 10_000): Promise<void> {
    const what = `ExternalSecret ${namespace}/${name} Ready=True`;
    await this.#condition(namespace, name, what, timeout, ({ status }) => status === 'True');
  }

  /** Waits until it is Ready=False with a message that matches. @returns the message */
  async failing(namespace: string, name: string, message: RegExp, timeout = 10_000): Promise<string> {
    const what = `ExternalSecret ${namespace}/${name} Ready=False ${message}`;
    return this.#condition(
      namespace,
      name,
      what,
      timeout,
      (ready) => ready.status === 'False' && message.test(ready.message ?? ''),
    );
  }

  async #condition(
    namespace: string,
    name: string,
    what: string,
    timeout: number,
    holds: (ready: { status: string; message?: string | undefined }) => boolean,
  ): Promise<string> {
    let seen = 'no condition';
    return eventually(
      async () => {
        const ready = await this.ready('ExternalSecret', namespace, name);
        if (ready === undefined) return false;
        seen = `${ready.status} ${ready.message ?? ''}`;
        if (!holds(ready)) throw new Error(`last seen: ${seen}`);
        return ready.message ?? '';
      },
      { timeout, what },
    );
  }
}

export function valuesOf({ data = {} }: SecretObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  );
}
