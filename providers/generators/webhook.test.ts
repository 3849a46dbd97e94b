import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KeyServer } from '../../test/conformance/key-server.ts';
import { startKeyServer } from '../../test/conformance/key-server.ts';
import type { ProviderError, StoreContext } from '../contract.ts';
import { closeOutbound, configureOutbound } from '../http.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { generatorOf } from './registry.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 'Webhook team/token',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};

let server: KeyServer;
before(async () => {
  configureOutbound({ allowLoopback: true });
  server = await startKeyServer((response, _key, value) => {
    response.writeHead(value === undefined ? 404 : 200).end(value ?? '');
  });
  server.values.set('login/token', '{"data":{"user":"me","ttl":60,"more":{"a":1}}}');
  server.values.set('text', 'no JSON');
});
after(async () => {
  await server.close();
  await closeOutbound();
  configureOutbound({ allowLoopback: false });
});

const cluster = new MemoryCluster()
  .set('Secret', 'team/login', { token: 'token-of-the-login', path: 'login/token' })
  .label('team/login', { 'external-secrets.io/type': 'webhook' })
  .set('Secret', 'other/login', { token: 'of somebody else' });

const generate = async (spec: object): Promise<Record<string, string>> => {
  const choice = generatorOf('Webhook', spec);
  assert.ok(choice.ok, JSON.stringify(choice));
  const use = { store, ports: cluster.ports };
  const values = await choice.generator.generate(choice.spec, use, AbortSignal.timeout(10_000));
  return Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()]));
};
const at = (path: string, more: object = {}): object => ({ url: `${server.url}/keys/${path}`, ...more });
const login = { secrets: [{ name: 'login', secretRef: { name: 'login' } }] };

test('each member of the object is a key; the Secret is one of the namespace', async () => {
  const headers = { Authorization: 'Bearer {{ .login.token }}' };
  const values = await generate(at('login%2Ftoken', { ...login, headers, result: { jsonPath: '$.data' } }));
  assert.deepEqual(values, { user: 'me', ttl: '60', more: '{"a":1}' });
  assert.equal(server.asked.at(-1)?.headers.authorization, 'Bearer token-of-the-login');
});

test('what is no object, and what is not there, are errors without a value', async () => {
  const fails = (code: string, message: RegExp) => (error: ProviderError) => {
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /token-of/);
    return true;
  };
  await assert.rejects(generate(at('text')), fails('PROVIDER_INVALID_RESPONSE', /the answer is no JSON/));
  await assert.rejects(
    generate(at('{{ .login.token }}', login)),
    fails('PROVIDER_NOT_FOUND', /: call: .*404/),
  );
  await assert.rejects(
    generate(at('login%2Ftoken', { result: { jsonPath: '$.data.user' } })),
    fails('PROVIDER_INVALID_RESPONSE', /the answer is no JSON/),
  );
});
