/**
 * How much does the poller need for 573, 1,000, 10,000 and 100,000 ExternalSecrets: memory, time from a cold start until
 * all are fresh, CPU a sweep, delays of its event loop? Up to --real objects stand in a real control plane and read
 * from OpenBao; more than that are too many for etcd on a machine for tests, so pages and watches of a server that
 * generates them take the place of both, which the lines say ("generated").
 *
 * One JSON line a figure. The baseline is what External Secrets Operator was measured to need where there is such a
 * figure (0 = there is none); that of the heap is a client that lists the same objects in this run and keeps them parsed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NODE_FLAGS } from '../runtime/node-flags.ts';
import { startControlPlane } from '../test/harness/control-plane.ts';
import { eventually } from '../test/harness/eventually.ts';
import { httpRequest } from '../test/harness/http.ts';
import { scrape, sumSamples } from '../test/harness/metrics.ts';
import { startOpenBao } from '../test/harness/openbao.ts';
import { freePort } from '../test/harness/ports.ts';
import { Program, programFile, startProduct } from '../test/harness/product.ts';
import { temporaryDirectory } from '../test/harness/run-directory.ts';
import { report } from './report.ts';
import {
  clusterSecretStore,
  externalSecret,
  GeneratedCluster,
  type Shape,
} from './scale/generated-cluster.ts';

const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'string', default: '573,1000,10000,100000' },
    real: { type: 'string', default: '10000' },
    window: { type: 'string', default: '30' },
  },
});
const SIZES = flags.sizes.split(',').map(Number);
const REAL = Number(flags.real);
const WINDOW_S = Number(flags.window);
/** The load of the article: as many namespaces as objects, five keys. */
const ARTICLE = 573;
/** Refreshes a second where 10 s would be more than a machine for tests can take together with backend and API server. */
const RATE = 200;
const ROOT = join(import.meta.dirname, '..');
const IN_FLIGHT = 32;
/** So few objects that their memory does not count. */
const FEW = 50;
const MIB = 1024 * 1024;
/** External Secrets Operator 2.9 with its default flags. */
const ESO_RSS_MIB: Readonly<Record<number, number>> = { [ARTICLE]: 140, 10000: 251 };
const ESO_SWEEP_CPU_S: Readonly<Record<number, number>> = { [ARTICLE]: 3.6 };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Milliseconds. */
interface Delays {
  readonly max: number;
  readonly p99: number;
}

/** The poller with the probe in it. */
class Measured {
  readonly program: Program;
  readonly #file = join(temporaryDirectory('scale'), 'probe.jsonl');

  private constructor(kubeconfig: string, namespace: string, metricsPort: number) {
    writeFileSync(this.#file, '');
    this.program = new Program({
      name: 'poller',
      metricsPort,
      env: {
        NODE_OPTIONS: `--import=${join(ROOT, 'bench/scale/probe.mjs')}`,
        SCALE_PROBE: this.#file,
      },
      args: [
        ...NODE_FLAGS,
        programFile('poller'),
        ...['--kubeconfig', kubeconfig, '--namespace', namespace, '--metrics-port', String(metricsPort)],
        ...['--bind-address', '127.0.0.1', '--allow-loopback', '--log-level', 'warn'],
      ],
    });
  }

  static async of(kubeconfig: string, namespace: string): Promise<Measured> {
    return new Measured(kubeconfig, namespace, await freePort());
  }

  /** Delays of the event loop; in turn it ends measuring them and takes it up. */
  delays(): Promise<Delays> {
    return this.#ask<Delays>('SIGUSR2');
  }

  /** Bytes after garbage was collected. */
  async heap(): Promise<number> {
    return (await this.#ask<{ readonly heapBytes: number }>('SIGHUP')).heapBytes;
  }

  async #ask<T>(signal: NodeJS.Signals): Promise<T> {
    const lines = (): string[] => readFileSync(this.#file, 'utf8').split('\n').slice(0, -1);
    const before = lines().length;
    this.program.process.signal(signal);
    await eventually(() => lines().length > before, { what: 'the probe' });
    return JSON.parse(lines().at(-1) ?? '') as T;
  }

  residentMiB(field: 'VmRSS' | 'VmHWM'): number {
    const status = readFileSync(`/proc/${this.program.pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  }
}

interface Page {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly { readonly metadata: { readonly namespace: string; readonly name: string } }[];
}

interface Ground {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** One page of ExternalSecrets. */
  page(token: string | undefined): Promise<Page>;
  stop(): Promise<void>;
}

async function generated(shape: Shape): Promise<Ground> {
  const cluster = new GeneratedCluster(shape);
  const url = await cluster.start();
  const kubeconfig = join(temporaryDirectory('scale'), 'kubeconfig');
  const user = { name: 'bench', user: { token: 'bench' } };
  const context = { name: 'bench', context: { cluster: 'bench', user: 'bench' } };
  const clusters = [{ name: 'bench', cluster: { server: url } }];
  const config = { apiVersion: 'v1', kind: 'Config', 'current-context': 'bench', clusters, users: [user] };
  writeFileSync(kubeconfig, JSON.stringify({ ...config, contexts: [context] }));
  return {
    kubeconfig,
    namespace: 'external-secrets-system',
    page: async (token) => {
      const query = `limit=500${token === undefined ? '' : `&continue=${token}`}`;
      const { body } = await httpRequest<Page>(
        'GET',
        `${url}/apis/external-secrets.io/v1/externalsecrets?${query}`,
      );
      return body;
    },
    stop: () => cluster.stop(),
  };
}

async function each(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
}

async function real(shape: Shape): Promise<Ground> {
  const [cp, bao] = await Promise.all([startControlPlane({ controllerManager: false }), startOpenBao()]);
  const product = await startProduct(cp, {
    webhooks: 0,
    configurations: false,
    conversion: false,
    poller: false,
  });
  const must = async (method: string, path: string, body: unknown): Promise<void> => {
    const { status } = await cp.request(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status}`);
  };
  await must('POST', '/api/v1/namespaces/default/secrets', {
    metadata: { name: 'vault-token' },
    stringData: { token: bao.token },
  });
  await must('POST', '/apis/external-secrets.io/v1/clustersecretstores', clusterSecretStore(bao.address));
  await each(shape.namespaces, (index) =>
    must('POST', '/api/v1/namespaces', { metadata: { name: `team-${index}` } }),
  );
  await each(shape.count, async (index) => {
    const object = externalSecret(index, shape);
    const { name, namespace } = object.metadata;
    const values = Array.from({ length: shape.keys }, (_, key) => [
      `k${key + 1}`,
      `${String(name)} ${key} ${'x'.repeat(40)}`,
    ]);
    await bao.write(`bench/${String(name)}`, Object.fromEntries(values));
    await must(
      'POST',
      `/apis/external-secrets.io/v1/namespaces/${String(namespace)}/externalsecrets`,
      object,
    );
  });
  return {
    kubeconfig: product.installation.kubeconfigs.poller,
    namespace: product.namespace,
    page: async (token) => {
      const query = `limit=500${token === undefined ? '' : `&continue=${token}`}`;
      const path = `/apis/external-secrets.io/v1/externalsecrets?${query}`;
      return (await cp.request<Page>('GET', path)).body;
    },
    stop: async () => {
      await product.stop();
      await Promise.all([cp.stop(), bao.stop()]);
    },
  };
}

/** Bytes of heap an object that a client needs which keeps what it lists. */
async function naiveHeap(ground: Ground, count: number): Promise<number> {
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = new Map<string, unknown>();
  let token: string | undefined;
  do {
    const page = await ground.page(token);
    for (const object of page.items) kept.set(`${object.metadata.namespace}/${object.metadata.name}`, object);
    token = page.metadata.continue;
  } while (token !== undefined && token !== '');
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  if (kept.size !== count) throw new Error(`${kept.size} of ${count} objects listed`);
  return bytes / count;
}

interface Figures {
  readonly count: number;
  readonly rssMiB: number;
  readonly heapBytes: number;
}

async function measure(count: number, programHeap: number): Promise<Figures> {
  const article = count === ARTICLE;
  const seconds = Math.max(10, Math.ceil(count / RATE));
  const shape: Shape = {
    count,
    namespaces: article ? ARTICLE : 100,
    keys: article ? 5 : 1,
    refreshInterval: `${seconds}s`,
  };
  const isReal = count <= REAL;
  const ground = await (isReal ? real(shape) : generated(shape));
  const label = `${count} x ${shape.keys}${isReal ? '' : ' generated'}`;
  const line = (metric: string, value: number, unit: string, baseline = 0): void =>
    report({ bench: 'scale', metric: `${label}: ${metric}`, value, unit, baseline, n: count });
  const poller = await Measured.of(ground.kubeconfig, ground.namespace);
  const { program } = poller;
  try {
    const begun = performance.now();
    await program.start();
    line('list and watch after a start', (performance.now() - begun) / 1000, 's');
    const done = async (): Promise<boolean> => {
      const text = await scrape(program.metricsUrl);
      return (
        sumSamples(text, 'esa_status_writes_total') >= count && sumSamples(text, 'esa_queue_depth') === 0
      );
    };
    await eventually(done, { timeout: 1_800_000, interval: 500, what: 'all objects fresh' });
    line('cold start until all are fresh', (performance.now() - begun) / 1000, 's');
    line('CPU until all are fresh', program.process.cpuMs() / 1000, 's');
    const cold = await poller.delays();
    line('event loop, longest delay of the cold start', cold.max, 'ms');
    line('event loop, p99 of the cold start', cold.p99, 'ms');

    const calls = (): Promise<number> => program.metric('externalsecret_provider_api_calls_count');
    await sleep(2_000);
    const [cpu, read] = [program.process.cpuMs(), await calls()];
    await sleep(WINDOW_S * 1000);
    const refreshes = (await calls()) - read;
    const perRefresh = (program.process.cpuMs() - cpu) / 1000 / refreshes;
    line(`refreshes a second at ${shape.refreshInterval}`, refreshes / WINDOW_S, '1/s', count / seconds);
    line('CPU a sweep', perRefresh * count, 's', ESO_SWEEP_CPU_S[count]);
    const rssMiB = poller.residentMiB('VmRSS');
    line('RSS', rssMiB, 'MiB', ESO_RSS_MIB[count]);
    line('RSS, most ever', poller.residentMiB('VmHWM'), 'MiB');
    await poller.delays();
    await sleep(WINDOW_S * 1000);
    const warm = await poller.delays();
    line('event loop, longest delay while refreshing', warm.max, 'ms');
    line('event loop, p99 while refreshing', warm.p99, 'ms');
    await poller.heap();
    const heapBytes = await poller.heap();
    line('heap an object', (heapBytes - programHeap) / (count - FEW), 'B', await naiveHeap(ground, count));
    return { count, rssMiB, heapBytes };
  } finally {
    await program.stop();
    await ground.stop();
  }
}

/** What the program needs with hardly any objects, once all its code has run. */
async function heapOfTheProgram(): Promise<number> {
  const ground = await generated({ count: FEW, namespaces: 100, keys: 1, refreshInterval: '1s' });
  const poller = await Measured.of(ground.kubeconfig, ground.namespace);
  try {
    await poller.program.start();
    const calls = (): Promise<number> => poller.program.metric('externalsecret_provider_api_calls_count');
    await eventually(async () => (await calls()) > 10 * FEW, { timeout: 300_000, what: 'some refreshes' });
    await poller.heap();
    return await poller.heap();
  } finally {
    await poller.program.stop();
    await ground.stop();
  }
}

const programHeap = await heapOfTheProgram();
report({
  bench: 'scale',
  metric: 'heap of the program',
  value: programHeap / MIB,
  unit: 'MiB',
  baseline: 0,
  n: FEW,
});
const figures: Figures[] = [];
for (const size of SIZES) figures.push(await measure(size, programHeap));
const [small, middle, large] = figures.filter(({ count }) => count !== ARTICLE).slice(-3);
if (small !== undefined && middle !== undefined && large !== undefined) {
  const growth = (a: Figures, b: Figures): number => (b.heapBytes - a.heapBytes) / (b.count - a.count);
  report({
    bench: 'scale',
    metric: `growth of the heap an object, ${middle.count} to ${large.count} beside ${small.count} to ${middle.count}`,
    value: growth(middle, large),
    unit: 'B',
    baseline: growth(small, middle),
    n: large.count,
  });
}
