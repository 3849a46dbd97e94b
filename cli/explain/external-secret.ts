/** Why an ExternalSecret is synced, or not: what its status says, held against what it names as that is now. */
import type { ErrorCode, EsaError } from '../../api/errors.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { qualifiedName } from '../../api/kubernetes-client/names.ts';
import { formatFieldPath, formatProblem } from '../../api/problem.ts';
import { checkExternalSecret } from '../../policy/check-object.ts';
import { cadenceOf, neverSynced } from '../../sync/cadence.ts';
import { type CrossObjectRule, crossObjectFindings } from '../../sync/cross-object.ts';
import { MarkerKeys } from '../../sync/marker-keys.ts';
import { phaseFor } from '../../sync/phase.ts';
import { storeReferences } from '../../sync/plan.ts';
import { currentVersion, readyCondition } from '../../sync/status.ts';
import { policiesOf } from '../cluster/policies.ts';
import { formatAge } from '../cluster/words.ts';
import { gatherCauses } from './causes.ts';
import { codeOf } from './code-of.ts';
import { type ExplainContext, liveOf, pollerFacts, pollerOf, toldOf } from './context.ts';
import { type Cause, causeOf, type Explanation, type Fact, type Verdict } from './explanation.ts';
import { nextAttempt } from './next.ts';
import { lookAtPolicies } from './policies.ts';
import { lookAtStores } from './stores.ts';
import { lookAtNamespace, lookAtTarget, readsOf, templateOf } from './surroundings.ts';

const CODE_OF_RULE: Readonly<Record<CrossObjectRule, ErrorCode>> = {
  'store-missing': 'STORE_NOT_FOUND',
  'store-not-allowed': 'STORE_NOT_ALLOWED',
  'store-not-served': 'KIND_NOT_SERVED',
  'store-invalid': 'PROVIDER_INVALID_CONFIG',
  'store-unusable': 'STORE_NOT_READY',
  'store-reference-missing': 'REFERENCE_NOT_FOUND',
  'read-impossible': 'PROVIDER_INVALID_CONFIG',
  'generator-missing': 'REFERENCE_NOT_FOUND',
  'generator-not-served': 'KIND_NOT_SERVED',
  'generator-invalid': 'INVALID_OBJECT',
  'generator-expires': 'INVALID_OBJECT',
  'target-unmanaged': 'TARGET_UNMANAGED',
  'target-owned': 'TARGET_OWNED',
  'target-shared': 'TARGET_OWNED',
  'template-source-missing': 'REFERENCE_NOT_FOUND',
};

/** @param stored as the API server has it, in the hub version @throws EsaError if the API server cannot be asked */
export async function explainExternalSecret(
  stored: ExternalSecret,
  context: ExplainContext,
  signal: AbortSignal,
): Promise<Explanation> {
  const { metadata } = stored;
  const namespace = metadata.namespace ?? '';
  const now = context.clock.now();
  const object = { kind: 'ExternalSecret', namespace, name: metadata.name ?? '' };
  const facts: Fact[] = [];
  const unread = new Set<string>();
  const onUnread = (error: EsaError): void => void unread.add(error.message);
  const { problems, hub } = checkExternalSecret(stored);
  const [events, poller] = await Promise.all([toldOf(context, stored, onUnread), pollerOf(context)]);
  const condition = readyCondition(stored.status);
  const common = {
    object,
    events,
    lastSuccess: neverSynced(stored) ? undefined : (stored.status?.refreshTime ?? undefined),
    since: condition?.lastTransitionTime,
  };
  if (metadata.deletionTimestamp !== undefined) {
    const summary = `is being deleted since ${formatAge(now - Date.parse(metadata.deletionTimestamp))}; finalizers: ${metadata.finalizers?.join(', ') ?? 'none'}`;
    return { ...common, verdict: 'deleting', summary, causes: [], facts };
  }
  const { fact: pollerFact, cause: pollerCause } = pollerFacts(poller, context);
  if (problems.length > 0) {
    const causes = problems.map((problem) =>
      causeOf('INVALID_OBJECT', formatProblem(problem), 'now', formatFieldPath(problem.path)),
    );
    const summary = 'breaks a rule, so nobody can sync it; it came in while the webhook was not there';
    return { ...common, verdict: 'not-ready', summary, causes, facts: [pollerFact] };
  }
  const policies = await policiesOf(context.cluster, namespace, context.policyDefault);
  const guard = typeof policies === 'string' ? undefined : policies.inForce.guard;
  const [stores, target, place, findings] = await Promise.all([
    lookAtStores(hub, guard, context, signal),
    lookAtTarget(hub, context),
    lookAtNamespace(namespace, context),
    findingsOf(hub, context, onUnread, signal),
  ]);
  const policy = lookAtPolicies(hub, stores.objects, policies);
  facts.push(
    ...target,
    ...stores.facts,
    ...readsOf(hub),
    ...templateOf(hub),
    ...policy.facts,
    ...place,
    pollerFact,
  );
  for (const text of unread) facts.push({ about: 'objects', state: 'unknown', text });
  const phase =
    stores.stores.length < storeReferences(hub.spec).length
      ? undefined
      : phaseFor(`${namespace}/${qualifiedName(hub)}`, hub, stores.stores, cadenceOf(hub.spec).interval);
  const next = nextAttempt({ es: stored, poller, now, phase });
  if (stores.otherClass !== undefined) {
    const summary = `is left alone: its store belongs to controller class "${stores.otherClass}", and this product was asked about as class "${context.controllerClass}"`;
    return { ...common, verdict: 'ignored', summary, causes: [], facts };
  }
  const inTheWay = [...policy.causes, ...findings, ...stores.causes];
  const causes = gatherCauses({
    status: condition?.status === 'False' ? fromStatus(condition.message, inTheWay) : undefined,
    inTheWay,
    poller: pollerCause,
    wasTried: condition !== undefined,
  });
  const isCurrent =
    !cadenceOf(hub.spec).onEdit || stored.status?.syncedResourceVersion === currentVersion(stored);
  const { verdict, summary } = judge({
    condition,
    isCurrent,
    causes,
    now,
    pollerIsGone: pollerCause !== undefined,
  });
  return { ...common, verdict, summary, causes, facts, next };
}

interface Judging {
  readonly condition: ReturnType<typeof readyCondition>;
  /** The status is about the object as it is now. */
  readonly isCurrent: boolean;
  readonly causes: readonly Cause[];
  readonly now: number;
  readonly pollerIsGone: boolean;
}

function judge({ condition, isCurrent, causes, now, pollerIsGone }: Judging): {
  verdict: Verdict;
  summary: string;
} {
  const others = causes.length - (pollerIsGone ? 1 : 0);
  if (condition === undefined) {
    return causes.length === 0
      ? { verdict: 'waiting', summary: 'was not tried yet' }
      : { verdict: 'not-ready', summary: 'was never synced' };
  }
  const age = formatAge(now - (Date.parse(condition.lastTransitionTime) || now));
  if (condition.status !== 'True') return { verdict: 'not-ready', summary: `is not synced for ${age}` };
  const words = condition.message === 'secret synced' ? '' : ` (${condition.message})`;
  if (others > 0)
    return {
      verdict: 'not-ready',
      summary: `was synced${words}, but something is in the way of the next refresh`,
    };
  if (pollerIsGone)
    return { verdict: 'not-ready', summary: `was synced${words}, but nobody refreshes it now` };
  if (!isCurrent) return { verdict: 'waiting', summary: 'was changed, and not synced since' };
  return { verdict: 'ready', summary: `is synced for ${age}${words}` };
}

/** What the status says, with the field if something that was found now is the same. */
function fromStatus(message: string, inTheWay: readonly Cause[]): Cause {
  const same = inTheWay.find((one) => message.includes(one.message));
  const [, text = message] = /^[a-z, ]+(?:ExternalSecret)?: (.*)$/s.exec(message) ?? [];
  const [, path, cause = text] = /^error processing (\S+(?: \(key: .*?\))?), err: (.*)$/s.exec(text) ?? [];
  return causeOf(same?.code ?? codeOf(message), cause, 'status', same?.path ?? path);
}

async function findingsOf(
  es: ExternalSecret,
  context: ExplainContext,
  onUnread: (error: EsaError) => void,
  signal: AbortSignal,
): Promise<readonly Cause[]> {
  const notBefore = context.clock.monotonic();
  const live = liveOf(context);
  const found = await crossObjectFindings(
    es,
    undefined,
    {
      stores: live.reader(notBefore),
      generators: live.generators(() => notBefore),
      templates: live.templates(notBefore),
      objects: live.objects(notBefore),
      // Nobody who only looks may make the key.
      keys: new MarkerKeys(
        context.cluster.kube.fenced(() => false),
        context.systemNamespace,
      ),
      controllerClass: context.controllerClass,
      onUnread,
    },
    signal,
  );
  return found.map(({ rule, path, message }) =>
    causeOf(CODE_OF_RULE[rule], message, 'now', formatFieldPath(path)),
  );
}
