/** What installing and showing the product needs of a cluster: one of the harness, or a user's own. */
import type { CommandResult } from './command.ts';
import type { HttpAnswer } from './http.ts';

export interface KubectlOptions {
  readonly stdin?: string;
  /** Impersonates this user, e.g. `system:serviceaccount:ns:name`. */
  readonly as?: string;
  /** Another kubeconfig than the admin's. */
  readonly kubeconfig?: string;
}

export interface Cluster {
  /** URL of the API server. */
  readonly server: string;
  /** Path of a kubeconfig that may do everything that is done here. */
  readonly kubeconfig: string;
  /** Path or name of a kubectl that fits. */
  readonly kubectlBinary: string;
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult>;
  /** Like kubectl(), but returns stdout. @throws Error with stderr unless the exit code is 0 */
  kubectlOutput(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** A request with the rights of `kubeconfig`. */
  request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<HttpAnswer<T>>;
  /** Requests a token of a ServiceAccount (TokenRequest); 24 h unless told otherwise. */
  serviceAccountToken(namespace: string, name: string, options?: TokenOptions): Promise<string>;
  /** Writes a kubeconfig that logs in with `token` and returns its path. */
  writeKubeconfig(name: string, token: string): string;
  /** To be called when kinds were added, so that the garbage collector knows them as soon as it can. */
  kindsChanged(): Promise<void>;
}

export interface TokenOptions {
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
}

const TOKEN_SECONDS = 24 * 3600;

/**
 * Cluster.serviceAccountToken() by way of its request().
 * @throws Error with the API server's answer
 */
export async function requestServiceAccountToken(
  cluster: Pick<Cluster, 'request'>,
  namespace: string,
  name: string,
  { audiences = [], expirationSeconds = TOKEN_SECONDS }: TokenOptions = {},
): Promise<string> {
  const { status, body } = await cluster.request<{ status?: { token?: string }; message?: string }>(
    'POST',
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences, expirationSeconds },
    },
  );
  if (body.status?.token === undefined) {
    throw new Error(`no token for ServiceAccount ${namespace}/${name}: ${status} ${body.message ?? ''}`);
  }
  return body.status.token;
}

/** A kubeconfig, JSON, that logs in with `token` at one cluster (a kubeconfig's own `cluster` object). */
export const kubeconfigText = (name: string, cluster: object, token: string): string =>
  JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      clusters: [{ name: 'local', cluster }],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: 'local', user: name } }],
    },
    null,
    2,
  );
