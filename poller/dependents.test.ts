import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret, ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { Dependents, type Source } from './dependents.ts';

const es = (name: string, spec: ExternalSecretSpec): ExternalSecret =>
  ({ metadata: { namespace: 'shop', name }, spec }) as ExternalSecret;
const items = [{ key: 'k' }];
const templated = (name: string): ExternalSecret =>
  es(name, {
    target: {
      template: {
        templateFrom: [
          { configMap: { name: 'templates', items } },
          { secret: { name: 'parts', items } },
          { secret: { name, items } },
        ],
      },
    },
    dataFrom: [
      { sourceRef: { generatorRef: { kind: 'Password', name: 'short' } } },
      { sourceRef: { generatorRef: { kind: 'ClusterGenerator', name: 'shared' } } },
    ],
  });
const source = (kind: Source['kind'], name: string, namespace = 'shop'): Source => ({
  kind,
  namespace,
  name,
});

function setUp() {
  let now = 10_000;
  const clock: Clock = { now: () => now, monotonic: () => now };
  const dependents = new Dependents(clock);
  const changed = (what: Source): string[] | undefined => {
    const concerned = dependents.changed(what);
    return concerned && [...concerned.users, `at ${concerned.due}`];
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { dependents, changed, pass };
}

test('templateFrom and generators are followed, by namespace, but for those of the cluster', () => {
  const { dependents, changed } = setUp();
  const kinds = dependents.observe(templated('a'));
  assert.deepEqual(new Set(kinds), new Set(['ConfigMap', 'Secret', 'Password', 'ClusterGenerator']));
  for (const named of [
    source('ConfigMap', 'templates'),
    source('Secret', 'parts'),
    source('Password', 'short'),
    source('ClusterGenerator', 'shared', ''),
  ])
    assert.deepEqual(changed(named), ['shop/a', 'at 10000']);
  for (const other of [
    source('ConfigMap', 'templates', 'office'),
    source('ConfigMap', 'parts'),
    source('Fake', 'short'),
    // Its own Secret: it writes that itself.
    source('Secret', 'a'),
  ])
    assert.equal(changed(other), undefined);
});

test('what an object names no more, and an object that is gone, is forgotten', () => {
  const { dependents, changed, pass } = setUp();
  for (const name of ['a', 'b']) dependents.observe(templated(name));
  dependents.observe(es('a', { data: [] }));
  assert.deepEqual(changed(source('ConfigMap', 'templates')), ['shop/b', 'at 10000']);
  dependents.forget('shop', 'b');
  pass(5_000);
  assert.equal(changed(source('ConfigMap', 'templates')), undefined);
});

test('an object that is written again and again has its users tried once a second', () => {
  const { dependents, changed, pass } = setUp();
  dependents.observe(templated('a'));
  const templates = source('ConfigMap', 'templates');
  assert.deepEqual(changed(templates), ['shop/a', 'at 10000']);
  pass(200);
  assert.deepEqual(changed(templates), ['shop/a', 'at 11000']);
  pass(200);
  assert.equal(changed(templates), undefined);
  pass(700);
  assert.deepEqual(changed(templates), ['shop/a', 'at 12000']);
  pass(60_000);
  assert.deepEqual(changed(templates), ['shop/a', 'at 71100']);
});
