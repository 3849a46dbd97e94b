/**
 * The validating hook. What is wrong with the object itself is judged without I/O; policies, the rights of the
 * caller and other objects are asked for only of an object that is sound.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../api/clock.ts';
import { toEsaError } from '../api/errors.ts';
import {
  ANNOTATION_CONVERSION,
  HUB_VERSION,
  SERVED_VERSIONS,
  type ServedVersion,
} from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { GENERATOR_REF_KINDS, generatorResource } from '../api/generators/names.ts';
import { servesKes } from '../api/kubernetes-client/environment.ts';
import { isKes, KES_GROUP } from '../api/kubernetes-client/names.ts';
import { kesOf } from '../api/kubernetes-client/part.ts';
import { POLICY_KIND } from '../api/policy/cluster-secret-policy.ts';
import { formatProblem, type Problem } from '../api/problem.ts';
import { checkGenerator } from '../policy/check-generator.ts';
import { checkKes } from '../policy/check-kes.ts';
import {
  type Checked,
  checkClusterExternalSecret,
  checkExternalSecret,
  checkStore,
} from '../policy/check-object.ts';
import { verdictProblems } from '../policy/cluster-policy.ts';
import { forbiddenIn } from '../policy/kes-permissions.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import { validateClusterPolicy } from '../policy/validate-cluster-policy.ts';
import type { Log } from '../runtime/log.ts';
import type { KesServices } from '../sync/kes/services.ts';
import { describeVerdict } from '../sync/policy-gate.ts';
import type { Scope } from '../sync/scope.ts';
import {
  type AdmissionAnswer,
  type AdmissionObject,
  type AdmissionRequest,
  allow,
  refuseForbidden,
  refuseForNow,
  refuseInvalid,
  rulesAudit,
} from './admission.ts';
import type { CallerAuthorizer } from './authorize.ts';
import { type CrossObjectDeps, type CrossObjectSubject, crossObjects } from './cross-object.ts';
import { type Judged, type PolicyDeps, policyVerdicts } from './judge-policies.ts';
import { isServed } from './served.ts';

export interface ValidateDeps extends PolicyDeps {
  readonly scope: Scope;
  readonly clock: Clock;
  readonly callers: CallerAuthorizer;
  /** Undefined: ExternalSecrets of KES are somebody else's. */
  readonly kes?: KesServices | undefined;
  readonly crossObject: CrossObjectDeps;
  readonly log: Log;
  /** Called for each violation of a policy that is new with this request. */
  readonly onViolation: (verdict: Verdict) => void;
}

export interface ValidateCall {
  readonly request: AdmissionRequest;
  /** The API server's limit, milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

/** Our own limit for what is asked of the API server. */
const BUDGET_MS = 3_000;
/** The API server needs a moment to read the answer before its own limit. */
const MARGIN_MS = 1_000;

interface Judgement extends Pick<Checked<unknown>, 'problems' | 'warnings'> {
  /** What policies are asked about, if they are. */
  readonly judged?: Judged;
  /** What is held against other objects, if it is. */
  readonly subject?: CrossObjectSubject;
}

function judge(request: AdmissionRequest, object: AdmissionObject, kes: KesServices | undefined): Judgement {
  // The namespace may be left out of the object; the request always has it.
  const metadata = { ...object.metadata, ...(request.namespace ? { namespace: request.namespace } : {}) };
  const { group, version, kind } = request.kind;
  // The API server's objects say what they are; others have no say in it.
  const complete = { ...object, apiVersion: `${group}/${version}`, kind, metadata };
  // Kinds such as Webhook are common names: only with the group they say what they are.
  if (group === KES_GROUP) {
    if (kes === undefined || !servesKes(kes.environment, complete)) return { problems: [], warnings: [] };
    const checked = checkKes(complete, kes.environment);
    return { ...checked, judged: { kind: 'ExternalSecret', hub: checked.hub } };
  }
  const generator = GENERATOR_REF_KINDS.find((one) => one === kind && generatorResource(one).group === group);
  if (generator !== undefined) return checkGenerator(generator, complete.spec);
  switch (kind) {
    case 'ExternalSecret': {
      const checked = checkExternalSecret(complete);
      return { ...checked, judged: { kind, hub: checked.hub }, subject: { kind, hub: checked.hub } };
    }
    case 'SecretStore': {
      const checked = checkStore(complete, kind);
      return { ...checked, judged: { kind, hub: checked.hub }, subject: { kind, hub: checked.hub } };
    }
    case 'ClusterSecretStore': {
      const checked = checkStore(complete, kind);
      return { ...checked, subject: { kind, hub: checked.hub } };
    }
    case 'ClusterExternalSecret': {
      const checked = checkClusterExternalSecret(complete);
      return { ...checked, judged: { kind, hub: checked.hub } };
    }
    case POLICY_KIND:
      return { problems: validateClusterPolicy(object.spec ?? {}), warnings: [] };
    default:
      return { problems: [], warnings: [] };
  }
}

const sameSpec = (a: AdmissionObject, b: AdmissionObject): boolean =>
  isDeepStrictEqual(a.spec, b.spec) &&
  a.metadata?.annotations?.[ANNOTATION_CONVERSION] === b.metadata?.annotations?.[ANNOTATION_CONVERSION];

/**
 * On UPDATE a problem that the stored object already has is only warned of: a rule that came later must not
 * keep people from changing something else, or from mending the object step by step.
 */
export async function validate(call: ValidateCall, deps: ValidateDeps): Promise<AdmissionAnswer> {
  const { request } = call;
  const { object, oldObject, operation } = request;
  if (!isServed(request, deps.scope)) return allow();
  if (object === null || (operation !== 'CREATE' && operation !== 'UPDATE')) return allow();
  if (operation === 'UPDATE' && object.metadata?.deletionTimestamp !== undefined) return allow();
  const { problems, warnings, judged, subject } = judge(request, object, deps.kes);
  const old = operation === 'UPDATE' && oldObject ? oldObject : undefined;
  const before = new Set(
    problems.length > 0 && old ? judge(request, old, deps.kes).problems.map(formatProblem) : [],
  );
  const fresh = problems.filter((problem) => !before.has(formatProblem(problem)));
  if (fresh.length > 0) return refuseInvalid(request, fresh);
  // Who changes a label is not told what has been wrong with the spec all along.
  const changed = old === undefined || !sameSpec(object, old);
  const said = changed ? [...problems, ...warnings] : [];
  if (judged === undefined && subject === undefined)
    return allow({ warnings: said.map(formatProblem), audit: rulesAudit(said) });

  const budget = Math.max(1, Math.min(BUDGET_MS, (call.timeoutMs ?? BUDGET_MS + MARGIN_MS) - MARGIN_MS));
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(budget)]);
  const notBefore = deps.clock.monotonic();
  const earlier = old?.spec === undefined ? undefined : judge(request, old, deps.kes);
  const [policy, rights, others, permissions] = await Promise.all([
    askPolicies(request, judged, earlier?.judged, deps, notBefore, signal),
    askRights(request, judged, earlier?.judged, deps, signal),
    // What is unsound in itself is only here because it was before.
    subject !== undefined && changed && problems.length === 0
      ? crossObjects(request, withBefore(subject, earlier), deps.crossObject, notBefore, signal)
      : { refusals: [], warnings: [] },
    askPermissions(request, judged, earlier?.judged, deps, signal),
  ]);
  const forbidden = [...policy.refusals, ...rights.refusals, ...permissions.refusals];
  if (forbidden.length > 0) return refuseForbidden(request, forbidden);
  if (rights.unknown !== undefined) return refuseForNow(rights.unknown);
  if (others.refusals.length > 0) return refuseInvalid(request, others.refusals);
  return allow({
    warnings: [
      ...policy.warnings,
      ...rights.notes,
      ...permissions.notes,
      ...[...rights.warnings, ...permissions.warnings, ...said].map(formatProblem),
      ...others.warnings,
    ],
    audit: {
      ...rulesAudit([...rights.warnings, ...said]),
      ...(policy.audit.length === 0 ? {} : { 'policy-violations': policy.audit.join('; ') }),
    },
  });
}

function withBefore(subject: CrossObjectSubject, earlier: Judgement | undefined): CrossObjectSubject {
  if (earlier?.subject === undefined || earlier.problems.length > 0) return subject;
  // One request is about one kind.
  return { ...subject, before: earlier.subject.hub } as CrossObjectSubject;
}

/** What makes a verdict the same as before: its path may have moved. */
const verdictKey = ({ policy, rule, message }: Verdict): string => JSON.stringify([policy, rule, message]);

interface PolicySaid {
  readonly refusals: readonly Problem[];
  readonly warnings: readonly string[];
  readonly audit: readonly string[];
}

async function askPolicies(
  request: AdmissionRequest,
  judged: Judged | undefined,
  old: Judged | undefined,
  deps: ValidateDeps,
  notBefore: number,
  signal: AbortSignal,
): Promise<PolicySaid> {
  if (judged === undefined) return { refusals: [], warnings: [], audit: [] };
  const { version } = request.kind;
  try {
    const verdicts = await policyVerdicts(judged, version, notBefore, deps, signal);
    if (verdicts.length === 0) return { refusals: [], warnings: [], audit: [] };
    const judgedBefore = old === undefined ? [] : await policyVerdicts(old, version, notBefore, deps, signal);
    const before = new Set(judgedBefore.map(verdictKey));
    const isOld = (verdict: Verdict): boolean => before.has(verdictKey(verdict));
    const fresh = verdicts.filter((verdict) => !isOld(verdict));
    for (const verdict of fresh) deps.onViolation(verdict);
    const denies = ({ effect }: Verdict): boolean => effect === 'Deny';
    return {
      refusals: verdictProblems(fresh.filter(denies)),
      warnings: verdicts
        .filter((verdict) => verdict.effect === 'Warn' || (denies(verdict) && isOld(verdict)))
        .map(describeVerdict),
      audit: verdicts.map(describeVerdict),
    };
  } catch (error) {
    // Nothing slips through: the engine asks again before it reads.
    deps.log.warn({ err: toEsaError(error), uid: request.uid }, 'policies not judged');
    const warning = 'policies could not be judged now; nothing is read before they are';
    return { refusals: [], warnings: [warning], audit: ['not judged'] };
  }
}

interface RightsSaid {
  readonly refusals: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Warnings that are about no rule. */
  readonly notes: readonly string[];
  /** Set if nobody could say, and somebody has to. */
  readonly unknown?: string;
}

async function askRights(
  request: AdmissionRequest,
  judged: Judged | undefined,
  old: Judged | undefined,
  { callers, log }: ValidateDeps,
  signal: AbortSignal,
): Promise<RightsSaid> {
  const nothing: RightsSaid = { refusals: [], warnings: [], notes: [] };
  if (judged === undefined || judged.kind === 'SecretStore') return nothing;
  const enforced = callers.mode === 'enforce';
  try {
    const version = servedVersion(request.kind.version);
    const problems =
      judged.kind === 'ClusterExternalSecret'
        ? await callers.clusterProblems(
            judged.hub,
            old?.hub as ClusterExternalSecret | undefined,
            request.userInfo,
            signal,
          )
        : await callers.problems(
            judged.hub,
            old?.hub as ExternalSecret | undefined,
            version,
            request.userInfo,
            signal,
          );
    return { ...nothing, [enforced ? 'refusals' : 'warnings']: problems };
  } catch (error) {
    log.warn({ err: toEsaError(error), uid: request.uid }, 'rights of the caller not reviewed');
    const unknown = 'the rights of the caller could not be reviewed';
    return enforced ? { ...nothing, unknown: `${unknown} (try again)` } : { ...nothing, notes: [unknown] };
  }
}

/**
 * What the annotations of the namespace permit an object of KES. What they did not permit before is only warned of;
 * the poller asks again before it reads.
 */
async function askPermissions(
  request: AdmissionRequest,
  judged: Judged | undefined,
  old: Judged | undefined,
  { kes, log }: ValidateDeps,
  signal: AbortSignal,
): Promise<Omit<RightsSaid, 'unknown'>> {
  const nothing = { refusals: [], warnings: [], notes: [] };
  if (kes === undefined || judged?.kind !== 'ExternalSecret' || !isKes(judged.hub)) return nothing;
  const { namespace = '' } = request;
  try {
    const annotations = await kes.annotations(namespace, signal);
    const forbidden = (one: Judged | undefined): readonly Problem[] => {
      const part = one?.kind === 'ExternalSecret' ? kesOf(one.hub) : undefined;
      if (one === undefined || part === undefined) return [];
      const subject = { namespace, name: one.hub.metadata.name ?? '', spec: part.spec };
      return forbiddenIn(subject, annotations, kes.environment);
    };
    const before = new Set(forbidden(old).map(({ message }) => message));
    const all = forbidden(judged);
    return {
      ...nothing,
      refusals: all.filter(({ message }) => !before.has(message)),
      warnings: all.filter(({ message }) => before.has(message)),
    };
  } catch (error) {
    log.warn({ err: toEsaError(error), uid: request.uid }, 'annotations of the namespace not read');
    return { ...nothing, notes: ['the annotations of the namespace could not be read now'] };
  }
}

const servedVersion = (text: string): ServedVersion =>
  SERVED_VERSIONS.find((served) => served === text) ?? HUB_VERSION;
