/** What the benches of many namespaces share: objects, stores, and sending many requests at a time. */
import type { ControlPlane } from '../test/harness/control-plane.ts';
import { eventually } from '../test/harness/eventually.ts';
import type { OpenBao } from '../test/harness/openbao.ts';
import type { Program } from '../test/harness/product.ts';

export const KEYS = ['k1', 'k2', 'k3', 'k4', 'k5'] as const;
/** Requests that a bench has in flight when it sends many. */
export const IN_FLIGHT = 64;
export const STORE = 'vault';

export interface Wanted {
  readonly namespace: string;
  /** Of the ExternalSecret and of its Secret. */
  readonly name: string;
  /** The remote object. */
  readonly key: string;
  readonly interval: string;
  /** Properties that are read; all of KEYS unless told otherwise. */
  readonly properties?: readonly string[];
}

export const externalSecret = ({ namespace, name, key, interval, properties = KEYS }: Wanted): object => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name, namespace },
  spec: {
    refreshInterval: interval,
    secretStoreRef: { kind: 'ClusterSecretStore', name: STORE },
    target: { name },
    data: properties.map((property) => ({ secretKey: property, remoteRef: { key, property } })),
  },
});

export const externalSecretsPath = (namespace: string): string =>
  `/apis/external-secrets.io/v1/namespaces/${namespace}/externalsecrets`;
export const secretsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;

/** @throws Error unless the answer is good */
export async function must<T = unknown>(
  cp: ControlPlane,
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
): Promise<T> {
  const answer = await cp.request<T & { message?: string }>(method, path, body, headers);
  if (answer.status >= 300)
    throw new Error(`${method} ${path}: ${answer.status} ${answer.body?.message ?? ''}`);
  return answer.body;
}

/** Works through all items, so many at a time. */
export async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = IN_FLIGHT,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: Math.min(atOnce, items.length) }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}

export const makeNamespaces = (cp: ControlPlane, names: readonly string[]): Promise<void> =>
  inParallel(names, async (name) => {
    await must(cp, 'POST', '/api/v1/namespaces', { metadata: { name } });
  });

export const createAll = (cp: ControlPlane, wanted: readonly Wanted[]): Promise<void> =>
  inParallel(wanted, async (one) => {
    await must(cp, 'POST', externalSecretsPath(one.namespace), externalSecret(one));
  });

/** The ServiceAccount whose tokens OpenBao takes, and the role that they log in as. */
export const ROLE = 'bench';
export const AUDIENCE = 'vault';

/**
 * A role that may read everything below `secret/`, for tokens of ServiceAccount `default/bench`; its logins last
 * an hour. OpenBao has this API server review the tokens.
 */
export async function makeRole(cp: ControlPlane, bao: OpenBao): Promise<void> {
  const ask = async (method: string, path: string, body: unknown): Promise<void> => {
    const answer = await bao.request(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status}`);
  };
  for (const name of [ROLE, 'reviewer'])
    await must(cp, 'POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name } });
  await must(cp, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'bench-reviewer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
    subjects: [{ kind: 'ServiceAccount', name: 'reviewer', namespace: 'default' }],
  });
  await ask('PUT', 'sys/policies/acl/bench', {
    policy: 'path "secret/*" { capabilities = ["read", "list"] }',
  });
  await ask('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
  await ask('POST', 'auth/kubernetes/config', {
    kubernetes_host: cp.server,
    kubernetes_ca_cert: cp.ca,
    token_reviewer_jwt: await cp.serviceAccountToken('default', 'reviewer'),
    disable_local_ca_jwt: true,
  });
  await ask('POST', `auth/kubernetes/role/${ROLE}`, {
    bound_service_account_names: [ROLE],
    bound_service_account_namespaces: ['default'],
    token_policies: 'bench',
    token_ttl: '1h',
    audience: AUDIENCE,
  });
}

/** The ClusterSecretStore of all benches, which logs in with that role. */
export const makeStore = (cp: ControlPlane, server: string): Promise<unknown> =>
  must(cp, 'POST', '/apis/external-secrets.io/v1/clustersecretstores', {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterSecretStore',
    metadata: { name: STORE },
    spec: {
      provider: {
        vault: {
          server,
          path: 'secret',
          auth: {
            kubernetes: {
              mountPath: 'kubernetes',
              role: ROLE,
              serviceAccountRef: { name: ROLE, namespace: 'default', audiences: [AUDIENCE] },
            },
          },
        },
      },
    },
  });

/** Waits until so many objects are Ready. */
export const allReady = (poller: Program, count: number, timeout = 300_000): Promise<unknown> =>
  eventually(
    async () =>
      (await poller.metric('externalsecret_status_condition', { condition: 'Ready', status: 'True' })) >=
      count,
    { timeout, interval: 250, what: `${count} objects are Ready` },
  );
