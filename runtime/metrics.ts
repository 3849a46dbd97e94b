/** Prometheus metrics: ESO's names where it has one for the same thing, ours under `esa_`. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A registry with the process's own metrics. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

export function providerMetrics(registry: Registry) {
  return {
    calls: new Counter({
      name: 'externalsecret_provider_api_calls_count',
      help: 'Requests to providers.',
      labelNames: ['provider', 'status'] as const,
      registers: [registry],
    }),
  };
}

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
    materialized: new Counter({
      name: 'esa_materialize_total',
      help: 'Creates of ExternalSecrets seen by the mutating hook, by what became of their Secret.',
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
      help: 'Time of the mutating hook.',
      buckets: SECONDS,
      registers: [registry],
    }),
    certificateExpiry: new Gauge({
      name: 'esa_certificate_expiry_timestamp_seconds',
      help: 'When the serving certificate ends.',
      registers: [registry],
    }),
  };
}

/** @param depth how many objects wait for a sync or run, asked at each scrape */
export function pollerMetrics(registry: Registry, depth: () => number) {
  const object = ['name', 'namespace'] as const;
  return {
    syncs: new Counter({
      name: 'externalsecret_sync_calls_total',
      help: 'Attempts to sync.',
      labelNames: object,
      registers: [registry],
    }),
    syncErrors: new Counter({
      name: 'externalsecret_sync_calls_error',
      help: 'Failed attempts to sync.',
      labelNames: object,
      registers: [registry],
    }),
    condition: new Gauge({
      name: 'externalsecret_status_condition',
      help: 'Current condition of an ExternalSecret.',
      labelNames: [...object, 'condition', 'status'] as const,
      registers: [registry],
    }),
    duration: new Gauge({
      name: 'externalsecret_reconcile_duration',
      help: 'Duration of the last sync, nanoseconds.',
      labelNames: object,
      registers: [registry],
    }),
    adopted: new Counter({
      name: 'esa_adoptions_total',
      help: 'Secrets of admission that were adopted.',
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
        this.set(depth());
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
