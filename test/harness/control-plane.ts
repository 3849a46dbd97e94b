/**
 * A real Kubernetes control plane on free ports of 127.0.0.1: etcd, kube-apiserver and, if wanted,
 * kube-controller-manager. No nodes, so Pods stay Pending. Up in about three seconds.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from 'undici';
import { controlPlaneDirectory, hasControllerManager } from '../../tools/setup/paths.mjs';
import {
  type Cluster,
  type KubectlOptions,
  kubeconfigText,
  requestServiceAccountToken,
  type TokenOptions,
} from './cluster.ts';
import { type CommandResult, runCommand } from './command.ts';
import { type HttpAnswer, httpRequest, trusting } from './http.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './process.ts';
import { temporaryDirectory } from './run-directory.ts';

export interface ControlPlaneOptions {
  /**
   * Starts the controllers named in CONTROLLERS, too; true by default. `later` is for who adds kinds at once: they
   * are started when kindsChanged() is called. Where there is no kube-controller-manager (the assets of
   * setup-envtest have none) it runs without.
   */
  readonly controllerManager?: boolean | 'later';
  /** More controllers, such as `deployment-controller`. */
  readonly controllers?: readonly string[];
  /** More flags of kube-apiserver. */
  readonly apiServerArgs?: readonly string[];
  /** Writes an audit log (level Metadata) for auditEvents(). */
  readonly audit?: boolean;
  /** More flags of etcd. */
  readonly etcdArgs?: readonly string[];
  /** Lets etcd write to the disk for good, as a production cluster does; for benches. False by default. */
  readonly fsync?: boolean;
}

export type ControlPlaneProgram = 'etcd' | 'kube-apiserver' | 'kube-controller-manager';

/** One line of the API server's audit log, as far as tests look at it. */
export interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Requests and kubectl act as admin; headers may override `authorization`. */
export interface ControlPlane extends Cluster {
  /** The CA of the API server, PEM. */
  readonly ca: string;
  readonly adminToken: string;
  readonly directory: string;
  readonly processes: Readonly<Partial<Record<ControlPlaneProgram, RunningProcess>>>;
  /** What the API server has finished so far (stage ResponseComplete); only with `audit`. */
  auditEvents(): readonly AuditEvent[];
  /** Starts etcd again after kill('etcd'): same ports, same data. */
  startEtcd(): Promise<void>;
  /** A call of etcd's own API as JSON; `path` comes after /v3/, e.g. `maintenance/defragment`. @throws Error on a refusal */
  etcd<T = unknown>(path: string, body: object): Promise<T>;
  /** Forgets all revisions but the last. What the API server holds in memory it goes on to serve until it is restarted. */
  compactEtcd(): Promise<void>;
  stopApiServer(): Promise<void>;
  /** Starts it again: same port, same certificates, same data. */
  startApiServer(): Promise<void>;
  /**
   * Starts the controllers, anew if they run. The garbage collector looks for new kinds only each 30 s; one
   * that was just started knows them.
   */
  startControllerManager(): Promise<void>;
  /** SIGKILL. */
  kill(program: ControlPlaneProgram): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const CONTROLLERS = [
  'namespace-controller',
  'garbage-collector-controller',
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
  'resourcequota-controller',
];
/** Their rules are gathered by a controller. */
const AGGREGATED_ROLES = ['admin', 'edit', 'view'];
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [{ level: 'Metadata' }],
};

/** The API server makes its own CA; it is the last certificate of the file with its own. */
function readServerCa(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const certificates = readFileSync(file, 'utf8').match(
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
  );
  return certificates !== null && certificates.length > 1 ? `${certificates.at(-1)}\n` : undefined;
}

function writeServiceAccountKeys(directory: string): {
  readonly publicKey: string;
  readonly privateKey: string;
} {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const files = {
    publicKey: join(directory, 'service-account.pub'),
    privateKey: join(directory, 'service-account.key'),
  };
  writeFileSync(files.publicKey, pair.publicKey);
  writeFileSync(files.privateKey, pair.privateKey, { mode: 0o600 });
  return files;
}

/** Starts etcd on these addresses, with the data that is there. */
function startEtcd(
  directory: string,
  { url, peer }: { readonly url: string; readonly peer: string },
  { fsync = false, etcdArgs = [] }: ControlPlaneOptions,
): Promise<RunningProcess> {
  return startProcess({
    name: 'etcd',
    command: join(controlPlaneDirectory(), 'etcd'),
    directory,
    args: [
      '--name=local',
      `--data-dir=${join(directory, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=local=${peer}`,
      '--log-level=warn',
      ...(fsync ? [] : ['--unsafe-no-fsync']),
      ...etcdArgs,
    ],
    ready: async () => (await httpRequest('GET', `${url}/health`)).status === 200,
  });
}

class LocalControlPlane implements ControlPlane {
  readonly directory = temporaryDirectory('control-plane');
  readonly adminToken = randomBytes(16).toString('hex');
  readonly kubeconfig = join(this.directory, 'admin.kubeconfig');
  readonly kubectlBinary = join(controlPlaneDirectory(), 'kubectl');
  readonly processes: Partial<Record<ControlPlaneProgram, RunningProcess>> = {};
  readonly #options: ControlPlaneOptions;
  readonly #keys = writeServiceAccountKeys(this.directory);
  readonly #auditLog = join(this.directory, 'audit.log');
  #port = 0;
  #etcd = { url: '', peer: '' };
  #ca: string | undefined;
  #agent: Agent | undefined;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
  }

  get server(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get ca(): string {
    if (this.#ca === undefined) throw new Error('the API server has made no certificate yet');
    return this.#ca;
  }

  async start(): Promise<void> {
    writeFileSync(join(this.directory, 'tokens.csv'), `${this.adminToken},admin,admin,system:masters\n`, {
      mode: 0o600,
    });
    writeFileSync(join(this.directory, 'audit-policy.json'), JSON.stringify(AUDIT_POLICY));
    const address = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`;
    this.#etcd = { url: await address(), peer: await address() };
    await this.startEtcd();
    this.#port = await freePort();
    await this.startApiServer();
    this.writeKubeconfig('admin', this.adminToken);
    const { controllerManager = true } = this.#options;
    if (controllerManager === true && hasControllerManager()) await this.startControllerManager();
  }

  async startEtcd(): Promise<void> {
    this.processes.etcd = await startEtcd(this.directory, this.#etcd, this.#options);
  }

  async etcd<T>(path: string, body: object): Promise<T> {
    const answer = await httpRequest<T>('POST', `${this.#etcd.url}/v3/${path}`, { body });
    if (answer.status === 200) return answer.body;
    throw new Error(`etcd refused ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  async compactEtcd(): Promise<void> {
    const key = Buffer.from('any').toString('base64');
    const { header } = await this.etcd<{ header: { revision: string } }>('kv/range', { key });
    await this.etcd('kv/compaction', { revision: header.revision, physical: true });
  }

  async startApiServer(): Promise<void> {
    const certificates = join(this.directory, 'certificates');
    this.processes['kube-apiserver'] = await startProcess({
      name: 'kube-apiserver',
      command: join(controlPlaneDirectory(), 'kube-apiserver'),
      directory: this.directory,
      timeout: 90_000,
      // A quarter less CPU for some memory; a bench (which is what asks for fsync) has it as it comes.
      ...(this.#options.fsync === true ? {} : { env: { GOGC: '400' } }),
      args: [
        `--etcd-servers=${this.#etcd.url}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--secure-port=${this.#port}`,
        `--cert-dir=${certificates}`,
        '--endpoint-reconciler-type=none',
        '--service-cluster-ip-range=10.96.0.0/16',
        `--token-auth-file=${join(this.directory, 'tokens.csv')}`,
        '--authorization-mode=RBAC',
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${this.#keys.publicKey}`,
        `--service-account-signing-key-file=${this.#keys.privateKey}`,
        '--profiling=false',
        ...(this.#options.audit === true
          ? [
              `--audit-policy-file=${join(this.directory, 'audit-policy.json')}`,
              `--audit-log-path=${this.#auditLog}`,
              '--audit-log-mode=blocking-strict',
            ]
          : []),
        ...(this.#options.apiServerArgs ?? []),
      ],
      ready: async () => {
        this.#ca ??= readServerCa(join(certificates, 'apiserver.crt'));
        if (this.#ca === undefined) return false;
        this.#agent ??= trusting(this.#ca);
        return (await this.request('GET', '/readyz')).status === 200;
      },
    });
  }

  async startControllerManager(): Promise<void> {
    await this.processes['kube-controller-manager']?.stop();
    const rootCa = join(this.directory, 'root-ca.crt');
    writeFileSync(rootCa, this.ca);
    const port = await freePort();
    const certificates = join(this.directory, 'certificates/apiserver');
    const agent = trusting(this.ca);
    this.processes['kube-controller-manager'] = await startProcess({
      name: 'kube-controller-manager',
      command: join(controlPlaneDirectory(), 'kube-controller-manager'),
      directory: this.directory,
      args: [
        `--kubeconfig=${this.kubeconfig}`,
        `--authentication-kubeconfig=${this.kubeconfig}`,
        `--authorization-kubeconfig=${this.kubeconfig}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${port}`,
        // Those of the API server: its own would be two more RSA keys.
        `--tls-cert-file=${certificates}.crt`,
        `--tls-private-key-file=${certificates}.key`,
        '--leader-elect=false',
        `--root-ca-file=${rootCa}`,
        `--service-account-private-key-file=${this.#keys.privateKey}`,
        '--use-service-account-credentials=true',
        '--profiling=false',
        // The default of 20 a second would have tests wait for the collection of what they delete.
        '--kube-api-qps=200',
        '--kube-api-burst=400',
        `--controllers=${[...CONTROLLERS, ...(this.#options.controllers ?? [])].join(',')}`,
      ],
      ready: async () => {
        const url = `https://127.0.0.1:${port}/healthz`;
        const { status } = await httpRequest('GET', url, { dispatcher: agent });
        return status === 200 && (await this.#controllersHaveBegun());
      },
    });
    await agent.close();
  }

  /** True once there is what a cluster has only by them, and tests take for given. */
  async #controllersHaveBegun(): Promise<boolean> {
    const account = await this.request('GET', '/api/v1/namespaces/default/serviceaccounts/default');
    if (account.status !== 200) return false;
    for (const role of AGGREGATED_ROLES) {
      const path = `/apis/rbac.authorization.k8s.io/v1/clusterroles/${role}`;
      const { body } = await this.request<{ rules?: readonly unknown[] | null }>('GET', path);
      if ((body.rules ?? []).length === 0) return false;
    }
    return true;
  }

  async kubectl(
    args: readonly string[],
    { stdin, as, kubeconfig = this.kubeconfig }: KubectlOptions = {},
  ): Promise<CommandResult> {
    const flags = [`--kubeconfig=${kubeconfig}`, ...(as === undefined ? [] : [`--as=${as}`])];
    return runCommand(this.kubectlBinary, [...flags, ...args], {
      env: { HOME: this.directory },
      ...(stdin === undefined ? {} : { stdin }),
    });
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
    return httpRequest<T>(method, this.server + path, {
      ...(this.#agent === undefined ? {} : { dispatcher: this.#agent }),
      headers: { authorization: `Bearer ${this.adminToken}`, ...headers },
      body,
    });
  }

  serviceAccountToken(namespace: string, name: string, options?: TokenOptions): Promise<string> {
    return requestServiceAccountToken(this, namespace, name, options);
  }

  writeKubeconfig(name: string, token: string): string {
    const file = join(this.directory, `${name}.kubeconfig`);
    const cluster = {
      server: this.server,
      'certificate-authority-data': Buffer.from(this.ca).toString('base64'),
    };
    writeFileSync(file, kubeconfigText(name, cluster, token), { mode: 0o600 });
    return file;
  }

  async kindsChanged(): Promise<void> {
    // It looks for new kinds each 30 s; owners of a kind that it does not know would be collected late.
    const awaited = this.#options.controllerManager === 'later' && hasControllerManager();
    if (awaited || this.processes['kube-controller-manager'] !== undefined)
      await this.startControllerManager();
  }

  auditEvents(): readonly AuditEvent[] {
    if (this.#options.audit !== true)
      throw new Error('start the control plane with {audit: true} to see its audit log');
    const lines = readFileSync(this.#auditLog, 'utf8').split('\n');
    // The last piece is empty, or a line that is being written.
    return lines.slice(0, -1).map((line) => JSON.parse(line) as AuditEvent);
  }

  async stopApiServer(): Promise<void> {
    // Open watches would hold it back for a minute; an outage is not that polite.
    await this.processes['kube-apiserver']?.stop({ graceMs: 2000 });
  }

  async kill(program: ControlPlaneProgram): Promise<void> {
    await this.processes[program]?.stop({ signal: 'SIGKILL' });
  }

  async stop(): Promise<void> {
    await this.#agent?.destroy();
    // Nothing of it is kept, so nobody has to say goodbye to anybody.
    for (const program of ['kube-controller-manager', 'kube-apiserver', 'etcd'] as const)
      await this.kill(program);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** @throws Error with the end of the log of the program that did not come up */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const controlPlane = new LocalControlPlane(options);
  try {
    await controlPlane.start();
    return controlPlane;
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
}
