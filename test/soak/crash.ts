/**
 * Creates, updates and deletes, while webhook, poller, API server and etcd are killed at random moments. What was
 * acknowledged must come out right: every ExternalSecret with its Secret, nothing extra, nothing half.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { Cluster, type Manifest, valuesOf } from '../e2e/support/cluster.ts';
import { externalSecret, prepare } from '../e2e/support/vault.ts';
import type { Bed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';

export interface CrashOptions {
  /** Operations a round. */
  readonly operations: number;
  /** Multiplies the operations between two kills of a program; 1 unless told otherwise. */
  readonly pace?: number;
  /** Numbers from 0 to 1; the same sequence gives the same operations and victims. */
  readonly random: () => number;
}

export interface CrashCounts {
  creates: number;
  updates: number;
  deletes: number;
  /** Requests that had to be sent again: the API server was away, or the webhook was and it refused. */
  retries: number;
  kills: Record<string, number>;
}

const NAMESPACES = ['crash-1', 'crash-2', 'crash-3'];
const NAMES_EACH = 20;
const LANES = 16;
/** Remote keys and their values; an update makes an object read the other one. */
const REMOTE: Readonly<Record<string, string>> = { one: 'value-of-one', two: 'value-of-two' };
const OPERATION = 'crash.test/operation';
const RETRY_MS = 150;
/** Between two operations of a lane, so that a round lasts long enough to be shot at. */
const PACE_MS = 100;

type Victim = 'webhook' | 'poller' | 'kube-apiserver' | 'etcd';
/**
 * Operations that come through between two kills of one program, at least: on a busy machine, too, most of a round is
 * work. The API server takes seconds to start.
 */
const OPERATIONS_BETWEEN_KILLS: Readonly<Record<Victim, number>> = {
  webhook: 10,
  poller: 10,
  'kube-apiserver': 50,
  etcd: 50,
};
const VICTIMS = Object.keys(OPERATIONS_BETWEEN_KILLS) as readonly Victim[];

/** A small generator with a seed (mulberry32), so that a failing run can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class CrashRun {
  readonly #bed: Bed;
  readonly #cluster: Cluster;
  readonly #options: CrashOptions;
  /** `namespace/name` -> remote key it was last acknowledged to read; absent = deleted. */
  readonly #expected = new Map<string, string>();
  readonly #busy = new Set<string>();
  #operations = 0;
  #acknowledged = 0;
  readonly counts: CrashCounts = { creates: 0, updates: 0, deletes: 0, retries: 0, kills: {} };

  constructor(bed: Bed, options: CrashOptions) {
    this.#bed = bed;
    this.#cluster = new Cluster(bed.cp);
    this.#options = options;
  }

  async prepare(): Promise<void> {
    for (const [key, password] of Object.entries(REMOTE)) await this.#bed.openBao.write(key, { password });
    for (const namespace of NAMESPACES) await prepare(this.#cluster, this.#bed.openBao, namespace);
  }

  /** One round: all operations under fire, then quiet, then everything has to be right. */
  async round(): Promise<void> {
    const over = new AbortController();
    const killers = VICTIMS.map((victim) => this.#kill(victim, over.signal));
    let left = this.#options.operations;
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        while (left > 0) {
          left -= 1;
          await this.#operate();
          await sleep(this.#options.random() * PACE_MS);
        }
      }),
    );
    over.abort();
    await Promise.all(killers);
    await this.#settled();
  }

  /** After the sweep nothing is left that no ExternalSecret wants. */
  async finish(): Promise<void> {
    await eventually(
      async () => {
        const extra = (await this.#managedSecrets()).filter((key) => !this.#expected.has(key));
        assert.deepEqual(extra, []);
        return true;
      },
      { timeout: 100_000, interval: 1_000, what: 'the sweep of what is left over' },
    );
  }

  async #operate(): Promise<void> {
    const { random } = this.#options;
    let key: string;
    do {
      const namespace = NAMESPACES[Math.floor(random() * NAMESPACES.length)] ?? '';
      key = `${namespace}/app-${Math.floor(random() * NAMES_EACH)}`;
    } while (this.#busy.has(key));
    this.#busy.add(key);
    try {
      const remote = random() < 0.5 ? 'one' : 'two';
      if (!this.#expected.has(key)) await this.#create(key, remote);
      else if (random() < 0.5) await this.#update(key, remote);
      else await this.#delete(key);
      this.#acknowledged += 1;
    } finally {
      this.#busy.delete(key);
    }
  }

  #manifest(key: string, remote: string): Manifest & { metadata: { annotations: Record<string, string> } } {
    const [namespace = '', name = ''] = key.split('/');
    this.#operations += 1;
    const annotations = { [OPERATION]: String(this.#operations) };
    const data = [{ secretKey: 'password', remoteRef: { key: remote, property: 'password' } }];
    return externalSecret(namespace, name, { refreshInterval: '5s', data }, { annotations }) as never;
  }

  async #create(key: string, remote: string): Promise<void> {
    const manifest = this.#manifest(key, remote);
    const operation = manifest.metadata.annotations[OPERATION];
    await this.#insist(async () => {
      const { status } = await this.#cluster.attempt(manifest);
      if (status === 201) return true;
      if (status !== 409) return false;
      // An attempt before this one got through although nobody told us.
      const object = await this.#find(key);
      return object?.metadata.annotations?.[OPERATION] === operation;
    });
    this.#expected.set(key, remote);
    this.counts.creates += 1;
  }

  async #update(key: string, remote: string): Promise<void> {
    const { spec, metadata } = this.#manifest(key, remote);
    const [namespace, name = ''] = key.split('/');
    const patch = { metadata: { annotations: metadata.annotations }, spec };
    await this.#insist(async () => {
      await this.#cluster.patch('ExternalSecret', namespace, name, patch);
      return true;
    });
    this.#expected.set(key, remote);
    this.counts.updates += 1;
  }

  async #delete(key: string): Promise<void> {
    const [namespace, name = ''] = key.split('/');
    await this.#insist(async () => {
      if ((await this.#find(key)) === undefined) return true;
      await this.#cluster.remove('ExternalSecret', namespace, name);
      return true;
    });
    this.#expected.delete(key);
    this.counts.deletes += 1;
  }

  #find(key: string): Promise<ExternalSecret | undefined> {
    const [namespace, name = ''] = key.split('/');
    return this.#cluster.find('ExternalSecret', namespace, name);
  }

  /** Sends again until it is acknowledged, as a client that needs the result would. */
  async #insist(attempt: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      const done = await attempt().catch(() => false);
      if (done) return;
      if (performance.now() > deadline)
        throw new Error('an operation was not acknowledged within two minutes');
      this.counts.retries += 1;
      await sleep(RETRY_MS);
    }
  }

  /** Kills one program again and again; the others meanwhile do the same with theirs. */
  async #kill(victim: Victim, over: AbortSignal): Promise<void> {
    const { random, pace = 1 } = this.#options;
    while (!over.aborted) {
      const from = this.#acknowledged;
      await sleep(300 + random() * 3_000);
      const until = from + OPERATIONS_BETWEEN_KILLS[victim] * pace;
      while (!over.aborted && this.#acknowledged < until) await sleep(50);
      if (over.aborted) return;
      this.counts.kills[victim] = (this.counts.kills[victim] ?? 0) + 1;
      await this.#killOnce(victim, random() * 500);
    }
  }

  async #killOnce(victim: Victim, downMs: number): Promise<void> {
    const { cp, product } = this.#bed;
    if (victim === 'kube-apiserver' || victim === 'etcd') {
      await cp.kill(victim);
      await sleep(downMs);
      await (victim === 'etcd' ? cp.startEtcd() : cp.startApiServer());
      return;
    }
    const program = victim === 'webhook' ? product.webhook : product.poller;
    await program.kill();
    await sleep(downMs);
    await program.start();
  }

  async #settled(): Promise<void> {
    await eventually(
      async () => {
        for (const [key, remote] of this.#expected) await this.#right(key, remote);
        return true;
      },
      { timeout: 90_000, interval: 500, what: 'every acknowledged ExternalSecret with its right Secret' },
    );
  }

  async #right(key: string, remote: string): Promise<void> {
    const [namespace, name = ''] = key.split('/');
    const [object, secret] = [await this.#find(key), await this.#cluster.find('Secret', namespace, name)];
    assert.ok(object, `${key} was acknowledged and is gone`);
    assert.ok(secret, `${key} has no Secret`);
    assert.deepEqual(valuesOf(secret), { password: REMOTE[remote] }, key);
    assert.deepEqual(
      secret.metadata.ownerReferences?.map(({ uid, controller }) => ({ uid, controller })),
      [{ uid: object.metadata.uid, controller: true }],
      key,
    );
  }

  async #managedSecrets(): Promise<string[]> {
    const path = `/api/v1/secrets?labelSelector=${LABEL_MANAGED}%3Dtrue`;
    const { body } = await this.#bed.cp.request<{ items: SecretObject[] }>('GET', path);
    return body.items.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`);
  }
}
