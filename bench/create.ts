/**
 * How long does a create take, and is the Secret readable when it returns? ExternalSecrets of five keys of one
 * remote object are created through the shipped defaults (both hooks, conversion, poller running), against a
 * plain client that sends the same ExternalSecrets and Secrets itself to a control plane without the product:
 * the limit of the API server. Both run in the same process, turn by turn, so that a noisy machine is noisy
 * for both.
 *
 * One JSON line a scenario: bench, metric, value, unit, baseline, ratio, n.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type ControlPlane, startControlPlane } from '../test/harness/control-plane.ts';
import { installProduct } from '../test/harness/install.ts';
import { startOpenBao } from '../test/harness/openbao.ts';
import { freePort } from '../test/harness/ports.ts';
import { startProduct } from '../test/harness/product.ts';
import { startLatencyProxy } from './latency-proxy.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    latency: { type: 'string', default: '1' },
  },
});
const COUNT = Number(flags.count);
const LATENCY_MS = Number(flags.latency);
const KEYS = ['k1', 'k2', 'k3', 'k4', 'k5'];

const externalSecret = (namespace: string, name: string): object => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name, namespace },
  spec: {
    refreshInterval: '1h',
    secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault' },
    target: { name },
    data: KEYS.map((key) => ({ secretKey: key, remoteRef: { key: 'bench/app', property: key } })),
  },
});
const secret = (namespace: string, name: string, values: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  type: 'Opaque',
  data: Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  ),
});

async function must(cp: ControlPlane, method: string, path: string, body?: unknown): Promise<void> {
  const { status } = await cp.request(method, path, body);
  if (status >= 300) throw new Error(`${method} ${path}: ${status}`);
}
const externalSecrets = (namespace: string): string =>
  `/apis/external-secrets.io/v1/namespaces/${namespace}/externalsecrets`;
const secrets = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;

interface Sample {
  readonly milliseconds: number;
  readonly readable: boolean;
}

const bao = await startOpenBao();
const values = Object.fromEntries(KEYS.map((key) => [key, randomBytes(32).toString('hex')]));
await bao.write('bench/app', values);
const proxy = await startLatencyProxy(bao.address, LATENCY_MS);
const [plain, cp] = [await startControlPlane({ fsync: true }), await startControlPlane({ fsync: true })];
// The same kinds, no hooks: what the API server itself takes.
await installProduct(plain, { webhookPort: await freePort(), configurations: false, conversion: false });
const product = await startProduct(cp);
try {
  const store = {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterSecretStore',
    metadata: { name: 'vault' },
    spec: {
      provider: {
        vault: {
          server: proxy.address,
          path: 'secret',
          auth: { tokenSecretRef: { name: 'vault-token', namespace: 'default', key: 'token' } },
        },
      },
    },
  };
  await must(cp, 'POST', secrets('default'), {
    metadata: { name: 'vault-token' },
    stringData: { token: bao.token },
  });
  await must(cp, 'POST', '/apis/external-secrets.io/v1/clustersecretstores', store);

  const direct = async (namespace: string, name: string): Promise<Sample> => {
    const start = performance.now();
    await must(plain, 'POST', secrets(namespace), secret(namespace, name, values));
    await must(plain, 'POST', externalSecrets(namespace), externalSecret(namespace, name));
    return { milliseconds: performance.now() - start, readable: true };
  };
  const product_ = async (namespace: string, name: string): Promise<Sample> => {
    const start = performance.now();
    await must(cp, 'POST', externalSecrets(namespace), externalSecret(namespace, name));
    const milliseconds = performance.now() - start;
    return {
      milliseconds,
      readable: (await cp.request('GET', `${secrets(namespace)}/${name}`)).status === 200,
    };
  };

  for (const one of [plain, cp])
    await must(one, 'POST', '/api/v1/namespaces', { metadata: { name: 'bench' } });
  for (let index = 0; index < 20; index += 1) {
    await direct('bench', `warm-${index}`);
    await product_('bench', `warm-${index}`);
  }
  const base: Sample[] = [];
  const ours: Sample[] = [];
  for (let index = 0; index < COUNT; index += 1) {
    base.push(await direct('bench', `one-${index}`));
    ours.push(await product_('bench', `one-${index}`));
  }
  for (const q of [0.5, 0.99]) {
    const of = (samples: readonly Sample[]): number =>
      quantile(
        samples.map((sample) => sample.milliseconds),
        q,
      );
    report({
      bench: 'create',
      metric: `one at a time, p${q * 100}`,
      value: of(ours),
      unit: 'ms',
      baseline: of(base),
      n: COUNT,
    });
  }
  const share = (samples: readonly Sample[]): number =>
    samples.filter((sample) => sample.readable).length / samples.length;
  report({
    bench: 'create',
    metric: 'Secret readable at return, one at a time',
    value: share(ours),
    unit: 'share',
    baseline: 1,
    n: COUNT,
  });

  const text = await product.webhook.metric('esa_materialize_total');
  const created = await product.webhook.metric('esa_materialize_total', { outcome: 'created' });
  // One of them is the harness's own probe, a dry run.
  report({
    bench: 'create',
    metric: 'failed open',
    value: (text - created - 1) / (text - 1),
    unit: 'share',
    baseline: 0,
    n: text - 1,
  });
} finally {
  await product.stop();
  await Promise.all([cp.stop(), plain.stop(), proxy.stop(), bao.stop()]);
}
