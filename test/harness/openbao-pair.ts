/** Two OpenBao nodes of one cluster (raft): the first is active, the second answers reads from a state that lags. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBaoBinary } from '../../tools/setup/paths.mjs';
import { eventually } from './eventually.ts';
import { type HttpAnswer, httpRequest } from './http.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './process.ts';
import { temporaryDirectory } from './run-directory.ts';

export interface OpenBaoPair {
  /** Of the active node and of the standby. */
  readonly addresses: readonly [string, string];
  /** The root token. */
  readonly token: string;
  /** A request to the active node with the root token; `path` comes after /v1/. */
  request<T = unknown>(method: string, path: string, body?: unknown): Promise<HttpAnswer<T>>;
  stop(): Promise<void>;
}

/** Up in about ten seconds, with KV v2 at `secret/`. */
export async function startOpenBaoPair(): Promise<OpenBaoPair> {
  const directory = temporaryDirectory('openbao-pair');
  const key = join(directory, 'unseal.key');
  writeFileSync(key, randomBytes(32), { mode: 0o600 });
  const [active, standby] = [await freePort(), await freePort()];
  const addresses = [`http://127.0.0.1:${active}`, `http://127.0.0.1:${standby}`] as const;
  const health = async (address: string): Promise<number> =>
    (await httpRequest('GET', `${address}/v1/sys/health`)).status;

  async function node(index: 0 | 1, port: number, ready: readonly number[]): Promise<RunningProcess> {
    const path = join(directory, `node-${index}`);
    mkdirSync(path);
    const joining = index === 0 ? {} : { retry_join: { leader_api_addr: addresses[0] } };
    const cluster = `127.0.0.1:${await freePort()}`;
    const configuration = {
      storage: { raft: { path, node_id: `node-${index}`, ...joining } },
      listener: { tcp: { address: `127.0.0.1:${port}`, cluster_address: cluster, tls_disable: true } },
      api_addr: addresses[index],
      cluster_addr: `https://${cluster}`,
      // Nobody has to unseal it.
      seal: { static: { current_key_id: 'k1', current_key: `file://${key}` } },
      disable_mlock: true,
    };
    const file = join(directory, `node-${index}.json`);
    writeFileSync(file, JSON.stringify(configuration));
    return startProcess({
      name: `openbao-${index}`,
      command: openBaoBinary(),
      directory: path,
      args: ['server', `-config=${file}`, '-log-level=warn'],
      ready: async () => ready.includes(await health(addresses[index])),
    });
  }

  const nodes = [await node(0, active, [501, 503])];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((one) => one.stop({ graceMs: 3_000 })));
  };
  try {
    const init = { recovery_shares: 1, recovery_threshold: 1 };
    const { body } = await httpRequest<{ root_token: string }>('PUT', `${addresses[0]}/v1/sys/init`, {
      body: init,
    });
    const token = body.root_token;
    await eventually(async () => (await health(addresses[0])) === 200, { timeout: 30_000 });
    nodes.push(await node(1, standby, [429, 473]));
    const request = <T>(method: string, path: string, content?: unknown): Promise<HttpAnswer<T>> =>
      httpRequest<T>(method, `${addresses[0]}/v1/${path}`, {
        headers: { 'x-vault-token': token },
        body: content,
      });
    await request('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
    return { addresses, token, request, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
