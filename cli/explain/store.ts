/** Why a SecretStore or ClusterSecretStore is ready, or not, and who reads from it. */
import type { EsaError } from '../../api/errors.ts';
import { toEsaError } from '../../api/errors.ts';
import { GROUP, HUB_VERSION } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { formatFieldPath, formatProblem } from '../../api/problem.ts';
import { resourcePath } from '../../kube/path.ts';
import { checkStore } from '../../policy/check-object.ts';
import { storeReferences } from '../../sync/plan.ts';
import { readyCondition } from '../../sync/status.ts';
import type { StoreObject } from '../../sync/stores.ts';
import { listObjects } from '../cluster/list.ts';
import { formatAge } from '../cluster/words.ts';
import { type ExplainContext, pollerFacts, pollerOf, toldOf } from './context.ts';
import { causeOf, type Explanation, type Fact } from './explanation.ts';
import { lookAtStore } from './stores.ts';

/** @param object as the API server has it, in the hub version */
export async function explainStore(
  object: StoreObject,
  context: ExplainContext,
  signal: AbortSignal,
): Promise<Explanation> {
  const { kind, metadata } = object;
  const now = context.clock.now();
  const condition = readyCondition(object.status);
  const unread = new Set<string>();
  const onUnread = (error: EsaError): void => void unread.add(error.message);
  const [events, poller, users] = await Promise.all([
    toldOf(context, object, onUnread),
    pollerOf(context),
    usersOf(object, context),
  ]);
  const { fact: pollerFact, cause: pollerCause } = pollerFacts(poller, context);
  const common = {
    object: { kind, namespace: metadata.namespace, name: metadata.name ?? '' },
    events,
    since: condition?.lastTransitionTime,
  };
  const { problems } = checkStore(object, kind);
  if (problems.length > 0) {
    const causes = problems.map((problem) =>
      causeOf('PROVIDER_INVALID_CONFIG', formatProblem(problem), 'now', formatFieldPath(problem.path)),
    );
    const summary = 'breaks a rule, so nothing can be read through it';
    return { ...common, verdict: 'not-ready', summary, causes, facts: [users, pollerFact] };
  }
  const looked = await lookAtStore(object, metadata.namespace, undefined, context, signal);
  const facts = [...looked.facts, users, pollerFact];
  for (const text of unread) facts.push({ about: 'objects', state: 'unknown', text });
  if (looked.otherClass !== undefined) {
    const summary = `is left alone: it belongs to controller class "${looked.otherClass}"`;
    return { ...common, verdict: 'ignored', summary, causes: [], facts };
  }
  const causes = [...looked.causes, ...(pollerCause === undefined ? [] : [pollerCause])];
  const age = formatAge(now - (Date.parse(condition?.lastTransitionTime ?? '') || now));
  if (condition?.status === 'True') {
    return causes.length === 0
      ? { ...common, verdict: 'ready', summary: `is ready for ${age}`, causes, facts }
      : { ...common, verdict: 'not-ready', summary: 'was ready, but something is wrong now', causes, facts };
  }
  if (condition === undefined && causes.length === 0)
    return { ...common, verdict: 'waiting', summary: 'was not looked at yet', causes, facts };
  const summary = condition === undefined ? 'was never ready' : `is not ready for ${age}`;
  return { ...common, verdict: 'not-ready', summary, causes, facts };
}

async function usersOf({ kind, metadata }: StoreObject, { cluster }: ExplainContext): Promise<Fact> {
  const path = resourcePath({
    group: GROUP,
    version: HUB_VERSION,
    resource: 'externalsecrets',
    namespace: kind === 'SecretStore' ? metadata.namespace : undefined,
  });
  let users = 0;
  let failing = 0;
  try {
    for await (const es of listObjects<ExternalSecret>(cluster.kube, path, cluster.call)) {
      if (!storeReferences(es.spec).some((one) => one.kind === kind && one.name === metadata.name)) continue;
      users += 1;
      if (readyCondition(es.status)?.status === 'False') failing += 1;
    }
  } catch (error) {
    return { about: 'objects', state: 'unknown', text: toEsaError(error).message };
  }
  const text = `${users} ExternalSecret${users === 1 ? ' reads' : 's read'} from it${failing === 0 ? '' : `, ${failing} of them not synced`}`;
  return { about: 'objects', state: failing === 0 ? 'ok' : 'note', text };
}
