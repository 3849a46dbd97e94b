/**
 * A cluster of the user's own, by a context of their kubeconfig. Everything goes through kubectl, so that each
 * way to log in works that works for them; requests go through a `kubectl proxy` on a socket of this user.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent } from 'undici';
import {
  type Cluster,
  type KubectlOptions,
  kubeconfigText,
  requestServiceAccountToken,
  type TokenOptions,
} from '../../test/harness/cluster.ts';
import { type CommandResult, runCommand } from '../../test/harness/command.ts';
import { type HttpAnswer, httpRequest } from '../../test/harness/http.ts';
import { type RunningProcess, startProcess } from '../../test/harness/process.ts';
import { temporaryDirectory } from '../../test/harness/run-directory.ts';
import { controlPlaneDirectory } from '../setup/paths.mjs';
import { UsageError } from './options.ts';

const ANSWER_MS = 20_000;
/** Longer than any wait that kubectl is told to keep. */
const KUBECTL_MS = 180_000;

/** All of it, unlike what children of the harness get: a login may need any of the user's variables. */
const userEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );

const runKubectl = (binary: string, args: readonly string[], stdin?: string): Promise<CommandResult> =>
  runCommand(binary, args, {
    env: userEnvironment(),
    timeout: KUBECTL_MS,
    ...(stdin === undefined ? {} : { stdin }),
  });

/** The user's own kubectl, which their logins were made for, else that of the control plane. */
async function findKubectl(): Promise<string> {
  const own = await runKubectl('kubectl', ['version', '--client']).catch(() => undefined);
  return own?.code === 0 ? 'kubectl' : join(controlPlaneDirectory(), 'kubectl');
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
}

export class UserCluster implements Cluster {
  readonly context: string;
  readonly server: string;
  readonly kubeconfig: string;
  readonly kubectlBinary: string;
  readonly #cluster: object;
  readonly #directory: string;
  readonly #agent: Agent;
  readonly #proxy: RunningProcess;

  private constructor(spec: {
    readonly context: string;
    readonly server: string;
    readonly cluster: object;
    readonly kubectlBinary: string;
    readonly directory: string;
    readonly kubeconfig: string;
    readonly agent: Agent;
    readonly proxy: RunningProcess;
  }) {
    this.context = spec.context;
    this.server = spec.server;
    this.kubeconfig = spec.kubeconfig;
    this.kubectlBinary = spec.kubectlBinary;
    this.#cluster = spec.cluster;
    this.#directory = spec.directory;
    this.#agent = spec.agent;
    this.#proxy = spec.proxy;
  }

  /**
   * Changes nothing in the cluster.
   * @throws UsageError if there is no such context, or the cluster does not answer
   */
  static async open(context: string): Promise<UserCluster> {
    const kubectlBinary = await findKubectl();
    const view = ['config', 'view', '--minify', '--flatten', '--raw', '--output=json'];
    const viewed = await runKubectl(kubectlBinary, [...view, `--context=${context}`]);
    if (viewed.code !== 0) {
      const { stdout } = await runKubectl(kubectlBinary, ['config', 'get-contexts', '--output=name']);
      const names = stdout.trim().split('\n').join(', ') || 'none';
      throw new UsageError(
        `--context ${context}: ${viewed.stderr.trim()}\nThe kubeconfig has these contexts: ${names}`,
      );
    }
    const cluster = (JSON.parse(viewed.stdout) as Kubeconfig).clusters[0]?.cluster;
    if (cluster === undefined) throw new UsageError(`--context ${context}: it names no cluster`);

    // A copy of this one context: the session goes on as it began, whatever becomes of the original.
    const directory = temporaryDirectory('own-cluster');
    const kubeconfig = join(directory, 'admin.kubeconfig');
    writeFileSync(kubeconfig, viewed.stdout, { mode: 0o600 });
    const socketPath = join(directory, 'api');
    const agent = new Agent({ connect: { socketPath } });
    const proxy = await startProcess({
      name: 'kubectl-proxy',
      command: kubectlBinary,
      args: [`--kubeconfig=${kubeconfig}`, 'proxy', `--unix-socket=${socketPath}`],
      env: userEnvironment(),
      directory,
      timeout: ANSWER_MS,
      ready: async () => {
        const { status, body } = await httpRequest('GET', 'http://localhost/version', { dispatcher: agent });
        return status === 200 || `${status} ${JSON.stringify(body)}`;
      },
    }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new UsageError(`--context ${context}: ${cluster.server} does not answer as it should\n${reason}`);
    });
    return new UserCluster({
      context,
      server: cluster.server,
      cluster,
      kubectlBinary,
      directory,
      kubeconfig,
      agent,
      proxy,
    });
  }

  kubectl(
    args: readonly string[],
    { stdin, as, kubeconfig = this.kubeconfig }: KubectlOptions = {},
  ): Promise<CommandResult> {
    const flags = [`--kubeconfig=${kubeconfig}`, ...(as === undefined ? [] : [`--as=${as}`])];
    return runKubectl(this.kubectlBinary, [...flags, ...args], stdin);
  }

  async kubectlOutput(args: readonly string[], options?: KubectlOptions): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
    return stdout;
  }

  request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer<T>> {
    return httpRequest<T>(method, `http://localhost${path}`, { dispatcher: this.#agent, headers, body });
  }

  serviceAccountToken(namespace: string, name: string, options?: TokenOptions): Promise<string> {
    return requestServiceAccountToken(this, namespace, name, options);
  }

  writeKubeconfig(name: string, token: string): string {
    const file = join(this.#directory, `${name}.kubeconfig`);
    writeFileSync(file, kubeconfigText(name, this.#cluster, token), { mode: 0o600 });
    return file;
  }

  async kindsChanged(): Promise<void> {
    // Its controllers are not ours to restart; they look for new kinds by themselves, each 30 s.
  }

  async stop(): Promise<void> {
    await this.#agent.destroy();
    await this.#proxy.stop();
  }
}
