/** An OpenBao with engines, policies and tokens, and stores that point at it. */
import type { Connection, RemoteRef, StoreContext } from '../../providers/contract.ts';
import { configureOutbound } from '../../providers/http.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { vaultConfigSchema } from '../../providers/vault/config.ts';
import { vaultProvider } from '../../providers/vault/provider.ts';
import { type OpenBao, type OpenBaoOptions, startOpenBao } from '../harness/openbao.ts';

export const store: StoreContext = {
  kind: 'SecretStore',
  name: 'vault',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};

export interface VaultBed {
  readonly bao: OpenBao;
  readonly cluster: MemoryCluster;
  /** A request with the root token that has to succeed. */
  admin<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T>;
  /** Creates a policy and a token that has only this policy. */
  tokenFor(policy: string, more?: object): Promise<string>;
  /** The block of a store; its token is the one in Secret team/vault-token. */
  block(more?: object): Record<string, unknown>;
  connect(more?: object): Promise<Connection>;
  read(ref: Omit<RemoteRef, 'property'>, more?: object): Promise<string>;
  /** Puts the token that the stores use. */
  useToken(token: string): void;
}

export const soon = (): AbortSignal => AbortSignal.timeout(10_000);

export async function startVaultBed(options: OpenBaoOptions = {}): Promise<VaultBed> {
  configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
  const bao = await startOpenBao(options);
  const cluster = new MemoryCluster();
  const useToken = (token: string): void => void cluster.set('Secret', 'team/vault-token', { token });
  useToken(bao.token);
  let policies = 0;

  async function admin<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T> {
    const answer = await bao.request<T>(method, path, body, headers);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
  const block = (more: object = {}): Record<string, unknown> => ({
    server: bao.address,
    path: 'secret',
    auth: { tokenSecretRef: { name: 'vault-token', key: 'token' } },
    ...(bao.ca === undefined ? {} : { caBundle: bao.ca }),
    ...more,
  });
  const connect = (more: object = {}): Promise<Connection> =>
    vaultProvider.connect(vaultConfigSchema.parse(block(more)), store, cluster.ports, soon());

  return {
    bao,
    cluster,
    admin,
    useToken,
    block,
    connect,
    async tokenFor(policy, more = {}) {
      const name = `p${++policies}`;
      await admin('PUT', `sys/policies/acl/${name}`, { policy });
      const request = { policies: [name], no_default_policy: true, ...more };
      return (await admin<{ auth: { client_token: string } }>('POST', 'auth/token/create', request)).auth
        .client_token;
    },
    async read(ref, more = {}) {
      return (await (await connect(more)).read(ref, soon())).get(undefined).revealText();
    },
  };
}
