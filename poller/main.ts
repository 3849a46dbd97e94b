/** The poller program: flags, leadership, and the parts put together. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { systemClock } from '../api/clock.ts';
import { parseGoDuration } from '../api/duration.ts';
import { EsaError } from '../api/errors.ts';
import { aborted } from '../kube/backoff.ts';
import { KubeClient } from '../kube/client.ts';
import { loadClusterConfig } from '../kube/config.ts';
import { LeaderElector } from '../kube/lease.ts';
import { storeLimitFlags } from '../policy/store-limits.ts';
import { takeAwsEnvironment } from '../providers/aws/environment.ts';
import { takeAzureEnvironment } from '../providers/azurekv/environment.ts';
import { takeGcpEnvironment } from '../providers/gcpsm/environment.ts';
import { configureOutbound } from '../providers/http.ts';
import { closeProviders } from '../providers/registry.ts';
import { scrubVaultEnvironment } from '../providers/vault/client.ts';
import { COMMON_FLAGS } from '../runtime/flags.ts';
import { stalledLoop, timerLoop } from '../runtime/health.ts';
import { serveOperational } from '../runtime/http.ts';
import { createLog, type Log } from '../runtime/log.ts';
import {
  clusterExternalSecretMetrics,
  createRegistry,
  policyMetrics,
  pollerMetrics,
  providerMetrics,
  shardMetrics,
} from '../runtime/metrics.ts';
import { SMALL_STEPS_OF_THE_HEAP } from '../runtime/node-flags.ts';
import {
  integerFlag,
  logLevelFlag,
  ownNamespace,
  readFlags,
  runProgram,
  wordFlag,
} from '../runtime/program.ts';
import { takeKesEnvironment } from '../sync/kes/take-environment.ts';
import { carriesOutClusterExternalSecrets, scopeFlags } from '../sync/scope.ts';
import { REFRESH_TIME_MODES } from '../sync/status.ts';
import { Membership, type ShardHost } from './membership.ts';
import { ObjectMetrics } from './object-series.ts';
import type { PollerOptions } from './parts.ts';
import { Poller } from './poller.ts';

const FLAGS = {
  ...COMMON_FLAGS,
  'sweep-after': {
    help: 'Age at which a pending Secret without an ExternalSecret is deleted; 40s or more.',
    default: '60s',
  },
  'unmanaged-target': {
    help: 'What to do with a Secret of the target name that belongs to nobody: refuse or adopt.',
    default: 'refuse',
  },
  'lease-duration': {
    help: 'How long others wait for a silent replica; whole seconds.',
    default: '15s',
  },
  'status-refresh-time': {
    help: 'When status.refreshTime is written: coarse (with other changes, or after the longer of interval and 10 minutes) or always (at each refresh).',
    default: 'coarse',
  },
  shards: {
    help: 'Whether all replicas share the objects, instead of one having them all: true or false.',
    default: 'false',
  },
  workers: {
    help: 'How many ExternalSecrets are synced at a time; those of one store have at most half of that.',
    default: '64',
  },
  'object-metrics': {
    help: 'Whether /metrics has series for each ExternalSecret: on, off, or auto (up to 20,000 of them).',
    default: 'auto',
  },
  'cluster-external-secrets': {
    help: 'Whether ClusterExternalSecrets are carried out: true or false (default true; false with --scoped-namespace).',
  },
} as const;

const LEASE = 'external-secrets-admission-poller';
/** How long replicas need, at most, to agree on who has what when one is gone. */
const HANDOVER_MS = 2_000;
/** The API server gives a request up to 34 s: a Secret may be that much older than its ExternalSecret. */
const SHORTEST_SWEEP_MS = 40_000;

setFlagsFromString(SMALL_STEPS_OF_THE_HEAP);

let log: Log | undefined;

await runProgram(
  () => log,
  async (stop) => {
    const flags = readFlags('poller/main.mjs', FLAGS, process.argv.slice(2));
    log = createLog('poller', logLevelFlag(flags['log-level']));
    const logger = log;
    const namespace = ownNamespace(flags.namespace);
    const sweepAfterMs = parseGoDuration(flags['sweep-after']) ?? 0;
    if (sweepAfterMs < SHORTEST_SWEEP_MS)
      throw new EsaError(
        'CONFIGURATION',
        `--sweep-after: "${flags['sweep-after']}" is not a duration of 40s or more`,
      );
    const unmanagedTarget = flags['unmanaged-target'];
    if (unmanagedTarget !== 'refuse' && unmanagedTarget !== 'adopt') {
      throw new EsaError(
        'CONFIGURATION',
        `--unmanaged-target: "${unmanagedTarget}" is neither refuse nor adopt`,
      );
    }
    const leaseDurationMs = parseGoDuration(flags['lease-duration']) ?? 0;
    if (leaseDurationMs < 3_000 || leaseDurationMs % 1_000 !== 0) {
      throw new EsaError(
        'CONFIGURATION',
        `--lease-duration: "${flags['lease-duration']}" is not a duration of whole seconds, 3s or more`,
      );
    }
    const policyDefault = wordFlag('policy-default', flags['policy-default'], ['allow', 'deny']);
    const scope = scopeFlags(flags);
    const carriesOut = carriesOutClusterExternalSecrets(flags['cluster-external-secrets'], scope);
    const objectMetrics = new ObjectMetrics(
      wordFlag('object-metrics', flags['object-metrics'], ['auto', 'on', 'off']),
      logger,
    );
    const shares = wordFlag('shards', flags.shards, ['true', 'false']) === 'true';
    const limits = storeLimitFlags(flags);
    const statusRefreshTime = wordFlag(
      'status-refresh-time',
      flags['status-refresh-time'],
      REFRESH_TIME_MODES,
    );
    const workers = integerFlag('workers', flags.workers, 1, 1024);
    const metricsPort = integerFlag('metrics-port', flags['metrics-port'], 0, 65_535);
    const kesSettings = takeKesEnvironment(flags, namespace);
    scrubVaultEnvironment();
    takeAwsEnvironment({ ambient: flags['aws-ambient-credentials'] || flags.kes });
    takeAzureEnvironment({ ambient: flags['azure-ambient-credentials'] || flags.kes });
    takeGcpEnvironment({ ambient: flags['gcp-ambient-credentials'] || flags.kes });
    configureOutbound({ allowLoopback: flags['allow-loopback'] });

    const registry = createRegistry('poller');
    const config = loadClusterConfig({ kubeconfig: flags.kubeconfig });
    const kube = new KubeClient(config);
    // Renewals must not wait behind syncs for a connection.
    const leases = new KubeClient(config, { connections: 4 });
    const clusterExternalSecrets = carriesOut
      ? { kube: new KubeClient(config), metrics: clusterExternalSecretMetrics(registry) }
      : undefined;
    // It becomes part of a name, too.
    const pod = hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-');
    const identity = `${pod}-${randomBytes(4).toString('hex')}`;
    let poller: Poller | undefined;
    const metrics = {
      ...pollerMetrics(registry, {
        depth: () => poller?.depth ?? 0,
        oldestSeconds: () => poller?.oldestSeconds ?? 0,
        leads: () => elector.isLeader(),
      }),
      provider: providerMetrics(registry, () => poller?.storeStates() ?? []),
      policy: policyMetrics(registry, () => poller?.policiesBrokenSeconds ?? 0),
    };
    let ended = false;
    using timers = timerLoop(systemClock);
    /** A lease that was lost in an outage comes back: each term starts with nothing in memory, when the one before has ended. */
    let term: Promise<void> = Promise.resolve();
    const failed = new AbortController();
    const parts: Omit<PollerOptions, 'shard' | 'mayWrite'> = {
      kube,
      clock: systemClock,
      namespace,
      scope,
      controllerClass: flags['controller-class'],
      configurationName: flags['webhook-configurations'],
      log: logger,
      metrics,
      workers,
      storeLimits: limits,
      statusRefreshTime,
      sweepAfterMs,
      unmanagedTarget,
      policyDefault,
      kes: kesSettings,
      clusterExternalSecrets,
    };
    const membership = shares
      ? new Membership({
          kube: leases,
          clock: systemClock,
          namespace,
          prefix: LEASE,
          identity,
          leaseDurationMs,
          log: logger,
          newRound: () => randomBytes(8).toString('base64url'),
          leader: () => elector.holder,
        })
      : undefined;
    const elector: LeaderElector = new LeaderElector({
      kube: leases,
      namespace,
      name: LEASE,
      identity,
      log: logger,
      leaseDurationMs,
      // client-go's proportions.
      renewDeadlineMs: (leaseDurationMs * 2) / 3,
      retryMs: (leaseDurationMs * 2) / 15,
      onStarted: async (leading) => {
        if (membership !== undefined) {
          await Promise.all([poller?.lead(leading), membership.tidy(leading)]);
          return;
        }
        const next = new Poller({ ...parts, shard: undefined, mayWrite: () => elector.isLeader() });
        poller = next;
        const before = term;
        term = before.catch(() => {}).then(() => next.run(leading));
        await term;
      },
    });
    if (membership !== undefined) {
      const { owns, valid } = membership;
      const shard = {
        owns,
        unattendedMs: leaseDurationMs + HANDOVER_MS,
        start: (host: ShardHost) => membership.start(host),
      };
      poller = new Poller({ ...parts, shard, mayWrite: valid });
      shardMetrics(registry, () => ({
        members: membership.members,
        objects: poller?.size ?? 0,
        settled: membership.settled,
      }));
    }
    const http = await serveOperational({
      registry,
      series: () => poller?.objectSeries(objectMetrics),
      port: metricsPort,
      address: flags['bind-address'],
      healthz: () => (ended ? 'stopping' : stalledLoop([timers, ...(poller?.loops ?? [])])),
      // A replica that waits for the lease is ready: it would take over.
      readyz: () => {
        if (ended) return 'stopping';
        return (shares || elector.isLeader()) && poller?.synced !== true
          ? `not synced yet${poller?.failure === undefined ? '' : `: ${poller.failure}`}`
          : undefined;
      },
    });
    logger.info(
      { namespace, scope: scope.namespace, identity, metricsPort: http.port, server: kube.server },
      'started',
    );
    elector.start();
    const shared = membership === undefined ? undefined : poller?.run(stop);
    // What it failed with is thrown below.
    shared?.catch(() => failed.abort());
    await Promise.race([aborted(stop), aborted(failed.signal)]);
    ended = true;
    // Others follow when nothing is under way here any more.
    await shared;
    await Promise.all([membership?.stop(), elector.stop()]);
    await term.catch(() => {});
    await closeProviders();
    await http.close();
    await Promise.all([kube.close(), leases.close(), clusterExternalSecrets?.kube.close()]);
  },
);
