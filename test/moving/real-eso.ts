/** External Secrets Operator itself, as its chart deploys it: its programs run here while their Deployments want replicas. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { esoDirectory } from '../../tools/setup/paths.mjs';
import type { ControlPlane } from '../harness/control-plane.ts';
import { httpRequest } from '../harness/http.ts';
import { freePort } from '../harness/ports.ts';
import { type RunningProcess, startProcess } from '../harness/process.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';

interface Deployment {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly containers: readonly { readonly args?: readonly string[] }[];
      };
    };
  };
}

/** Its webhook would have to be reached by way of a node; nothing that it leaves behind is made by it. */
const NOT_RUN = 'external-secrets-webhook';

export class RealEso {
  readonly #cp: ControlPlane;
  readonly #namespace: string;
  readonly #processes = new Map<string, RunningProcess>();
  /** Path of its chart. */
  readonly chart: string;

  constructor(cp: ControlPlane, namespace: string) {
    this.#cp = cp;
    this.#namespace = namespace;
    this.chart = join(temporaryDirectory('eso-chart'), 'external-secrets');
    cpSync(join(esoDirectory(), 'chart'), this.chart, { recursive: true });
  }

  /** Starts and ends its programs as the Deployments of its namespace say now. */
  async follow(): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${this.#namespace}/deployments`;
    const { body } = await this.#cp.request<{ items?: readonly Deployment[] }>('GET', path);
    const wanted = (body.items ?? []).filter(
      ({ metadata, spec }) => (spec.replicas ?? 1) > 0 && metadata.name !== NOT_RUN,
    );
    const names = new Set(wanted.map(({ metadata }) => metadata.name));
    for (const [name, running] of this.#processes) {
      if (names.has(name)) continue;
      this.#processes.delete(name);
      await running.stop();
    }
    for (const deployment of wanted)
      if (!this.#processes.has(deployment.metadata.name)) await this.#start(deployment);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((running) => running.stop()));
  }

  async #start({ metadata: { name }, spec }: Deployment): Promise<void> {
    const { serviceAccountName, containers } = spec.template.spec;
    const token = await this.#cp.serviceAccountToken(this.#namespace, serviceAccountName);
    const [metrics, probe] = [await freePort(), await freePort()];
    const args = containers[0]?.args ?? [];
    const isController = args[0] !== 'certcontroller';
    const probeFlag = isController ? '--live-addr' : '--healthz-addr';
    const running = await startProcess({
      name,
      command: join(esoDirectory(), 'external-secrets'),
      // The last of a flag counts.
      args: [...args, `--metrics-addr=127.0.0.1:${metrics}`, `${probeFlag}=127.0.0.1:${probe}`],
      env: { KUBECONFIG: this.#cp.writeKubeconfig(`eso-${name}`, token), POD_NAMESPACE: this.#namespace },
      timeout: 180_000,
      ready: async () => (await httpRequest('GET', `http://127.0.0.1:${metrics}/metrics`)).status === 200,
    });
    this.#processes.set(name, running);
  }
}
