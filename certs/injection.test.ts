import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { hookPaths, newState } from './authority.ts';
import { buildAuthority, buildLeaf } from './build.ts';
import { callsUs, injectionPatch, isInjectedByOthers, reachOf, type TargetObject } from './injection.ts';
import { joinBundle } from './x509.ts';

const DAY = 86_400_000;
const [old, young, third] = await Promise.all([1, 2, 3].map(() => buildAuthority(Date.now(), DAY)));
const pem = (authority: { cert: string } | undefined): string => authority?.cert ?? '';
const bundle = joinBundle([pem(young), pem(old)]);
const chainOf = async (authority: { key: string; cert: string } | undefined): Promise<string> =>
  authority ? (await buildLeaf(authority, ['hook'], Date.now(), DAY)).cert : '';
const [oldLeaf, youngLeaf, thirdLeaf] = await Promise.all([old, young, third].map(chainOf));
const paths = hookPaths(await newState(() => Promise.resolve({ key: '', cert: '' })));
const wanted = { bundle, paths };
const reach = (object: TargetObject, chain: string | undefined) => reachOf(object, chain ?? '', paths);
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
  assert.deepEqual(injectionPatch(object, wanted), [
    { op: 'test', path: '/webhooks/1/name', value: EXTERNAL_SECRET },
    { op: 'add', path: '/webhooks/1/clientConfig/caBundle', value: base64(bundle) },
    { op: 'add', path: '/webhooks/1/clientConfig/service/path', value: paths.validate },
    { op: 'test', path: '/webhooks/2/name', value: MATERIALIZE },
    { op: 'add', path: '/webhooks/2/clientConfig/service/path', value: paths.mutate },
  ]);
  assert.deepEqual(reach(object, youngLeaf), { served: false, distrusted: false });
});

test('nothing to do: no patch', () => {
  const object = configuration([
    { name: EXTERNAL_SECRET, clientConfig: { caBundle: base64(bundle), service: service(paths.validate) } },
  ]);
  assert.deepEqual(injectionPatch(object, wanted), []);
  for (const leaf of [youngLeaf, oldLeaf]) {
    assert.deepEqual(reach(object, leaf), { served: true, distrusted: false });
  }
  assert.deepEqual(reach(object, thirdLeaf), { served: false, distrusted: true });
});

test('a CRD is ours only with strategy Webhook', () => {
  const conversion = { strategy: 'Webhook', webhook: { clientConfig: { service: service() } } };
  assert.deepEqual(injectionPatch(crd(conversion), wanted), [
    { op: 'test', path: '/spec/conversion/strategy', value: 'Webhook' },
    { op: 'add', path: '/spec/conversion/webhook/clientConfig/caBundle', value: base64(bundle) },
    { op: 'add', path: '/spec/conversion/webhook/clientConfig/service/path', value: paths.convert },
  ]);
  for (const other of [undefined, { strategy: 'None' }, { strategy: 'Webhook' }]) {
    assert.equal(callsUs(crd(other)), false);
    assert.deepEqual(injectionPatch(crd(other), wanted), []);
    assert.deepEqual(reach(crd(other), youngLeaf), { served: true, distrusted: false });
  }
});

test('a hook by URL, and names that only look like ours, are left alone', () => {
  const object = configuration([
    { name: EXTERNAL_SECRET, clientConfig: {} },
    { name: 'constructor', clientConfig: { service: service() } },
  ]);
  assert.equal(callsUs(object), false);
  assert.deepEqual(injectionPatch(object, wanted), []);
});

test('what cert-manager injects is left to it, the path is not', () => {
  const conversion = {
    strategy: 'Webhook',
    webhook: { clientConfig: { caBundle: base64(pem(third)), service: service() } },
  };
  for (const annotation of ['cert-manager.io/inject-ca-from', 'cert-manager.io/inject-ca-from-secret']) {
    const annotated = { metadata: { name: 'x', annotations: { [annotation]: 'a/b' } }, spec: { conversion } };
    assert.ok(isInjectedByOthers(annotated));
    assert.deepEqual(injectionPatch(annotated, wanted), [
      { op: 'test', path: '/spec/conversion/strategy', value: 'Webhook' },
      { op: 'add', path: '/spec/conversion/webhook/clientConfig/service/path', value: paths.convert },
    ]);
  }
  const plain = crd(conversion);
  assert.equal(isInjectedByOthers(plain), false);
  assert.equal(
    injectionPatch(plain, { bundle: undefined, paths }).length,
    2,
    'the files are somebody else’s',
  );
});

test('garbage and no bundle at all are not distrust: nobody knows what the system of the API server trusts', () => {
  for (const caBundle of [undefined, '', base64('garbage')]) {
    const clientConfig = {
      ...(caBundle === undefined ? {} : { caBundle }),
      service: service(paths.validate),
    };
    const object = configuration([{ name: EXTERNAL_SECRET, clientConfig }]);
    assert.deepEqual(reach(object, youngLeaf), { served: false, distrusted: false });
  }
});

test('every webhook of the manifests is told where to call', () => {
  const file = join(import.meta.dirname, '../deploy/manifests/webhook-configurations.yaml');
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const manifest = document.toJS() as TargetObject;
    const guarded = injectionPatch(manifest, wanted).filter(({ op }) => op === 'test');
    assert.deepEqual(
      guarded.map(({ value }) => value),
      manifest.webhooks?.map(({ name }) => name),
    );
  }
});
