/** What the dashboard shows: sections, panels, and their queries. */
/** A query, and how its series are called (`{{label}}`, or plain words). */
interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'table' | 'timeseries';
  /** A unit of Grafana, e.g. `s`, `percentunit`, `reqps`, `short`. */
  readonly unit: string;
  /** Of 24. */
  readonly width: number;
  readonly queries: readonly Query[];
  /** From these values on it is yellow and red; with `lowIsBad` below them. */
  readonly thresholds?: { readonly yellow: number; readonly red: number; readonly lowIsBad?: true };
}

export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Where the programs run. */
const OURS = 'namespace=~"$installation"';
/** Objects; and stores, of which those of the cluster have no namespace. */
const OBJECTS = 'namespace=~"$namespace"';
const STORES = 'namespace=~"$namespace|"';
const NOT_READY = `max by (namespace, name) (externalsecret_status_condition{condition="Ready",status="False",${OBJECTS}})`;
/** To be put behind a metric of a process: which program it is. */
const PROGRAM = `* on (job, instance) group_left (program) esa_build_info{${OURS}}`;
/** The webhooks of ours as the API server calls them. */
const HOOKS = 'name=~".+[.](external-secrets|external-secrets-admission|kubernetes-client)[.]io"';

const rate = (metric: string, labels = OURS): string => `rate(${metric}{${labels}}[$__rate_interval])`;
const quantiles = (metric: string, by: string, labels = OURS): readonly Query[] =>
  [0.5, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le${by === '' ? '' : `, ${by}`}) (${rate(`${metric}_bucket`, labels)}))`,
    legend: `p${quantile * 100}${by === '' ? '' : ` {{${by}}}`}`,
  }));

const stat = (panel: Omit<Panel, 'type' | 'width'> & { readonly width?: number }): Panel => ({
  width: 4,
  ...panel,
  type: 'stat',
});
const graph = (panel: Omit<Panel, 'type' | 'width'> & { readonly width?: number }): Panel => ({
  width: 8,
  ...panel,
  type: 'timeseries',
});

export const SECTIONS: readonly Section[] = [
  {
    title: 'At a glance',
    panels: [
      stat({
        title: 'Programs that are ready',
        description:
          'Replicas of webhook and poller that can do their work. None of the webhook: creates are refused.',
        unit: 'short',
        thresholds: { yellow: 2, red: 1, lowIsBad: true },
        queries: [{ expr: `sum by (program) (esa_ready{${OURS}} ${PROGRAM})`, legend: '{{program}}' }],
      }),
      stat({
        title: 'Versions',
        description:
          'Processes by version. More than one version for long: an update has not come to its end.',
        unit: 'short',
        queries: [{ expr: `count by (version) (esa_build_info{${OURS}})`, legend: '{{version}}' }],
      }),
      stat({
        title: 'ExternalSecrets',
        description: 'How many there are in the chosen namespaces.',
        unit: 'short',
        queries: [
          {
            expr: `count(max by (namespace, name) (externalsecret_status_condition{condition="Ready",status="True",${OBJECTS}}))`,
            legend: 'ExternalSecrets',
          },
        ],
      }),
      stat({
        title: 'Not in sync',
        description: 'ExternalSecrets that are Ready=False. Their Secrets stay as they were.',
        unit: 'short',
        thresholds: { yellow: 1, red: 10 },
        queries: [{ expr: `sum(${NOT_READY})`, legend: 'not in sync' }],
      }),
      stat({
        title: 'Made at admission',
        description: 'Of the creates whose Secret admission should make, the share that returned with it.',
        unit: 'percentunit',
        thresholds: { yellow: 0.99, red: 0.9, lowIsBad: true },
        queries: [
          {
            expr: `sum(increase(esa_materialize_total{outcome=~"created|replaced",${OURS}}[$__range])) / sum(increase(esa_materialize_total{outcome=~"created|replaced|deferred-.+",${OURS}}[$__range]))`,
            legend: 'made at admission',
          },
        ],
      }),
      stat({
        title: 'Next end of a certificate',
        description:
          'When the first of the certificates of the webhook ends. By default they are renewed ten days before.',
        unit: 's',
        thresholds: { yellow: 777_600, red: 259_200, lowIsBad: true },
        queries: [
          { expr: `min(esa_certificate_expiry_timestamp_seconds{${OURS}}) - time()`, legend: 'time left' },
        ],
      }),
      {
        type: 'table',
        width: 12,
        title: 'ExternalSecrets that are not in sync',
        description: 'Their condition Ready says why: kubectl describe externalsecret NAME -n NAMESPACE.',
        unit: 'short',
        queries: [{ expr: `${NOT_READY} == 1`, legend: '{{namespace}}/{{name}}' }],
      },
      {
        type: 'table',
        width: 12,
        title: 'Stores that fail',
        description: 'Stores that failed a moment ago, or are left alone.',
        unit: 'short',
        queries: [
          {
            expr: `max by (kind, namespace, name) (esa_breaker_state{${STORES}}) >= 1`,
            legend: '{{kind}} {{namespace}}/{{name}}',
          },
        ],
      },
    ],
  },
  {
    title: 'Admission',
    panels: [
      graph({
        title: 'Creates by what became of their Secret',
        description:
          'created and replaced: it was there when the create returned. deferred: the poller makes it. skipped and the rest: admission had nothing to do.',
        unit: 'reqps',
        queries: [{ expr: `sum by (outcome) (${rate('esa_materialize_total')})`, legend: '{{outcome}}' }],
      }),
      graph({
        title: 'Deferred, by reason',
        description: 'Creates that returned without their Secret, by the code of the error (docs/errors.md).',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (outcome) (${rate('esa_materialize_total', `outcome=~"(deferred|refused)-.+",${OURS}`)})`,
            legend: '{{outcome}}',
          },
        ],
      }),
      graph({
        title: 'How long creates are held up',
        description: 'Time in the hook that makes the Secret; --budget is the longest.',
        unit: 's',
        queries: quantiles('esa_materialize_duration_seconds', ''),
      }),
      graph({
        title: 'Reviews by hook and answer',
        description: 'What the API server asked, and what it was told.',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (hook, answer) (${rate('esa_admission_reviews_total')})`,
            legend: '{{hook}} {{answer}}',
          },
        ],
      }),
      graph({
        title: 'Refusals by rule',
        description: 'Rules that objects broke (docs/rules.md). A burst of one rule is mostly one pipeline.',
        unit: 'reqps',
        queries: [{ expr: `sum by (rule) (${rate('esa_refusals_total')})`, legend: '{{rule}}' }],
      }),
      graph({
        title: 'Violations of policies',
        description:
          'By ClusterSecretPolicy and effect; those that only warn or audit are here before they deny.',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (policy, effect) (${rate('esa_policy_violations_total')})`,
            legend: '{{policy}} {{effect}}',
          },
        ],
      }),
    ],
  },
  {
    title: 'Freshness',
    panels: [
      graph({
        title: 'Longest wait for a sync',
        description:
          'For how long the object that waits longest has been due. More than seconds: the poller does not keep up.',
        unit: 's',
        queries: [{ expr: `max by (instance) (esa_queue_oldest_seconds{${OURS}})`, legend: '{{instance}}' }],
      }),
      graph({
        title: 'Objects that are due',
        description: 'Objects that wait for a sync or are in one.',
        unit: 'short',
        queries: [{ expr: `sum by (instance) (esa_queue_depth{${OURS}})`, legend: '{{instance}}' }],
      }),
      graph({
        title: 'Syncs',
        description: 'Attempts and failures of the ExternalSecrets of the chosen namespaces.',
        unit: 'ops',
        queries: [
          { expr: `sum(${rate('externalsecret_sync_calls_total', OBJECTS)})`, legend: 'attempts' },
          { expr: `sum(${rate('externalsecret_sync_calls_error', OBJECTS)})`, legend: 'failed' },
        ],
      }),
      graph({
        title: 'Adoption',
        description: 'From the creation of a Secret at admission to the poller that adopts it.',
        unit: 's',
        queries: quantiles('esa_adoption_lag_seconds', ''),
      }),
      graph({
        title: 'Made late, and leftovers',
        description:
          'late: Secrets that the poller made although admission should have. swept: Secrets whose create was refused after they had been made.',
        unit: 'ops',
        queries: [
          { expr: `sum(${rate('esa_materialized_late_total')})`, legend: 'late' },
          { expr: `sum(${rate('esa_sweeps_total')})`, legend: 'swept' },
        ],
      }),
      graph({
        title: 'Objects by replica',
        description:
          'How pollers that share the objects (--shards) have spread them, and how many do not agree yet.',
        unit: 'short',
        queries: [
          { expr: `sum by (instance) (esa_shard_objects{${OURS}})`, legend: '{{instance}}' },
          {
            expr: `count(esa_shard_view_settled{${OURS}}) - sum(esa_shard_view_settled{${OURS}})`,
            legend: 'unsettled',
          },
        ],
      }),
    ],
  },
  {
    title: 'Providers',
    panels: [
      graph({
        title: 'Requests by provider',
        description: 'Requests of webhook and poller, by how they ended.',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (provider, status) (${rate('externalsecret_provider_api_calls_count')})`,
            legend: '{{provider}} {{status}}',
          },
        ],
      }),
      graph({
        title: 'Errors by code',
        description: 'Why requests failed (docs/errors.md).',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (provider, code) (${rate('esa_provider_errors_total')})`,
            legend: '{{provider}} {{code}}',
          },
        ],
      }),
      graph({
        title: 'Reads that needed no request of their own',
        description:
          'Of the remote objects that were asked for, the share that a request for another ExternalSecret answered.',
        unit: 'percentunit',
        queries: [
          {
            expr: `sum(${rate('esa_reads_deduplicated_total')}) / sum(${rate('esa_reads_total')})`,
            legend: 'shared',
          },
        ],
      }),
      graph({
        title: 'State of stores that fail',
        description:
          '0 asked, 1 about to be tried again, 2 left alone after failures, 3 left alone at its own request.',
        unit: 'short',
        width: 12,
        queries: [
          {
            expr: `max by (kind, namespace, name) (esa_breaker_state{${STORES}})`,
            legend: '{{kind}} {{namespace}}/{{name}}',
          },
        ],
      }),
      graph({
        title: 'Requests that wait for the limits of their store',
        description:
          'Raise max-in-flight or rate-limit of the store if some always wait (docs/operating.md).',
        unit: 'short',
        width: 12,
        queries: [
          {
            expr: `sum by (kind, namespace, name) (esa_store_waiting{${STORES}})`,
            legend: '{{kind}} {{namespace}}/{{name}}',
          },
        ],
      }),
    ],
  },
  {
    title: 'Certificates',
    panels: [
      graph({
        title: 'Time until they end',
        description: 'Serving certificates of each replica, and the CA that signs them.',
        unit: 's',
        width: 12,
        queries: [
          {
            expr: `min by (certificate, instance) (esa_certificate_expiry_timestamp_seconds{${OURS}}) - time()`,
            legend: '{{certificate}} {{instance}}',
          },
        ],
      }),
      graph({
        title: 'Rotations and repairs',
        description:
          'Steps of rotations of the CA; writes of caBundle and path, cause damage: somebody had overwritten them; repairs of the Secret of the CA.',
        unit: 'short',
        width: 12,
        queries: [
          {
            expr: `sum by (step) (increase(esa_certificate_rotations_total{${OURS}}[$__rate_interval]))`,
            legend: 'rotation: {{step}}',
          },
          {
            expr: `sum by (kind, cause) (increase(esa_certificate_injections_total{${OURS}}[$__rate_interval]))`,
            legend: '{{kind}}: {{cause}}',
          },
          {
            expr: `sum by (damage) (increase(esa_certificate_secret_repairs_total{${OURS}}[$__rate_interval]))`,
            legend: 'Secret: {{damage}}',
          },
        ],
      }),
    ],
  },
  {
    title: 'API server',
    panels: [
      graph({
        title: 'Time of the webhooks, as the API server sees it',
        description: 'What our webhooks add to a request, network included.',
        unit: 's',
        queries: quantiles('apiserver_admission_webhook_admission_duration_seconds', 'name', HOOKS),
      }),
      graph({
        title: 'Calls that failed',
        description:
          'failed open: the create went on without its Secret. refused: the API server got no answer and refused.',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (name) (${rate('apiserver_admission_webhook_fail_open_count', HOOKS)})`,
            legend: 'failed open: {{name}}',
          },
          {
            expr: `sum by (name) (${rate('apiserver_admission_webhook_rejection_count', `error_type!="no_error",${HOOKS}`)})`,
            legend: 'refused: {{name}}',
          },
        ],
      }),
      graph({
        title: 'Writes of the programs',
        description: 'Writes of Secrets by verb, and of statuses. Next to none while nothing changes.',
        unit: 'wps',
        queries: [
          { expr: `sum by (verb) (${rate('esa_secret_writes_total')})`, legend: 'Secret: {{verb}}' },
          { expr: `sum(${rate('esa_status_writes_total')})`, legend: 'status' },
        ],
      }),
    ],
  },
  {
    title: 'Processes',
    panels: [
      graph({
        title: 'Memory',
        description: 'Resident memory of each process, and the least that one may use.',
        unit: 'bytes',
        queries: [
          {
            expr: `process_resident_memory_bytes ${PROGRAM}`,
            legend: '{{program}} {{instance}}',
          },
          { expr: `min(esa_memory_limit_bytes{${OURS}})`, legend: 'limit' },
        ],
      }),
      graph({
        title: 'CPU',
        description: 'Cores that each process uses.',
        unit: 'short',
        queries: [
          {
            expr: `rate(process_cpu_seconds_total[$__rate_interval]) ${PROGRAM}`,
            legend: '{{program}} {{instance}}',
          },
        ],
      }),
      graph({
        title: 'Event loop',
        description: 'For how long one thing kept a process from all others, but for the longest hundredth.',
        unit: 's',
        queries: [
          {
            expr: `nodejs_eventloop_lag_p99_seconds ${PROGRAM}`,
            legend: '{{program}} {{instance}}',
          },
        ],
      }),
    ],
  },
];
