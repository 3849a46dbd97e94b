/** Waits until the status of objects says that they were refreshed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { currentVersion, readyCondition } from '../../sync/status.ts';
import type { Cluster } from '../cluster/access.ts';
import { listObjects } from '../cluster/list.ts';
import { pathOf } from '../cluster/named.ts';
import type { Progress } from '../cluster/words.ts';

export interface Undone {
  readonly namespace: string;
  readonly name: string;
  readonly why: string;
}

const EACH_MS = 500;
/** One that failed before and fails again writes nothing: after this time it counts as failed. */
const STILL_FAILING_MS = 10_000;

const keyOf = ({ metadata }: ExternalSecret): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`;

/** @param objects as they were before they were asked @returns those that are not synced in the end @throws KubeError */
export async function waitForRefresh(
  objects: readonly ExternalSecret[],
  cluster: Cluster,
  timeoutMs: number,
  progress: Progress,
): Promise<readonly Undone[]> {
  const began = performance.now();
  const waiting = new Map(objects.map((es) => [keyOf(es), es]));
  const undone: Undone[] = [];
  const namespaces = [...new Set(objects.map(({ metadata }) => metadata.namespace ?? ''))];
  const give = (es: ExternalSecret, why: string): void => {
    const { namespace = '', name = '' } = es.metadata;
    undone.push({ namespace, name, why });
    waiting.delete(keyOf(es));
  };
  for (;;) {
    const elapsed = performance.now() - began;
    const seen = new Set<string>();
    const path = pathOf('ExternalSecret', namespaces.length === 1 ? namespaces[0] : undefined);
    for await (const es of listObjects<ExternalSecret>(cluster.kube, path, cluster.call)) {
      const key = keyOf(es);
      seen.add(key);
      const before = waiting.get(key);
      if (before === undefined) continue;
      const answer = answerOf(before, es, elapsed);
      if (answer === 'done') waiting.delete(key);
      else if (answer !== undefined) give(es, answer.why);
    }
    for (const [key, es] of waiting) if (!seen.has(key)) give(es, 'it was deleted');
    progress.show(`refreshed ${objects.length - waiting.size - undone.length} of ${objects.length}`);
    if (waiting.size === 0) return undone;
    if (elapsed >= timeoutMs) {
      for (const es of [...waiting.values()])
        give(es, `no answer within ${Math.round(timeoutMs / 1000)} s; is the poller at work?`);
      return undone;
    }
    await sleep(EACH_MS);
  }
}

/** undefined: not yet. */
function answerOf(
  before: ExternalSecret,
  es: ExternalSecret,
  elapsedMs: number,
): 'done' | { readonly why: string } | undefined {
  const ready = readyCondition(es.status);
  if (ready?.status === 'False') {
    const wasReady = readyCondition(before.status)?.status !== 'False';
    return wasReady || elapsedMs >= STILL_FAILING_MS ? { why: ready.message } : undefined;
  }
  const { syncedResourceVersion, refreshTime } = es.status ?? {};
  // An object of a ClusterExternalSecret loses the annotation again, and then has the version that it had.
  const isNew =
    syncedResourceVersion !== before.status?.syncedResourceVersion ||
    refreshTime !== before.status?.refreshTime;
  return isNew && syncedResourceVersion === currentVersion(es) ? 'done' : undefined;
}
