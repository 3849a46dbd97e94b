/** The webhook program: flags, certificates, hooks. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { systemClock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import { CertificateManager } from '../certs/manager.ts';
import { pause } from '../kube/backoff.ts';
import { KubeClient } from '../kube/client.ts';
import { loadClusterConfig } from '../kube/config.ts';
import type { Verdict } from '../policy/policy-subject.ts';
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
  certificateMetrics,
  createRegistry,
  policyMetrics,
  providerMetrics,
  readCounts,
  webhookMetrics,
} from '../runtime/metrics.ts';
import {
  durationFlag,
  integerFlag,
  logLevelFlag,
  ownNamespace,
  readFlags,
  runProgram,
  wordFlag,
} from '../runtime/program.ts';
import { AccessReviews } from '../sync/access-reviews.ts';
import { BAD_LIMITS, Connections } from '../sync/connections.ts';
import type { Answer } from '../sync/fetch.ts';
import { FreshReads } from '../sync/fresh-reads.ts';
import { takeKesEnvironment } from '../sync/kes/take-environment.ts';
import { LiveCluster } from '../sync/live.ts';
import { MarkerKeys } from '../sync/marker-keys.ts';
import { Room } from '../sync/materialize.ts';
import { StoreShares } from '../sync/store-shares.ts';
import {
  type AdmissionAnswer,
  type AdmissionRequest,
  allow,
  refuseInternal,
  refuseOdd,
  reviewOf,
} from './admission.ts';
import { AUTHORIZE_MODES, CallerAuthorizer } from './authorize.ts';
import { CERTIFICATE_FLAGS, certificateOptions } from './certificate-flags.ts';
import { convertReview } from './convert.ts';
import { CreateNotes } from './create-notes.ts';
import { mutate, mutateFailed, PHASES } from './mutate.ts';
import { Policies } from './policies.ts';
import { readReview } from './review.ts';
import { type Hook, type HookCall, WebhookServer } from './server.ts';
import { validate } from './validate.ts';

const FLAGS = {
  ...COMMON_FLAGS,
  port: { help: 'Port of the hooks (HTTPS; 0 = a free one).', default: '10250' },
  'service-name': {
    help: 'Service that the configurations name.',
    default: 'external-secrets-admission-webhook',
  },
  budget: { help: 'Longest time that a create may be held up for its Secret.', default: '5s' },
  'max-in-flight': {
    help: 'Creates whose Secret is made at a time; those beyond are left to the poller.',
    default: '256',
  },
  'materialise-in': {
    help: 'Phase of admission in which Secrets are made, mutating or validating; the registered webhook configurations have to fit (docs/operating.md).',
    default: 'mutating',
  },
  'authorize-callers': {
    help: 'Whether who creates an ExternalSecret has to have the right to create Secrets and to use its ClusterSecretStores: off, warn or enforce.',
    default: 'off',
  },
  'verify-stores': {
    help: 'A store that is applied is logged in to; what hinders that is a warning.',
    switch: true,
  },
  'lame-duck': { help: 'How long requests are still served after SIGTERM.', default: '10s' },
  ...CERTIFICATE_FLAGS,
} as const;

const API_SERVER_PROBE_MS = 5_000;
const API_SERVER_SILENCE_MS = 20_000;
/** Longer than any loop waits for anything, outages of the API server included. */
const LOOP_LIMIT_MS = 600_000;
const CRDS = ['externalsecrets', 'secretstores', 'clustersecretstores'].map(
  (plural) => `${plural}.external-secrets.io`,
);

let log: Log | undefined;

await runProgram(
  () => log,
  async (stop) => {
    const flags = readFlags('webhook/main.mjs', FLAGS, process.argv.slice(2));
    log = createLog('webhook', logLevelFlag(flags['log-level']));
    const logger = log;
    const namespace = ownNamespace(flags.namespace);
    const port = integerFlag('port', flags.port, 0, 65_535);
    const metricsPort = integerFlag('metrics-port', flags['metrics-port'], 0, 65_535);
    const budgetMs = durationFlag('budget', flags.budget, 100, 25_000);
    const lameDuckMs = durationFlag('lame-duck', flags['lame-duck'], 0, 60_000);
    const certificateSource = certificateOptions(flags);
    const policyDefault = wordFlag('policy-default', flags['policy-default'], ['allow', 'deny']);
    const authorizeMode = wordFlag('authorize-callers', flags['authorize-callers'], AUTHORIZE_MODES);
    const limits = storeLimitFlags(flags);
    const phase = wordFlag('materialise-in', flags['materialise-in'], PHASES);
    const kesSettings = takeKesEnvironment(flags, namespace);
    scrubVaultEnvironment();
    takeAwsEnvironment({ ambient: flags['aws-ambient-credentials'] || flags.kes });
    takeAzureEnvironment({ ambient: flags['azure-ambient-credentials'] || flags.kes });
    takeGcpEnvironment({ ambient: flags['gcp-ambient-credentials'] || flags.kes });
    configureOutbound({ allowLoopback: flags['allow-loopback'] });

    const registry = createRegistry();
    const room = new Room(integerFlag('max-in-flight', flags['max-in-flight'], 1, 10_000));
    const metrics = webhookMetrics(registry, () => room.inside);
    const connections: Connections = new Connections({
      clock: systemClock,
      limits,
      onCall: (provider, error) =>
        providers.calls.inc({ provider, status: error === undefined ? 'success' : 'error' }),
      onBadLimits: (store, problems) => logger.warn({ store, problems }, BAD_LIMITS),
    });
    const providers = providerMetrics(registry, () => connections.states());
    const kube = new KubeClient(loadClusterConfig({ kubeconfig: flags.kubeconfig }));
    const keys = new MarkerKeys(kube, namespace);
    const live = new LiveCluster(kube, systemClock);
    const access = new AccessReviews(kube);
    const callers = new CallerAuthorizer(authorizeMode, access);
    const policies = new Policies({ kube, live, clock: systemClock, log: logger, policyDefault });
    const { violations } = policyMetrics(registry, () => policies.brokenMs / 1000);
    const notes = new CreateNotes(systemClock);
    const ports = (notBefore: () => number) => live.ports(notBefore);
    const kes = kesSettings && {
      ...kesSettings,
      annotations: (name: string, signal: AbortSignal) =>
        live.namespaceAnnotations(name, systemClock.monotonic(), signal),
    };
    const validating = {
      kes,
      policies: policies.gate,
      live,
      clock: systemClock,
      callers,
      crossObject: {
        live,
        keys,
        controllerClass: flags['controller-class'],
        notes,
        verify: flags['verify-stores']
          ? { clock: systemClock, connections, ports, policies: policies.gate }
          : undefined,
        log: logger,
      },
      log: logger,
      onViolation: ({ policy, rule, effect }: Verdict) => violations.inc({ policy, rule, effect }),
    };
    const mutating = {
      kes,
      kube,
      clock: systemClock,
      live,
      keys,
      access,
      policies: policies.gate,
      callerMay: callers.may,
      connections,
      notes,
      // In flight only: a value is never kept.
      reads: new FreshReads<Answer>({ clock: systemClock, keepMs: 0, ...readCounts(providers) }),
      room,
      shares: new StoreShares({ clock: systemClock, size: room.size / 2 }),
      controllerClass: flags['controller-class'],
      readTimeoutMs: budgetMs,
      log: logger,
      phase,
      budgetMs,
      onOutcome: (outcome: string, milliseconds: number) => {
        metrics.materialized.inc({ outcome });
        metrics.materializeSeconds.observe(milliseconds / 1000);
      },
    };
    const identity = `${hostname()}-${randomBytes(4).toString('hex')}`;
    const certificates: CertificateManager = new CertificateManager({
      kube,
      namespace,
      serviceName: flags['service-name'],
      leaseName: 'external-secrets-admission-webhook',
      identity,
      validatingConfiguration: flags['webhook-configurations'],
      mutatingConfiguration: `zz-${flags['webhook-configurations']}`,
      crdNames: CRDS,
      clock: systemClock,
      log: logger,
      ...certificateSource,
      events: certificateMetrics(registry, () => ({
        serving: certificates.current()?.notAfter,
        ca: certificates.authorityNotAfter(),
      })),
    });

    let state: 'starting' | 'serving' | 'stopping' = 'starting';
    let apiServerSeen = systemClock.monotonic();
    using timers = timerLoop(systemClock);
    const loops = [
      timers,
      { name: 'the certificate loop', stalledMs: () => certificates.stalledMs, limitMs: LOOP_LIMIT_MS },
      { name: 'the watch of policies', stalledMs: () => policies.stalledMs, limitMs: LOOP_LIMIT_MS },
    ];
    const http = await serveOperational({
      registry,
      port: metricsPort,
      address: flags['bind-address'],
      healthz: () => stalledLoop(loops),
      readyz: () => {
        if (state !== 'serving') return state;
        if (!policies.listed) return 'the ClusterSecretPolicies are not listed yet (is their CRD installed?)';
        if (!certificates.ready()) return 'the certificate is not valid or not known to all callers';
        return systemClock.monotonic() - apiServerSeen > API_SERVER_SILENCE_MS
          ? 'the API server does not answer'
          : undefined;
      },
    });

    policies.start();
    await certificates.start(stop);
    const credentials = certificates.current();
    if (credentials === undefined) {
      await http.close();
      if (stop.aborted) return;
      throw new EsaError('CERTIFICATE', 'there is no serving certificate');
    }
    const answered = (hook: string, request: AdmissionRequest, answer: AdmissionAnswer): unknown => {
      metrics.reviews.inc({
        hook,
        answer: !answer.allowed ? 'refused' : answer.warnings ? 'warned' : 'allowed',
      });
      for (const rule of answer.refusedFor ?? []) metrics.refusals.inc({ rule });
      if (!answer.allowed) {
        logger.info(
          {
            hook,
            kind: request.kind.kind,
            namespace: request.namespace,
            name: request.name,
            user: request.userInfo.username,
            rules: answer.refusedFor,
            refusal: answer.status?.message,
          },
          'refused',
        );
      }
      return reviewOf(request.uid, answer);
    };
    const answeredOdd = (hook: string, uid: string, answer: AdmissionAnswer): unknown => {
      metrics.reviews.inc({ hook, answer: answer.allowed ? 'allowed' : 'refused' });
      logger.warn({ hook, uid, refusal: answer.status?.message }, 'a review that makes no sense');
      return reviewOf(uid, answer);
    };
    const hooks: Hook[] = [
      {
        path: () => certificates.paths()?.validate,
        handle: async ({ body, timeoutMs, signal }: HookCall) => {
          const { uid, request, oddity } = readReview(body);
          if (request === undefined) return answeredOdd('validate', uid, refuseOdd(oddity));
          let answer: AdmissionAnswer;
          try {
            answer = await validate({ request, timeoutMs, signal }, validating);
          } catch (error) {
            // An object of a kind or version that is not ours: no rule of the configuration sends it.
            if (error instanceof EsaError && error.code === 'INVALID_OBJECT')
              return answeredOdd('validate', uid, refuseOdd(error.message));
            logger.error({ err: error, uid: request.uid }, 'validating hook failed');
            answer = refuseInternal();
          }
          return answered('validate', request, answer);
        },
      },
      {
        path: () => certificates.paths()?.mutate,
        handle: async ({ body, timeoutMs, signal }: HookCall) => {
          const { uid, request } = readReview(body);
          // The validating hook words the refusal.
          if (request === undefined) return answeredOdd('mutate', uid, allow());
          const answer = await mutate({ request, timeoutMs, signal }, mutating).catch((error: unknown) =>
            mutateFailed(error, mutating),
          );
          return answered('mutate', request, answer);
        },
      },
      {
        path: () => certificates.paths()?.convert,
        handle: async ({ body }: HookCall) => convertReview(body),
      },
    ];
    const server = new WebhookServer({
      address: flags['bind-address'],
      port,
      credentials,
      hooks,
      log: logger,
      lameDuckMs,
    });
    certificates.onChange((next) => {
      try {
        server.reload(next);
      } catch (error) {
        logger.error({ err: error }, 'the new certificate cannot be used, the old one stays');
      }
    });
    await keys
      .load(stop)
      .catch((error: unknown) =>
        logger.error(
          { err: error },
          'the keys of the pending marker cannot be read; no Secret is made until they can',
        ),
      );
    const listening = await server.listen();
    state = 'serving';
    logger.info(
      { namespace, identity, port: listening, metricsPort: http.port, server: kube.server },
      'serving',
    );

    while (!stop.aborted) {
      await pause(API_SERVER_PROBE_MS, stop);
      if (stop.aborted) break;
      try {
        await kube.request('GET', '/version', { timeoutMs: 2_000, signal: stop });
        apiServerSeen = systemClock.monotonic();
      } catch (error) {
        if (!stop.aborted) logger.warn({ err: error }, 'the API server does not answer');
      }
    }
    state = 'stopping';
    await server.stop();
    await Promise.all([certificates.stop(), policies.stop()]);
    await closeProviders();
    await http.close();
    await kube.close();
  },
);
