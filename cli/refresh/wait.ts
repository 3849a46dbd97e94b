/** Waits until the status of objects says that they were refreshed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { isKes, KES_GROUP, qualifiedName } from '../../api/kubernetes-client/names.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { currentVersion, readyCondition } from '../../sync/status.ts';
import type { Cluster } from '../cluster/access.ts';
import { kesAsHub } from '../cluster/kes.ts';
import { listObjects } from '../cluster/list.ts';
import { pathOf } from '../cluster/named.ts';
import type { Progress } from '../cluster/words.ts';

export interface Undone {
  readonly namespace: string;
  readonly name: string;
  /** Of an object that is none of external-secrets.io. */
  readonly group?: string;
  readonly why: string;
}

const EACH_MS = 500;
/** One that failed before and fails again writes nothing: after this time it counts as failed. */
const STILL_FAILING_MS = 10_000;

const keyOf = (es: ExternalSecret): string => `${es.metadata.namespace ?? ''}/${qualifiedName(es)}`;

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
    undone.push({ namespace, name, ...(isKes(es) ? { group: KES_GROUP } : {}), why });
    waiting.delete(keyOf(es));
  };
  const namespace = namespaces.length === 1 ? namespaces[0] : undefined;
  for (;;) {
    const elapsed = performance.now() - began;
    const seen = new Set<string>();
    for await (const es of currentOf([...waiting.values()], cluster, namespace)) {
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
      for (const es of [...waiting.values()]) {
        const ask = isKes(es) ? 'is the poller at work, with --kes?' : 'is the poller at work?';
        give(es, `no answer within ${Math.round(timeoutMs / 1000)} s; ${ask}`);
      }
      return undone;
    }
    await sleep(EACH_MS);
  }
}

/** All ExternalSecrets of the kinds that are waited for. */
async function* currentOf(
  waiting: readonly ExternalSecret[],
  { kube, call }: Cluster,
  namespace: string | undefined,
): AsyncGenerator<ExternalSecret> {
  if (!waiting.every(isKes))
    yield* listObjects<ExternalSecret>(kube, pathOf('ExternalSecret', namespace), call);
  if (!waiting.some(isKes)) return;
  for await (const object of listObjects<KubeObject>(kube, pathOf('KesExternalSecret', namespace), call))
    yield kesAsHub(object);
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
    // KES says when it has failed.
    const again = es.status?.refreshTime !== before.status?.refreshTime;
    return wasReady || again || elapsedMs >= STILL_FAILING_MS ? { why: ready.message } : undefined;
  }
  const { syncedResourceVersion, refreshTime } = es.status ?? {};
  // An object of a ClusterExternalSecret loses the annotation again, and then has the version that it had.
  const isNew =
    syncedResourceVersion !== before.status?.syncedResourceVersion ||
    refreshTime !== before.status?.refreshTime;
  return isNew && syncedResourceVersion === currentVersion(es) ? 'done' : undefined;
}
