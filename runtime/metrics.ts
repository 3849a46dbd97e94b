/** Prometheus metrics: ESO's names where it has one for the same thing, ours under `esa_`. */
import { totalmem } from 'node:os';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import packageJson from '../package.json' with { type: 'json' };

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What a process may use, bytes: the limit of its container, else the machine's memory. */
function memoryLimit(): number {
  const machine = totalmem();
  // Without a limit it is 0, or a number beyond any memory.
  const limit = process.constrainedMemory();
  return limit > 0 && limit < machine ? limit : machine;
}

/**
 * A registry with the process's own metrics.
 * @param program what alerts and dashboards tell the programs apart by, whatever their jobs are called
 */
export function createRegistry(program: 'webhook' | 'poller'): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'esa_build_info',
    help: 'Always 1; says which program this is, and its version.',
    labelNames: ['program', 'version'] as const,
    registers: [registry],
  }).set({ program, version: packageJson.version }, 1);
  new Gauge({
    name: 'esa_memory_limit_bytes',
    help: "What the process may use: the limit of its container, else the machine's memory.",
    registers: [registry],
  }).set(memoryLimit());
  return registry;
}

/** @param ready what /readyz says, asked at each scrape */
export function readyMetric(registry: Registry, ready: () => boolean): void {
  new Gauge({
    name: 'esa_ready',
    help: '1 while /readyz says yes.',
    registers: [registry],
    collect() {
      this.set(ready() ? 1 : 0);
    },
  });
}

/** Values of `esa_breaker_state`. */
const BREAKER_STATES = { closed: 0, 'half-open': 1, open: 2, paused: 3 } as const;

/** A store, and whether it is asked. */
interface StoreState {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly state: keyof typeof BREAKER_STATES;
  readonly waiting: number;
}

/** @param stores those that fail or are in use, asked at each scrape */
export function providerMetrics(registry: Registry, stores: () => readonly StoreState[]) {
  return {
    breakers: new Gauge({
      name: 'esa_breaker_state',
      help: 'Stores that fail, or failed a moment ago: 0 asked, 1 about to be tried again, 2 left alone after failures, 3 left alone at its own request. No series: nothing is wrong.',
      labelNames: ['kind', 'namespace', 'name'] as const,
      registers: [registry],
      collect() {
        this.reset();
        const worst = new Map<string, number>();
        for (const { kind, namespace = '', name, state } of stores()) {
          // One store may be used with several identities.
          const key = JSON.stringify([kind, namespace, name]);
          const value = Math.max(BREAKER_STATES[state], worst.get(key) ?? 0);
          worst.set(key, value);
          this.set({ kind, namespace, name }, value);
        }
      },
    }),
    waiting: new Gauge({
      name: 'esa_store_waiting',
      help: 'Requests that wait until the limits of their store allow them. No series: none waits.',
      labelNames: ['kind', 'namespace', 'name'] as const,
      registers: [registry],
      collect() {
        this.reset();
        for (const { kind, namespace = '', name, waiting } of stores()) {
          if (waiting > 0) this.inc({ kind, namespace, name }, waiting);
        }
      },
    }),
    reads: new Counter({
      name: 'esa_reads_total',
      help: 'Remote objects (and finds) that ExternalSecrets asked for, each once a sync.',
      registers: [registry],
    }),
    deduplicated: new Counter({
      name: 'esa_reads_deduplicated_total',
      help: 'Reads (esa_reads_total) that were answered by a request for another ExternalSecret.',
      registers: [registry],
    }),
    calls: new Counter({
      name: 'externalsecret_provider_api_calls_count',
      help: 'Requests to providers.',
      labelNames: ['provider', 'status'] as const,
      registers: [registry],
    }),
    errors: new Counter({
      name: 'esa_provider_errors_total',
      help: 'Requests to providers that failed, by the code of the error (docs/errors.md).',
      labelNames: ['provider', 'code'] as const,
      registers: [registry],
    }),
  };
}

/** Counts a request to a provider. @param error what it failed with, if it did */
export function countCall(
  { calls, errors }: Pick<ReturnType<typeof providerMetrics>, 'calls' | 'errors'>,
  provider: string,
  error: { readonly code: string } | undefined,
): void {
  calls.inc({ provider, status: error === undefined ? 'success' : 'error' });
  if (error !== undefined) errors.inc({ provider, code: error.code });
}

/** What reports reads to these metrics. */
export const readCounts = ({
  reads,
  deduplicated,
}: Pick<ReturnType<typeof providerMetrics>, 'reads' | 'deduplicated'>) => ({
  onRead: (shared: boolean): void => {
    reads.inc();
    if (shared) deduplicated.inc();
  },
});

/** @param brokenSeconds for how long the policies have not been followed, asked at each scrape */
export function policyMetrics(registry: Registry, brokenSeconds: () => number) {
  return {
    violations: new Counter({
      name: 'esa_policy_violations_total',
      help: 'Violations of ClusterSecretPolicies: at the webhook each time, at the poller when they are new.',
      labelNames: ['policy', 'rule', 'effect'] as const,
      registers: [registry],
    }),
    broken: new Gauge({
      name: 'esa_policy_watch_broken_seconds',
      help: 'For how long ClusterSecretPolicies could not be followed; what was known last is in force.',
      registers: [registry],
      collect() {
        this.set(brokenSeconds());
      },
    }),
  };
}

/** @param inFlight how many creates are being served, asked at each scrape */
export function webhookMetrics(registry: Registry, inFlight: () => number) {
  return {
    reviews: new Counter({
      name: 'esa_admission_reviews_total',
      help: 'Reviews answered, by hook and answer.',
      labelNames: ['hook', 'answer'] as const,
      registers: [registry],
    }),
    refusals: new Counter({
      name: 'esa_refusals_total',
      help: 'Refusals by the rule that the object breaks (docs/rules.md); one that breaks several counts for each.',
      labelNames: ['rule'] as const,
      registers: [registry],
    }),
    materialized: new Counter({
      name: 'esa_materialize_total',
      help: 'Creates of ExternalSecrets seen by the hook that makes Secrets, by what became of their Secret.',
      labelNames: ['outcome'] as const,
      registers: [registry],
    }),
    inFlight: new Gauge({
      name: 'esa_materialize_in_flight',
      help: 'Creates whose Secret is being made.',
      registers: [registry],
      collect() {
        this.set(inFlight());
      },
    }),
    materializeSeconds: new Histogram({
      name: 'esa_materialize_duration_seconds',
      help: 'Time of the hook that makes the Secret.',
      buckets: SECONDS,
      registers: [registry],
    }),
  };
}
/**
 * @param expiry when the certificates end (milliseconds since the epoch), asked at each scrape
 * @returns what certs/ reports its doings to
 */
export function certificateMetrics(
  registry: Registry,
  expiry: () => { readonly serving: number | undefined; readonly ca: number | undefined },
) {
  new Gauge({
    name: 'esa_certificate_expiry_timestamp_seconds',
    help: 'When the serving certificate and the CA that signs it end.',
    labelNames: ['certificate'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const [certificate, ms] of Object.entries(expiry())) {
        if (ms !== undefined) this.set({ certificate }, ms / 1000);
      }
    },
  });
  const steps = new Counter({
    name: 'esa_certificate_rotations_total',
    help: 'Steps of rotations of the CA: introduce, switch, drop.',
    labelNames: ['step'] as const,
    registers: [registry],
  });
  const injections = new Counter({
    name: 'esa_certificate_injections_total',
    help: 'Writes of caBundle and path, by kind of object; cause damage: somebody had overwritten them.',
    labelNames: ['kind', 'cause'] as const,
    registers: [registry],
  });
  const repairs = new Counter({
    name: 'esa_certificate_secret_repairs_total',
    help: 'Writes of the Secret of the CA because it was deleted, damaged or rolled back.',
    labelNames: ['damage'] as const,
    registers: [registry],
  });
  const unusable = new Gauge({
    name: 'esa_certificate_files_unusable',
    help: '1 while the certificate files hold what cannot be served.',
    registers: [registry],
  });
  return {
    onStep: (step: string): void => steps.inc({ step }),
    onInjected: (kind: string, cause: string): void => injections.inc({ kind, cause }),
    onRepair: (damage: string): void => repairs.inc({ damage }),
    onFiles: (usable: boolean): void => unusable.set(usable ? 0 : 1),
  };
}

/** @param now how many objects wait for a sync or run, for how long the oldest has, and who leads; asked at each scrape */
export function pollerMetrics(
  registry: Registry,
  now: { readonly depth: () => number; readonly oldestSeconds: () => number; readonly leads: () => boolean },
) {
  new Gauge({
    name: 'esa_leader',
    help: '1 while this replica holds the lease of the pollers.',
    registers: [registry],
    collect() {
      this.set(now.leads() ? 1 : 0);
    },
  });
  return {
    adopted: new Counter({
      name: 'esa_adoptions_total',
      help: 'Secrets of admission that were adopted.',
      registers: [registry],
    }),
    adoptionSeconds: new Histogram({
      name: 'esa_adoption_lag_seconds',
      help: 'From the creation of a Secret at admission to its adoption.',
      buckets: [0.5, 1, 2, 5, 10, 30, 60, 300],
      registers: [registry],
    }),
    late: new Counter({
      name: 'esa_materialized_late_total',
      help: 'Secrets that the poller made although admission should have: their create had returned without them.',
      registers: [registry],
    }),
    swept: new Counter({
      name: 'esa_sweeps_total',
      help: 'Leftover pending Secrets that were deleted.',
      registers: [registry],
    }),
    queued: new Gauge({
      name: 'esa_queue_depth',
      help: 'Objects that wait for a sync, or are in one.',
      registers: [registry],
      collect() {
        this.set(now.depth());
      },
    }),
    oldest: new Gauge({
      name: 'esa_queue_oldest_seconds',
      help: 'For how long the object that waits longest for a sync has been due.',
      registers: [registry],
      collect() {
        this.set(now.oldestSeconds());
      },
    }),
    secretWrites: new Counter({
      name: 'esa_secret_writes_total',
      help: 'Writes of target Secrets.',
      labelNames: ['verb'] as const,
      registers: [registry],
    }),
    statusWrites: new Counter({
      name: 'esa_status_writes_total',
      help: 'Writes of a status.',
      registers: [registry],
    }),
  };
}

/** @param share what this replica has and knows, asked at each scrape; only of replicas that share the objects */
export function shardMetrics(
  registry: Registry,
  share: () => { readonly members: number; readonly objects: number; readonly settled: boolean },
): void {
  new Gauge({
    name: 'esa_shard_members',
    help: 'Replicas that share the objects, as far as this one knows.',
    registers: [registry],
    collect() {
      this.set(share().members);
    },
  });
  new Gauge({
    name: 'esa_shard_objects',
    help: 'ExternalSecrets that this replica has.',
    registers: [registry],
    collect() {
      this.set(share().objects);
    },
  });
  new Gauge({
    name: 'esa_shard_view_settled',
    help: '1 while all replicas agree on who has which objects.',
    registers: [registry],
    collect() {
      this.set(share().settled ? 1 : 0);
    },
  });
}

export function clusterExternalSecretMetrics(registry: Registry) {
  return {
    condition: new Gauge({
      name: 'clusterexternalsecret_status_condition',
      help: 'Current condition of a ClusterExternalSecret.',
      labelNames: ['name', 'condition', 'status'] as const,
      registers: [registry],
    }),
    duration: new Gauge({
      name: 'clusterexternalsecret_reconcile_duration',
      help: 'Duration of the last work on a ClusterExternalSecret, nanoseconds.',
      labelNames: ['name'] as const,
      registers: [registry],
    }),
  };
}

export type ClusterExternalSecretMetrics = ReturnType<typeof clusterExternalSecretMetrics>;
export type PollerMetrics = ReturnType<typeof pollerMetrics>;
