/**
 * One sync of one stored ExternalSecret: the guarantee that admission only accelerates. Values are read, the
 * Secret is compared and written if it differs; it is never touched when something failed before that.
 */
import { createHmac, type KeyObject } from 'node:crypto';
import type { Clock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import { ANNOTATION_DATA_HASH, LABEL_MANAGED } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { dataHash } from '../api/go-hash.ts';
import { isKes, qualifiedName } from '../api/kubernetes-client/names.ts';
import { formatProblem } from '../api/problem.ts';
import type { SecretObject } from '../kube/objects.ts';
import { checkExternalSecret } from '../policy/check-object.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import {
  type ApplyDeps,
  adopt,
  apply,
  deleteOrphan,
  deleteTarget,
  identityOf,
  OwnerGone,
  ownershipOf,
  readTarget,
} from './apply.ts';
import type { Source } from './audit.ts';
import { desire } from './desire.ts';
import { SyncError, toSyncError } from './errors.ts';
import { type FetchContext, type Fetched, fetchPlan } from './fetch.ts';
import { asksToKeep, keepGenerated } from './keep-generated.ts';
import { admitKes } from './kes/services.ts';
import type { IssuedLease, LeaseBook } from './leases.ts';
import { creationPolicyOf, deletionPolicyOf, plan, targetName } from './plan.ts';
import type { PolicyGate } from './policies.ts';
import { enforce, objectOf } from './policy-gate.ts';
import { decodeData } from './secret-data.ts';
import { heldHash } from './secret-patch.ts';
import { type DesiredSecret, mergesKeys } from './shape.ts';
import { excusesMissing, readyCondition, type SyncedOutcome } from './status.ts';
import type { ResolvedStore } from './stores.ts';
import type { TemplateReader } from './template-sources.ts';

/** What is kept of an object between two syncs; no value is in it. */
export interface Memory {
  /** Keyed hash of the provider's answers and of what else shapes the Secret. */
  digest?: string | undefined;
  /** Hash of what the Secret held of ours after the last sync, see `heldHash`. */
  dataHash?: string | undefined;
  /** resourceVersion in which the Secret is known to be as applied; undefined = look. */
  secretVersion?: string | undefined;
  /** Entries that were left out the last time since their secret is gone at the provider. */
  missing?: readonly string[];
  /** What policies said the last time without denying it. */
  verdicts?: readonly Verdict[];
}

export interface ReconcileDeps extends ApplyDeps {
  readonly clock: Clock;
  readonly fetch: Omit<FetchContext, 'namespace' | 'notBefore' | 'policies' | 'urgent' | 'leased'>;
  readonly leases: LeaseBook;
  readonly policies: PolicyGate;
  /** The objects that templateFrom names, at least as new as that moment (monotonic milliseconds). */
  readonly templates: (notBefore: number) => TemplateReader;
  /** Key of the digests; random for each process. */
  readonly digestKey: KeyObject;
}

export type SecretAction = 'created' | 'updated' | 'adopted' | 'deleted' | 'unchanged';

export type Reconciled =
  | {
      readonly result: 'synced';
      /** What the Ready condition says about it. */
      readonly outcome: SyncedOutcome;
      readonly action: SecretAction;
      readonly memory: Memory;
      /** When the values were read, milliseconds since the epoch. */
      readonly refreshedAt: number;
      /** The stores that were used; empty after an adoption. */
      readonly stores: readonly ResolvedStore[];
      /** What the values are from; empty after an adoption, whose values admission has read. */
      readonly sources: readonly Source[];
      /** Keys of the Secret that are the object's; empty if there is none now. */
      readonly keys: readonly string[];
      /** Entries that were left out since their secret is gone at the provider. */
      readonly missing: readonly string[];
      /** What policies say about it without denying it. */
      readonly verdicts: readonly Verdict[];
      /** True if the Secret of an earlier target name was deleted. */
      readonly orphanDeleted: boolean;
      /** What some of the values were leased under. */
      readonly leases: readonly IssuedLease[];
    }
  /** It belongs to another controller class. */
  | { readonly result: 'ignored' }
  /** It is not there any more, which the watch will tell, too; nothing was made. */
  | { readonly result: 'gone' }
  | { readonly result: 'failed'; readonly error: SyncError };

export interface ReconcileInput {
  readonly es: ExternalSecret;
  readonly memory: Memory;
  /** True if the object has never been synced: its Secret may be waiting to be adopted. */
  readonly first: boolean;
  /** Reads must have begun at or after this (monotonic milliseconds). */
  readonly notBefore: number;
}

type Synced = Extract<Reconciled, { result: 'synced' }>;

/** @returns what became of it; it throws nothing */
export async function reconcile(
  input: ReconcileInput,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<Reconciled> {
  const leases: IssuedLease[] = [];
  try {
    // What is wrong with one of KES was found when it became one of the hub.
    if (isKes(input.es)) return await sync({ ...input, leases }, deps, signal);
    const checked = checkExternalSecret(input.es);
    if (checked.problems.length > 0) {
      throw new SyncError(
        'fetch',
        new EsaError('INVALID_OBJECT', checked.problems.map(formatProblem).join('; ')),
      );
    }
    return await sync({ ...input, es: checked.hub, leases }, deps, signal);
  } catch (thrown) {
    // Nobody will use what was made for this sync.
    const unused = leases.map(({ ref, id }) => ({ generator: ref, id }));
    void deps.leases.giveBack(input.es.metadata.namespace ?? '', unused);
    if (thrown instanceof OwnerGone) return { result: 'gone' };
    const error = toSyncError('apply', thrown);
    return error.code === 'STORE_OTHER_CLASS' ? { result: 'ignored' } : { result: 'failed', error };
  }
}

interface SyncInput extends ReconcileInput {
  /** Takes what the sync has leased, also if it fails then. */
  readonly leases: IssuedLease[];
}

async function sync(input: SyncInput, deps: ReconcileDeps, signal: AbortSignal): Promise<Synced> {
  const { es, memory } = input;
  const work = plan(es);
  const { namespace, name, uid } = identityOf(es);
  const policy = creationPolicyOf(es.spec);
  let live: SecretObject | undefined;
  if (input.first && policy !== 'None') {
    live = await readTarget(deps.kube, namespace, work.target, signal);
    const adopted = live === undefined ? undefined : await adopt(es, live, deps, signal);
    if (adopted !== undefined) return afterAdoption(es, adopted, deps, signal);
  }
  const refreshedAt = deps.clock.now();
  const policies = await deps.policies(namespace, signal);
  const verdicts = [...enforce(policies.judge({ object: objectOf(es) }), true)];
  if (work.kes !== undefined) await admitKes(es, work.kes, deps.fetch.kes, signal);
  const { notBefore, first: urgent } = input;
  const leased: FetchContext['leased'] = (ref, lease, generator) => {
    deps.leases.remember(namespace, ref, generator);
    input.leases.push({ ...lease, ref });
  };
  const context = { ...deps.fetch, namespace, notBefore, policies, urgent, leased };
  const fetched = await fetchPlan(work, context, signal);
  verdicts.push(...fetched.verdicts);
  const done = (
    outcome: SyncedOutcome,
    rest: {
      action?: SecretAction;
      memory?: Memory;
      orphanDeleted?: boolean;
      keys?: readonly string[];
    } = {},
  ): Synced => ({
    result: 'synced',
    outcome,
    action: 'unchanged',
    memory: {},
    orphanDeleted: false,
    keys: [],
    ...rest,
    refreshedAt,
    stores: fetched.stores,
    sources: fetched.sources,
    missing: fetched.missing,
    verdicts,
    leases: input.leases,
  });
  if (isGone(fetched) && work.kes === undefined) {
    const deletion = deletionPolicyOf(es.spec);
    if (deletion === 'Retain') return done('retained', { memory });
    if (deletion === 'Delete') {
      const deleted = await deleteTarget(es, work.target, deps, signal);
      return done('deleted', { action: deleted ? 'deleted' : 'unchanged' });
    }
  }
  if (policy === 'None') return done('none');
  let values = fetched.data;
  if (fetched.generated.size > 0 && (input.first || asksToKeep(es))) {
    live ??= await readTarget(deps.kube, namespace, work.target, signal);
    values = await keptValues(input, fetched, live, deps, signal);
  }
  const templates = deps.templates(notBefore);
  const wanted = await desire(es, values, templates, deps.clock, policies, signal);
  const desired = wanted.secret;
  verdicts.push(...wanted.verdicts);
  const digest = digestOf(deps.digestKey, desired, uid);
  if (digest === memory.digest && memory.secretVersion !== undefined) return done('synced', { memory });
  const applied = await apply(es, desired, live, deps, signal);
  const orphanDeleted = await deleteOrphan(es, work.target, deps, signal);
  if (applied.action === 'missing') return done('missing', { orphanDeleted });
  return done('synced', {
    action: applied.action,
    keys: [...desired.data.keys()],
    memory: {
      digest,
      dataHash: heldHash(applied.secret, name, desired.policy),
      secretVersion: applied.secret.metadata.resourceVersion,
    },
    orphanDeleted,
  });
}

/**
 * With generated values of the live Secret kept where the user asks for it. A first sync that finds the Secret to be
 * this very object's repeats one whose end was never reported: those values are in use already.
 */
async function keptValues(
  { es }: ReconcileInput,
  fetched: Fetched,
  live: SecretObject | undefined,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<Fetched['data']> {
  if (live === undefined) return fetched.data;
  const owned = await ownershipOf(es, live, deps.keys, signal);
  return asksToKeep(es) || owned.kind === 'owned' ? keepGenerated(es, fetched, live, owned) : fetched.data;
}

/** Everything that the spec names is gone, or there was nothing to find (eso.md 2.4). */
const isGone = (fetched: Fetched): boolean => fetched.data.size === 0;

async function afterAdoption(
  es: ExternalSecret,
  secret: SecretObject,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<Synced> {
  const policy = creationPolicyOf(es.spec);
  return {
    result: 'synced',
    outcome: 'synced',
    action: 'adopted',
    memory: {
      dataHash: heldHash(secret, qualifiedName(es), policy === 'None' ? 'Owner' : policy),
      secretVersion: secret.metadata.resourceVersion,
    },
    refreshedAt: Date.parse(secret.metadata.creationTimestamp ?? '') || deps.clock.now(),
    stores: [],
    sources: [],
    keys: Object.keys(secret.data ?? {}),
    missing: [],
    verdicts: [],
    leases: [],
    orphanDeleted: await deleteOrphan(es, secret.metadata.name ?? '', deps, signal),
  };
}

/** Keyed, since values may be guessable; it changes with everything that the Secret is made of. */
export function digestOf(key: KeyObject, desired: DesiredSecret, uid: string): string {
  const parts: Buffer[] = [];
  const add = (part: string | Buffer): void => {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    parts.push(Buffer.from(`${bytes.length}:`), bytes);
  };
  const { data, ...rest } = desired;
  add(JSON.stringify([uid, rest]));
  for (const name of [...data.keys()].sort()) {
    const value = data.get(name);
    if (value === undefined) continue;
    add(name);
    add(value.revealBytes());
  }
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest('base64url');
}

/** What a look at the target says. */
export type Verified =
  /** As it should be, in this version (undefined: there is none, and there should be none). */
  { readonly valid: true; readonly version: string | undefined } | { readonly valid: false };

const DRIFTED: Verified = { valid: false };

/**
 * Looks whether the Secret still is as it was applied, without asking the provider (eso.md 3.4: gone, label
 * lost, or data that does not match its hash means a full sync; here what is ours in it is also compared with
 * what was applied, and the owner has to be there). Orphan is always valid, None has no Secret.
 */
export async function verifyTarget(
  es: ExternalSecret,
  memory: Memory,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<Verified> {
  const { namespace, name } = identityOf(es);
  const policy = creationPolicyOf(es.spec);
  if (policy === 'None' || policy === 'Orphan') return { valid: true, version: undefined };
  const live = await readTarget(deps.kube, namespace, targetName(es), signal);
  if (live === undefined) {
    const meant = policy === 'Merge' || excusesMissing(readyCondition(es.status));
    return meant ? { valid: true, version: undefined } : DRIFTED;
  }
  if (live.metadata.labels?.[LABEL_MANAGED] !== 'true') return DRIFTED;
  if (memory.dataHash !== undefined && heldHash(live, name, policy) !== memory.dataHash) return DRIFTED;
  // The annotation covers keys of others, too: where those may come and go, it says something only at first.
  const telling = !mergesKeys({ policy }) || memory.dataHash === undefined;
  if (telling && dataHash(decodeData(live)) !== live.metadata.annotations?.[ANNOTATION_DATA_HASH])
    return DRIFTED;
  const valid = mergesKeys({ policy }) || (await ownershipOf(es, live, deps.keys, signal)).kind === 'owned';
  return valid ? { valid, version: live.metadata.resourceVersion } : DRIFTED;
}
