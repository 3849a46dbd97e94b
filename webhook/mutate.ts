/**
 * The hook that makes the Secret while an ExternalSecret is created, or says why not. It never patches and never
 * refuses (but for require-sync), so it can be called in either phase of admission (`--materialise-in`): as a
 * mutating or as a validating webhook, by what is registered.
 */
import { type ErrorCode, toEsaError } from '../api/errors.ts';
import { ANNOTATION_REQUIRE_SYNC, GROUP, SERVED_VERSIONS } from '../api/external-secrets/names.ts';
import { pathInVersion } from '../api/external-secrets/paths.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { servesKes } from '../api/kubernetes-client/environment.ts';
import { isKes, KES_GROUP, KES_VERSION } from '../api/kubernetes-client/names.ts';
import { collector, type FieldPath } from '../api/problem.ts';
import { checkKes, kesPath } from '../policy/check-kes.ts';
import { checkExternalSecret } from '../policy/check-object.ts';
import type { Log } from '../runtime/log.ts';
import { AUDIT_MESSAGE, auditedSources } from '../sync/audit.ts';
import { isTransient, type SyncError } from '../sync/errors.ts';
import { type MaterializeDeps, type Materialized, materialize } from '../sync/materialize.ts';
import { targetName } from '../sync/plan.ts';
import type { Scope } from '../sync/scope.ts';
import {
  type AdmissionAnswer,
  type AdmissionObject,
  type AdmissionRequest,
  allow,
  refuseForNow,
  refuseInvalid,
} from './admission.ts';
import type { CreateNotes } from './create-notes.ts';
import { isServed } from './served.ts';
import { notMadeYet } from './words.ts';

export const PHASES = ['mutating', 'validating'] as const;
export type Phase = (typeof PHASES)[number];

export interface MutateDeps extends MaterializeDeps {
  readonly scope: Scope;
  readonly log: Log;
  /** A call in the other phase does nothing: while a cluster moves, both may be registered. */
  readonly phase: Phase;
  /** Our own limit for one review, milliseconds. */
  readonly budgetMs: number;
  /** For the validating hook of the same request. */
  readonly notes: CreateNotes;
  /** Called once a review. */
  readonly onOutcome: (outcome: string, milliseconds: number) => void;
}

/** The API server needs a moment to read the answer before its own limit. */
const MARGIN_MS = 1_000;

export interface MutateCall {
  readonly request: AdmissionRequest;
  /** The API server's limit, milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

/** A review does not name its phase. The uid is set between the two, and a client's own is wiped before the first. */
const phaseOf = ({ metadata }: AdmissionObject): Phase => (metadata?.uid ? 'validating' : 'mutating');

export async function mutate(call: MutateCall, deps: MutateDeps): Promise<AdmissionAnswer> {
  const { request } = call;
  const started = performance.now();
  const { answer, outcome } = await decide(call, deps);
  const milliseconds = Math.round((performance.now() - started) * 10) / 10;
  deps.onOutcome(outcome, milliseconds);
  deps.log.info(
    {
      namespace: request.namespace,
      name: request.name || request.object?.metadata?.name,
      outcome,
      milliseconds,
      user: request.userInfo.username,
    },
    'materialize',
  );
  return answer.allowed ? { ...answer, auditAnnotations: { outcome } } : answer;
}

const isKesKind = ({ group, version, kind }: AdmissionRequest['kind']): boolean =>
  group === KES_GROUP && version === KES_VERSION && kind === 'ExternalSecret';

const isExternalSecret = ({ group, version, kind }: AdmissionRequest['kind']): boolean =>
  group === GROUP && kind === 'ExternalSecret' && SERVED_VERSIONS.some((served) => served === version);

async function decide(
  call: MutateCall,
  deps: MutateDeps,
): Promise<{ answer: AdmissionAnswer; outcome: string }> {
  const { request } = call;
  const quiet = (outcome: string) => ({ answer: allow(), outcome });
  const ofKes = isKesKind(request.kind);
  if (!ofKes && !isExternalSecret(request.kind)) return quiet('not-an-external-secret');
  if (!isServed(request, deps.scope)) return quiet('not-served');
  if (request.operation !== 'CREATE' || request.object === null) return quiet('not-a-create');
  if (request.dryRun === true) return quiet('dry-run');
  if (phaseOf(request.object) !== deps.phase) return quiet('other-phase');
  const name = request.object.metadata?.name ?? '';
  // With generateName the API server picks the name after the mutating phase.
  if (name === '') return quiet('no-name-yet');
  const namespace = request.namespace ?? '';
  const object = { ...request.object, metadata: { ...request.object.metadata, namespace } };
  const environment = deps.kes?.environment;
  if (ofKes && (environment === undefined || !servesKes(environment, object))) return quiet('kes-not-served');
  const { hub, problems } =
    ofKes && environment !== undefined ? checkKes(object, environment) : checkExternalSecret(object);
  // The validating hook words the refusal.
  if (problems.length > 0) return quiet('invalid');

  const budget = Math.min(deps.budgetMs, (call.timeoutMs ?? deps.budgetMs + MARGIN_MS) - MARGIN_MS);
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(Math.max(budget, 1))]);
  const result = await materialize(hub, request.userInfo, deps, signal);
  leaveNote(hub, result, deps.notes);
  if ('sources' in result) {
    const { outcome: action, keys, sources } = result;
    const user = request.userInfo.username;
    deps.log.info(
      {
        namespace,
        name,
        secret: targetName(hub),
        action,
        keys: keys.toSorted(),
        sources: auditedSources(sources),
        user,
      },
      AUDIT_MESSAGE,
    );
  }
  return judge(request, hub, result, deps);
}

/** What is out of order elsewhere, too, is not to be looked into. */
const STRAINED: ReadonlySet<ErrorCode> = new Set(['OVERLOADED', 'DEADLINE', 'KUBE_API']);

/** Spares the validating hook what was seen here. Only one cause is named, so where there is one it looks for more. */
function leaveNote(es: ExternalSecret, result: Materialized, notes: CreateNotes): void {
  // The validating hook does not look at other objects for one of KES.
  if (isKes(es)) return;
  if (result.outcome === 'skipped' && result.why === 'left-to-the-poller') return;
  const error = result.outcome === 'deferred' ? result.error : undefined;
  notes.leave(es, { said: error?.reason, complete: error === undefined || STRAINED.has(error.code) });
}

function judge(
  request: AdmissionRequest,
  es: ExternalSecret,
  result: Materialized,
  deps: MutateDeps,
): { answer: AdmissionAnswer; outcome: string } {
  if (result.outcome !== 'deferred') {
    return {
      answer: allow(),
      outcome: result.outcome === 'skipped' ? `skipped-${result.why}` : result.outcome,
    };
  }
  const { error } = result;
  const target = `${request.namespace ?? ''}/${targetName(es)}`;
  const outcome = `deferred-${error.code}`;
  deps.log.warn({ namespace: request.namespace, name: es.metadata.name, err: error }, 'not materialised');
  if (es.metadata.annotations?.[ANNOTATION_REQUIRE_SYNC] === 'true') {
    return { answer: refuseUnsynced(request, es, target, error), outcome: `refused-${error.code}` };
  }
  return { answer: allow({ warnings: [warningOf(target, error)] }), outcome };
}

/** What a target that is in the way needs is its owner's decision; everything else the poller tries again. */
function warningOf(target: string, error: SyncError): string {
  if (error.code === 'TARGET_UNMANAGED' || error.code === 'TARGET_OWNED') return error.reason;
  return notMadeYet(target, error.reason);
}

function refuseUnsynced(
  request: AdmissionRequest,
  es: ExternalSecret,
  target: string,
  error: SyncError,
): AdmissionAnswer {
  const message = `Secret ${target} cannot be made now, and ${ANNOTATION_REQUIRE_SYNC} asks for it: ${error.reason}`;
  if (isTransient(error.code)) return refuseForNow(`${message} (try again)`);
  const version = SERVED_VERSIONS.find((served) => served === request.kind.version) ?? 'v1';
  const path = isKes(es)
    ? kesPath(error.path ?? ['spec'])
    : pathInVersion(version, 'ExternalSecret', fieldOf(error));
  const { report, problems } = collector();
  report('es-require-sync', path, message);
  return refuseInvalid(request, problems);
}

/** The field, in the hub version, that leads to what went wrong. */
function fieldOf({ code, path = ['spec'] }: SyncError): FieldPath {
  if (path.includes('generatorRef')) return path;
  switch (code) {
    case 'STORE_NOT_FOUND':
    case 'STORE_NOT_ALLOWED':
    case 'KIND_NOT_SERVED':
    case 'REFERENCE_NOT_FOUND':
    case 'REFERENCE_FORBIDDEN':
    case 'PROVIDER_UNAUTHENTICATED':
      return ['spec', 'secretStoreRef', 'name'];
    case 'PROVIDER_PROPERTY_NOT_FOUND':
      return [...path.slice(0, -1), 'property'];
    case 'TARGET_UNMANAGED':
    case 'TARGET_OWNED':
      return ['spec', 'target', 'name'];
    default:
      return path;
  }
}

/** What the hook answers if it fails itself: the poller is there for that. */
export function mutateFailed(
  thrown: unknown,
  { log, onOutcome }: Pick<MutateDeps, 'log' | 'onOutcome'>,
): AdmissionAnswer {
  const error = toEsaError(thrown);
  log.error({ err: error }, 'materialising hook failed');
  const outcome = `deferred-${error.code}`;
  onOutcome(outcome, 0);
  return allow({
    warnings: ['the Secret is not made yet, retrying: the webhook failed on this object'],
    audit: { outcome },
  });
}
