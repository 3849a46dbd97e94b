/** The life of the poller: in which order its parts begin, who leads, and how all of it ends. */
import { aborted, pause } from '../kube/backoff.ts';
import type { Loop } from '../runtime/health.ts';
import type { Log } from '../runtime/log.ts';
import type { Connections, StoreState } from '../sync/connections.ts';
import { MarkerKeys } from '../sync/marker-keys.ts';
import type { Controller } from './controller.ts';
import type { ObjectMetrics } from './object-series.ts';
import { connectParts, type PollerOptions } from './parts.ts';
import type { PolicyWatch } from './policy-watch.ts';
import { reflectorsFor } from './reflectors.ts';

/** What is under way on an object that goes to another replica may take so long; nobody may begin with it meanwhile. */
const RELEASE_GRACE_MS = 1_000;
/** /healthz: a sync may take a minute; two more without anything beginning or ending is a defect. */
const WORK_LIMIT_MS = 180_000;
/** The same of a watch, which may be silent for 150 s, and waits as long as the API server asks for. */
const WATCH_LIMIT_MS = 600_000;

export class Poller {
  readonly #options: PollerOptions;
  #synced = false;
  #controller: Controller | undefined;
  #loops: readonly Loop[] = [];
  #watches: readonly { readonly failure: string | undefined }[] = [];
  /** What only a leader does, once it can. */
  readonly #duties = Promise.withResolvers<(leading: AbortSignal) => Promise<void>>();
  #policies: PolicyWatch | undefined;
  #connections: Connections | undefined;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** True once everything that exists was seen. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Objects that wait for a sync, or are in one. */
  get depth(): number {
    return this.#controller?.depth ?? 0;
  }

  /** Objects that this process has. */
  get size(): number {
    return this.#controller?.size ?? 0;
  }

  /** The metrics of single objects; undefined if they are not wanted. */
  objectSeries(metrics: ObjectMetrics): AsyncIterable<string> | undefined {
    const controller = this.#controller;
    return controller && metrics.text(controller.size, () => controller.objects());
  }

  /** For how long the object that waits longest has been due, seconds. */
  get oldestSeconds(): number {
    return (this.#controller?.oldestMs ?? 0) / 1000;
  }

  /** What has to move for /healthz; nothing before run() and after it. */
  get loops(): readonly Loop[] {
    return this.#loops;
  }

  /** For how long the policies could not be followed, seconds. */
  get policiesBrokenSeconds(): number {
    return (this.#policies?.brokenMs ?? 0) / 1000;
  }

  /** Why something cannot be listed or watched that nothing goes on without; undefined while all of it can. */
  get failure(): string | undefined {
    return this.#watches.find(({ failure }) => failure !== undefined)?.failure;
  }

  /** Stores that fail, or did a moment ago. */
  storeStates(): readonly StoreState[] {
    return this.#connections?.states() ?? [];
  }

  /** Does what only one process does, sweeping for one, until the signal aborts. Only with `shard`. */
  async lead(leading: AbortSignal): Promise<void> {
    const duties = await Promise.race([this.#duties.promise, aborted(leading)]);
    await duties?.(leading);
  }

  /** Works until the signal aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { namespace, scope, log, shard } = this.#options;
    let leads = shard === undefined;
    // Made by whoever comes first, a member or not.
    const keys = new MarkerKeys(this.#options.kube, namespace);
    await loadKeys(keys, log, stop);
    const parts = connectParts(this.#options, keys, () => leads, stop);
    const { controller, stores, policies, sources, dependents, sweeper, fleet } = parts;
    this.#controller = controller;
    this.#policies = policies;
    this.#connections = parts.connections;

    const reflectors = reflectorsFor(parts, scope, log);
    const { objects, secrets } = reflectors;
    const needed = [...reflectors.stores, objects, secrets];
    this.#watches = [policies, ...needed];
    // A reflector that is stopped says that it is not synced: nothing below waits for one that never will be.
    const followers = [...needed, policies, reflectors.kes, reflectors.fleet, sources].filter(
      (one) => one !== undefined,
    );
    const loop = (name: string, one: { readonly stalledMs: number }, limitMs: number): Loop => ({
      name,
      stalledMs: () => one.stalledMs,
      limitMs,
    });
    this.#loops = [
      loop('the queue of ExternalSecrets', controller, WORK_LIMIT_MS),
      loop('the queue of stores', stores, WORK_LIMIT_MS),
      loop('the sweep', sweeper, WORK_LIMIT_MS),
      ...(fleet ? [loop('the queue of ClusterExternalSecrets', fleet, WORK_LIMIT_MS)] : []),
      ...followers.map((follower) => loop('a watch', follower, WATCH_LIMIT_MS)),
    ];
    const stopped = aborted(stop).then(() => Promise.all(followers.map((follower) => follower.stop())));
    shard?.start({
      release: (now) =>
        controller.releaseOthers(now ? 0 : RELEASE_GRACE_MS, (key) => dependents.forgetKey(key)),
      gained: () => {
        objects.redeliver();
        reflectors.kes?.redeliver();
      },
    });
    // Policies first: nothing may be read, and no store connected to, before all of them are known. Then stores:
    // an object whose store is not known yet would be looked for live.
    const policiesSynced = await policies.start();
    if (policiesSynced) for (const reflector of reflectors.stores) reflector.start();
    const storesSynced = await Promise.all(reflectors.stores.map((reflector) => reflector.synced));
    if (policiesSynced && storesSynced.every(Boolean) && !stop.aborted) {
      objects.start();
      secrets.start();
      const rest = await Promise.all([objects.synced, secrets.synced]);
      this.#synced = rest.every(Boolean);
      if (this.#synced) log.info({ externalSecrets: controller.size }, 'synced');
      // Where their CRDs are missing nothing else waits for them.
      reflectors.kes?.start();
      reflectors.fleet?.start();
      const duties = async (leading: AbortSignal): Promise<void> => {
        const until = AbortSignal.any([leading, stop]);
        leads = true;
        if (shard !== undefined) stores.lead();
        fleet?.lead();
        // Where its CRD is missing nothing else waits for it.
        void reflectors.fleet?.synced.then((synced) => synced && !until.aborted && fleet?.start());
        await sweeper.run(until);
        leads = false;
        await fleet?.pause();
      };
      if (shard === undefined) await duties(stop);
      else {
        this.#duties.resolve(duties);
        await aborted(stop);
      }
    }
    this.#synced = false;
    this.#loops = [];
    await stopped;
    await Promise.all([controller.stop(), stores.stop(), fleet?.stop()]);
    // The series of its objects end with it: another term may follow in this process.
    this.#controller = undefined;
    await parts.events.stop();
    parts.connections.close();
  }
}

async function loadKeys(keys: MarkerKeys, log: Log, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      await keys.load(stop);
      return;
    } catch (error) {
      log.error(
        { err: error },
        'the keys of the pending marker cannot be read; nothing is adopted or swept until they can',
      );
      await pause(2_000, stop);
    }
  }
}
