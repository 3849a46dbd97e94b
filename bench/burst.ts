/**
 * 573 namespaces get an ExternalSecret of five keys each, as fast as the API server takes them: with the webhook, with
 * the poller alone, and by a plain client that sends the same ExternalSecrets and Secrets itself to a control plane
 * without the product (the limit of the API server). One after the other, each on a control plane of its own.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type ControlPlane, startControlPlane } from '../test/harness/control-plane.ts';
import { eventually } from '../test/harness/eventually.ts';
import { installProduct } from '../test/harness/install.ts';
import { type OpenBao, startOpenBao } from '../test/harness/openbao.ts';
import { freePort } from '../test/harness/ports.ts';
import { startProduct } from '../test/harness/product.ts';
import { type Backend, startBackend } from './backend.ts';
import {
  allReady,
  externalSecret,
  externalSecretsPath,
  inParallel,
  KEYS,
  makeNamespaces,
  makeRole,
  makeStore,
  must,
  secretsPath,
} from './fleet.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    objects: { type: 'string', default: '573' },
    latency: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
  },
});
const OBJECTS = Number(flags.objects);
const ROUNDS = Number(flags.rounds);
const VALUES = Object.fromEntries(KEYS.map((key) => [key, randomBytes(32).toString('hex')]));
const WARM_UP = 20;
/** One of so many creates is asked for its Secret when it has returned. */
const SAMPLE = 8;

interface Burst {
  /** From the first request until the last Secret was there. */
  readonly lastSecretMs: number;
  readonly createMs: readonly number[];
  /** Share of the Secrets that were there when their create had returned. */
  readonly readable: number;
  /** Until the poller had every object Ready. */
  readonly readyMs: number | undefined;
}

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
const wanted = (namespace: string) => ({ namespace, name: 'app', key: 'bench/app', interval: '1h' });

async function burst(
  cp: ControlPlane,
  prefix: string,
  create: (namespace: string) => Promise<void>,
): Promise<{
  readonly began: number;
  readonly createdMs: number;
  readonly createMs: readonly number[];
  readonly readable: number;
}> {
  const names = namesOf(prefix, OBJECTS);
  await makeNamespaces(cp, names);
  const createMs: number[] = [];
  let asked = 0;
  let readable = 0;
  const began = performance.now();
  await inParallel(names, async (name) => {
    const start = performance.now();
    await create(name);
    createMs.push(performance.now() - start);
    // Not each: the requests of the bench itself would slow the burst down.
    if (createMs.length % SAMPLE !== 1) return;
    asked += 1;
    if ((await cp.request('GET', `${secretsPath(name)}/app`)).status === 200) readable += 1;
  });
  return { began, createdMs: performance.now() - began, createMs, readable: readable / asked };
}

async function direct(round: number): Promise<Burst> {
  const cp = await startControlPlane({ fsync: true });
  try {
    // The same kinds, no hooks.
    await installProduct(cp, { webhookPort: await freePort(), configurations: false, conversion: false });
    const data = Object.fromEntries(
      Object.entries(VALUES).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
    const create = async (namespace: string): Promise<void> => {
      await must(cp, 'POST', secretsPath(namespace), { metadata: { name: 'app' }, type: 'Opaque', data });
      await must(cp, 'POST', externalSecretsPath(namespace), externalSecret(wanted(namespace)));
    };
    await warmUp(cp, create);
    const { createMs, createdMs } = await burst(cp, `direct-${round}`, create);
    return { lastSecretMs: createdMs, createMs, readable: 1, readyMs: undefined };
  } finally {
    await cp.stop();
  }
}

async function warmUp(cp: ControlPlane, create: (namespace: string) => Promise<void>): Promise<void> {
  const names = namesOf('warm', WARM_UP);
  await makeNamespaces(cp, names);
  for (const name of names) await create(name);
}

async function product(
  round: number,
  backend: Backend,
  bao: OpenBao,
  webhooks: 0 | 1,
): Promise<Burst & { readonly failedOpen: number }> {
  const cp = await startControlPlane({ fsync: true });
  const running = await startProduct(
    cp,
    webhooks === 1 ? {} : { webhooks, configurations: false, conversion: false },
  );
  try {
    await makeRole(cp, bao);
    await makeStore(cp, backend.address);
    const create = async (namespace: string): Promise<void> => {
      await must(cp, 'POST', externalSecretsPath(namespace), externalSecret(wanted(namespace)));
    };
    await warmUp(cp, create);
    await allReady(running.poller, WARM_UP);
    const { began, createdMs, createMs, readable } = await burst(cp, `burst-${round}`, create);
    const names = namesOf(`burst-${round}`, OBJECTS);
    let lastSecretMs = createdMs;
    if (readable < 1) {
      await eventually(
        async () => {
          const { body } = await cp.request<{ items: { metadata: { name: string; namespace: string } }[] }>(
            'GET',
            '/api/v1/secrets?resourceVersion=0',
          );
          const there = new Set(
            body.items
              .filter(({ metadata }) => metadata.name === 'app')
              .map(({ metadata }) => metadata.namespace),
          );
          return names.every((name) => there.has(name));
        },
        { timeout: 120_000, interval: 50, what: 'all Secrets' },
      );
      lastSecretMs = performance.now() - began;
    }
    await allReady(running.poller, OBJECTS + WARM_UP);
    const outcomes = webhooks === 0 ? 0 : await running.webhook.metric('esa_materialize_total');
    const created =
      webhooks === 0 ? 0 : await running.webhook.metric('esa_materialize_total', { outcome: 'created' });
    return {
      lastSecretMs,
      createMs,
      readable,
      readyMs: performance.now() - began,
      // One of them is the harness's own probe, a dry run.
      failedOpen: webhooks === 0 ? 0 : Math.max(0, outcomes - created - 1),
    };
  } finally {
    await running.stop();
    await cp.stop();
  }
}

const median = (values: readonly number[]): number => quantile(values, 0.5);

const bao = await startOpenBao();
const backend = await startBackend(bao.address, Number(flags.latency));
try {
  await bao.write('bench/app', VALUES);
  const runs: Record<'direct' | 'on' | 'off', Burst[]> = { direct: [], on: [], off: [] };
  let failedOpen = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    runs.direct.push(await direct(round));
    const on = await product(round, backend, bao, 1);
    failedOpen += on.failedOpen;
    runs.on.push(on);
    await bao.request('DELETE', 'sys/auth/kubernetes');
    runs.off.push(await product(round, backend, bao, 0));
    await bao.request('DELETE', 'sys/auth/kubernetes');
  }
  const lastOf = (some: readonly Burst[]): number => median(some.map(({ lastSecretMs }) => lastSecretMs));
  const createOf = (some: readonly Burst[], q: number): number =>
    quantile(
      some.flatMap(({ createMs }) => createMs),
      q,
    );
  for (const [kind, name] of [
    ['on', 'with the webhook'],
    ['off', 'the poller alone'],
  ] as const) {
    const bench = `burst, ${name}`;
    const line = (metric: string, value: number, unit: string, baseline: number): void =>
      report({ bench, metric, value, unit, baseline, n: OBJECTS * ROUNDS });
    const some = runs[kind];
    line('last Secret', lastOf(some) / 1000, 's', lastOf(runs.direct) / 1000);
    line('create, p50', createOf(some, 0.5), 'ms', createOf(runs.direct, 0.5));
    line('create, p99', createOf(some, 0.99), 'ms', createOf(runs.direct, 0.99));
    line('readable at return', median(some.map(({ readable }) => readable)), 'share', 1);
    line('all Ready', median(some.map(({ readyMs = 0 }) => readyMs)) / 1000, 's', lastOf(runs.direct) / 1000);
  }
  report({
    bench: 'burst, with the webhook',
    metric: 'failed open',
    value: failedOpen,
    unit: 'creates',
    baseline: 0,
    n: OBJECTS * ROUNDS,
  });
} finally {
  await backend.stop();
  await bao.stop();
}
