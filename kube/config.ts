/**
 * Where the API server is and as whom we speak to it: a kubeconfig, or the ServiceAccount of the Pod.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { delimiter, dirname, resolve } from 'node:path';
import { type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
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
  /** Gives token or client certificate in their place, as a plugin of a kubeconfig does. */
  readonly login?: (() => Promise<Login>) | undefined;
}

/** What a login gave. */
export interface Login {
  readonly token?: string | undefined;
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
  /** Milliseconds since the epoch; absent: it holds until it is refused. */
  readonly expiresAt?: number | undefined;
}

/** How a kubeconfig says that a program logs its user in (`users[].user.exec`). */
export interface ExecPlugin {
  /** Of the credentials: `client.authentication.k8s.io/v1`. */
  readonly apiVersion: string;
  /** As it is written there; with a slash in it, it is relative to the file. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly installHint: string | undefined;
  /** `Never`, `IfAvailable` or `Always`: whether it may ask the user. */
  readonly interactiveMode: string;
  /** The cluster as a plugin wants to be told of it; undefined if it does not. */
  readonly cluster: Readonly<Record<string, unknown>> | undefined;
  /** Names kubeconfig and user in errors. */
  readonly where: string;
}

interface LoadOptions {
  /** Path of a kubeconfig; must be readable. */
  readonly kubeconfig?: string | undefined;
  /** Context of the kubeconfig; absent: its current-context. */
  readonly context?: string | undefined;
  /** A kubeconfig to read if it exists, and neither the option nor KUBECONFIG names one. */
  readonly defaultKubeconfig?: string | undefined;
  /** How to log in by a plugin; absent: users that log in so are refused. */
  readonly plugins?: ((plugin: ExecPlugin) => () => Promise<Login>) | undefined;
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
  if (options.kubeconfig !== undefined) return fromKubeconfig([options.kubeconfig], options);
  // As kubectl does: files of the list that do not exist are passed over.
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (listed.length > 0) {
    const present = listed.filter((file) => existsSync(file));
    if (present.length === 0) throw configurationError(`KUBECONFIG: ${listed.join(', ')} does not exist`);
    return fromKubeconfig(present, options);
  }
  const { defaultKubeconfig } = options;
  if (defaultKubeconfig !== undefined && existsSync(defaultKubeconfig))
    return fromKubeconfig([defaultKubeconfig], options);
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
  /** The folder of the file that each user is from. */
  readonly folders: ReadonlyMap<string, string>;
}

function readKubeconfig(files: readonly string[]): Kubeconfig {
  const config = new KubeConfig();
  const tokenFiles = new Map<string, string>();
  const folders = new Map<string, string>();
  for (const [index, file] of files.entries()) {
    const one = index === 0 ? config : new KubeConfig();
    try {
      one.loadFromFile(file);
      for (const [user, path] of readTokenFiles(readFileSync(file, 'utf8'))) {
        if (!tokenFiles.has(user)) tokenFiles.set(user, resolve(dirname(file), path));
      }
      for (const { name } of one.users) if (!folders.has(name)) folders.set(name, resolve(dirname(file)));
    } catch (error) {
      // A YAML error quotes the line it stumbled over, which may be the token.
      const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
      throw configurationError(`kubeconfig ${file} cannot be read as a kubeconfig${code}`);
    }
    if (index > 0) mergeNew(config, one);
  }
  return { config, tokenFiles, folders };
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

function fromKubeconfig(
  files: readonly string[],
  options: Pick<LoadOptions, 'context' | 'plugins'>,
): ClusterConfig {
  const where = `kubeconfig ${files.join(', ')}`;
  const { config, tokenFiles, folders } = readKubeconfig(files);
  const name = options.context ?? config.getCurrentContext();
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
  const { plugins } = options;
  if (user) refuseUnsupportedLogin(user, where, plugins !== undefined);
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
    ...(user?.exec && plugins !== undefined
      ? { login: plugins(execPlugin(user, cluster, folders.get(user.name) ?? '', where)) }
      : {}),
  };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function execPlugin(user: User, cluster: Cluster, folder: string, where: string): ExecPlugin {
  const { apiVersion, command, args, env, installHint, interactiveMode, provideClusterInfo } = user.exec;
  const named = `${where}: user ${user.name}`;
  if (!isText(command)) throw configurationError(`${named}: exec names no command`);
  if (!isText(apiVersion) || !/^client\.authentication\.k8s\.io\/v1(beta1)?$/.test(apiVersion)) {
    throw configurationError(
      `${named}: apiVersion of exec must be client.authentication.k8s.io/v1 or v1beta1; write the kubeconfig anew with a current version of the tool that wrote it`,
    );
  }
  const entries: readonly unknown[] = Array.isArray(env) ? env : [];
  return {
    apiVersion,
    command: /[/\\]/.test(command) ? resolve(folder, command) : command,
    args: Array.isArray(args) ? args.map(String) : [],
    env: Object.fromEntries(
      (entries as readonly { name?: unknown; value?: unknown }[])
        .filter((entry) => isText(entry?.name))
        .map(({ name, value }) => [String(name), isText(value) ? value : '']),
    ),
    installHint: isText(installHint) ? installHint : undefined,
    interactiveMode: isText(interactiveMode) ? interactiveMode : 'IfAvailable',
    cluster:
      provideClusterInfo === true
        ? {
            server: cluster.server,
            'tls-server-name': cluster.tlsServerName,
            'insecure-skip-tls-verify': cluster.skipTLSVerify || undefined,
            'certificate-authority-data':
              cluster.caData ??
              (isText(cluster.caFile) ? readFileSync(cluster.caFile).toString('base64') : undefined),
            'proxy-url': cluster.proxyUrl,
          }
        : undefined,
    where: named,
  };
}

/** Plugins start programs with the rights of this process; impersonation would be half understood. */
function refuseUnsupportedLogin(user: User, where: string, withPlugins: boolean): void {
  const method = user.exec
    ? withPlugins
      ? undefined
      : 'an exec plugin'
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
