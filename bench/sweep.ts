/**
 * What a refresh of 573 ExternalSecrets with five keys each costs while nothing changes: requests to the provider
 * by kind, requests to the API server, connections, CPU, and the wall time when all are due at once. Beside it, in
 * the same run and against the same servers, a client that does what External Secrets Operator does by default
 * (bench/naive-client.ts).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ANNOTATION_REFRESH } from '../api/external-secrets/names.ts';
import { runCommand } from '../test/harness/command.ts';
import { type ControlPlane, startControlPlane } from '../test/harness/control-plane.ts';
import { eventually } from '../test/harness/eventually.ts';
import { startOpenBao } from '../test/harness/openbao.ts';
import { startProduct } from '../test/harness/product.ts';
import { temporaryDirectory } from '../test/harness/run-directory.ts';
import { type Backend, type RequestKind, startBackend } from './backend.ts';
import {
  AUDIENCE,
  allReady,
  createAll,
  KEYS,
  makeNamespaces,
  makeRole,
  makeStore,
  must,
  ROLE,
  STORE,
} from './fleet.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    objects: { type: 'string', default: '573' },
    seconds: { type: 'string', default: '60' },
    interval: { type: 'string', default: '10' },
    latency: { type: 'string', multiple: true, default: ['0', '5'] },
  },
});
const OBJECTS = Number(flags.objects);
const INTERVAL_S = Number(flags.interval);
const SECONDS = Number(flags.seconds);
const SWEEPS = SECONDS / INTERVAL_S;
const POLLER = /:external-secrets-admission-poller$/;
const KINDS: readonly RequestKind[] = ['login', 'read', 'lookup', 'renew', 'revoke', 'other'];

interface Naive {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly kubeRequests: number;
  readonly calls: Readonly<Record<string, number>>;
  readonly connections: number;
}

const countsOf = (backend: Backend): Record<string, number> =>
  Object.fromEntries(KINDS.map((kind) => [kind, backend.count(kind)]));

/** Requests of the poller since then, without those of its leases. */
const pollerRequests = (cp: ControlPlane, since: Date): string[] =>
  cp
    .auditEvents()
    .filter(
      ({ user, requestReceivedTimestamp, objectRef, verb }) =>
        POLLER.test(user.username) &&
        new Date(requestReceivedTimestamp) >= since &&
        objectRef?.resource !== 'leases' &&
        verb !== 'watch',
    )
    .map(
      ({ verb, objectRef }) =>
        `${verb} ${objectRef?.resource}${objectRef?.subresource === undefined ? '' : `/${objectRef.subresource}`}`,
    );

async function scenario(latencyMs: number): Promise<void> {
  const bao = await startOpenBao();
  const backend = await startBackend(bao.address, latencyMs);
  const cp = await startControlPlane({ fsync: true, audit: true });
  const product = await startProduct(cp);
  const { poller } = product;
  try {
    await makeRole(cp, bao);
    const names = Array.from({ length: OBJECTS }, (_, index) => `ns-${index}`);
    await makeNamespaces(cp, names);
    for (const name of [...names, 'shared'])
      await bao.write(`bench/${name}`, Object.fromEntries(KEYS.map((key) => [key, `${name}-${key}`])));
    await makeStore(cp, backend.address);
    const interval = `${INTERVAL_S}s`;
    const objects = names.map((namespace) => ({
      namespace,
      name: 'app',
      key: `bench/${namespace}`,
      interval,
    }));
    await createAll(cp, objects);
    await allReady(poller, OBJECTS);
    // The turns that first syncs and adoptions bring are over after one interval.
    await sleep((INTERVAL_S + 2) * 1000);

    backend.reset();
    const since = new Date();
    const cpuBefore = poller.process.cpuMs();
    await sleep(SECONDS * 1000);
    const cpuMs = (poller.process.cpuMs() - cpuBefore) / SWEEPS;
    const calls = countsOf(backend);
    const connections = backend.mostConnections;
    const intervals = refreshIntervals(backend);
    const kube = pollerRequests(cp, since);

    // As `esa refresh --all -A` asks for it.
    backend.reset();
    const cpuAtOnce = poller.process.cpuMs();
    await must(
      cp,
      'PATCH',
      `/apis/external-secrets.io/v1/clustersecretstores/${STORE}`,
      { metadata: { annotations: { [ANNOTATION_REFRESH]: 'now' } } },
      { 'content-type': 'application/merge-patch+json' },
    );
    const reads = await eventually(
      () => {
        const first = new Map<string, number>();
        for (const { kind, path, at } of backend.calls)
          if (kind === 'read' && !first.has(path)) first.set(path, at);
        return first.size >= OBJECTS ? [...first.values()] : undefined;
      },
      { timeout: 60_000, interval: 20, what: 'all are read' },
    );
    const wallMs = Math.max(...reads) - Math.min(...reads);
    const inFlight = backend.mostInFlight;
    await sleep(500);
    const atOnceCpuMs = poller.process.cpuMs() - cpuAtOnce;

    await poller.stop();
    backend.reset();
    const naive = await runNaive(cp, backend, objects);
    backend.reset();

    const bench = `sweep, ${latencyMs} ms`;
    const line = (metric: string, value: number, unit: string, baseline: number): void =>
      report({ bench, metric, value, unit, baseline, n: OBJECTS });
    for (const kind of KINDS)
      line(
        `provider requests a sweep: ${kind}`,
        (calls[kind] ?? 0) / SWEEPS,
        'requests',
        naive.calls[kind] ?? 0,
      );
    line('API-server requests a sweep', kube.length / SWEEPS, 'requests', naive.kubeRequests);
    line('connections to the provider', connections, 'connections', naive.connections);
    line('CPU a sweep', cpuMs / 1000, 's', naive.cpuMs / 1000);
    line('refresh interval, p50', quantile(intervals, 0.5) / 1000, 's', INTERVAL_S);
    line('refresh interval, max', Math.max(...intervals) / 1000, 's', INTERVAL_S);
    line('all at once: wall', wallMs / 1000, 's', naive.wallMs / 1000);
    line('all at once: CPU', atOnceCpuMs / 1000, 's', naive.cpuMs / 1000);
    line('all at once: requests in flight', inFlight, 'requests', 1);
    if (kube.length > 0) process.stderr.write(`${JSON.stringify(tally(kube))}\n`);

    await poller.start();
    await createAll(
      cp,
      names.map((namespace) => ({ namespace, name: 'same', key: 'bench/shared', interval })),
    );
    await allReady(poller, 2 * OBJECTS);
    await sleep((INTERVAL_S + 2) * 1000);
    backend.reset();
    await sleep(3 * INTERVAL_S * 1000);
    const shared = backend.calls.filter(({ path }) => path.includes('shared')).length / 3;
    line('provider requests a sweep: all name one remote object', shared, 'requests', OBJECTS * KEYS.length);
  } finally {
    await product.stop();
    await Promise.all([cp.stop(), backend.stop()]);
    await bao.stop();
  }
}

/** Milliseconds between two reads of one remote object. */
function refreshIntervals({ calls }: Backend): number[] {
  const last = new Map<string, number>();
  const gaps: number[] = [];
  for (const { kind, path, at } of calls) {
    if (kind !== 'read') continue;
    const before = last.get(path);
    if (before !== undefined) gaps.push(at - before);
    last.set(path, at);
  }
  return gaps;
}

const tally = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries([...new Set(names)].map((name) => [name, names.filter((one) => one === name).length]));

async function runNaive(cp: ControlPlane, backend: Backend, objects: readonly object[]): Promise<Naive> {
  const file = join(temporaryDirectory('naive'), 'task.json');
  const { server, ca, adminToken: token } = cp;
  writeFileSync(
    file,
    JSON.stringify({
      server,
      ca,
      token,
      vault: backend.address,
      properties: KEYS,
      role: ROLE,
      audience: AUDIENCE,
      objects,
    }),
  );
  const { code, stdout, stderr } = await runCommand(
    process.execPath,
    [join(import.meta.dirname, 'naive-client.ts'), file],
    { timeout: 600_000 },
  );
  if (code !== 0) throw new Error(`the naive client ended with ${code}: ${stderr}`);
  const { opened: connections } = backend;
  return {
    ...(JSON.parse(stdout) as Omit<Naive, 'calls' | 'connections'>),
    calls: countsOf(backend),
    connections,
  };
}

for (const latency of flags.latency) await scenario(Number(latency));
