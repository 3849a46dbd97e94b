/** What a sync leaves behind for people: metrics, events, and the log's line for each change. Never a value. */
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Log } from '../runtime/log.ts';
import type { PollerMetrics } from '../runtime/metrics.ts';
import type { SyncError } from '../sync/errors.ts';
import { targetName } from '../sync/plan.ts';
import type { Reconciled } from '../sync/reconcile.ts';
import { readyCondition } from '../sync/status.ts';
import { storeLabel } from '../sync/stores.ts';

interface Labels extends Record<string, string> {
  namespace: string;
  name: string;
}

export type Synced = Extract<Reconciled, { result: 'synced' }>;

const labelsOf = (es: ExternalSecret): Labels => ({
  namespace: es.metadata.namespace ?? '',
  name: es.metadata.name ?? '',
});

export class Reporter {
  readonly #metrics: PollerMetrics;
  readonly #events: EventRecorder;
  readonly #log: Log;

  constructor(options: { metrics: PollerMetrics; events: EventRecorder; log: Log }) {
    this.#metrics = options.metrics;
    this.#events = options.events;
    this.#log = options.log;
  }

  attempted(es: ExternalSecret, milliseconds: number): void {
    this.#metrics.syncs.inc(labelsOf(es));
    this.#metrics.duration.set(labelsOf(es), Math.round(milliseconds * 1e6));
  }

  /** @param first the first failure in a row: others are told only if they are about something else */
  failed(es: ExternalSecret, error: SyncError, first: boolean): void {
    const labels = labelsOf(es);
    this.#metrics.syncErrors.inc(labels);
    this.#condition(labels, 'False');
    if (!first && readyCondition(es.status)?.message === error.conditionMessage) return;
    this.#log.warn({ ...labels, err: error }, 'sync failed');
    this.#events.record(es, 'Warning', 'UpdateFailed', error.message);
  }

  /** @param missingBefore entries that were already left out the time before: they are told of once */
  synced(es: ExternalSecret, result: Synced, missingBefore: readonly string[], milliseconds: number): void {
    const labels = labelsOf(es);
    const { action } = result;
    this.#condition(labels, 'True');
    if (action === 'created' || action === 'adopted') {
      this.#events.record(es, 'Normal', 'Created', 'secret created');
    }
    if (action === 'updated') this.#events.record(es, 'Normal', 'Updated', 'secret updated');
    if (action === 'deleted') {
      this.#events.record(es, 'Normal', 'Deleted', 'secret deleted due to DeletionPolicy=Delete');
    }
    for (const entry of result.missing) {
      if (missingBefore.includes(entry)) continue;
      const message = `secret does not exist at provider using ${entry}`;
      this.#events.record(es, 'Normal', 'MissingProviderSecret', message);
    }
    if (result.orphanDeleted) {
      this.#events.record(es, 'Normal', 'Deleted', 'secret deleted because it was orphaned');
    }
    if (action === 'adopted') this.#metrics.adopted.inc();
    if (action === 'unchanged') return;
    this.#metrics.secretWrites.inc({ verb: action });
    // The audit record of a change: through which store it was read, where it went.
    const stores = result.stores.map(({ context }) =>
      storeLabel(context.kind, context.namespace, context.name),
    );
    this.#log.info(
      { ...labels, secret: targetName(es), action, stores, milliseconds: Math.round(milliseconds) },
      'Secret written',
    );
  }

  /** The object is gone, and so are its series. */
  forget(labels: Labels): void {
    const { syncs, syncErrors, condition, duration } = this.#metrics;
    for (const metric of [syncs, syncErrors, duration]) metric.remove(labels);
    for (const status of ['True', 'False']) condition.remove({ ...labels, condition: 'Ready', status });
  }

  #condition(labels: Labels, status: 'True' | 'False'): void {
    const { condition } = this.#metrics;
    condition.set({ ...labels, condition: 'Ready', status }, 1);
    condition.set({ ...labels, condition: 'Ready', status: status === 'True' ? 'False' : 'True' }, 0);
  }
}
