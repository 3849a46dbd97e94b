/** A webhook process with what its hooks look up, and how it fares under the cases that are sent to it. */
import { readFileSync } from 'node:fs';
import { Cluster } from '../../e2e/support/cluster.ts';
import { clusterSecretStore, prepare, secretStore, vaultProvider } from '../../e2e/support/vault.ts';
import type { Bed } from '../../harness/bed.ts';
import type { WireCase } from './case.ts';
import { faultIn } from './check.ts';
import { WHERE } from './material.ts';
import { readPaths } from './paths.ts';
import { roundTripFault } from './round-trip.ts';
import { NoAnswer, Wire } from './wire.ts';

/** Stores that work, a generator, templates and a Secret of somebody else's, in one namespace. */
async function populate({ cp, openBao }: Bed): Promise<void> {
  const cluster = new Cluster(cp);
  await openBao.write('fuzzed', { password: 'p', host: 'h' });
  await prepare(cluster, openBao, WHERE);
  const inside = { namespace: WHERE };
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'foreign', ...inside },
    stringData: { a: 'b' },
  });
  await cluster.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'templates', ...inside },
    data: { a: '{{ .password }}' },
  });
  const data = [
    { key: 'map', value: '{"a":"1"}' },
    { key: 'app', value: 'x' },
  ];
  await cluster.create(secretStore(WHERE, 'fake', { provider: { fake: { data } } }));
  const auth = { tokenSecretRef: { name: 'vault-token', key: 'token', ...inside } };
  await cluster.create(clusterSecretStore('shared', { provider: vaultProvider(openBao.address, { auth }) }));
  await cluster.create({
    apiVersion: 'generators.external-secrets.io/v1alpha1',
    kind: 'Password',
    metadata: { name: 'pw', ...inside },
    spec: { length: 12 },
  });
}

export class Target {
  readonly #bed: Bed;
  readonly #wire: Wire;
  readonly #pid: number;
  #logRead: number;
  #slowestMs = 0;

  private constructor(bed: Bed, wire: Wire) {
    this.#bed = bed;
    this.#wire = wire;
    this.#pid = bed.product.webhook.pid;
    this.#logRead = this.#log().length;
  }

  /** @param bed without a policy that would change verdicts; its namespace `fuzz` is made here */
  static async prepare(bed: Bed): Promise<Target> {
    await populate(bed);
    const { port = 0 } = bed.product.webhook;
    return new Target(bed, new Wire(port, await readPaths(bed.cp)));
  }

  /** The longest that an answer took so far. */
  get slowestMs(): number {
    return Math.round(this.#slowestMs);
  }

  get rssMiB(): number {
    return Math.round(this.#bed.product.webhook.process.rssMiB());
  }

  close(): void {
    this.#wire.close();
  }

  /** What is wrong with how the case is answered; undefined: nothing. */
  async faultOf(one: WireCase): Promise<string | undefined> {
    const started = performance.now();
    try {
      const answers = await this.#wire.send(one);
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - started);
      const [fault] = answers.map((answer) => faultIn(one, answer)).filter((text) => text !== undefined);
      return fault ?? (await roundTripFault(one, answers[0], (next) => this.#wire.send(next)));
    } catch (error) {
      if (error instanceof NoAnswer) return `hang: ${error.message}`;
      return `connection: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** What the process itself suffered since the last call: its end, or a defect that it logged. */
  damage(): string | undefined {
    const { webhook } = this.#bed.product;
    if (!webhook.isRunning() || webhook.pid !== this.#pid) return `crash: ${webhook.process.logTail()}`;
    const log = this.#log();
    const lines = log.slice(this.#logRead).split('\n');
    this.#logRead = log.length;
    const error = lines.find((line) => line.includes('"level":"error"') || /^\S*Error: |^ {4}at /.test(line));
    return error === undefined ? undefined : `logged: ${error.slice(0, 1000)}`;
  }

  #log(): string {
    return readFileSync(this.#bed.product.webhook.log, 'utf8');
  }
}
