/** Why an ExternalSecret of KES is synced, or not. It names no store: what it reads from stands in it and in the poller. */
import type { EsaError } from '../../api/errors.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { servesKes } from '../../api/kubernetes-client/environment.ts';
import { KES_GROUP, qualifiedName } from '../../api/kubernetes-client/names.ts';
import { type KesPart, kesOf } from '../../api/kubernetes-client/part.ts';
import { kesSecretType, kesStore } from '../../api/kubernetes-client/to-hub.ts';
import type { KesSpec, KesStatus } from '../../api/kubernetes-client/v1/external-secret.ts';
import { formatFieldPath, formatProblem } from '../../api/problem.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { checkKes } from '../../policy/check-kes.ts';
import { cadenceOf } from '../../sync/cadence.ts';
import { phaseFor } from '../../sync/phase.ts';
import { currentVersion, readyCondition } from '../../sync/status.ts';
import { bindStore } from '../../sync/stores.ts';
import { policiesOf } from '../cluster/policies.ts';
import type { PollerState } from '../cluster/poller-lease.ts';
import { formatAge } from '../cluster/words.ts';
import { gatherCauses } from './causes.ts';
import { codeOf } from './code-of.ts';
import { type ExplainContext, pollerFacts, pollerOf, toldOf } from './context.ts';
import { type Cause, causeOf, type Explanation, type Fact, type Next, type Verdict } from './explanation.ts';
import { lookAtBackend, lookAtPermissions } from './kes-backend.ts';
import { type KesPoller, kesPollerOf } from './kes-poller.ts';
import { nextAttempt } from './next.ts';
import { lookAtPolicies } from './policies.ts';
import { lookAtNamespace, lookAtTarget, readsOf } from './surroundings.ts';

type Stored = KubeObject & { readonly spec?: unknown; readonly status?: KesStatus };

/** @param stored as the API server has it @throws EsaError if the API server cannot be asked */
export async function explainKes(
  stored: Stored,
  context: ExplainContext,
  signal: AbortSignal,
): Promise<Explanation> {
  const { cluster, clock, systemNamespace } = context;
  const { namespace = '', name = '', deletionTimestamp, finalizers } = stored.metadata;
  const now = clock.now();
  const unread = new Set<string>();
  const onUnread = (error: EsaError): void => void unread.add(error.message);
  const [events, lease, poller] = await Promise.all([
    toldOf(context, stored, onUnread),
    pollerOf(context),
    kesPollerOf(cluster, systemNamespace),
  ]);
  const { lastSync, status: said } = stored.status ?? {};
  const common = {
    object: { kind: 'ExternalSecret', group: KES_GROUP, namespace, name },
    events,
    lastSuccess: said === 'SUCCESS' ? lastSync : undefined,
    lastAttempt: lastSync,
  };
  if (deletionTimestamp !== undefined) {
    const summary = `is being deleted since ${formatAge(now - Date.parse(deletionTimestamp))}; finalizers: ${finalizers?.join(', ') ?? 'none'}`;
    return { ...common, verdict: 'deleting', summary, causes: [], facts: [] };
  }
  const { fact: pollerFact, cause: pollerCause } = pollerFacts(lease, context);
  const alone = whyLeftAlone(stored, poller);
  if (alone !== undefined)
    return {
      ...common,
      verdict: 'ignored',
      summary: `is left alone: ${alone}`,
      causes: [],
      facts: [pollerFact],
    };
  const { hub, problems } = checkKes(stored, poller.environment);
  const part = kesOf(hub);
  if (problems.length > 0 || part === undefined) {
    const causes = problems.map((problem) =>
      causeOf('INVALID_OBJECT', formatProblem(problem), 'now', formatFieldPath(problem.path)),
    );
    const summary = 'breaks a rule, so nobody can sync it; it came in while the webhook was not there';
    return { ...common, verdict: 'not-ready', summary, causes, facts: [pollerFact] };
  }
  const [backend, permissions, policies, target, place] = await Promise.all([
    lookAtBackend(part, poller, context, signal),
    lookAtPermissions({ metadata: { namespace, name }, spec: part.spec }, poller, context),
    policiesOf(cluster, namespace, context.policyDefault),
    lookAtTarget(hub, context),
    lookAtNamespace(namespace, context),
  ]);
  // What the environment says a policy may forbid: a server, a region.
  const isWhole = poller.state === 'serves' && part.lacking === undefined;
  const policy = lookAtPolicies(hub, isWhole ? [kesStore(hub, part)] : [], policies);
  const facts: Fact[] = [
    ...target,
    ...backend.facts,
    ...readsOf(hub),
    ...templateOf(part.spec),
    ...policy.facts,
    ...permissions.facts,
    ...place,
    pollerFact,
  ];
  for (const text of unread) facts.push({ about: 'objects', state: 'unknown', text });
  const inTheWay = [...permissions.causes, ...policy.causes, ...backend.causes];
  const condition = readyCondition(hub.status);
  const causes = gatherCauses({
    status: condition?.status === 'False' ? fromStatus(condition.message, inTheWay) : undefined,
    inTheWay,
    poller: pollerCause,
    wasTried: condition !== undefined,
  });
  const judged = judge(hub, causes, pollerCause !== undefined, now);
  const next = nextOf(hub, part, { poller, lease, now });
  return { ...common, ...judged, causes, facts, next };
}

function whyLeftAlone(stored: Stored, { state, environment }: KesPoller): string | undefined {
  if (state === 'off') return 'the poller runs without --kes';
  if (state === 'unknown' || servesKes(environment, stored)) return undefined;
  const { namespaces, instanceId } = environment;
  const { namespace = '' } = stored.metadata;
  if (namespaces.length > 0 && !namespaces.includes(namespace))
    return `namespace ${namespace} is not among the WATCHED_NAMESPACES of the poller`;
  const { controllerId } = (stored.spec ?? {}) as { controllerId?: unknown };
  return `spec.controllerId is ${JSON.stringify(controllerId ?? '')}, and the INSTANCE_ID of the poller "${instanceId}"`;
}

/** What the status says, with the field if something that was found now is the same. */
function fromStatus(message: string, inTheWay: readonly Cause[]): Cause {
  const same = inTheWay.find((one) => message.includes(one.message));
  return same === undefined
    ? causeOf(codeOf(message), message, 'status')
    : { ...same, message, seen: 'status' };
}

function judge(
  hub: ExternalSecret,
  causes: readonly Cause[],
  pollerIsGone: boolean,
  now: number,
): { verdict: Verdict; summary: string } {
  const condition = readyCondition(hub.status);
  if (condition === undefined)
    return causes.length === 0
      ? { verdict: 'waiting', summary: 'was not tried yet' }
      : { verdict: 'not-ready', summary: 'was never synced' };
  const age = formatAge(now - (Date.parse(hub.status?.refreshTime ?? '') || now));
  if (condition.status !== 'True')
    return { verdict: 'not-ready', summary: `is not synced, as of ${age} ago` };
  if (causes.length > (pollerIsGone ? 1 : 0))
    return { verdict: 'not-ready', summary: 'was synced, but something is in the way of the next refresh' };
  if (pollerIsGone) return { verdict: 'not-ready', summary: 'was synced, but nobody refreshes it now' };
  if (hub.status?.syncedResourceVersion !== currentVersion(hub))
    return { verdict: 'waiting', summary: 'was changed, and not synced since' };
  return { verdict: 'ready', summary: `is synced, as of ${age} ago` };
}

interface When {
  readonly poller: KesPoller;
  readonly lease: PollerState;
  readonly now: number;
}

function nextOf(hub: ExternalSecret, part: KesPart, { poller, lease, now }: When): Next {
  const { state } = poller;
  const phase = state === 'serves' ? phaseOfKes(hub, part) : undefined;
  const next = nextAttempt({ es: hub, poller: lease, now, phase });
  if (next.kind === 'none' || next.kind === 'now') return next;
  if (next.kind === 'event')
    return {
      kind: 'event',
      text: 'when its spec changes or somebody asks for it (esa refresh), since DISABLE_POLLING is set',
    };
  if (state === 'serves') return next;
  const text =
    'at its next turn: each POLLER_INTERVAL_MILLISECONDS of the poller (10s where it is not set), unless DISABLE_POLLING is set';
  return { kind: 'within', text };
}

/** Undefined if nothing can be read through what the environment says. */
function phaseOfKes(hub: ExternalSecret, part: KesPart): number | undefined {
  const { namespace = '' } = hub.metadata;
  try {
    const store = bindStore(kesStore(hub, part), namespace);
    return phaseFor(`${namespace}/${qualifiedName(hub)}`, hub, [store], cadenceOf(hub.spec).interval);
  } catch {
    return undefined;
  }
}

function templateOf(spec: KesSpec): Fact[] {
  const { template } = spec;
  const keys = (value: unknown): string[] =>
    typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const metadata = (template?.['metadata'] ?? {}) as Readonly<Record<string, unknown>>;
  const named = (what: string, value: unknown): string[] =>
    keys(value).length === 0 ? [] : [`${what} ${keys(value).join(', ')}`];
  const type = kesSecretType(spec);
  const parts = [
    ...(type === undefined ? [] : [`type ${type}`]),
    ...named('data', template?.['data']),
    ...named('stringData', template?.['stringData']),
    ...named('labels', metadata['labels']),
    ...named('annotations', metadata['annotations']),
  ];
  return parts.length === 0 ? [] : [{ about: 'template', state: 'note', text: parts.join('; ') }];
}
