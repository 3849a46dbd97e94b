/**
 * What does a review cost? First the hooks alone: reviews of three to four kilobytes over 1, 32 and 256 connections,
 * from a process of their own, next to a bare express handler and a bare https handler that parse the same body and
 * answer at once. Then what validation, and then both hooks, add to creates on a real API server: turn by turn with
 * an API server that has the same kinds and no hooks.
 *
 * One JSON line a scenario: bench, metric, value, unit, baseline, ratio, n.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { parseArgs } from 'node:util';
import { readPaths } from '../test/fuzz/reviews/paths.ts';
import { type ControlPlane, startControlPlane } from '../test/harness/control-plane.ts';
import { installProduct } from '../test/harness/install.ts';
import { freePort } from '../test/harness/ports.ts';
import { type RunningProcess, startProcess } from '../test/harness/process.ts';
import { startProduct } from '../test/harness/product.ts';
import { quantile, report } from './report.ts';
import { BODIES, EXTERNAL_SECRET } from './webhook/bodies.ts';
import type { Load, LoadResult } from './webhook/load.ts';

const { values: flags } = parseArgs({
  options: {
    reviews: { type: 'string', default: '3000' },
    count: { type: 'string', default: '200' },
    burst: { type: 'string', default: '400' },
    /** For profiles. */
    'only-reviews': { type: 'boolean', default: false },
  },
});
const REVIEWS = Number(flags.reviews);
/** Until the compiler has seen enough of them. */
const WARM_REVIEWS = 1_500;
const COUNT = Number(flags.count);
const BURST = Number(flags.burst);
const IN_FLIGHT = 32;
/** In which the burst is sent, turn by turn. */
const ROUNDS = 4;
const CONNECTIONS = [1, 32, 256];
const MUTATING =
  '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/zz-external-secrets-admission';

async function post(load: Load, body: string): Promise<LoadResult> {
  const client = spawn(
    process.execPath,
    [join(import.meta.dirname, 'webhook/load.ts'), JSON.stringify(load)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  client.stdin.end(body);
  const [printed] = await Promise.all([text(client.stdout), once(client, 'exit')]);
  return JSON.parse(printed) as LoadResult;
}

interface Server {
  readonly process: RunningProcess;
  readonly port: number;
  readonly pathOf: (hook: string) => string;
}

async function startBaseline(kind: 'express' | 'https'): Promise<Server> {
  const port = await freePort();
  const running = await startProcess({
    name: kind,
    command: process.execPath,
    args: [join(import.meta.dirname, 'webhook/baseline.ts'), kind, String(port)],
    ready: async () => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect').finally(() => socket.destroy());
      return true;
    },
  });
  return { process: running, port, pathOf: () => '/review' };
}

interface Measured {
  readonly cpuMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly n: number;
}

async function measure(server: Server, hook: string, body: string, connections: number): Promise<Measured> {
  const load = { port: server.port, path: server.pathOf(hook), connections };
  await post({ ...load, reviews: WARM_REVIEWS }, body);
  const before = server.process.cpuMs();
  const { latencies, failed } = await post({ ...load, reviews: REVIEWS }, body);
  if (failed > 0) throw new Error(`${failed} reviews failed`);
  const cpuMs = (server.process.cpuMs() - before) / latencies.length;
  return { cpuMs, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), n: latencies.length };
}

/** Reviews over so many connections; both baselines in the same breath. */
async function benchReviews(webhook: Server, express: Server, https: Server): Promise<void> {
  for (const [scenario, { hook, body }] of Object.entries(BODIES)) {
    for (const connections of CONNECTIONS) {
      const ours = await measure(webhook, hook, body, connections);
      const bases = {
        express: await measure(express, hook, body, connections),
        https: await measure(https, hook, body, connections),
      };
      for (const [name, base] of Object.entries(bases)) {
        const line = (metric: string, value: number, unit: string, baseline: number): void =>
          report({
            bench: 'webhook',
            metric: `${scenario}, ${connections} connections, ${metric}, against ${name}`,
            value,
            unit,
            baseline,
            n: ours.n,
          });
        line('CPU a review', ours.cpuMs, 'ms', base.cpuMs);
        line('reviews a second a core', 1000 / ours.cpuMs, '1/s', 1000 / base.cpuMs);
        line('p50', ours.p50, 'ms', base.p50);
        line('p99', ours.p99, 'ms', base.p99);
      }
    }
  }
}

async function must(cp: ControlPlane, method: string, path: string, body?: unknown): Promise<void> {
  const { status } = await cp.request(method, path, body);
  if (status >= 300) throw new Error(`${method} ${path}: ${status}`);
}

const GROUP = '/apis/external-secrets.io/v1/namespaces/bench';

async function populate(cp: ControlPlane): Promise<void> {
  await must(cp, 'POST', '/api/v1/namespaces', { metadata: { name: 'bench' } });
  const remote = JSON.stringify({ username: 'u', password: 'p', host: 'h', port: '1', ca: 'c' });
  await must(cp, 'POST', `${GROUP}/secretstores`, {
    apiVersion: 'external-secrets.io/v1',
    kind: 'SecretStore',
    metadata: { name: 'fake', namespace: 'bench' },
    spec: { provider: { fake: { data: [{ key: 'prod/database', value: remote }] } } },
  });
}

async function create(cp: ControlPlane, name: string): Promise<number> {
  const started = performance.now();
  await must(cp, 'POST', `${GROUP}/externalsecrets`, {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name, namespace: 'bench' },
    spec: { ...EXTERNAL_SECRET, target: { ...EXTERNAL_SECRET.target, name } },
  });
  return performance.now() - started;
}

/** How long all of them took, in seconds. */
async function burst(cp: ControlPlane, prefix: string): Promise<number> {
  const names = Array.from({ length: BURST / ROUNDS }, (_, index) => `${prefix}-${index}`);
  const started = performance.now();
  const worker = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) await create(cp, name);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return (performance.now() - started) / 1000;
}

/** Creates with hooks on `cp`, without on `plain`, turn by turn. */
async function benchCreates(
  what: string,
  prefix: string,
  cp: ControlPlane,
  plain: ControlPlane,
): Promise<void> {
  for (let index = 0; index < 20; index += 1)
    for (const one of [plain, cp]) await create(one, `${prefix}-warm-${index}`);
  const base: number[] = [];
  const ours: number[] = [];
  for (let index = 0; index < COUNT; index += 1) {
    base.push(await create(plain, `${prefix}-${index}`));
    ours.push(await create(cp, `${prefix}-${index}`));
  }
  const line = (metric: string, value: number, unit: string, baseline: number, n: number): void =>
    report({ bench: 'webhook', metric: `create, ${what}, ${metric}`, value, unit, baseline, n });
  for (const q of [0.5, 0.99])
    line(`one at a time, p${q * 100}`, quantile(ours, q), 'ms', quantile(base, q), COUNT);
  let [direct, hooked] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    direct += await burst(plain, `${prefix}-burst-${round}`);
    hooked += await burst(cp, `${prefix}-burst-${round}`);
  }
  line(`${IN_FLIGHT} at a time`, BURST / hooked, '1/s', BURST / direct, BURST);
}

const [plain, cp] = [await startControlPlane(), await startControlPlane()];
await installProduct(plain, { webhookPort: await freePort(), configurations: false, conversion: false });
const product = await startProduct(cp, { poller: false });
const [express, https] = [await startBaseline('express'), await startBaseline('https')];
try {
  for (const one of [plain, cp]) await populate(one);
  const paths = await readPaths(cp);
  const { port = 0, process: running } = product.webhook;
  const webhook: Server = {
    process: running,
    port,
    pathOf: (hook) => (hook === 'convert' ? paths.convert : paths.validate),
  };
  await benchReviews(webhook, express, https);
  if (!flags['only-reviews']) {
    const operations = async (value: string): Promise<void> => {
      const patch = [{ op: 'replace', path: '/webhooks/0/rules/0/operations', value: [value] }];
      const { status } = await cp.request('PATCH', MUTATING, patch, {
        'content-type': 'application/json-patch+json',
      });
      if (status !== 200) throw new Error(`${MUTATING}: ${status}`);
      // The API server learns of it by a watch.
      await sleep(1_000);
    };
    await operations('DELETE');
    await benchCreates('validating hook', 'validated', cp, plain);
    await operations('CREATE');
    await benchCreates('both hooks', 'both', cp, plain);
  }
} finally {
  await product.stop();
  await Promise.all([express.process.stop(), https.process.stop(), cp.stop(), plain.stop()]);
}
