/**
 * The dashboard and the alert rules against a real Prometheus that scrapes webhook, poller and API server under load and
 * in trouble: every query has an answer, every rule finds its metrics, and what the programs serve is what docs/metrics.md
 * says.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { ANNOTATION_RATE_LIMIT } from '../../api/external-secrets/names.ts';
import { SECTIONS } from '../../deploy/monitoring/panels.ts';
import type { AlertRules } from '../../deploy/monitoring/prometheus-rule.ts';
import { metricCatalogue } from '../../tools/metrics.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { startListening } from '../harness/fake-server.ts';
import { scrape } from '../harness/metrics.ts';
import { needsPrometheus, type Prometheus, promtool, startPrometheus } from '../harness/prometheus.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

const NAMESPACE = 'shop';
const OBJECTS = 24;
/** Seven programs start and sync here, maybe on half a core. */
const PATIENCE = { timeout: 180_000, interval: 500 };
const ALERTS = join(ROOT, 'deploy/monitoring/alerts.yaml');
const CONFIGURATION =
  '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/external-secrets-admission';
/** Selectors of rules that no trouble of this test makes, and where they are shown. */
const SHOWN_ELSEWHERE = new Set([
  // hazards.test.ts: a replica with another --materialise-in.
  'esa_materialize_total{outcome="other-phase"}',
]);
/** Names that External Secrets Operator gave, and prom-client; promtool would have them otherwise. */
const NAMED_BY_OTHERS = /^(externalsecret|clusterexternalsecret|nodejs)_/;

let bed: Bed;
let cluster: Cluster;
let prometheus: Prometheus;
let throttling: Awaited<ReturnType<typeof startListening>>;

/** A store that answers everything with 429, one that nobody answers, one that is refused, one that may be asked once a second. */
async function createStores(): Promise<void> {
  const of = (name: string, spec: object, metadata: object = {}): Manifest => {
    const store = secretStore(NAMESPACE, name, { provider: spec });
    return { ...store, metadata: { ...store.metadata, ...metadata } };
  };
  const { address } = bed.openBao;
  await cluster.create(tokenSecret(NAMESPACE, 'nobody', 'wrong-token'));
  const auth = { tokenSecretRef: { name: 'wrong-token', key: 'token' } };
  await cluster.create(of('denied', vaultProvider(address, { auth })));
  await cluster.create(of('unreachable', vaultProvider('http://127.0.0.1:1')));
  await cluster.create(
    of('throttled', { webhook: { url: `http://127.0.0.1:${throttling.port}/{{ .remoteRef.key }}` } }),
  );
  await cluster.create(of('slow', vaultProvider(address), { annotations: { [ANNOTATION_RATE_LIMIT]: '1' } }));
  const auths = { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: NAMESPACE } };
  const provider = vaultProvider('http://127.0.0.1:1', { auth: auths });
  await cluster.create(clusterSecretStore('unreachable', { provider }));
}

async function createObjects(): Promise<void> {
  for (let index = 0; index < OBJECTS; index += 1) {
    // Two of them name each remote object.
    await bed.openBao.write(`app-${index >> 1}`, { password: 'hunter2' });
    await cluster.create(externalSecret(NAMESPACE, `good-${index}`, passwordOf(`app-${index >> 1}`)));
  }
  for (const [name, count] of [
    ['denied', 1],
    ['throttled', 1],
    ['unreachable', 3],
    ['slow', 12],
  ] as const) {
    // Side by side: those of the slow one wait for each other.
    await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const spec = { ...passwordOf(`app-${index}`), secretStoreRef: { name } };
        return cluster.create(externalSecret(NAMESPACE, `${name}-${index}`, spec));
      }),
    );
  }
  const embedded = externalSecret(NAMESPACE, 'any', {
    secretStoreRef: { kind: 'ClusterSecretStore', name: 'unreachable' },
  })['spec'];
  await cluster.create({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterExternalSecret',
    metadata: { name: 'everywhere' },
    spec: { namespaces: [NAMESPACE], externalSecretSpec: embedded },
  });
}

/** A refusal, and what a policy would rather not have. */
async function createOffenders(): Promise<void> {
  const { status } = await cluster.attempt(externalSecret(NAMESPACE, 'wrong', { refreshInterval: 'often' }));
  assert.equal(status, 422);
  await cluster.create({
    apiVersion: 'external-secrets-admission.io/v1alpha1',
    kind: 'ClusterSecretPolicy',
    metadata: { name: 'audited' },
    spec: { effect: 'Audit', providers: ['aws'] },
  });
  await eventually(
    async () => {
      await cluster.create(externalSecret(NAMESPACE, `audited-${Date.now()}`, passwordOf('app-0')));
      return (await bed.product.webhook.metric('esa_policy_violations_total')) > 0;
    },
    { ...PATIENCE, what: 'a violation of the policy' },
  );
}

/** A webhook that is away for one create. */
async function outage(): Promise<void> {
  const [webhook] = bed.product.webhooks;
  assert.ok(webhook);
  await webhook.stop();
  const { status, body } = await cluster.attempt(externalSecret(NAMESPACE, 'nobody-there'));
  assert.equal(status, 500);
  // As docs/troubleshooting.md has it.
  assert.match(
    body.message ?? '',
    /^Internal error occurred: failed calling webhook "validate\.externalsecret\.external-secrets\.io": failed to call webhook: .*connect: connection refused$/,
  );
  await webhook.start();
  await eventually(
    async () =>
      (await cluster.attempt(externalSecret(NAMESPACE, 'nobody-there'), { dryRun: 'All' })).status < 300,
    { ...PATIENCE, what: 'the webhook' },
  );
}

/** A rotation, a Secret of the CA that somebody deletes, and a bundle that somebody empties. */
async function unsettleCertificates(): Promise<void> {
  const { cp, product } = bed;
  const secret = ['secret', 'external-secrets-admission-ca', '-n', product.namespace];
  await cp.kubectlOutput(['annotate', ...secret, `external-secrets-admission.io/rotate=${Date.now()}`]);
  await eventually(
    async () => (await product.webhook.metric('esa_certificate_rotations_total', { step: 'drop' })) > 0,
    { ...PATIENCE, what: 'the rotation' },
  );
  await cp.kubectlOutput(['delete', ...secret]);
  const patch = [{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }];
  const headers = { 'content-type': 'application/json-patch+json' };
  assert.equal((await cp.request('PATCH', CONFIGURATION, patch, headers)).status, 200);
}

describe('Prometheus, Grafana and the programs', needsPrometheus(), () => {
  before(async () => {
    const server = createServer((_request, response) => {
      response.writeHead(429, { 'retry-after': '1' }).end();
    });
    throttling = await startListening(server);
    started.push(throttling.close);
    bed = await startBed({
      product: { webhookArgs: ['--ca-overlap', '1s'], pollerArgs: ['--shards', 'true'] },
    });
    started.push(() => bed.stop());
    cluster = new Cluster(bed.cp);
    const { webhook, poller } = bed.product;
    const program = (
      job_name: string,
      metricsUrl: string,
    ): { job_name: string } & Record<string, unknown> => ({
      job_name,
      honor_labels: true,
      static_configs: [{ targets: [new URL(metricsUrl).host], labels: { namespace: bed.product.namespace } }],
    });
    prometheus = await startPrometheus(
      [
        program('any-name', webhook.metricsUrl),
        program('another', poller.metricsUrl),
        {
          job_name: 'apiserver',
          scheme: 'https',
          // It answers in tens of milliseconds, but not on a machine that is busy.
          scrape_interval: '3s',
          scrape_timeout: '3s',
          authorization: { credentials: bed.cp.adminToken },
          tls_config: { insecure_skip_verify: true },
          static_configs: [{ targets: [new URL(bed.cp.server).host] }],
        },
      ],
      ALERTS,
    );
    started.push(() => prometheus[Symbol.asyncDispose]());
    await prepare(cluster, bed.openBao, NAMESPACE);
    await cluster.create(namespace('elsewhere'));
    await outage();
    await createStores();
    await createObjects();
    await createOffenders();
    await unsettleCertificates();
  });
  // What failed to start is not there to be stopped.
  const started: (() => Promise<unknown>)[] = [];
  after(async () => {
    for (const stop of started.toReversed()) await stop();
  });

  describe('every query of the dashboard has an answer', () => {
    for (const { title, panels } of SECTIONS) {
      for (const panel of panels) {
        test(`${title}: ${panel.title}`, async () => {
          for (const { expr, legend } of panel.queries) {
            const query = expr
              .replaceAll('$__rate_interval', '1m')
              .replaceAll('$__range', '10m')
              .replaceAll('$installation', bed.product.namespace)
              .replaceAll('$namespace', NAMESPACE);
            const series = await eventually(
              async () => {
                const found = await prometheus.query(query);
                return found.length > 0 && found;
              },
              { ...PATIENCE, what: `an answer to ${query}` },
            );
            // A label that a legend names and no series has would be shown as it stands.
            for (const [, label = ''] of legend.matchAll(/\{\{(\w+)\}\}/g))
              assert.ok(
                series.some(({ metric }) => Object.hasOwn(metric, label)),
                `${label} of ${legend}`,
              );
          }
        });
      }
    }
  });

  test('the variable chooses namespaces', async () => {
    const panel = SECTIONS.flatMap(({ panels }) => panels).find(({ title }) => title === 'Not in sync');
    const [query] = panel?.queries ?? [];
    assert.ok(query);
    const [answer] = await prometheus.query(query.expr.replaceAll('$namespace', NAMESPACE));
    assert.ok(Number(answer?.value[1] ?? 0) >= 4);
    assert.deepEqual(await prometheus.query(query.expr.replaceAll('$namespace', 'elsewhere')), []);
  });

  describe('every alert finds its metrics', () => {
    const rules = parse(readFileSync(ALERTS, 'utf8')) as AlertRules;
    for (const { alert, expr } of rules.groups.flatMap((group) => group.rules)) {
      test(alert, async () => {
        const selectors = expr.match(/\b[a-z]+(?:_[a-z0-9]+)+(?:\s*\{[^}]*\})?/g) ?? [];
        const metrics = selectors.filter((one) =>
          /^(esa|\w*externalsecret|apiserver|process|nodejs)_/.test(one),
        );
        assert.ok(metrics.length > 0);
        for (const selector of metrics.filter((one) => !SHOWN_ELSEWHERE.has(one))) {
          await eventually(async () => (await prometheus.query(selector)).length > 0, {
            ...PATIENCE,
            what: `a series of ${selector}`,
          });
        }
      });
    }

    test('Prometheus can evaluate all of them, and word what is wrong', async () => {
      interface Rules {
        readonly groups: readonly {
          readonly rules: readonly {
            readonly name: string;
            readonly health: string;
            readonly alerts: readonly { readonly annotations: Readonly<Record<string, string>> }[];
          }[];
        }[];
      }
      const { groups } = await eventually(
        async () => {
          const answer = await prometheus.get<Rules>('rules?type=alert');
          const healthy = answer.groups.every((group) => group.rules.every(({ health }) => health === 'ok'));
          return healthy && answer;
        },
        { ...PATIENCE, what: 'the first evaluation of all rules' },
      );
      const alerts = groups.flatMap((group) => group.rules).flatMap((rule) => rule.alerts);
      assert.ok(alerts.length > 0);
      for (const { annotations } of alerts) {
        for (const text of Object.values(annotations))
          assert.doesNotMatch(text, /error expanding|<no value>| {2}|\{\{/);
      }
    });
  });

  for (const [name, url] of [
    ['webhook', () => bed.product.webhook.metricsUrl],
    ['poller', () => bed.product.poller.metricsUrl],
  ] as const) {
    test(`docs/metrics.md is about what the ${name} serves, no more and no less`, async () => {
      const text = await scrape(url());
      const served = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
        ([, metric, type]) => `${metric} ${type}`,
      );
      const said = metricCatalogue()
        .filter(({ programs, only }) => programs.includes(name) && only !== 'with `--kes`')
        .map(({ name: metric, type }) => `${metric} ${type}`);
      assert.deepEqual([...new Set(served)].toSorted(), said.toSorted());
    });

    test(`promtool finds nothing wrong with the metrics of the ${name}`, async () => {
      const { stderr } = await promtool(['check', 'metrics'], { stdin: await scrape(url()) });
      const complaints = stderr.split('\n').filter((line) => line !== '' && !NAMED_BY_OTHERS.test(line));
      assert.deepEqual(complaints, []);
    });
  }
});
