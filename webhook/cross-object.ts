/**
 * What the validating hook says about other objects. A user reads each fact once: on CREATE the mutating hook
 * has mostly looked already, so its note is asked first; where another replica has spoken, the words are the
 * same as there, and the API server prints equal warnings once.
 */
import { type EsaError, toEsaError } from '../api/errors.ts';
import {
  ANNOTATION_REQUIRE_SYNC,
  HUB_VERSION,
  SERVED_VERSIONS,
  type StoreKind,
} from '../api/external-secrets/names.ts';
import { pathInVersion } from '../api/external-secrets/paths.ts';
import type { ExternalSecret, SecretStore } from '../api/external-secrets/v1/index.ts';
import { collector, type FieldPath, formatFieldPath, type Problem } from '../api/problem.ts';
import type { Log } from '../runtime/log.ts';
import {
  type CrossObjectContext,
  crossObjectFindings,
  type Finding,
  isMaterialized,
  storeFindings,
} from '../sync/cross-object.ts';
import { expiryFindings } from '../sync/expiring.ts';
import type { LiveCluster } from '../sync/live.ts';
import type { MarkerKeys } from '../sync/marker-keys.ts';
import { leftToPoller, targetName } from '../sync/plan.ts';
import { type VerifyDeps, verifyStore } from '../sync/verify-store.ts';
import type { AdmissionRequest } from './admission.ts';
import type { CreateNotes } from './create-notes.ts';
import { fieldAndCause, notMadeYet } from './words.ts';

export interface CrossObjectDeps {
  readonly live: LiveCluster;
  readonly keys: MarkerKeys;
  readonly controllerClass: string;
  readonly notes: CreateNotes;
  /** Set if stores are logged in to when they are applied (`--verify-stores`). */
  readonly verify: VerifyDeps | undefined;
  readonly log: Log;
}

/** An object in the hub version that is sound in itself, and what it was before, if that was sound, too. */
export type CrossObjectSubject =
  | { readonly kind: 'ExternalSecret'; readonly hub: ExternalSecret; readonly before?: ExternalSecret }
  | { readonly kind: StoreKind; readonly hub: SecretStore; readonly before?: SecretStore };

export interface CrossObjectSaid {
  readonly refusals: readonly Problem[];
  readonly warnings: readonly string[];
}

const NOTHING: CrossObjectSaid = { refusals: [], warnings: [] };

/**
 * @param notBefore what is read is at least as new as this moment (monotonic milliseconds)
 * @returns always: what cannot be read in time is not spoken of
 */
export async function crossObjects(
  request: AdmissionRequest,
  subject: CrossObjectSubject,
  deps: CrossObjectDeps,
  notBefore: number,
  signal: AbortSignal,
): Promise<CrossObjectSaid> {
  const context: CrossObjectContext = {
    stores: deps.live.reader(notBefore),
    generators: deps.live.generators(() => notBefore),
    templates: deps.live.templates(notBefore),
    objects: deps.live.objects(notBefore),
    keys: deps.keys,
    controllerClass: deps.controllerClass,
    onUnread: (error: EsaError) =>
      deps.log.debug({ err: error, uid: request.uid }, 'another object could not be looked at'),
  };
  try {
    if (subject.kind !== 'ExternalSecret') return await ofStore(request, subject, deps, context, signal);
    const { hub, before } = subject;
    // Also of a Secret that is made by now.
    const [said, expiring] = await Promise.all([
      ofExternalSecret(request, hub, before, deps, context, signal),
      expiryFindings(hub, before, context, signal),
    ]);
    return { ...said, warnings: [...said.warnings, ...expiring.map((one) => warning(request, one))] };
  } catch (error) {
    // Nothing here is worth refusing anybody's object over, a defect least of all.
    deps.log.error({ err: toEsaError(error), uid: request.uid }, 'other objects not looked at');
    return NOTHING;
  }
}

async function ofExternalSecret(
  request: AdmissionRequest,
  es: ExternalSecret,
  before: ExternalSecret | undefined,
  deps: CrossObjectDeps,
  context: CrossObjectContext,
  signal: AbortSignal,
): Promise<CrossObjectSaid> {
  const creates = request.operation === 'CREATE' && request.dryRun !== true;
  const note = creates ? deps.notes.take(es) : undefined;
  if (note?.complete === true) return NOTHING;
  // Without a note another replica may have made the Secret, or said why not.
  const elsewhere = creates && note === undefined && !leftToPoller(es.spec);
  if (elsewhere && (await isMaterialized(es, context, signal).catch(() => false))) return NOTHING;
  const found = await crossObjectFindings(es, before, context, signal);
  const findings = found.filter(({ message }) => message !== note?.said);
  const target = `${request.namespace ?? ''}/${targetName(es)}`;
  if (creates && es.metadata.annotations?.[ANNOTATION_REQUIRE_SYNC] === 'true')
    return { refusals: refusals(request, target, findings), warnings: [] };
  return {
    refusals: [],
    warnings: findings.map((one) => {
      if (standsAlone(one)) return one.message;
      return elsewhere ? notMadeYet(target, one.message) : warning(request, one);
    }),
  };
}

async function ofStore(
  request: AdmissionRequest,
  { hub, before, kind }: Extract<CrossObjectSubject, { kind: StoreKind }>,
  { verify }: CrossObjectDeps,
  context: CrossObjectContext,
  signal: AbortSignal,
): Promise<CrossObjectSaid> {
  const store = { ...hub, kind };
  const storeClass = hub.spec.controller ?? '';
  if (storeClass !== '' && storeClass !== context.controllerClass) return NOTHING;
  const findings = [...(await storeFindings(store, before && { ...before, kind }, context, signal))];
  // A login leaves a token at the server, which a dry run must not; and what is missing is said already.
  if (verify !== undefined && request.dryRun !== true && findings.length === 0) {
    const failure = await verifyStore(store, verify, signal);
    if (failure !== undefined) findings.push(failure);
  }
  return { refusals: [], warnings: findings.map((one) => warning(request, one)) };
}

/** What is in the way at the target is its owner's to clear away; the sentence names the Secret itself. */
const standsAlone = ({ rule }: Finding): boolean => rule.startsWith('target-');

function warning(request: AdmissionRequest, finding: Finding): string {
  return fieldAndCause(formatFieldPath(userPath(request, finding)), finding.message);
}

function refusals(
  request: AdmissionRequest,
  target: string,
  findings: readonly Finding[],
): readonly Problem[] {
  const { report, problems } = collector();
  for (const one of findings) {
    report(
      'es-require-sync',
      userPath(request, one),
      `Secret ${target} cannot be made now, and ${ANNOTATION_REQUIRE_SYNC} asks for it: ${one.message}`,
    );
  }
  return problems;
}

/** The field in the version that the user wrote. */
function userPath({ kind }: AdmissionRequest, { path }: Finding): FieldPath {
  const version = SERVED_VERSIONS.find((served) => served === kind.version) ?? HUB_VERSION;
  return pathInVersion(version, kind.kind as 'ExternalSecret' | StoreKind, path);
}
