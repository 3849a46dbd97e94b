// External Secrets Operator's tables for reading Vault (eso.md 9.4), against a server that answers what each case
// needs. Connections, refusals and faults are in provider.test.ts and in the end-to-end tests.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { RemoteObject, StoreContext } from '../contract.ts';
import { closeOutbound, configureOutbound } from '../http.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { vaultConfigSchema } from './config.ts';
import { forgetVaultSessions, vaultProvider } from './provider.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 's',
  namespace: 'a',
  uid: 'u',
  generation: 1,
  callerNamespace: 'a',
};
const cluster = new MemoryCluster();
const { signal } = new AbortController();

/** What is at each path, as JSON text: numbers have to arrive as they are written. */
const answers = new Map<string, { status: number; body: string }>();
let server: Server;

before(async () => {
  configureOutbound({ allowLoopback: true });
  cluster.set('Secret', 'a/vault-token', { token: 't' });
  server = createServer((request, response) => {
    const { status, body } = answers.get(request.url ?? '') ?? { status: 404, body: '{"errors":[]}' };
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(async () => {
  configureOutbound({ allowLoopback: false });
  forgetVaultSessions();
  await closeOutbound();
  server.close().closeAllConnections();
});

async function read(version: 'v1' | 'v2', key: string, metadata = false): Promise<RemoteObject> {
  const config = vaultConfigSchema.parse({
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    path: 'secret',
    version,
    auth: { tokenSecretRef: { name: 'vault-token', key: 'token' } },
  });
  const connection = await vaultProvider.connect(config, store, cluster.ports, signal);
  return connection.read({ key, metadata }, signal);
}

/** A secret with this data, in both versions of the engine. */
function holds(key: string, data: string): void {
  answers.set(`/v1/secret/data/${key}`, {
    status: 200,
    body: `{"data":{"data":${data},"metadata":{"version":1}}}`,
  });
  answers.set(`/v1/secret/${key}`, { status: 200, body: `{"data":${data}}` });
}

const mapOf = (object: RemoteObject, property?: string): Record<string, string> =>
  Object.fromEntries([...object.getMap(property)].map(([key, value]) => [key, value.revealText()]));

const DATA = `{
  "text": "value",
  "none": null,
  "number": 5432,
  "big": 12345678901234567890,
  "yes": true,
  "special": "<a href=\\"x\\">&amp; é ☕ \\n</a>",
  "dotted.key": "exact",
  "dotted": { "key": "path" },
  "nested": { "text": "inner", "deeper": { "text": "innermost", "none": null } },
  "list": ["one", "two"]
}`;
const LIST = '["one","two"]';
const DEEPER = '{"none":null,"text":"innermost"}';

for (const version of ['v1', 'v2'] as const) {
  describe(`9.4 vault GetSecret, KV ${version}`, () => {
    before(() => holds('app', DATA));

    for (const [what, property, expected] of [
      ['a property', 'text', 'value'],
      ['a property that is null', 'none', ''],
      ['a number', 'number', '5432'],
      ['a number beyond 2^53', 'big', '12345678901234567890'],
      ['a boolean', 'yes', 'true'],
      ['special characters', 'special', '<a href="x">&amp; é ☕ \n</a>'],
      ['an exact key with a dot', 'dotted.key', 'exact'],
      ['a nested object', 'nested.deeper', DEEPER],
      ['a path', 'nested.deeper.text', 'innermost'],
      ['a null at the end of a path', 'nested.deeper.none', ''],
      ['a list', 'list', LIST],
      ['a member of a list', 'list.1', 'two'],
    ] as const) {
      test(`${what}: ${property}`, async () =>
        assert.equal((await read(version, 'app')).get(property).revealText(), expected));
    }

    test('without a property: the JSON of all, in order of the keys, as Go escapes it', async () => {
      assert.equal(
        (await read(version, 'app')).get(undefined).revealText(),
        `{"big":12345678901234567890,"dotted":{"key":"path"},"dotted.key":"exact","list":${LIST},"nested":{"deeper":${DEEPER},"text":"inner"},"none":null,"number":5432,"special":"\\u003ca href=\\"x\\"\\u003e\\u0026amp; é ☕ \\n\\u003c/a\\u003e","text":"value","yes":true}`,
      );
    });

    test('a property that is not there', async () => {
      const object = await read(version, 'app');
      for (const property of ['absent', 'nested.absent', 'text.absent', 'list.7'])
        assert.throws(() => object.get(property), {
          code: 'PROVIDER_PROPERTY_NOT_FOUND',
          message: /cannot find secret data for key: /,
        });
    });

    test('a read error is no absence', async () => {
      const key = `failing-${version}`;
      const failing = { status: 500, body: '{"errors":["boom"]}' };
      answers.set(`/v1/secret/${version === 'v1' ? '' : 'data/'}${key}`, failing);
      await assert.rejects(read(version, key), (error: Error & { code?: string }) => {
        assert.notEqual(error.code, 'PROVIDER_NOT_FOUND');
        assert.match(error.message, /500/);
        return true;
      });
    });
  });

  describe(`9.4 vault GetSecretMap, KV ${version}`, () => {
    before(() => holds('map', DATA));

    test('plain, null, mixed and nested values, special characters', async () => {
      assert.deepEqual(mapOf(await read(version, 'map')), {
        text: 'value',
        none: '',
        number: '5432',
        big: '12345678901234567890',
        yes: 'true',
        special: '<a href="x">&amp; é ☕ \n</a>',
        'dotted.key': 'exact',
        dotted: '{"key":"path"}',
        nested: `{"deeper":${DEEPER},"text":"inner"}`,
        list: LIST,
      });
    });

    test('a nested property, and one below it', async () => {
      const object = await read(version, 'map');
      assert.deepEqual(mapOf(object, 'nested'), { text: 'inner', deeper: DEEPER });
      assert.deepEqual(mapOf(object, 'nested.deeper'), { text: 'innermost', none: '' });
    });

    test('a property that is no object', async () => {
      const object = await read(version, 'map');
      for (const property of ['text', 'list', 'none'])
        assert.throws(() => object.getMap(property), { code: 'PROVIDER_INVALID_RESPONSE' });
    });
  });
}

describe('9.4 vault GetSecret, metadataPolicy Fetch', () => {
  const describeAs = (key: string, custom: string): unknown =>
    answers.set(`/v1/secret/metadata/${key}`, {
      status: 200,
      body: `{"data":{"created_time":"2026-01-02T03:04:05Z","current_version":3,"delete_version_after":"0s","custom_metadata":${custom},"versions":{"3":{}}}}`,
    });
  const FACTS = { created_time: '2026-01-02T03:04:05Z', current_version: '3', delete_version_after: '0s' };

  test('all of it as JSON, one key, a key that is not there', async () => {
    describeAs('described', '{"owner":"me"}');
    const object = await read('v2', 'described', true);
    assert.deepEqual(JSON.parse(object.get(undefined).revealText()), { ...FACTS, owner: 'me' });
    assert.equal(object.get('owner').revealText(), 'me');
    assert.throws(() => object.get('absent'), { code: 'PROVIDER_PROPERTY_NOT_FOUND' });
  });

  test('custom metadata outranks the facts of the server', async () => {
    describeAs('outranked', '{"current_version":"mine"}');
    assert.equal((await read('v2', 'outranked', true)).get('current_version').revealText(), 'mine');
  });

  test('without custom metadata', async () => {
    describeAs('bare', 'null');
    assert.deepEqual(mapOf(await read('v2', 'bare', true)), FACTS);
  });
});
