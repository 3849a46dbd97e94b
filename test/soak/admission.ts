/**
 * Creates, updates and deletes at a steady rate through everything that an operator does to the product and a provider
 * to its clients: rolling restarts of webhook and poller, rotation of the CA, OpenBao paused for 20 s of each minute.
 * No valid object may be refused, lost or left over, and memory must not grow.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LABEL_MANAGED, OUR_GROUP } from '../../api/external-secrets/names.ts';
import { quantile } from '../../bench/report.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { Cluster, type Manifest, valuesOf } from '../e2e/support/cluster.ts';
import { externalSecret, prepare } from '../e2e/support/vault.ts';
import type { Bed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import type { Program } from '../harness/product.ts';
import { rollPoller, rollWebhooks } from './roll.ts';
import { growthPercent, type Sample } from './trend.ts';

export interface AdmissionOptions {
  readonly minutes: number;
  /** Operations a second, all kinds together. */
  readonly perSecond: number;
  /** Numbers from 0 to 1. */
  readonly random: () => number;
}

const NAMESPACES = ['soak-1', 'soak-2', 'soak-3'];
/** About two thirds of the names are in use at a time, so creates and deletes are as many. */
const NAMES_EACH = 60;
/** Remote keys and their values; an update makes an object read the other one. */
const REMOTE: Readonly<Record<string, string>> = { one: 'value-of-one', two: 'value-of-two' };
const MINUTE_MS = 60_000;
/** Fewer than there are names. While OpenBao is paused 5 s of creates wait, 50 or so. */
const MAX_RUNNING = 120;
const PAUSE = { everyMs: MINUTE_MS, afterMs: 20_000, forMs: 20_000 };
const ROLL_EVERY_MS = 60_000;
const ROTATE_EVERY_MS = 30_000;
const PROGRESS_MS = 30_000;
const SAMPLE_EVERY_MS = 2_000;
/** Memory is watched from here on, or from two fifths of a shorter run. */
const WARM_UP_MS = 2 * MINUTE_MS;
/** At the end the poller is replaced once more, after memory was watched. */
const CLOSING_MS = 15_000;
const MAX_GROWTH_PERCENT = 5;
const CA_SECRET = 'external-secrets-admission-ca';

interface Create {
  readonly beganAt: number;
  readonly ms: number;
  /** The Secret was there when the create returned. */
  readonly materialised: boolean;
  /** Why it was not, in a word. */
  readonly reason: string;
}

/** What a warning says, in a word; warnings name objects, so they cannot be counted as they are. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/left alone/, 'breaker'],
  [/creates wait for/, 'store-busy'],
  [/the webhook is busy/, 'overloaded'],
  [/out of time|no answer|given up/, 'timeout'],
];

function reasonOf(warnings: readonly string[]): string {
  const [text] = warnings;
  if (text === undefined) return 'silent';
  return REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? text.replace(/^.*retrying: /, '');
}

export class AdmissionSoak {
  readonly #bed: Bed;
  readonly #cluster: Cluster;
  readonly #options: AdmissionOptions;
  /** `namespace/name` -> remote key it was last acknowledged to read. */
  readonly #expected = new Map<string, string>();
  readonly #busy = new Set<string>();
  readonly #creates: Create[] = [];
  readonly #pauses: { readonly from: number; to: number }[] = [];
  readonly #refused: string[] = [];
  readonly #counts = {
    creates: 0,
    updates: 0,
    deletes: 0,
    webhookRolls: 0,
    pollerRolls: 0,
    leftOut: 0,
    rotationsAsked: 0,
  };
  readonly #authorities = new Set<string>();
  readonly #rss: Record<'webhook' | 'poller', Sample[]> = { webhook: [], poller: [] };
  /** The replica whose memory is watched; the others are replaced all the time. */
  #keeper: Program | undefined;

  constructor(bed: Bed, options: AdmissionOptions) {
    this.#bed = bed;
    this.#cluster = new Cluster(bed.cp);
    this.#options = options;
  }

  async prepare(): Promise<void> {
    for (const [key, password] of Object.entries(REMOTE)) await this.#bed.openBao.write(key, { password });
    for (const namespace of NAMESPACES) await prepare(this.#cluster, this.#bed.openBao, namespace);
  }

  /**
   * @param tell gets a line each half minute
   * @returns the report, and whether all of it is as it should be
   */
  async run(tell: (line: string) => void): Promise<{ readonly passed: boolean; readonly report: object }> {
    const began = performance.now();
    const lengthMs = this.#options.minutes * MINUTE_MS;
    const over = new AbortController();
    const { signal } = over;
    const warmUp = Math.min(WARM_UP_MS, lengthMs * 0.4);
    const progress = setInterval(() => {
      const seconds = Math.round((performance.now() - began) / 1_000);
      const failed = this.#creates.filter(({ materialised }) => !materialised).length;
      tell(
        `${seconds} s: ${JSON.stringify(this.#counts)}, ${failed} creates failed open, ${this.#refused.length} refused: ${this.#refused.at(-1) ?? ''}`,
      );
    }, PROGRESS_MS);
    const chores = [
      this.#operations(signal),
      this.#pauseProvider(signal),
      this.#rotate(signal),
      this.#roll(began, warmUp, signal),
      this.#sample(began + warmUp, began + lengthMs - CLOSING_MS, signal),
      this.#rollPollers([warmUp / 4, (warmUp * 3) / 4, lengthMs - CLOSING_MS], signal),
    ];
    await Promise.race([sleep(lengthMs), Promise.all(chores)]);
    over.abort();
    await Promise.all(chores);
    clearInterval(progress);
    const lost = await this.#lost();
    const orphaned = await this.#orphaned();
    return this.#report(lost, orphaned);
  }

  /** An open loop: the next one begins at its time, however long others take. */
  async #operations(signal: AbortSignal): Promise<void> {
    const running = new Set<Promise<void>>();
    const began = performance.now();
    for (let number = 0; !signal.aborted; number += 1) {
      const wait = began + (number * 1_000) / this.#options.perSecond - performance.now();
      if (wait > 0) await sleep(wait);
      // A machine that is too slow for the rate: what it leaves out is counted, and would only pile up.
      if (running.size >= MAX_RUNNING) {
        this.#counts.leftOut += 1;
        await sleep(1_000 / this.#options.perSecond);
        continue;
      }
      const one = this.#operate().finally(() => running.delete(one));
      running.add(one);
    }
    await Promise.all(running);
  }

  async #operate(): Promise<void> {
    const { random } = this.#options;
    let key: string;
    do {
      const namespace = NAMESPACES[Math.floor(random() * NAMESPACES.length)] ?? '';
      key = `${namespace}/app-${Math.floor(random() * NAMES_EACH)}`;
    } while (this.#busy.has(key));
    this.#busy.add(key);
    const remote = random() < 0.5 ? 'one' : 'two';
    try {
      if (!this.#expected.has(key)) await this.#create(key, remote);
      else if (random() < 0.5) await this.#update(key, remote);
      else await this.#delete(key);
    } catch (error) {
      this.#refused.push(`${key}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#busy.delete(key);
    }
  }

  async #create(key: string, remote: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    this.#counts.creates += 1;
    const beganAt = performance.now();
    const { status, body, warnings } = await this.#cluster.attempt(manifest(key, remote));
    const ms = performance.now() - beganAt;
    if (status !== 201) {
      this.#refused.push(`create ${key}: ${status} ${body.message ?? ''}`);
      return;
    }
    this.#expected.set(key, remote);
    const materialised = (await this.#cluster.find('Secret', namespace, name)) !== undefined;
    this.#creates.push({ beganAt, ms, materialised, reason: materialised ? '' : reasonOf(warnings) });
  }

  async #update(key: string, remote: string): Promise<void> {
    const [namespace, name = ''] = key.split('/');
    this.#counts.updates += 1;
    const { spec } = manifest(key, remote);
    await this.#cluster.patch('ExternalSecret', namespace, name, { spec });
    this.#expected.set(key, remote);
  }

  async #delete(key: string): Promise<void> {
    const [namespace, name = ''] = key.split('/');
    this.#counts.deletes += 1;
    await this.#cluster.remove('ExternalSecret', namespace, name);
    this.#expected.delete(key);
  }

  async #pauseProvider(signal: AbortSignal): Promise<void> {
    const { openBao } = this.#bed;
    await rest(PAUSE.afterMs, signal);
    while (!signal.aborted) {
      const pause = { from: performance.now(), to: Number.POSITIVE_INFINITY };
      this.#pauses.push(pause);
      openBao.pause();
      await rest(PAUSE.forMs, signal);
      openBao.resume();
      pause.to = performance.now();
      await rest(PAUSE.everyMs - PAUSE.forMs, signal);
    }
  }

  async #rotate(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await rest(ROTATE_EVERY_MS, signal);
      await this.#rotateAuthority();
    }
  }

  /** Asks for a new CA, as an operator would; which one signs is looked up each time. */
  async #rotateAuthority(): Promise<void> {
    const { namespace } = this.#bed.product;
    const request = String(Date.now());
    const annotations = { [`${OUR_GROUP}/rotate`]: request };
    const secret = await this.#cluster.patch('Secret', namespace, CA_SECRET, { metadata: { annotations } });
    this.#counts.rotationsAsked += 1;
    this.#authorities.add(secret.data?.['ca.crt'] ?? '');
  }

  /** Both replicas are replaced once while memory is not watched yet; then one stays. */
  async #roll(began: number, warmUp: number, signal: AbortSignal): Promise<void> {
    const { product } = this.#bed;
    await rest(warmUp / 4, signal);
    while (!signal.aborted) {
      const keep = this.#keeper === undefined ? [] : [this.#keeper];
      await rollWebhooks(product, keep);
      this.#keeper ??= product.webhooks.find((replica) => replica.isRunning());
      this.#counts.webhookRolls += 1;
      const next = Math.ceil((performance.now() - began) / ROLL_EVERY_MS) * ROLL_EVERY_MS;
      await rest(began + next - performance.now(), signal);
    }
  }

  async #rollPollers(at: readonly number[], signal: AbortSignal): Promise<void> {
    const began = performance.now();
    for (const moment of at) {
      await rest(began + moment - performance.now(), signal);
      if (signal.aborted) return;
      await rollPoller(this.#bed.product);
      this.#counts.pollerRolls += 1;
    }
  }

  async #sample(from: number, to: number, signal: AbortSignal): Promise<void> {
    await rest(from - performance.now(), signal);
    while (!signal.aborted && performance.now() < to) {
      const programs = { webhook: this.#keeper, poller: this.#bed.product.poller };
      for (const name of ['webhook', 'poller'] as const) {
        const program = programs[name];
        // While the poller is replaced the new one may not have begun yet.
        if (program?.isRunning() === true)
          this.#rss[name].push({ at: performance.now(), value: program.process.rssMiB() });
      }
      await rest(SAMPLE_EVERY_MS, signal);
    }
  }

  /** Acknowledged ExternalSecrets that do not come right. */
  async #lost(): Promise<readonly string[]> {
    let wrong: string[] = [];
    await eventually(
      async () => {
        wrong = [];
        for (const [key, remote] of this.#expected) if (!(await this.#isRight(key, remote))) wrong.push(key);
        return wrong.length === 0;
      },
      { timeout: 120_000, interval: 1_000 },
    ).catch(() => undefined);
    return wrong;
  }

  async #isRight(key: string, remote: string): Promise<boolean> {
    const [namespace = '', name = ''] = key.split('/');
    const object = await this.#cluster.find('ExternalSecret', namespace, name);
    const secret = await this.#cluster.find('Secret', namespace, name);
    const owner = secret?.metadata.ownerReferences?.find(({ controller }) => controller === true);
    return (
      object !== undefined &&
      secret !== undefined &&
      valuesOf(secret)['password'] === REMOTE[remote] &&
      owner?.uid === object.metadata.uid
    );
  }

  /** Secrets that no ExternalSecret wants, after garbage collection and the sweep had their time. */
  async #orphaned(): Promise<readonly string[]> {
    let left: string[] = [];
    await eventually(
      async () => {
        const path = `/api/v1/secrets?labelSelector=${LABEL_MANAGED}%3Dtrue`;
        const { body } = await this.#bed.cp.request<{ items: SecretObject[] }>('GET', path);
        const all = body.items.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`);
        left = all.filter((key) => !this.#expected.has(key));
        return left.length === 0;
      },
      { timeout: 120_000, interval: 1_000 },
    ).catch(() => undefined);
    return left;
  }

  #report(lost: readonly string[], orphaned: readonly string[]) {
    const all = this.#creates;
    const outside = all.filter(({ beganAt, ms }) =>
      this.#pauses.every(({ from, to }) => beganAt + ms < from || beganAt > to),
    );
    const failed = all.filter(({ materialised }) => !materialised);
    const reasons: Record<string, number> = {};
    for (const { reason } of failed) reasons[reason] = (reasons[reason] ?? 0) + 1;
    const growth = { webhook: growthPercent(this.#rss.webhook), poller: growthPercent(this.#rss.poller) };
    const silent = reasons['silent'] ?? 0;
    const { rotationsAsked, ...counts } = this.#counts;
    const passed =
      this.#refused.length + lost.length + orphaned.length === 0 &&
      Object.values(growth).every((percent) => percent <= MAX_GROWTH_PERCENT);
    return {
      passed,
      report: {
        soak: 'admission',
        passed,
        minutes: this.#options.minutes,
        ...counts,
        pauses: this.#pauses.length,
        rotations: { asked: rotationsAsked, done: Math.max(0, this.#authorities.size - 1) },
        refused: this.#refused.length,
        lost: lost.length,
        orphaned: orphaned.length,
        creates: { ...describe(all), failedOpen: share(failed.length, all.length), silent, reasons },
        outsidePauses: describe(outside),
        rssMiB: { webhook: describeRss(this.#rss.webhook), poller: describeRss(this.#rss.poller) },
        rssGrowthPercent: growth,
        examples: [...this.#refused, ...lost, ...orphaned].slice(0, 10),
      },
    };
  }
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : round(part / whole, 4));

const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** Share of materialised creates and their latency, together: neither says anything alone. */
const describe = (creates: readonly Create[]): object => ({
  n: creates.length,
  materialised: share(creates.filter(({ materialised }) => materialised).length, creates.length),
  ...Object.fromEntries(
    [0.5, 0.99].map((q) => [
      `p${q * 100}Ms`,
      round(
        quantile(
          creates.map(({ ms }) => ms),
          q,
        ),
      ),
    ]),
  ),
});

const describeRss = (samples: readonly Sample[]): object => ({
  first: samples[0]?.value,
  last: samples.at(-1)?.value,
  n: samples.length,
});

function manifest(key: string, remote: string): Manifest {
  const [namespace = '', name = ''] = key.split('/');
  const data = [{ secretKey: 'password', remoteRef: { key: remote, property: 'password' } }];
  return externalSecret(namespace, name, { refreshInterval: '10s', data });
}

/** Sleeps, but not beyond the end. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
}
