/**
 * Where the API server is and as whom we speak to it: a kubeconfig, or the ServiceAccount of the Pod.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { delimiter, dirname, resolve } from 'node:path';
import { KubeConfig, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { EsaError } from '../api/errors.ts';

/** PEM or token text, given or in a file. Files are read again each minute: kubelet renews them in place. */
export type Source = { readonly value: string } | { readonly file: string };

/** One way to one API server. */
export interface ClusterConfig {
  /** Base URL without a trailing slash; may have a path prefix. */
  readonly server: string;
  /** CA certificates (PEM) of the API server; absent: those of the system. */
  readonly ca?: Source | undefined;
  /** Client certificate and key (PEM). */
  readonly clientCertificate?: { readonly cert: Source; readonly key: Source } | undefined;
  readonly token?: Source | undefined;
  /** Name to expect in the server's certificate instead of the host of `server`. */
  readonly tlsServerName?: string | undefined;
  /** Do not verify the server's certificate. */
  readonly insecure?: boolean | undefined;
  /** An http(s) proxy for this cluster; absent: HTTPS_PROXY and NO_PROXY of the environment. */
  readonly proxyUrl?: string | undefined;
  /** Namespace of the kubeconfig's context or of the ServiceAccount. */
  readonly namespace?: string | undefined;
}

interface LoadOptions {
  /** Path of a kubeconfig; must be readable. */
  readonly kubeconfig?: string | undefined;
  /** Context of the kubeconfig; absent: its current-context. */
  readonly context?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where the Pod's ServiceAccount is mounted. */
  readonly serviceAccountDirectory?: string | undefined;
}

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

const configurationError = (message: string): EsaError => new EsaError('CONFIGURATION', message);

/**
 * Finds the cluster: the given kubeconfig, else KUBECONFIG (several files are merged), else the Pod's own.
 * @throws EsaError CONFIGURATION that names the file or variable
 */
export function loadClusterConfig(options: LoadOptions = {}): ClusterConfig {
  const env = options.env ?? process.env;
  if (options.kubeconfig !== undefined) return fromKubeconfig([options.kubeconfig], options.context);
  // As kubectl does: files of the list that do not exist are passed over.
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (listed.length > 0) {
    const present = listed.filter((file) => existsSync(file));
    if (present.length === 0) throw configurationError(`KUBECONFIG: ${listed.join(', ')} does not exist`);
    return fromKubeconfig(present, options.context);
  }
  if (options.context !== undefined) {
    throw configurationError(
      'a context was named, but there is no kubeconfig: use --kubeconfig or KUBECONFIG',
    );
  }
  return inCluster(env, options.serviceAccountDirectory ?? SERVICE_ACCOUNT_DIRECTORY);
}

function inCluster(env: Readonly<Record<string, string | undefined>>, directory: string): ClusterConfig {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (!host || !port) {
    throw configurationError(
      'no cluster: give --kubeconfig, set KUBECONFIG, or run in a Pod (KUBERNETES_SERVICE_HOST is not set)',
    );
  }
  const token = `${directory}/token`;
  const ca = `${directory}/ca.crt`;
  for (const file of [token, ca]) {
    if (!existsSync(file)) {
      throw configurationError(`${file} does not exist; set automountServiceAccountToken: true on the Pod`);
    }
  }
  const namespaceFile = `${directory}/namespace`;
  return {
    server: `https://${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    ca: { file: ca },
    token: { file: token },
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : undefined,
  };
}

interface Kubeconfig {
  readonly config: KubeConfig;
  /** `tokenFile` of users, which KubeConfig drops: without it we would go on as nobody. */
  readonly tokenFiles: ReadonlyMap<string, string>;
}

function readKubeconfig(files: readonly string[]): Kubeconfig {
  const config = new KubeConfig();
  const tokenFiles = new Map<string, string>();
  for (const [index, file] of files.entries()) {
    const one = index === 0 ? config : new KubeConfig();
    try {
      one.loadFromFile(file);
      for (const [user, path] of readTokenFiles(readFileSync(file, 'utf8'))) {
        if (!tokenFiles.has(user)) tokenFiles.set(user, resolve(dirname(file), path));
      }
    } catch (error) {
      // A YAML error quotes the line it stumbled over, which may be the token.
      const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
      throw configurationError(`kubeconfig ${file} cannot be read as a kubeconfig${code}`);
    }
    if (index > 0) mergeNew(config, one);
  }
  return { config, tokenFiles };
}

function readTokenFiles(text: string): [string, string][] {
  const users: unknown = parse(text)?.users;
  if (!Array.isArray(users)) return [];
  return users.flatMap((entry): [string, string][] => {
    const file: unknown = entry?.user?.tokenFile;
    return typeof entry?.name === 'string' && typeof file === 'string' ? [[entry.name, file]] : [];
  });
}

/** The first file to define a name wins, as with kubectl; KubeConfig.mergeConfig would throw. */
function mergeNew(into: KubeConfig, from: KubeConfig): void {
  for (const cluster of from.clusters) if (!into.getCluster(cluster.name)) into.addCluster(cluster);
  for (const user of from.users) if (!into.getUser(user.name)) into.addUser(user);
  for (const context of from.contexts) if (!into.getContextObject(context.name)) into.addContext(context);
  if (!into.currentContext && from.currentContext) into.setCurrentContext(from.currentContext);
}

function source(file: string | undefined, base64: string | undefined): Source | undefined {
  if (base64) return { value: Buffer.from(base64, 'base64').toString('utf8') };
  return file ? { file } : undefined;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

function checkServer(server: string, where: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const plainLoopback = url?.protocol === 'http:' && LOOPBACK.test(url.hostname);
  if (url === undefined || url.host === '' || !(url.protocol === 'https:' || plainLoopback)) {
    throw configurationError(`${where}: server must be an https URL (http only on the loopback interface)`);
  }
  if (url.username !== '' || url.password !== '') {
    throw configurationError(`${where}: server must not hold a user name or a password`);
  }
  return server.replace(/\/+$/, '');
}

function fromKubeconfig(files: readonly string[], context: string | undefined): ClusterConfig {
  const where = `kubeconfig ${files.join(', ')}`;
  const { config, tokenFiles } = readKubeconfig(files);
  const name = context ?? config.getCurrentContext();
  if (!name) throw configurationError(`${where}: no current-context; name one with --context`);
  config.setCurrentContext(name);
  const contextObject = config.getContextObject(name);
  if (!contextObject) throw configurationError(`${where}: there is no context ${name}`);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw configurationError(`${where}: context ${name} names a cluster that does not exist`);
  const user = config.getCurrentUser();
  if (contextObject.user && !user) {
    throw configurationError(`${where}: context ${name} names a user that does not exist`);
  }
  if (user) refuseUnsupportedLogin(user, where);
  if (cluster.proxyUrl && !/^https?:\/\//.test(cluster.proxyUrl)) {
    throw configurationError(`${where}: proxy-url of cluster ${cluster.name} must be an http or https URL`);
  }
  const cert = source(user?.certFile, user?.certData);
  const key = source(user?.keyFile, user?.keyData);
  if ((cert === undefined) !== (key === undefined)) {
    throw configurationError(
      `${where}: user ${contextObject.user} has only one of client-certificate and client-key`,
    );
  }
  return {
    server: checkServer(cluster.server, where),
    ca: source(cluster.caFile, cluster.caData),
    clientCertificate: cert && key ? { cert, key } : undefined,
    token: user ? tokenOf(user, tokenFiles.get(user.name)) : undefined,
    tlsServerName: cluster.tlsServerName,
    insecure: cluster.skipTLSVerify,
    proxyUrl: cluster.proxyUrl,
    namespace: contextObject.namespace,
  };
}

/** Plugins start programs with the rights of this process; impersonation would be half understood. */
function refuseUnsupportedLogin(user: User, where: string): void {
  const method = user.exec
    ? 'an exec plugin'
    : user.authProvider
      ? 'an auth-provider'
      : user.username
        ? 'a password'
        : user.impersonateUser
          ? 'impersonation'
          : undefined;
  if (method === undefined) return;
  throw configurationError(
    `${where}: user ${user.name} logs in by ${method}, which is not supported; use a client certificate or ` +
      'a token, for example one of `kubectl create token`',
  );
}

/** As in client-go, a file outranks a token in the kubeconfig. */
function tokenOf(user: User, file: string | undefined): Source | undefined {
  if (file !== undefined) return { file };
  return user.token ? { value: user.token } : undefined;
}
