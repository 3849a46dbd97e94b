/**
 * The load of the article about kubernetes-external-secrets (acceptance cases S60 to S62 and S66), while nothing changes:
 * 573 namespaces with an ExternalSecret of five keys each, read every ten seconds. Nothing may be written, nothing may be
 * asked twice or late, and memory, sockets and the event loop must stay as they are.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backend, startBackend } from '../../bench/backend.ts';
import {
  allReady,
  createAll,
  KEYS,
  makeNamespaces,
  makeRole,
  makeStore,
  secretsPath,
} from '../../bench/fleet.ts';
import { quantile } from '../../bench/report.ts';
import type { Bed } from '../harness/bed.ts';
import { growthPercent, type Sample } from './trend.ts';

export interface SteadyOptions {
  readonly minutes: number;
  readonly objects: number;
}

const INTERVAL_MS = 10_000;
/** Memory is watched from here on: by then compiled code, connections and caches are what they will be. */
const WARM_UP_MS = 5 * 60_000;
const LIMITS = {
  /** Seconds between two reads of one object (S60). */
  gapSeconds: 12,
  /** Of the busiest second to the mean (S61). */
  burst: 2,
  /** Requests of the poller to the API server a second, leases included (S62). */
  kubePerSecond: 5,
  /** MiB, and percent over the whole run (S66). */
  rss: 256,
  rssGrowth: 10,
  /** Milliseconds, p99 (S66). */
  lag: 200,
  /** Connections of one program to one store. */
  sockets: 32,
} as const;
const POLLER = /:external-secrets-admission-poller$/;

export interface SteadyReport {
  readonly passed: boolean;
  readonly report: object;
}

/** What the provider was asked, ten seconds at a time. */
class Watcher {
  readonly #backend: Backend;
  readonly #last = new Map<string, number>();
  readonly #perSecond: number[] = [];
  mostReads = 0;
  reads = 0;
  others = 0;
  longestGapMs = 0;
  mostConnections = 0;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Takes in what came since the last time. */
  take(from: number, to: number): void {
    const { calls, mostConnections } = this.#backend;
    const seconds = Array.from({ length: Math.round((to - from) / 1000) }, () => 0);
    let reads = 0;
    for (const { kind, path, at } of calls) {
      if (kind !== 'read') {
        this.others += 1;
        continue;
      }
      reads += 1;
      const before = this.#last.get(path);
      if (before !== undefined) this.longestGapMs = Math.max(this.longestGapMs, at - before);
      this.#last.set(path, at);
      const second = Math.min(seconds.length - 1, Math.max(0, Math.floor((at - from) / 1000)));
      seconds[second] = (seconds[second] ?? 0) + 1;
    }
    this.reads += reads;
    this.mostReads = Math.max(this.mostReads, reads);
    this.mostConnections = Math.max(this.mostConnections, mostConnections);
    this.#perSecond.push(...seconds);
    this.#backend.reset();
  }

  /** Requests of the busiest second, as a multiple of the mean. */
  get burst(): number {
    const mean = this.reads / this.#perSecond.length;
    return Math.max(...this.#perSecond) / mean;
  }
}

/** @param log called each minute with how it goes */
export async function steadySoak(
  bed: Bed,
  { minutes, objects }: SteadyOptions,
  log: (line: string) => void,
): Promise<SteadyReport> {
  const { cp, openBao, product } = bed;
  const { poller } = product;
  const backend = await startBackend(openBao.address, 1);
  try {
    const names = Array.from({ length: objects }, (_, index) => `ns-${index}`);
    await makeRole(cp, openBao);
    await makeNamespaces(cp, names);
    for (const name of names)
      await openBao.write(`bench/${name}`, Object.fromEntries(KEYS.map((key) => [key, `${name}-${key}`])));
    await makeStore(cp, backend.address);
    await createAll(
      cp,
      names.map((namespace) => ({ namespace, name: 'app', key: `bench/${namespace}`, interval: '10s' })),
    );
    await allReady(poller, objects);
    await sleep(2 * INTERVAL_MS);

    const version = async (namespace: string): Promise<string | undefined> => {
      const { body } = await cp.request<{ metadata?: { resourceVersion?: string } }>(
        'GET',
        `${secretsPath(namespace)}/app`,
      );
      return body.metadata?.resourceVersion;
    };
    const versions = new Map(
      await Promise.all(names.map(async (name) => [name, await version(name)] as const)),
    );
    const pid = poller.pid;
    const watcher = new Watcher(backend);
    const rss: Sample[] = [];
    const lags: number[] = [];
    const since = new Date();
    const cpu = poller.process.cpuMs();
    const statusWrites = await poller.metric('esa_status_writes_total');
    backend.reset();
    const began = performance.now();
    for (let window = 1; performance.now() - began < minutes * 60_000; window += 1) {
      const from = began + (window - 1) * INTERVAL_MS;
      await sleep(Math.max(0, from + INTERVAL_MS - performance.now()));
      watcher.take(from, from + INTERVAL_MS);
      rss.push({ at: performance.now(), value: poller.process.rssMiB() });
      lags.push((await poller.metric('nodejs_eventloop_lag_p99_seconds')) * 1000);
      if (window % 6 === 0)
        log(
          `${window / 6} min: ${rss.at(-1)?.value.toFixed(0)} MiB, lag p99 ${lags.at(-1)?.toFixed(1)} ms, longest gap ${(watcher.longestGapMs / 1000).toFixed(1)} s`,
        );
    }
    const seconds = (performance.now() - began) / 1000;
    const cpuSeconds = (poller.process.cpuMs() - cpu) / 1000;
    const written = (await poller.metric('esa_status_writes_total')) - statusWrites;
    let changed = 0;
    for (const name of names) if ((await version(name)) !== versions.get(name)) changed += 1;
    const kube = cp
      .auditEvents()
      .filter(
        ({ user, requestReceivedTimestamp }) =>
          POLLER.test(user.username) && new Date(requestReceivedTimestamp) >= since,
      ).length;
    const warm = rss.filter(({ at }) => at - began >= Math.min(WARM_UP_MS, seconds * 400));
    const values = warm.map(({ value }) => value);
    const found = {
      reads: watcher.reads,
      mostReadsIn10s: watcher.mostReads,
      otherRequests: watcher.others,
      longestGapSeconds: watcher.longestGapMs / 1000,
      busiestSecondToMean: watcher.burst,
      connections: watcher.mostConnections,
      secretsChanged: changed,
      statusWrites: written,
      kubePerSecond: kube / seconds,
      cpuSecondsASweep: (cpuSeconds / seconds) * (INTERVAL_MS / 1000),
      rssMiB: { first: values[0], last: values.at(-1), most: Math.max(...values) },
      rssGrowthPercent: growthPercent(warm),
      lagP99Ms: { median: quantile(lags, 0.5), most: Math.max(...lags) },
      restarted: poller.pid !== pid || !poller.isRunning(),
    };
    const windows = rss.length;
    // Each object once an interval; a window may hold the ends of two turns.
    const tooMany = found.reads > objects * (windows + 1) || found.mostReadsIn10s > objects * 1.02;
    const failed = [
      ...(tooMany ? ['more than one read an object and interval'] : []),
      ...(found.otherRequests > minutes + 2 ? ['more than one look-up or renewal a minute'] : []),
      ...(found.longestGapSeconds > LIMITS.gapSeconds ? ['an object was read late'] : []),
      ...(found.busiestSecondToMean > LIMITS.burst ? ['reads come in bursts'] : []),
      ...(found.connections > 2 * LIMITS.sockets ? ['too many connections'] : []),
      ...(changed > 0 ? ['Secrets were written'] : []),
      ...(written > objects * (minutes / 10 + 1) ? ['too many writes of a status'] : []),
      ...(found.kubePerSecond > LIMITS.kubePerSecond ? ['too many requests to the API server'] : []),
      ...(found.rssMiB.most > LIMITS.rss ? ['too much memory'] : []),
      ...(Math.abs(found.rssGrowthPercent) > LIMITS.rssGrowth ? ['memory is not flat'] : []),
      ...(found.lagP99Ms.most > LIMITS.lag ? ['the event loop was blocked'] : []),
      ...(found.restarted ? ['the poller was restarted'] : []),
    ];
    return {
      passed: failed.length === 0,
      report: { soak: 'steady', objects, minutes, ...found, failed },
    };
  } finally {
    await backend.stop();
  }
}
