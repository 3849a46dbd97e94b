import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { hookPaths, newTokens } from './authority.ts';
import { callsUs, injectionPatch, isServed, type TargetObject } from './injection.ts';
import { joinBundle } from './x509.ts';

// Bundles are compared as text here; what is between the lines does not matter.
const pem = (name: string): string => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;
const [old, young] = [pem('old'), pem('young')];
const bundle = joinBundle([young, old]);
const paths = hookPaths({
  current: { key: '', cert: young },
  next: undefined,
  previous: [],
  switchedAt: undefined,
  tokens: newTokens(),
});
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const service = (path?: string) => ({
  name: 'hook',
  namespace: 'system',
  ...(path === undefined ? {} : { path }),
});
const configuration = (webhooks: TargetObject['webhooks']): TargetObject => ({
  metadata: { name: 'c' },
  ...(webhooks ? { webhooks } : {}),
});
const crd = (conversion: NonNullable<TargetObject['spec']>['conversion']): TargetObject => ({
  metadata: { name: 'x' },
  spec: conversion ? { conversion } : {},
});

const EXTERNAL_SECRET = 'validate.externalsecret.external-secrets.io';
const MATERIALIZE = 'materialize.externalsecret.external-secrets.io';

test('only bundle and path of our own hooks, each guarded by its name', () => {
  const object = configuration([
    { name: 'other.example.com', clientConfig: { service: service('/x') } },
    { name: EXTERNAL_SECRET, clientConfig: { service: service() } },
    {
      name: MATERIALIZE,
      clientConfig: { caBundle: base64(bundle), service: service('/mutate') },
    },
  ]);
  assert.deepEqual(injectionPatch(object, bundle, paths), [
    { op: 'test', path: '/webhooks/1/name', value: EXTERNAL_SECRET },
    { op: 'add', path: '/webhooks/1/clientConfig/caBundle', value: base64(bundle) },
    { op: 'add', path: '/webhooks/1/clientConfig/service/path', value: paths.validate },
    { op: 'test', path: '/webhooks/2/name', value: MATERIALIZE },
    { op: 'add', path: '/webhooks/2/clientConfig/service/path', value: paths.mutate },
  ]);
  assert.equal(isServed(object, young, paths), false);
});

test('nothing to do: no patch', () => {
  const object = configuration([
    { name: EXTERNAL_SECRET, clientConfig: { caBundle: base64(bundle), service: service(paths.validate) } },
  ]);
  assert.deepEqual(injectionPatch(object, bundle, paths), []);
  assert.ok(isServed(object, young, paths) && isServed(object, old, paths));
  assert.equal(isServed(object, pem('third'), paths), false);
});

test('a CRD is ours only with strategy Webhook', () => {
  const conversion = { strategy: 'Webhook', webhook: { clientConfig: { service: service() } } };
  assert.deepEqual(injectionPatch(crd(conversion), bundle, paths), [
    { op: 'test', path: '/spec/conversion/strategy', value: 'Webhook' },
    { op: 'add', path: '/spec/conversion/webhook/clientConfig/caBundle', value: base64(bundle) },
    { op: 'add', path: '/spec/conversion/webhook/clientConfig/service/path', value: paths.convert },
  ]);
  for (const other of [undefined, { strategy: 'None' }, { strategy: 'Webhook' }]) {
    assert.equal(callsUs(crd(other)), false);
    assert.deepEqual(injectionPatch(crd(other), bundle, paths), []);
    assert.ok(isServed(crd(other), young, paths));
  }
});

test('a hook by URL, and names that only look like ours, are left alone', () => {
  const object = configuration([
    { name: EXTERNAL_SECRET, clientConfig: {} },
    { name: 'constructor', clientConfig: { service: service() } },
  ]);
  assert.equal(callsUs(object), false);
  assert.deepEqual(injectionPatch(object, bundle, paths), []);
});

test('every webhook of the manifests is told where to call', () => {
  const file = join(import.meta.dirname, '../deploy/manifests/webhook-configurations.yaml');
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const manifest = document.toJS() as TargetObject;
    const guarded = injectionPatch(manifest, bundle, paths).filter(({ op }) => op === 'test');
    assert.deepEqual(
      guarded.map(({ value }) => value),
      manifest.webhooks?.map(({ name }) => name),
    );
  }
});
