/** The product's own programs, run from the checkout against a cluster. */
import { join } from 'node:path';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../../runtime/node-flags.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import type { Phase } from '../../webhook/mutate.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { httpRequest } from './http.ts';
import {
  type Installation,
  installProduct,
  isConfiguration,
  manifestText,
  productManifests,
} from './install.ts';
import { scrape, sumSamples } from './metrics.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './process.ts';
import { temporaryDirectory } from './run-directory.ts';

export interface ProductOptions {
  readonly namespace?: string;
  /** See InstallOptions. */
  readonly configurations?: boolean;
  /** See InstallOptions. */
  readonly conversion?: boolean;
  /** See InstallOptions. */
  readonly kes?: boolean;
  /** See InstallOptions. */
  readonly keptCrds?: readonly string[];
  /** See InstallOptions. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Where the API server finds the webhook, if not on its own loopback: `host` and `port` as it connects, and
   * the address of this machine that the webhook then listens on.
   */
  readonly reach?: { readonly host: string; readonly port: number; readonly listen: string };
  /** Replicas of the webhook to start, 0 for none; 1 by default. */
  readonly webhooks?: number;
  /** Puts a TCP balancer before the replicas; needed for more than one. By default only then. */
  readonly balancer?: boolean;
  /** Starts the poller; true by default. */
  readonly poller?: boolean;
  /** More flags. */
  readonly webhookArgs?: readonly string[];
  readonly pollerArgs?: readonly string[];
  /** Environment of both programs, beside what every child gets. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The program from the folder of bundles that ESA_PROGRAMS names, as it is shipped; without it from the sources. */
export function programFile(name: 'webhook' | 'poller'): string {
  const bundles = process.env['ESA_PROGRAMS'];
  return bundles === undefined ? join(ROOT, name, 'main.mjs') : join(bundles, `${name}.mjs`);
}

const LOOPBACK = '127.0.0.1';
const ANY_ADDRESS = '0.0.0.0';

/** The API server got no answer from the hooks; the message says in its words why. */
export class HooksUnreachable extends Error {}

/** One program that can be ended and started again with the same flags and ports. */
export class Program {
  readonly name: string;
  readonly metricsUrl: string;
  /** Port of the hooks; undefined for the poller. Their paths are known to the API server alone. */
  readonly port: number | undefined;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #directory: string;
  readonly #onChange: (running: boolean) => void;
  #process: RunningProcess | undefined;

  constructor(spec: {
    readonly name: string;
    readonly args: readonly string[];
    readonly env?: Readonly<Record<string, string>> | undefined;
    /** Address that /metrics and /readyz are found on; 127.0.0.1 by default. */
    readonly metricsAddress?: string;
    readonly metricsPort: number;
    readonly port?: number;
    readonly onChange?: (running: boolean) => void;
  }) {
    this.name = spec.name;
    this.port = spec.port;
    this.metricsUrl = `http://${spec.metricsAddress ?? LOOPBACK}:${spec.metricsPort}/metrics`;
    this.#args = spec.args;
    this.#env = spec.env ?? {};
    this.#directory = temporaryDirectory(spec.name);
    this.#onChange = spec.onChange ?? (() => undefined);
  }

  /** @throws Error before the first start */
  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never started`);
    return this.#process;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** One file over all restarts. */
  get log(): string {
    return this.process.log;
  }

  isRunning(): boolean {
    return this.#process?.isRunning() ?? false;
  }

  /** Resolves when /readyz says yes. @throws Error with the end of its log if it does not */
  async start(): Promise<void> {
    const readyUrl = this.metricsUrl.replace(/metrics$/, 'readyz');
    this.#process = await startProcess({
      name: this.name,
      command: process.execPath,
      args: [...NODE_FLAGS, ...this.#args],
      env: { ...NODE_ENVIRONMENT, ...this.#env },
      cwd: ROOT,
      directory: this.#directory,
      timeout: 60_000,
      ready: async () => {
        const { status, body } = await httpRequest<string>('GET', readyUrl);
        return status === 200 || body.trim();
      },
    });
    this.#onChange(true);
  }

  /** SIGTERM, and waits for the end. */
  async stop(): Promise<void> {
    this.#onChange(false);
    await this.#process?.stop();
  }

  /** SIGKILL, as a crash or the kernel's out-of-memory killer would. */
  async kill(): Promise<void> {
    this.#onChange(false);
    await this.#process?.stop({ signal: 'SIGKILL' });
  }

  /** The sum over all samples with these labels; see sumSamples. */
  async metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number> {
    return sumSamples(await scrape(this.metricsUrl), name, labels);
  }
}

const REVIEWS = 'esa_admission_reviews_total';
/** Valid, in the oldest version, and for a store that does not exist: it goes through all three hooks. */
const PROBE = {
  apiVersion: 'external-secrets.io/v1alpha1',
  kind: 'ExternalSecret',
  metadata: { name: 'harness-probe' },
  spec: {
    secretStoreRef: { name: 'harness-probe' },
    target: { name: 'harness-probe' },
    data: [{ secretKey: 'probe', remoteRef: { key: 'probe' } }],
  },
};

export class Product {
  readonly installation: Installation;
  /** Replicas in the order of their start. */
  readonly webhooks: readonly Program[] = [];
  readonly #cluster: Cluster;
  readonly #options: ProductOptions;
  readonly #balancer: Balancer | undefined;
  readonly #webhookPort: number;
  readonly #webhooks: Program[] = [];
  #phase: Phase = 'mutating';
  #poller: Program | undefined;
  readonly #replicas: Program[] = [];

  constructor(spec: {
    readonly cluster: Cluster;
    readonly options: ProductOptions;
    readonly installation: Installation;
    readonly balancer: Balancer | undefined;
    readonly webhookPort: number;
  }) {
    this.#cluster = spec.cluster;
    this.#options = spec.options;
    this.installation = spec.installation;
    this.#balancer = spec.balancer;
    this.#webhookPort = spec.webhookPort;
    this.webhooks = this.#webhooks;
  }

  get namespace(): string {
    return this.installation.namespace;
  }

  /** The first replica. @throws Error if there is none */
  get webhook(): Program {
    const [first] = this.#webhooks;
    if (first === undefined) throw new Error('no webhook was started');
    return first;
  }

  /** @throws Error if it was never started */
  get poller(): Program {
    if (this.#poller === undefined) throw new Error('no poller was started');
    return this.#poller;
  }

  get balancer(): Balancer | undefined {
    return this.#balancer;
  }

  /** Starts one more replica and returns when the API server gets answers from the hooks. */
  async startWebhook(args: readonly string[] = this.#options.webhookArgs ?? []): Promise<Program> {
    const balancer = this.#balancer;
    if (balancer === undefined && this.#webhooks.length > 0) {
      throw new Error('more than one webhook needs {balancer: true}');
    }
    const port = balancer === undefined ? this.#webhookPort : await freePort();
    const metricsPort = await freePort();
    const listen = this.#options.reach?.listen ?? LOOPBACK;
    const program = new Program({
      name: 'webhook',
      env: this.#options.env,
      metricsAddress: listen === ANY_ADDRESS ? LOOPBACK : listen,
      metricsPort,
      port,
      args: [
        programFile('webhook'),
        ...this.#commonArgs(this.installation.kubeconfigs.webhook, metricsPort, listen),
        '--port',
        String(port),
        '--service-name',
        this.installation.serviceName,
        // Nobody waits for endpoints to be withdrawn here.
        '--lame-duck',
        '200ms',
        '--materialise-in',
        this.#phase,
        ...args,
      ],
      onChange: (running) => {
        if (running) balancer?.add(port);
        else balancer?.remove(port);
      },
    });
    this.#webhooks.push(program);
    await program.start();
    await this.#waitForHooks();
    return program;
  }

  /** Has Secrets made in this phase from now on: ends the replicas, and starts as many anew, with these flags. */
  async materialiseIn(phase: Phase, args?: readonly string[]): Promise<void> {
    const replicas = this.#webhooks.length;
    await Promise.all(this.#webhooks.map((webhook) => webhook.stop()));
    this.#webhooks.length = 0;
    this.#phase = phase;
    const { namespace } = this;
    const manifests = productManifests({ namespace, webhookPort: this.#webhookPort, materialiseIn: phase });
    const stdin = manifestText(manifests.filter(isConfiguration));
    await this.#cluster.kubectlOutput(['apply', '-f', '-'], { stdin });
    if (phase === 'validating') {
      const mutating = ['mutatingwebhookconfiguration', 'zz-external-secrets-admission'];
      await this.#cluster.kubectlOutput(['delete', '--ignore-not-found', ...mutating]);
    }
    await Promise.all(Array.from({ length: replicas }, () => this.startWebhook(args)));
  }

  async startPoller(args: readonly string[] = this.#options.pollerArgs ?? []): Promise<Program> {
    this.#poller = await this.#newPoller(args, this.installation.kubeconfigs.poller);
    await this.#poller.start();
    return this.#poller;
  }

  /** Starts a poller beside the first. @param kubeconfig path of the one to use, if not the installation's */
  async addPoller(
    args: readonly string[] = this.#options.pollerArgs ?? [],
    kubeconfig: string = this.installation.kubeconfigs.poller,
  ): Promise<Program> {
    const replica = await this.#newPoller(args, kubeconfig);
    this.#replicas.push(replica);
    await replica.start();
    return replica;
  }

  async #newPoller(args: readonly string[], kubeconfig: string): Promise<Program> {
    const metricsPort = await freePort();
    return new Program({
      name: 'poller',
      env: this.#options.env,
      metricsPort,
      args: [
        programFile('poller'),
        ...this.#commonArgs(kubeconfig, metricsPort),
        '--sweep-after',
        '40s',
        ...args,
      ],
    });
  }

  async stop(): Promise<void> {
    const pollers = [this.#poller, ...this.#replicas].filter((one) => one !== undefined);
    await Promise.all([...this.#webhooks, ...pollers].map((p) => p.stop()));
    await this.#balancer?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #commonArgs(kubeconfig: string, metricsPort: number, listen = LOOPBACK): string[] {
    return [
      ['--kubeconfig', kubeconfig],
      ['--namespace', this.namespace],
      ['--metrics-port', String(metricsPort)],
      ['--bind-address', listen],
      ['--allow-loopback'],
      ['--log-level', 'info'],
    ].flat();
  }

  /**
   * A webhook that is ready has injected its CA, but the API server learns of it by a watch, some
   * milliseconds later; a test that creates at once would meet the old state.
   */
  async #waitForHooks(): Promise<void> {
    const { configurations, conversion, probeIn = 'default' } = this.installation;
    const version = conversion ? 'v1alpha1' : 'v1';
    const path = `/apis/external-secrets.io/${version}/namespaces/${probeIn}/externalsecrets?dryRun=All`;
    const reviews = async (): Promise<number> => {
      const counts = await Promise.all(
        this.#webhooks.filter((p) => p.isRunning()).map((p) => p.metric(REVIEWS, { hook: 'mutate' })),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    };
    const before = await reviews();
    const answered = async (): Promise<boolean> => {
      const { status, body } = await this.#cluster.request<{ message?: string }>('POST', path, {
        ...PROBE,
        metadata: { ...PROBE.metadata, namespace: probeIn },
        apiVersion: `external-secrets.io/${version}`,
      });
      // The API server names the whole URL, with the secret token in its path.
      if (status !== 201) {
        throw new Error(
          (body.message ?? `status ${status}`).replaceAll(/(https:\/\/[^/\s"]+\/)[^\s"]+/g, '$1...'),
        );
      }
      return !configurations || (await reviews()) > before;
    };
    const timeout = this.#options.reach === undefined ? 30_000 : 15_000;
    await eventually(answered, { timeout, what: 'an answer of all hooks' }).catch((error: unknown) => {
      throw new HooksUnreachable(error instanceof Error ? error.message : String(error));
    });
  }
}

/** Installs the product and starts its programs. */
export async function startProduct(cluster: Cluster, options: ProductOptions = {}): Promise<Product> {
  const replicas = options.webhooks ?? 1;
  const balancer = (options.balancer ?? replicas > 1) ? await startBalancer() : undefined;
  const webhookPort = balancer?.port ?? options.reach?.port ?? (await freePort());
  const installation = await installProduct(cluster, {
    webhookPort,
    ...(options.reach === undefined ? {} : { webhookHost: options.reach.host }),
    ...(options.kes === undefined ? {} : { kes: options.kes }),
    ...(options.keptCrds === undefined ? {} : { keptCrds: options.keptCrds }),
    ...(options.labels === undefined ? {} : { labels: options.labels }),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.configurations === undefined ? {} : { configurations: options.configurations }),
    ...(options.conversion === undefined ? {} : { conversion: options.conversion }),
  });
  const product = new Product({ cluster, options, installation, balancer, webhookPort });
  try {
    const poller = (options.poller ?? true) ? product.startPoller() : undefined;
    for (let i = 0; i < replicas; i++) await product.startWebhook();
    await poller;
    return product;
  } catch (error) {
    await product.stop();
    throw error;
  }
}
