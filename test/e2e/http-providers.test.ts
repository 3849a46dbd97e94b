/** The providers express, webhook and kubernetes, and the generator Webhook, through both programs: one bed. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { GENERATOR_GROUP } from '../../api/generators/names.ts';
import { expressAnswer, type KeyServer, startKeyServer } from '../conformance/key-server.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { applyManifests, externalSecret, namespace, readSeed, secretStore } from './support/vault.ts';

const WHERE = 'http';
const LATE = 60_000;

let bed: Bed;
let cluster: Cluster;
let server: KeyServer;
/** Answers of the server instead of the tutorial's, by key. */
const odd = new Map<string, string>();

before(async () => {
  server = await startKeyServer((response, key, value) => {
    const text = odd.get(key);
    if (text === undefined) expressAnswer(response, key, value);
    else response.end(text);
  });
  bed = await startBed();
  cluster = new Cluster(bed.cp);
  await cluster.create(namespace(WHERE));
});
after(async () => {
  await bed.stop();
  await server.close();
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const express = (host: string): object => ({ provider: { express: { host } } });
const reads = (store: string, key: string, more: object = {}): object => ({
  refreshInterval: '1h',
  secretStoreRef: { name: store },
  data: [{ secretKey: 'value', remoteRef: { key } }],
  ...more,
});

describe('express', () => {
  const gets = (): number => server.asked.filter(({ line }) => line === 'GET /keys/my-secret-key').length;

  before(async () => {
    server.values.set('my-secret-key', 'this-is-a-secret');
    await cluster.create(secretStore(WHERE, 'express', express(server.url)));
  });
  beforeEach(() => odd.clear());

  test('S88 without a host, with one that is none, and with one that cannot be parsed', async () => {
    const apply = async (block: object): Promise<string> => {
      const { code, stderr } = await applyManifests(bed.cp, [
        secretStore(WHERE, 'bad', { provider: { express: block } }),
      ]);
      assert.equal(code, 1);
      return stderr;
    };
    assert.match(await apply({}), /missing required field "host"/);
    for (const host of ['foo', 'http://[', 'http://'])
      assert.match(await apply({ host }), /spec\.provider\.express\.host: .*invalid express host URL: /);
  });

  test('S89 the one file of the article: the Secret is there when the apply returns', async () => {
    const manifests = readSeed('seed004-express-secret.yaml', bed).map(
      (manifest) =>
        JSON.parse(
          JSON.stringify(manifest).replaceAll('http://express-secrets-service', server.url),
        ) as Manifest,
    );
    const { code, stderr } = await applyManifests(bed.cp, manifests);
    assert.deepEqual([code, stderr], [0, '']);
    const secret = await cluster.get('Secret', 'default', 'my-express-secret');
    assert.deepEqual(secret.data, { secretKey: 'dGhpcy1pcy1hLXNlY3JldA==' });
    assert.notEqual(secret.immutable, true);
    await cluster.synced('default', 'express-external-secret', LATE);
  });

  test('S90 one GET a refresh; a server that hangs is named with the key', async () => {
    await cluster.create(externalSecret(WHERE, 'counted', reads('express', 'my-secret-key')));
    await cluster.synced(WHERE, 'counted', LATE);
    const before = gets();
    for (const round of [1, 2]) {
      await cluster.patch('ExternalSecret', WHERE, 'counted', {
        metadata: { annotations: { 'force-sync': `${round}` } },
      });
      await eventually(() => gets() === before + round, { what: 'the next GET', timeout: LATE });
    }
    assert.ok(server.asked.every(({ line }) => /^(GET \/keys\/|HEAD \/$)/.test(line)));
    const resume = server.hang();
    try {
      await cluster.create(externalSecret(WHERE, 'hung', reads('express', 'my-secret-key')));
      await cluster.failing(WHERE, 'hung', /error getting the secret my-secret-key: no answer/, LATE);
    } finally {
      resume();
    }
    await cluster.holds(WHERE, 'hung', { value: 'this-is-a-secret' }, LATE);
  });

  test('S91 what is no JSON, what is absent, what is empty: never a Secret', async () => {
    for (const [name, answer, message] of [
      ['no-json', '<html>', /bad key format: no-json/],
      ['no-value', '{"key":"no-value"}', /bad key format: no-value/],
      ['number', '{"key":"number","value":1}', /bad key format: number/],
      ['nothing', '', /error getting the secret nothing: there is no such key/],
      ['empty', '{"key":"empty","value":""}', /error getting the secret empty: its value is empty/],
    ] as const) {
      odd.set(name, answer);
      await cluster.create(externalSecret(WHERE, name, reads('express', name)));
      await cluster.failing(WHERE, name, message, LATE);
      assert.equal(await cluster.values(WHERE, name), undefined);
    }
    await cluster.create(externalSecret(WHERE, 'absent', reads('express', 'absent')));
    await cluster.failing(WHERE, 'absent', /error getting the secret absent: there is no such key/, LATE);
  });

  test('S92 a find: not implemented, said in the condition; others go on', async () => {
    const dataFrom = [{ find: { name: { regexp: '.*' } } }];
    const find = reads('express', 'x', { data: undefined, dataFrom });
    await cluster.create(externalSecret(WHERE, 'find', find));
    await cluster.failing(WHERE, 'find', /find is not implemented by provider express/, LATE);
    await cluster.create(externalSecret(WHERE, 'beside', reads('express', 'my-secret-key')));
    assert.deepEqual(await cluster.values(WHERE, 'beside'), { value: 'this-is-a-secret' });
  });
});

describe('webhook', () => {
  const secret = (name: string, labels: Readonly<Record<string, string>>): Manifest => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: WHERE, labels },
    stringData: { token: 'token-of-the-webhook' },
  });
  const labelled = { 'external-secrets.io/type': 'webhook' };
  const block = (login: string): object => ({
    provider: {
      webhook: {
        url: `${server.url}/keys/{{ .remoteRef.key }}?p={{ .remoteRef.property }}`,
        headers: { Authorization: 'Bearer {{ .login.token }}' },
        result: { jsonPath: '$.{{ .remoteRef.property }}' },
        secrets: [{ name: 'login', secretRef: { name: login } }],
      },
    },
  });

  before(async () => {
    odd.set('account?p=user', '{"user":"me","password":"hunter2"}');
    odd.set('account?p=password', '{"user":"me","password":"hunter2"}');
    await cluster.create(secret('labelled', labelled));
    await cluster.create(secret('unlabelled', {}));
    await cluster.create(secretStore(WHERE, 'webhook', block('labelled')));
    await cluster.create(secretStore(WHERE, 'forbidden', block('unlabelled')));
  });

  test('each property is a request of its own, with the token of the labelled Secret', async () => {
    const data = ['user', 'password'].map((property) => ({
      secretKey: property,
      remoteRef: { key: 'account', property },
    }));
    await cluster.create(externalSecret(WHERE, 'account', reads('webhook', '', { data })));
    assert.deepEqual(await cluster.values(WHERE, 'account'), { user: 'me', password: 'hunter2' });
    const asked = server.asked.filter(({ line }) => line.includes('/keys/account'));
    assert.deepEqual(
      new Set(asked.map(({ line, headers }) => `${line} ${headers.authorization}`)),
      new Set(['user', 'password'].map((p) => `GET /keys/account?p=${p} Bearer token-of-the-webhook`)),
    );
    await cluster.synced(WHERE, 'account', LATE);
  });

  test('another Secret is not sent away', async () => {
    await cluster.create(externalSecret(WHERE, 'forbidden', reads('forbidden', 'account')));
    const message = await cluster.failing(WHERE, 'forbidden', /must carry the label/, LATE);
    assert.doesNotMatch(message, /token-of/);
  });

  test('as a generator', async () => {
    odd.set('generated', '{"data":{"user":"new","ttl":60}}');
    await cluster.create({
      apiVersion: `${GENERATOR_GROUP}/v1alpha1`,
      kind: 'Webhook',
      metadata: { name: 'login', namespace: WHERE },
      spec: { url: `${server.url}/keys/generated`, result: { jsonPath: '$.data' } },
    });
    const generatorRef = { apiVersion: `${GENERATOR_GROUP}/v1alpha1`, kind: 'Webhook', name: 'login' };
    const spec = { data: undefined, secretStoreRef: undefined, dataFrom: [{ sourceRef: { generatorRef } }] };
    await cluster.create(externalSecret(WHERE, 'generated', reads('', '', spec)));
    assert.deepEqual(await cluster.values(WHERE, 'generated'), { user: 'new', ttl: '60' });
  });
});

describe('kubernetes', () => {
  const SHARED = 'shared';

  before(async () => {
    await cluster.create(namespace(SHARED));
    const create = async (path: string, body: object): Promise<void> => {
      const { status } = await bed.cp.request('POST', path, body);
      assert.ok(status < 300, `${path}: ${status}`);
    };
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${SHARED}`;
    const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] }];
    for (const name of ['reader', 'stranger'])
      await create(`/api/v1/namespaces/${WHERE}/serviceaccounts`, { metadata: { name } });
    await create(`${rbac}/roles`, { metadata: { name: 'reader' }, rules });
    await create(`${rbac}/rolebindings`, {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: WHERE }],
    });
    for (const name of ['app', 'app-two'])
      await create(`/api/v1/namespaces/${SHARED}/secrets`, {
        metadata: { name },
        data: { password: base64(`hunter of ${name}`) },
      });
    for (const name of ['reader', 'stranger']) {
      const kubernetes = { remoteNamespace: SHARED, auth: { serviceAccount: { name } } };
      await cluster.create(secretStore(WHERE, name, { provider: { kubernetes } }));
    }
  });

  test('a Secret of another namespace of the same cluster, at once, with the rights of a ServiceAccount', async () => {
    const data = [{ secretKey: 'value', remoteRef: { key: 'app', property: 'password' } }];
    const dataFrom = [{ find: { name: { regexp: '^app-' } } }];
    await cluster.create(externalSecret(WHERE, 'copied', reads('reader', '', { data, dataFrom })));
    const expected = { value: 'hunter of app', 'app-two': '{"password":"hunter of app-two"}' };
    assert.deepEqual(await cluster.values(WHERE, 'copied'), expected);
    await cluster.synced(WHERE, 'copied', LATE);
  });

  test('without rights nothing is read, and the store says so', async () => {
    await cluster.create(externalSecret(WHERE, 'denied', reads('stranger', 'app')));
    await cluster.failing(
      WHERE,
      'denied',
      /secrets "app" is forbidden: User "system:serviceaccount:http:stranger"|client is not allowed to get secrets/,
      LATE,
    );
    await eventually(
      async () => (await cluster.ready('SecretStore', WHERE, 'stranger'))?.status === 'False',
      { timeout: LATE, what: 'the store to be not ready' },
    );
  });

  test('a Secret that goes away is gone: deletionPolicy Delete acts', async () => {
    const target = { deletionPolicy: 'Delete' };
    const spec = reads('reader', 'app-two', { target, refreshInterval: '1s' });
    await cluster.create(externalSecret(WHERE, 'goes', spec));
    await cluster.synced(WHERE, 'goes', LATE);
    await cluster.remove('Secret', SHARED, 'app-two');
    await eventually(async () => (await cluster.values(WHERE, 'goes')) === undefined, {
      timeout: LATE,
      what: 'the Secret to be deleted',
    });
  });
});

describe('S100 without any hook', () => {
  before(async () => {
    for (const kind of ['mutating', 'validating']) {
      const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
      const { status } = await bed.cp.request('DELETE', path);
      assert.equal(status, 200);
    }
  });

  test('the poller alone reads from each of them', async () => {
    const password = [{ secretKey: 'value', remoteRef: { key: 'app', property: 'password' } }];
    const user = [{ secretKey: 'value', remoteRef: { key: 'account', property: 'user' } }];
    await cluster.create(externalSecret(WHERE, 'late-express', reads('express', 'my-secret-key')));
    await cluster.create(externalSecret(WHERE, 'late-webhook', reads('webhook', '', { data: user })));
    await cluster.create(externalSecret(WHERE, 'late-kubernetes', reads('reader', '', { data: password })));
    await cluster.holds(WHERE, 'late-express', { value: 'this-is-a-secret' }, LATE);
    await cluster.holds(WHERE, 'late-webhook', { value: 'me' }, LATE);
    await cluster.holds(WHERE, 'late-kubernetes', { value: 'hunter of app' }, LATE);
  });
});
