import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { ObjectMetrics, objectSeries } from './object-series.ts';
import { type Tracked, track } from './tracked.ts';

const tracked = (namespace: string, name: string, more: Partial<Tracked> = {}): Tracked => {
  const es: ExternalSecret = {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { namespace, name, uid: `uid-${name}` },
    spec: { secretStoreRef: { name: 'vault' } },
  };
  return Object.assign(track(`${namespace}/${name}`, es), more);
};

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  const texts: string[] = [];
  for await (const piece of pieces) texts.push(piece);
  return texts.join('');
}

test('series have the names and labels of ESO, and only objects with something to tell have some', async () => {
  const objects = [
    tracked('shop', 'new'),
    tracked('shop', 'good', { attempts: 3, microseconds: 1500, condition: 'True' }),
    tracked('shop', 'bad', { attempts: 2, errors: 2, microseconds: 7, condition: 'False' }),
  ];
  assert.deepEqual((await textOf(objectSeries(() => objects))).trimEnd().split('\n'), [
    '# HELP externalsecret_sync_calls_total Attempts to sync.',
    '# TYPE externalsecret_sync_calls_total counter',
    'externalsecret_sync_calls_total{name="good",namespace="shop"} 3',
    'externalsecret_sync_calls_total{name="bad",namespace="shop"} 2',
    '# HELP externalsecret_sync_calls_error Failed attempts to sync.',
    '# TYPE externalsecret_sync_calls_error counter',
    'externalsecret_sync_calls_error{name="bad",namespace="shop"} 2',
    '# HELP externalsecret_status_condition Current condition of an ExternalSecret.',
    '# TYPE externalsecret_status_condition gauge',
    'externalsecret_status_condition{name="good",namespace="shop",condition="Ready",status="True"} 1',
    'externalsecret_status_condition{name="good",namespace="shop",condition="Ready",status="False"} 0',
    'externalsecret_status_condition{name="bad",namespace="shop",condition="Ready",status="True"} 0',
    'externalsecret_status_condition{name="bad",namespace="shop",condition="Ready",status="False"} 1',
    '# HELP externalsecret_reconcile_duration Duration of the last sync, nanoseconds.',
    '# TYPE externalsecret_reconcile_duration gauge',
    'externalsecret_reconcile_duration{name="good",namespace="shop"} 1500000',
    'externalsecret_reconcile_duration{name="bad",namespace="shop"} 7000',
  ]);
});

test('K8 K9 series of objects of KES have its names, and nobody else has any', async () => {
  const kes = (name: string, more: Partial<Tracked>): Tracked =>
    tracked('shop', `kubernetes-client.io/${name}`, {
      stores: ['ClusterSecretStore//kes:secretsManager:eu-west-1'],
      ...more,
    });
  const objects = [
    kes('good', { attempts: 3, errors: 1, condition: 'True' }),
    kes('bad', { attempts: 2, errors: 2, condition: 'False' }),
    kes('new', {}),
  ];
  const labels = (name: string): string => `name="${name}",namespace="shop",backend="secretsManager"`;
  const text = await textOf(objectSeries(() => objects));
  assert.deepEqual(
    text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    [
      `kubernetes_external_secrets_sync_calls_count{${labels('good')},status="success"} 2`,
      `kubernetes_external_secrets_sync_calls_count{${labels('good')},status="error"} 1`,
      `kubernetes_external_secrets_sync_calls_count{${labels('bad')},status="error"} 2`,
      `kubernetes_external_secrets_last_sync_call_state{${labels('good')}} 1`,
      `kubernetes_external_secrets_last_sync_call_state{${labels('bad')}} -1`,
    ],
  );
});

test('labels are escaped', async () => {
  const odd = tracked('a"b', 'c\\d\ne', { attempts: 1 });
  const text = await textOf(objectSeries(() => [odd]));
  assert.match(text, /_total\{name="c\\\\d\\ne",namespace="a\\"b"\} 1\n/);
});

test('other work has its turn while many series are made', async () => {
  const object = tracked('shop', 'app', { attempts: 1 });
  const objects = Array.from({ length: 5_000 }, () => object);
  let turns = 0;
  const count = (): void => {
    turns += 1;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const text = await textOf(objectSeries(() => objects));
  clearImmediate(timer);
  assert.equal(text.match(/^externalsecret_sync_calls_total\{/gm)?.length, 5_000);
  assert.ok(turns >= 20, `${turns} turns`);
});

test('auto leaves them out beyond the limit and says so once; on and off do as they say', () => {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const none = (): Tracked[] => [];
  const auto = new ObjectMetrics('auto', log);
  assert.notEqual(auto.text(20_000, none), undefined);
  assert.equal(auto.text(20_001, none), undefined);
  assert.equal(auto.text(30_000, none), undefined);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /--object-metrics=on/);
  assert.notEqual(auto.text(19_000, none), undefined);
  assert.notEqual(new ObjectMetrics('on', log).text(1_000_000, none), undefined);
  assert.equal(new ObjectMetrics('off', log).text(1, none), undefined);
  assert.equal(lines.length, 1);
});
