/**
 * Stands in for the nodes of a cluster that has none: what real controllers make of Deployments is run as processes of
 * this machine, with the flags and the environment of its Pods and as their ServiceAccounts, and its Pods say what the
 * processes do. Only containers of our own programs are known, and only what the chart uses of a Pod.
 */
import type { ObjectMeta } from '../../api/meta.ts';
import type { Balancer } from './balancer.ts';
import type { Cluster } from './cluster.ts';
import { freePort } from './ports.ts';
import { Program, programFile } from './product.ts';

interface Variable {
  readonly name: string;
  readonly value?: string;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly readinessProbe?: { readonly httpGet: { readonly path: string } };
}

export interface Pod {
  readonly metadata: ObjectMeta & { readonly name: string; readonly uid: string };
  readonly spec: { readonly serviceAccountName: string; readonly containers: readonly Container[] };
}

export interface KubeletOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** Gets the replicas of the webhook that are ready, as the Service of a cluster would. */
  readonly balancer: Balancer;
  /** The file that an image has for a program; this checkout's by default. */
  readonly fileOf?: (image: string, program: 'webhook' | 'poller') => string;
  /** Flags beside those of the Pod, which they go before. */
  readonly args?: (program: 'webhook' | 'poller') => readonly string[];
  /** Environment beside that of the Pod. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Kubelet {
  /** Programs of the Pods that are ready, in the order of their start. */
  running(program: 'webhook' | 'poller'): readonly Program[];
  /** What Pods could not be run for; empty if all went well. */
  readonly failures: readonly string[];
  /** Ends all processes and leaves the Pods as they are. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const NODE = 'this-machine';
/** Milliseconds between two looks at the Pods. */
const TURN = 200;
const MERGE = { 'content-type': 'application/merge-patch+json' };

const isProgram = (name: string | undefined): name is 'webhook' | 'poller' =>
  name === 'webhook' || name === 'poller';

class LocalKubelet implements Kubelet {
  readonly failures: string[] = [];
  readonly #options: KubeletOptions;
  readonly #pods: string;
  readonly #ended = Promise.withResolvers<void>();
  /** By uid. */
  readonly #runs = new Map<string, { readonly kind: 'webhook' | 'poller'; readonly program: Program }>();
  readonly #busy = new Map<string, Promise<void>>();
  #stopping = false;

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#pods = `/api/v1/namespaces/${options.namespace}/pods`;
  }

  running(wanted: 'webhook' | 'poller'): readonly Program[] {
    return [...this.#runs.values()]
      .filter(({ kind, program }) => kind === wanted && program.isRunning())
      .map(({ program }) => program);
  }

  async loop(): Promise<void> {
    while (!this.#stopping) {
      await this.#turn().catch((error: unknown) => this.failures.push(String(error)));
      await new Promise((resolve) => setTimeout(resolve, TURN));
    }
    this.#ended.resolve();
  }

  async stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      await this.#ended.promise;
      await Promise.all(this.#busy.values());
      await Promise.all([...this.#runs.values()].map(({ program }) => program.stop()));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #turn(): Promise<void> {
    const { body } = await this.#options.cluster.request<{ readonly items?: readonly Pod[] }>(
      'GET',
      this.#pods,
    );
    for (const pod of body.items ?? []) {
      const { uid, name, deletionTimestamp } = pod.metadata;
      if (this.#busy.has(uid)) continue;
      const isKnown = this.#runs.has(uid);
      const work = deletionTimestamp !== undefined ? this.#end(pod) : isKnown ? undefined : this.#begin(pod);
      if (work === undefined) continue;
      const done = work
        .catch((error: unknown) => {
          this.failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
        })
        .finally(() => this.#busy.delete(uid));
      this.#busy.set(uid, done);
    }
  }

  async #begin(pod: Pod): Promise<void> {
    const { cluster, namespace, balancer } = this.#options;
    const { name, uid } = pod.metadata;
    const [container, ...more] = pod.spec.containers;
    const [kind, ...flags] = container?.args ?? [];
    if (container === undefined || more.length > 0 || !isProgram(kind))
      throw new Error('want one container, whose first argument is webhook or poller');
    await this.#ask('POST', `${this.#pods}/${name}/binding`, {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name },
      target: { apiVersion: 'v1', kind: 'Node', name: NODE },
    });
    const token = await cluster.serviceAccountToken(namespace, pod.spec.serviceAccountName);
    const kubeconfig = cluster.writeKubeconfig(`pod-${name}`, token);
    const metricsPort = await freePort();
    const port = kind === 'webhook' ? await freePort() : undefined;
    const file = this.#options.fileOf?.(container.image, kind) ?? programFile(kind);
    const program = new Program({
      name: kind,
      metricsPort,
      ...(port === undefined ? {} : { port }),
      // The last of several flags of one name counts.
      args: [
        file,
        ...flags,
        `--kubeconfig=${kubeconfig}`,
        `--namespace=${namespace}`,
        `--bind-address=${LOOPBACK}`,
        `--metrics-port=${metricsPort}`,
        '--allow-loopback',
        ...(port === undefined ? [] : [`--port=${port}`]),
        ...(this.#options.args?.(kind) ?? []),
      ],
      env: { ...this.#options.env, ...this.#environmentOf(container), HOSTNAME: name },
      onChange: (running) => {
        if (port === undefined) return;
        if (running) balancer.add(port);
        else balancer.remove(port);
      },
    });
    this.#runs.set(uid, { kind, program });
    await this.#report(pod, container, false);
    await program.start();
    await this.#report(pod, container, true);
  }

  async #end(pod: Pod): Promise<void> {
    const { uid, name } = pod.metadata;
    await this.#runs.get(uid)?.program.stop();
    this.#runs.delete(uid);
    await this.#options.cluster.request('DELETE', `${this.#pods}/${name}?gracePeriodSeconds=0`);
  }

  #environmentOf({ env = [] }: Container): Record<string, string> {
    return Object.fromEntries(
      env.map(({ name, value }) => {
        if (value === undefined) throw new Error(`${name}: only plain values are known`);
        return [name, value];
      }),
    );
  }

  async #report(pod: Pod, { name, image }: Container, ready: boolean): Promise<void> {
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type, index) => ({
      type,
      status: index < 2 || ready ? 'True' : 'False',
      lastTransitionTime: now,
    }));
    const state = { running: { startedAt: now } };
    await this.#ask(
      'PATCH',
      `${this.#pods}/${pod.metadata.name}/status`,
      {
        status: {
          phase: 'Running',
          podIP: LOOPBACK,
          podIPs: [{ ip: LOOPBACK }],
          startTime: now,
          conditions,
          containerStatuses: [{ name, image, imageID: '', ready, started: true, restartCount: 0, state }],
        },
      },
      MERGE,
    );
  }

  async #ask(
    method: string,
    path: string,
    body: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<void> {
    const answer = await this.#options.cluster.request<{ message?: string }>(method, path, body, headers);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body.message ?? ''}`);
  }
}

/** Runs the Pods of a namespace until it is stopped. */
export function startKubelet(options: KubeletOptions): Kubelet {
  const kubelet = new LocalKubelet(options);
  void kubelet.loop();
  return kubelet;
}
