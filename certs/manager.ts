/**
 * Keeps the webhook's certificate valid and its callers informed. Each replica signs its own leaf, in
 * memory, with a CA that all share in a Secret. The CA is replaced in an order that no caller notices: make
 * the next one, publish old and new, read that back, let it spread, switch the leaves, and drop the old one
 * when all replicas had time to. Only the holder of a Lease writes; the others read and follow. Or key and
 * certificate come from files and somebody else informs the callers of the CA: then only the paths are ours.
 */
import { toEsaError } from '../api/errors.ts';
import { Backoff, pause } from '../kube/backoff.ts';
import { KubeError } from '../kube/errors.ts';
import { LeaderElector } from '../kube/lease.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import {
  type HookPaths,
  hookPaths,
  newState,
  type SharedState,
  salvageState,
  trustBundle,
} from './authority.ts';
import { buildAuthority } from './build.ts';
import { FileLeaf } from './files.ts';
import { type LeafSource, OwnLeaf, type ServingCertificate, serviceNames } from './leaf.ts';
import { type CertificateManagerOptions, type CertificateTimes, DEFAULT_TIMES } from './options.ts';
import { nextStep, takeStep } from './rotation.ts';
import { SharedStateStore } from './store.ts';
import { Targets } from './targets.ts';
import { notAfter, readCertificate } from './x509.ts';

const ROTATING_TICK_MS = 1000;
/** Damage that the leader has left for so long is repaired by whoever sees it: the leader may be gone. */
const LEADER_GRACE_MS = 5000;

/** Tells one step of a rotation from the other. */
const nameOf = ({ generation, current }: SharedState): string => `${generation} ${current.cert}`;

export class CertificateManager {
  readonly #options: CertificateManagerOptions;
  readonly #times: CertificateTimes;
  readonly #store: SharedStateStore;
  readonly #source: LeafSource;
  readonly #targets: Targets;
  readonly #elector: LeaderElector;
  readonly #watch: Reflector<KubeObject>;
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  readonly #stop = new AbortController();
  readonly #firstLeaf = Promise.withResolvers<void>();
  readonly #backoff = new Backoff(500, 30_000);
  #running: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #leaf: ServingCertificate | undefined;
  #paths: HookPaths | undefined;
  #wake = Promise.withResolvers<void>();
  #secretSeen: string | undefined;
  /** When the Secret was last known to be what we think; by both clocks, since either may stand still or jump. */
  #confirmed = { wall: 0, monotonic: 0 };
  #targetsKnown = false;
  #injected = false;
  #distrusted = false;
  /** The state as it is, and since when it was known here (monotonic). */
  #held: { what: string; since: number } | undefined;
  /** The bundle that was read back everywhere, where, and since when nobody wrote there (monotonic). */
  #published: { what: string; where: string; since: number } | undefined;
  /** Since when a target is not as wanted (monotonic). */
  #inexactSince: number | undefined;
  #lastProblem: string | undefined;
  /** When the loop last came round (monotonic); undefined before the start. */
  #turnedAt: number | undefined;

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    const { kube, namespace, log, clock } = options;
    const secretName = options.secretName ?? 'external-secrets-admission-ca';
    const events = options.events ?? {};
    this.#store = new SharedStateStore({
      kube,
      namespace,
      name: secretName,
      onRepair: (damage, problem) => {
        const fields = { secret: `${namespace}/${secretName}`, damage, ...(problem ? { err: problem } : {}) };
        log.warn(fields, 'the Secret of the CA was not what it should be, written again');
        events.onRepair?.(damage);
      },
    });
    const dnsNames = serviceNames(options.serviceName, namespace);
    this.#source = options.files
      ? new FileLeaf({
          files: options.files,
          dnsNames: [dnsNames[2]],
          log,
          onLook: (usable) => events.onFiles?.(usable),
        })
      : new OwnLeaf({ dnsNames, lifetimeMs: this.#times.leafMs, log });
    this.#targets = new Targets({
      ...options,
      onChange: () => this.#wakeUp(),
      onInjected: (kind, cause) => events.onInjected?.(kind, cause),
    });
    this.#elector = new LeaderElector({
      kube,
      namespace,
      name: options.leaseName,
      identity: options.identity,
      log,
      clock,
      leaseDurationMs: this.#times.leaseDurationMs,
      renewDeadlineMs: this.#times.leaseRenewDeadlineMs,
      retryMs: this.#times.leaseRetryMs,
      onStarted: () => this.#wakeUp(),
    });
    const sawSecret = (version: string | undefined): void => {
      this.#secretSeen = version;
      this.#wakeUp();
    };
    this.#watch = new Reflector<KubeObject>({
      kube,
      log,
      clock,
      path: resourcePath({ version: 'v1', resource: 'secrets', namespace }),
      query: { fieldSelector: `metadata.name=${secretName}` },
      metadataOnly: true,
      relistMs: 600_000,
      handlers: {
        onUpsert: ({ metadata }) => sawSecret(metadata.resourceVersion),
        onDelete: () => sawSecret(undefined),
      },
    });
  }

  /**
   * Begins to work; resolves when there is a certificate to serve with (or when stopped before). While the
   * API server does not answer it keeps trying.
   * @throws EsaError CERTIFICATE if the Secret holds what is not ours, or nothing can be built
   */
  async start(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => void this.stop();
    if (signal.aborted) return;
    signal.addEventListener('abort', onAbort, { once: true });
    this.#targets.start();
    this.#elector.start();
    void this.#targets.synced().then((known) => {
      this.#targetsKnown = known;
      this.#wakeUp();
    });
    this.#running = this.#run();
    try {
      await this.#firstLeaf.promise;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** The certificate to serve with. */
  current(): ServingCertificate | undefined {
    return this.#leaf;
  }

  /** Calls `listener` with each new certificate. @returns ends that */
  onChange(listener: (certificate: ServingCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The paths that the hooks answer on; the same for all replicas. */
  paths(): HookPaths | undefined {
    return this.#paths;
  }

  /** When the CA ends, milliseconds since the epoch; undefined where it is not ours. */
  authorityNotAfter(): number | undefined {
    const certificate = this.#options.files ? undefined : readCertificate(this.#store.state?.current.cert);
    return certificate && notAfter(certificate);
  }

  /**
   * True once the certificate is valid and every configuration and CRD that exists was seen to trust it. A
   * later damage to one of those does not take it back: the other callers can still be served. That all of
   * them trust others only does: this replica has missed a rotation, and whoever comes is better off elsewhere.
   */
  ready(): boolean {
    const valid = this.#leaf !== undefined && this.#options.clock.now() < this.#leaf.notAfter;
    return this.#injected && valid && !this.#distrusted;
  }

  /** For how long the loop has not come round, milliseconds; it should each few seconds, whatever fails. */
  get stalledMs(): number {
    return this.#turnedAt === undefined ? 0 : this.#options.clock.monotonic() - this.#turnedAt;
  }

  /** Ends all work and gives the lease back; the certificate stays as it is. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    this.#wakeUp();
    await this.#running;
    await Promise.all([this.#targets.stop(), this.#watch.stop()]);
    await this.#elector.stop();
    this.#firstLeaf.resolve();
  }

  #wakeUp(): void {
    this.#wake.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      let waitMs = this.#times.tickMs;
      this.#turnedAt = this.#options.clock.monotonic();
      try {
        await this.#reconcile(signal);
        this.#backoff.reset();
        this.#lastProblem = undefined;
        // What is under way is looked at more often.
        if (this.#store.state?.next) waitMs = Math.min(waitMs, ROTATING_TICK_MS);
      } catch (error) {
        if (signal.aborted) return;
        waitMs = this.#recover(error);
      }
      await Promise.race([pause(waitMs, signal), this.#wake.promise]);
    }
  }

  /** Reports a failure; gives the time to wait. Before the first leaf, what is not transport is final. */
  #recover(thrown: unknown): number {
    const error = toEsaError(thrown);
    if (!(error instanceof KubeError)) this.#firstLeaf.reject(error);
    if (error.message !== this.#lastProblem) {
      this.#options.log.error({ err: error }, 'certificates could not be brought up to date, trying again');
    }
    this.#lastProblem = error.message;
    return this.#backoff.next(error instanceof KubeError ? error.retryAfterMs : undefined);
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    const loaded = await this.#load(signal);
    if (loaded === undefined) return;
    this.#paths = hookPaths(loaded);
    // A leaf that is due is more urgent than a step of the rotation, which may ask for another one.
    await this.#renewLeaf(loaded);
    const state = await this.#rotate(loaded, signal);
    await this.#renewLeaf(state);
    if (this.#targetsKnown) await this.#inject(state, signal);
  }

  async #load(signal: AbortSignal): Promise<SharedState | undefined> {
    const { clock, log } = this.#options;
    const known = this.#store.state;
    const told = this.#secretSeen === this.#store.resourceVersion;
    if (known !== undefined && told && !this.#isOutOfTouch()) return known;
    const build = () => buildAuthority(clock.now(), this.#times.authorityMs);
    const now = { wall: clock.now(), monotonic: clock.monotonic() };
    const state = await this.#store.load(
      {
        initial: () => {
          log.info({}, 'making the first CA');
          return newState(build);
        },
        // A replica that still knows it all restores it at once; only if there is none a leader comes to this.
        salvage: (secret) => (this.#elector.isLeader() ? salvageState(secret, build) : undefined),
      },
      { signal },
    );
    // From here on the watch tells of changes.
    this.#secretSeen = this.#store.resourceVersion;
    this.#watch.start();
    if (state === undefined) return undefined;
    this.#confirmed = now;
    this.#hold(state);
    return state;
  }

  /** True if the Secret was not read for long: a watch may be dead and not know it, a machine have slept. */
  #isOutOfTouch(): boolean {
    const { clock } = this.#options;
    const limit = this.#times.overlapMs / 4;
    const { wall, monotonic } = this.#confirmed;
    return clock.monotonic() - monotonic > limit || Math.abs(clock.now() - wall) > limit;
  }

  /** Takes the step that is due, if we lead. */
  async #rotate(state: SharedState, signal: AbortSignal): Promise<SharedState> {
    const { clock, files, log, events } = this.#options;
    if (files !== undefined || !this.#elector.isLeader()) return state;
    const now = clock.now();
    const { request } = this.#store;
    const step = nextStep(state, {
      now,
      publishedMs: this.#since(this.#published, trustBundle(state)),
      heldMs: this.#since(this.#held, nameOf(state)) ?? 0,
      overlapMs: this.#times.overlapMs,
      requested: request !== undefined && request !== state.answered,
    });
    if (step === undefined) return state;
    const after = await takeStep(state, step, request, () => buildAuthority(now, this.#times.authorityMs));
    // Building takes a while. A leader that is none any more must not write; one write a Lease cannot prevent is
    // caught by the version of the Secret.
    if (!this.#elector.isLeader() || !(await this.#store.write(after, { signal }))) {
      // What somebody else wrote is read before anything else.
      this.#secretSeen = undefined;
      this.#wakeUp();
      return state;
    }
    this.#secretSeen = this.#store.resourceVersion;
    this.#hold(after);
    log.info({ step }, 'CA rotation');
    events?.onStep?.(step);
    return after;
  }

  #hold(state: SharedState): void {
    const what = nameOf(state);
    if (this.#held?.what !== what) this.#held = { what, since: this.#options.clock.monotonic() };
  }

  #since(mark: { what: string; since: number } | undefined, what: string): number | undefined {
    return mark?.what === what ? this.#options.clock.monotonic() - mark.since : undefined;
  }

  async #renewLeaf(state: SharedState): Promise<void> {
    const { clock, log } = this.#options;
    const next = await this.#source.renew(state, clock.now());
    if (next === undefined) return;
    this.#leaf = next;
    for (const listener of this.#listeners) {
      try {
        listener(next);
      } catch (error) {
        log.error({ err: error }, 'the new certificate was not taken');
      }
    }
    this.#firstLeaf.resolve();
  }

  async #inject(state: SharedState, signal: AbortSignal): Promise<void> {
    const { clock, files, log } = this.#options;
    const bundle = trustBundle(state);
    const wanted = {
      bundle: files === undefined ? bundle : undefined,
      paths: hookPaths(state),
      chain: this.#leaf?.cert ?? '',
    };
    const mayWrite = this.#elector.isLeader() || this.#isLeaderLate();
    const check = await this.#targets.check(
      wanted,
      mayWrite ? () => this.#confirm(signal) : undefined,
      signal,
    );
    if (check.exact) this.#inexactSince = undefined;
    else this.#inexactSince ??= clock.monotonic();
    const where = check.generations;
    if (!check.exact) this.#published = undefined;
    else if (this.#published?.what !== bundle || this.#published.where !== where) {
      this.#published = { what: bundle, where, since: clock.monotonic() };
    }
    this.#distrusted = check.distrusted;
    if (check.served && this.#leaf && !this.#injected) {
      this.#injected = true;
      log.info({}, 'certificate is valid and known to every caller');
    }
  }

  #isLeaderLate(): boolean {
    const since = this.#inexactSince;
    return since !== undefined && this.#options.clock.monotonic() - since >= LEADER_GRACE_MS;
  }

  /** A leader that has slept through its Lease knows an old bundle: before anything is injected, the Secret tells. */
  async #confirm(signal: AbortSignal): Promise<boolean> {
    if (await this.#store.isCurrent({ signal })) return true;
    this.#secretSeen = undefined;
    this.#wakeUp();
    return false;
  }
}
