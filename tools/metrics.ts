/** All metrics of the two programs, as they register them, and the page about them. */
import type { Registry } from 'prom-client';
import { FAMILIES } from '../poller/object-series.ts';
import {
  certificateMetrics,
  clusterExternalSecretMetrics,
  createRegistry,
  policyMetrics,
  pollerMetrics,
  providerMetrics,
  readyMetric,
  shardMetrics,
  webhookMetrics,
} from '../runtime/metrics.ts';

export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly programs: readonly ('webhook' | 'poller')[];
  /** Where it is not always there: when it is. */
  readonly only?: string;
}

const SHARDS = 'with `--shards`';
const KES = 'with `--kes`';
const OBJECTS = 'a series for each object, see `--object-metrics`';

/** Served on Linux only; the page is the same wherever it is made. */
const ON_LINUX = [
  ['process_heap_bytes', 'Process heap size in bytes.'],
  ['process_max_fds', 'Maximum number of open file descriptors.'],
  ['process_open_fds', 'Number of open file descriptors.'],
  ['process_virtual_memory_bytes', 'Virtual memory size in bytes.'],
] as const;

const none = (): number => 0;
/** The registrations of both programs; that these are all of theirs is what test/e2e/monitoring.test.ts sees. */
function registries(): { readonly webhook: Registry; readonly poller: Registry; readonly shards: Registry } {
  const webhook = createRegistry('webhook');
  webhookMetrics(webhook, none);
  certificateMetrics(webhook, () => ({ serving: undefined, ca: undefined }));
  const poller = createRegistry('poller');
  pollerMetrics(poller, { depth: none, oldestSeconds: none, leads: () => false });
  clusterExternalSecretMetrics(poller);
  for (const both of [webhook, poller]) {
    readyMetric(both, () => false);
    providerMetrics(both, () => []);
    policyMetrics(both, none);
  }
  const all = createRegistry('poller');
  const before = new Set(all.getMetricsAsArray().map(({ name }) => name));
  shardMetrics(all, () => ({ members: 0, objects: 0, settled: false }));
  for (const name of before) all.removeSingleMetric(name);
  return { webhook, poller, shards: all };
}

const read = (registry: Registry): readonly Omit<Metric, 'programs'>[] =>
  registry.getMetricsAsArray().map((metric) => {
    // The types leave out what a metric was made with.
    const { name, help, type, labelNames } = metric as unknown as {
      readonly name: string;
      readonly help: string;
      readonly type: string;
      readonly labelNames: readonly string[];
    };
    return { name, help, type, labels: labelNames };
  });

/** In alphabetical order of their names. */
export function metricCatalogue(): readonly Metric[] {
  const { webhook, poller, shards } = registries();
  const found = new Map<string, Metric>();
  const add = (metric: Metric): void => {
    const before = found.get(metric.name);
    found.set(
      metric.name,
      before === undefined ? metric : { ...before, programs: [...before.programs, ...metric.programs] },
    );
  };
  for (const metric of read(webhook)) add({ ...metric, programs: ['webhook'] });
  for (const metric of read(poller)) add({ ...metric, programs: ['poller'] });
  for (const metric of read(shards)) add({ ...metric, programs: ['poller'], only: SHARDS });
  for (const [name, help] of ON_LINUX) {
    if (!found.has(name)) add({ name, type: 'gauge', help, labels: [], programs: ['poller', 'webhook'] });
  }
  for (const { name, type, help, labels, kes = false } of FAMILIES) {
    const all = ['name', 'namespace', ...labels];
    add({ name, type, help, labels: all, programs: ['poller'], only: kes ? KES : OBJECTS });
  }
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const isOfTheProcess = ({ name }: Metric): boolean => /^(process|nodejs)_/.test(name);

const row = ({ name, type, labels, help, only }: Metric): string =>
  `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')}${only === undefined ? '' : ` (${only})`} |`;

const table = (metrics: readonly Metric[]): string =>
  ['| metric | type | labels | |', '|---|---|---|---|', ...metrics.map(row), ''].join('\n');

/** The whole page. */
export function renderMetrics(metrics: readonly Metric[]): string {
  const own = metrics.filter((metric) => !isOfTheProcess(metric));
  const of = (...programs: readonly string[]): string =>
    table(own.filter((metric) => metric.programs.toSorted().join() === programs.join()));
  return [
    '# Metrics\n',
    'Both programs serve them for Prometheus at `/metrics` on `--metrics-port`, by plain HTTP. Scrape them with',
    '`honor_labels: true`: the label `namespace` of a metric is the one of the object. Names that begin with',
    '`externalsecret`, `clusterexternalsecret` and `kubernetes_external_secrets` are those of the operators that had them',
    'first. Alert rules and a dashboard are in `deploy/monitoring` ([monitoring](monitoring.md)). This page is generated',
    '(`make generate`).\n',
    '## Of both programs\n',
    of('poller', 'webhook'),
    '## Of the webhook\n',
    of('webhook'),
    '## Of the poller\n',
    of('poller'),
    '## Of the process\n',
    'As prom-client words them for every program of Node.js.\n',
    table(metrics.filter(isOfTheProcess)),
  ].join('\n');
}
