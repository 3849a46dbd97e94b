/** What a sync leaves behind for people: counters, events, and the log's line for each change. Never a value. */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { qualifiedName } from '../api/kubernetes-client/names.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import type { Log } from '../runtime/log.ts';
import type { PollerMetrics, policyMetrics } from '../runtime/metrics.ts';
import { AUDIT_MESSAGE, auditedSources } from '../sync/audit.ts';
import type { SyncError } from '../sync/errors.ts';
import { targetName } from '../sync/plan.ts';
import { deniedIn, describeVerdict } from '../sync/policy-gate.ts';
import type { Memory, Reconciled } from '../sync/reconcile.ts';
import { readyCondition } from '../sync/status.ts';

export type Synced = Extract<Reconciled, { result: 'synced' }>;

const labelsOf = (es: ExternalSecret): { namespace: string; name: string } => ({
  namespace: es.metadata.namespace ?? '',
  name: qualifiedName(es),
});

export type ReporterMetrics = PollerMetrics & { readonly policy: ReturnType<typeof policyMetrics> };

export class Reporter {
  readonly #metrics: ReporterMetrics;
  readonly #events: EventRecorder;
  readonly #log: Log;
  readonly #clock: Clock;

  constructor(options: { clock: Clock; metrics: ReporterMetrics; events: EventRecorder; log: Log }) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#events = options.events;
    this.#log = options.log;
  }

  /** @param first the first failure in a row: others are told only if they are about something else */
  failed(es: ExternalSecret, error: SyncError, first: boolean): void {
    const labels = labelsOf(es);
    if (!first && readyCondition(es.status)?.message === error.conditionMessage) return;
    this.#log.warn({ ...labels, err: error }, 'sync failed');
    this.#count(deniedIn(error));
    this.#events.record(es, 'Warning', 'UpdateFailed', error.message);
  }

  /** @param before what was kept of the sync before: what it told already is not told again */
  synced(es: ExternalSecret, result: Synced, before: Memory, milliseconds: number): void {
    const labels = labelsOf(es);
    const { action } = result;
    if (action === 'created' || action === 'adopted') {
      this.#events.record(es, 'Normal', 'Created', 'secret created');
    }
    if (action === 'updated') this.#events.record(es, 'Normal', 'Updated', 'secret updated');
    if (action === 'deleted') {
      this.#events.record(es, 'Normal', 'Deleted', 'secret deleted due to DeletionPolicy=Delete');
    }
    for (const entry of result.missing) {
      if (before.missing?.includes(entry) === true) continue;
      const message = `secret does not exist at provider using ${entry}`;
      this.#events.record(es, 'Normal', 'MissingProviderSecret', message);
    }
    this.#violations(es, result.verdicts, before.verdicts ?? []);
    if (result.orphanDeleted) {
      this.#events.record(es, 'Normal', 'Deleted', 'secret deleted because it was orphaned');
      this.#log.info({ ...labels, secret: es.status?.binding?.name, action: 'deleted' }, AUDIT_MESSAGE);
    }
    if (action === 'adopted') {
      this.#metrics.adopted.inc();
      // What was adopted was read when the Secret was created, says the API server's clock, in whole seconds.
      this.#metrics.adoptionSeconds.observe(Math.max(0, this.#clock.now() - result.refreshedAt) / 1000);
    }
    if (action === 'unchanged') return;
    this.#metrics.secretWrites.inc({ verb: action });
    // The audit line of a change (docs/operating.md): who read what, where it went.
    this.#log.info(
      {
        ...labels,
        secret: targetName(es),
        action,
        keys: result.keys.toSorted(),
        sources: auditedSources(result.sources),
        ...(result.missing.length === 0 ? {} : { missing: result.missing }),
        milliseconds: Math.round(milliseconds),
      },
      AUDIT_MESSAGE,
    );
  }

  /** The create of the object returned without its Secret, which was made now. Told once an object. */
  late(es: ExternalSecret): void {
    this.#metrics.late.inc();
    this.#log.warn({ ...labelsOf(es), secret: targetName(es) }, 'Secret made late');
    this.#events.record(
      es,
      'Warning',
      'MaterializedLate',
      'the Secret was made after the create had returned, not at admission; the audit log of the create and the metrics of the webhook say why',
    );
  }

  /** What a policy would refuse if it did more than warn or audit. */
  #violations(es: ExternalSecret, verdicts: readonly Verdict[], before: readonly Verdict[]): void {
    const told = new Set(before.map(describeVerdict));
    const fresh = verdicts.filter((verdict) => !told.has(describeVerdict(verdict)));
    this.#count(fresh);
    for (const verdict of fresh) {
      this.#events.record(es, 'Warning', 'PolicyViolation', `not allowed by ${describeVerdict(verdict)}`);
    }
  }

  #count(verdicts: readonly Verdict[]): void {
    for (const { policy, rule, effect } of verdicts)
      this.#metrics.policy.violations.inc({ policy, rule, effect });
  }
}
