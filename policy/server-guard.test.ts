/** The guard on real sockets: the server of a store is judged on the address that was connected to. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { ClusterSecretPolicy, ServerPattern } from '../api/policy/cluster-secret-policy.ts';
import { ProviderError } from '../providers/contract.ts';
import { closeOutbound, configureOutbound, httpRequest } from '../providers/http.ts';
import { serverGuard } from './server-guard.ts';

const policy = (
  servers: ServerPattern[],
  name = 'p',
  effect: 'Deny' | 'Warn' = 'Deny',
): ClusterSecretPolicy => ({
  apiVersion: 'external-secrets-admission.io/v1alpha1',
  kind: 'ClusterSecretPolicy',
  metadata: { name },
  spec: { effect, servers },
});

let requests = 0;
let connections = 0;
const server = createServer((_request, response) => {
  requests += 1;
  response.end('ok');
});
server.on('connection', () => {
  connections += 1;
});
let port = 0;

before(async () => {
  configureOutbound({ allowLoopback: true });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  port = (server.address() as AddressInfo).port;
});
after(async () => {
  await closeOutbound();
  server.close();
});

const ask = async (host: string, ...policies: ClusterSecretPolicy[]): Promise<string> => {
  const origin = `http://${host}:${port}`;
  const options = { method: 'GET', path: '/', label: 'server' } as const;
  const { body } = await httpRequest({ origin, guard: serverGuard(policies) }, options);
  return body.toString();
};
const denied = (text: RegExp) => (error: unknown) =>
  error instanceof ProviderError && error.code === 'POLICY_DENIED' && text.test(error.message);

describe('a connection', () => {
  test('is refused by the address that a name leads to, and nothing is sent', async () => {
    const before = requests;
    await assert.rejects(
      ask('localhost', policy([{ host: 'localhost', network: '10.0.0.0/8' }])),
      denied(
        /localhost resolves to .*127\.0\.0\.1 is not allowed by policy "p", rule servers \(allowed: localhost in 10/,
      ),
    );
    await assert.rejects(
      ask('127.0.0.1', policy([{ network: '10.0.0.0/8' }])),
      denied(/the server is not allowed/),
    );
    await assert.rejects(ask('localhost', policy([{ scheme: 'https' }])), denied(/allowed: https:\/\/\*\*/));
    await assert.rejects(ask('localhost', policy([])), denied(/allowed: none/));
    assert.equal(requests, before);
  });

  test('is refused if one of several policies refuses it', async () => {
    const here = policy([{ network: '127.0.0.0/8' }], 'a');
    await assert.rejects(
      ask('localhost', here, policy([{ network: '10.0.0.0/8' }], 'b')),
      denied(/policy "b"/),
    );
    assert.equal(await ask('localhost', here, policy([{ host: 'local*' }], 'c')), 'ok');
  });

  test('is refused although one to the same server is open for somebody else', async () => {
    const allowed = policy([{ host: 'localhost', network: '127.0.0.0/8' }]);
    assert.equal(await ask('localhost', allowed), 'ok');
    const open = connections;
    // The pool learns a moment later that the connection is free again.
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    assert.equal(await ask('localhost', allowed), 'ok');
    assert.equal(connections, open, 'the same guard uses the open connection');
    await assert.rejects(ask('localhost', policy([{ network: '192.0.2.0/24' }])), denied(/rule servers/));
  });

  test('is made without a proxy where its address counts', async () => {
    process.env['HTTP_PROXY'] = 'http://127.0.0.1:1';
    try {
      assert.equal(await ask('localhost', policy([{ network: '127.0.0.0/8' }], 'direct')), 'ok');
      await assert.rejects(ask('localhost', policy([{ host: 'localhost' }], 'proxied')), ProviderError);
    } finally {
      delete process.env['HTTP_PROXY'];
    }
  });
});

test('policies that only warn, or say nothing about servers, guard nothing', () => {
  assert.equal(serverGuard([policy([], 'w', 'Warn')]), undefined);
  assert.equal(serverGuard([]), undefined);
  const one = serverGuard([policy([{ host: 'a' }], 'x'), policy([{ host: 'b' }], 'y')]);
  const other = serverGuard([policy([{ host: 'b' }], 'y'), policy([{ host: 'a' }], 'x')]);
  assert.equal(one?.id, other?.id);
  assert.equal(one?.needsAddress, false);
});
