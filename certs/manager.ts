/**
 * Keeps the webhook's certificate valid and its callers informed. Each replica signs its own leaf, in
 * memory, with a CA that all share in a Secret. The CA is replaced in an order that no caller notices: make
 * the next one, publish old and new, read that back, let it spread, switch the leaves, and drop the old one
 * when its last leaf has ended. Only the holder of a Lease writes; the others read and follow.
 */
import type { Clock } from '../api/clock.ts';
import { toEsaError } from '../api/errors.ts';
import { Backoff, pause } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { LeaderElector } from '../kube/lease.ts';
import type { KubeLog } from '../kube/log.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import { type HookPaths, hookPaths, newTokens, type SharedState, trustBundle } from './authority.ts';
import { buildAuthority, buildLeaf } from './build.ts';
import { nextStep, takeStep } from './rotation.ts';
import { SharedStateStore } from './store.ts';
import { Targets } from './targets.ts';
import { notAfter, readCertificate, renewalTime } from './x509.ts';

const DAY_MS = 86_400_000;

/** Milliseconds all; the defaults are for production, shorter ones for tests. */
export interface CertificateTimes {
  /** Life of a CA; 365 days. */
  readonly authorityMs: number;
  /** Life of a leaf; 30 days. */
  readonly leafMs: number;
  /** How long a bundle was readable before leaves rely on it: API servers learn of it by a watch. 30 s. */
  readonly spreadMs: number;
  /** How often the wall clock is looked at; 10 s. */
  readonly tickMs: number;
  readonly leaseDurationMs: number;
  readonly leaseRenewDeadlineMs: number;
  readonly leaseRetryMs: number;
}

const DEFAULT_TIMES: CertificateTimes = {
  authorityMs: 365 * DAY_MS,
  leafMs: 30 * DAY_MS,
  spreadMs: 30_000,
  tickMs: 10_000,
  leaseDurationMs: 30_000,
  leaseRenewDeadlineMs: 20_000,
  leaseRetryMs: 5000,
};

export interface CertificateManagerOptions {
  readonly kube: KubeClient;
  /** Own namespace: of the Service, the Secret and the Lease. */
  readonly namespace: string;
  /** Service by which API servers call us; the leaf is for its names. */
  readonly serviceName: string;
  /** `external-secrets-admission-ca` if absent. */
  readonly secretName?: string | undefined;
  readonly leaseName: string;
  /** Unique to this replica. */
  readonly identity: string;
  readonly validatingConfiguration: string;
  readonly mutatingConfiguration: string;
  /** CRDs whose conversion webhook we are. */
  readonly crdNames: readonly string[];
  readonly clock: Clock;
  readonly log: KubeLog;
  readonly times?: Partial<CertificateTimes> | undefined;
}

/** A serving certificate. */
export interface ServingCertificate {
  /** PEM, PKCS#8. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

interface Leaf extends ServingCertificate {
  /** PEM of the CA that signed it. */
  readonly authority: string;
  readonly renewAt: number;
}

/** The names by which a Service is called inside a cluster. */
const serviceNames = (service: string, namespace: string): string[] => [
  service,
  `${service}.${namespace}`,
  `${service}.${namespace}.svc`,
  `${service}.${namespace}.svc.cluster.local`,
];

export class CertificateManager {
  readonly #options: CertificateManagerOptions;
  readonly #times: CertificateTimes;
  readonly #store: SharedStateStore;
  readonly #targets: Targets;
  readonly #elector: LeaderElector;
  readonly #watch: Reflector<KubeObject>;
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  readonly #stop = new AbortController();
  readonly #firstLeaf = Promise.withResolvers<void>();
  readonly #backoff = new Backoff(500, 30_000);
  #running: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #leaf: Leaf | undefined;
  #paths: HookPaths | undefined;
  #wake = Promise.withResolvers<void>();
  #secretSeen: string | undefined;
  #targetsKnown = false;
  #injected = false;
  /** Bundle that was last read back everywhere, and since when (monotonic). */
  #published: { bundle: string; since: number } | undefined;
  #lastProblem: string | undefined;

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    const { kube, namespace, log, clock } = options;
    const secretName = options.secretName ?? 'external-secrets-admission-ca';
    this.#store = new SharedStateStore(kube, namespace, secretName);
    this.#targets = new Targets({ ...options, onChange: () => this.#wakeUp() });
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

  /**
   * True once the certificate is valid and was read back from every configuration and CRD that exists. A
   * later damage to one of those does not take it back: the other callers can still be served.
   */
  ready(): boolean {
    return this.#injected && this.#leaf !== undefined && this.#options.clock.now() < this.#leaf.notAfter;
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
      try {
        await this.#reconcile(signal);
        this.#backoff.reset();
        this.#lastProblem = undefined;
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
    this.#paths = hookPaths(loaded);
    // A leaf that is due is more urgent than a step of the rotation, which may ask for another one.
    await this.#renewLeaf(loaded);
    const state = await this.#rotate(loaded, signal);
    await this.#renewLeaf(state);
    if (this.#targetsKnown) await this.#inject(state, signal);
  }

  async #load(signal: AbortSignal): Promise<SharedState> {
    const known = this.#store.state;
    if (known !== undefined && this.#secretSeen === this.#store.resourceVersion) return known;
    const { clock, log } = this.#options;
    const state = await this.#store.load(
      async () => {
        log.info({}, 'making the first CA');
        return {
          current: await buildAuthority(clock.now(), this.#times.authorityMs),
          next: undefined,
          previous: [],
          switchedAt: undefined,
          tokens: newTokens(),
        };
      },
      { signal },
    );
    // From here on the watch tells of changes.
    this.#secretSeen = this.#store.resourceVersion;
    this.#watch.start();
    return state;
  }

  /** Takes the steps that are due, if we lead. */
  async #rotate(state: SharedState, signal: AbortSignal): Promise<SharedState> {
    const { clock, log } = this.#options;
    if (!this.#elector.isLeader()) return state;
    const now = clock.now();
    const published = this.#isPublished(trustBundle(state));
    const step = nextStep(state, { now, published, leafLifetimeMs: this.#times.leafMs });
    if (step === undefined) return state;
    const after = await takeStep(state, step, now, () => buildAuthority(now, this.#times.authorityMs));
    if (!(await this.#store.write(after, { signal }))) {
      // Somebody else has written; what they wrote is read before anything else.
      this.#secretSeen = undefined;
      this.#wakeUp();
      return state;
    }
    this.#secretSeen = this.#store.resourceVersion;
    log.info({ step }, 'CA rotation');
    return after;
  }

  async #renewLeaf(state: SharedState): Promise<void> {
    const { clock, log, serviceName, namespace } = this.#options;
    const now = clock.now();
    const leaf = this.#leaf;
    if (leaf && leaf.authority === state.current.cert && now < leaf.renewAt) return;
    const authority = readCertificate(state.current.cert);
    // With an expired CA there is nothing to sign with until the leader has replaced it.
    if (!authority || notAfter(authority) <= now) return;
    const names = serviceNames(serviceName, namespace);
    const built = await buildLeaf(state.current, names, now, this.#times.leafMs);
    const certificate = readCertificate(built.cert);
    if (!certificate) return;
    const next: Leaf = {
      ...built,
      notAfter: notAfter(certificate),
      renewAt: renewalTime(certificate),
      authority: state.current.cert,
    };
    this.#leaf = next;
    log.info({ notAfter: new Date(next.notAfter).toISOString() }, 'serving certificate issued');
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
    const bundle = trustBundle(state);
    const wanted = { bundle, paths: hookPaths(state), authority: this.#leaf?.authority ?? '' };
    const { served, exact } = await this.#targets.check(wanted, this.#elector.isLeader(), signal);
    if (!exact) this.#published = undefined;
    else if (this.#published?.bundle !== bundle) {
      this.#published = { bundle, since: this.#options.clock.monotonic() };
    }
    if (served && this.#leaf && !this.#injected) {
      this.#injected = true;
      this.#options.log.info({}, 'certificate is valid and known to every caller');
    }
  }

  #isPublished(bundle: string): boolean {
    const published = this.#published;
    if (published?.bundle !== bundle) return false;
    return this.#options.clock.monotonic() - published.since >= this.#times.spreadMs;
  }
}
