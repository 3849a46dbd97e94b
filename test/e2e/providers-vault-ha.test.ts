/** readYourWrites on a real cluster: a standby that lags must not bring an older value than the one that was seen. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { vaultConfigSchema } from '../../providers/vault/config.ts';
import { vaultProvider } from '../../providers/vault/provider.ts';
import { soon, store } from '../conformance/vault-bed.ts';
import { eventually } from '../harness/eventually.ts';
import { type OpenBaoPair, startOpenBaoPair } from '../harness/openbao-pair.ts';

let pair: OpenBaoPair;
/** The one address of the cluster, as a load balancer gives it. */
let balancer: Server;
let current: 0 | 1 = 0;
/** What came back with X-Vault-Index and X-Vault-Inconsistent of requests to the standby. */
const sentToStandby: unknown[][] = [];

before(async () => {
  configureOutbound({ allowLoopback: true });
  pair = await startOpenBaoPair();
  balancer = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming;
    if (current === 1) sentToStandby.push([headers['x-vault-index'], headers['x-vault-inconsistent']]);
    incoming.pipe(
      forward(`${pair.addresses[current]}${url}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      }),
    );
  });
  balancer.listen(0, '127.0.0.1');
  await once(balancer, 'listening');
});
after(async () => {
  await closeOutbound();
  balancer.closeAllConnections();
  balancer.close();
  await pair.stop();
});

test('a value that was seen is never followed by an older one', async () => {
  const cluster = new MemoryCluster();
  cluster.set('Secret', 'team/vault-token', { token: pair.token });
  const config = vaultConfigSchema.parse({
    server: `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`,
    path: 'secret',
    auth: { tokenSecretRef: { name: 'vault-token', key: 'token' } },
    readYourWrites: true,
    forwardInconsistent: true,
  });
  const connection = await vaultProvider.connect(config, store, cluster.ports, soon());
  const read = async (node: 0 | 1): Promise<string> => {
    current = node;
    return (await connection.read({ key: 'app' }, soon())).get('i').revealText();
  };
  const write = async (i: number): Promise<boolean> =>
    (await pair.request('PUT', 'secret/data/app', { data: { i } })).status === 200;
  await eventually(() => write(0), { timeout: 20_000, what: 'the engine to be ready' });
  await eventually(async () => (await read(1).catch(() => '')) === '0', { timeout: 20_000 });
  sentToStandby.length = 0;
  for (let i = 1; i <= 20; i++) {
    assert.ok(await write(i));
    assert.equal(await read(0), String(i));
    assert.equal(await read(1), String(i), `round ${i}`);
  }
  assert.equal(sentToStandby.length, 20);
  for (const [index, inconsistent] of sentToStandby) {
    assert.ok(typeof index === 'string' && index !== '');
    assert.equal(inconsistent, 'forward-active-node');
  }
});
