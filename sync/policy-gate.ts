/** Policies before and after a fetch: what one denies stops the sync, what one only warns of is passed on. */
import { EsaError } from '../api/errors.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { formatFieldPath } from '../api/problem.ts';
import { sourceOf } from '../policy/cluster-policy.ts';
import type { StoreUse, Verdict } from '../policy/policy-subject.ts';
import { providerOf } from '../providers/registry.ts';
import { toSyncError } from './errors.ts';
import type { PlannedRead, StoreReference } from './plan.ts';
import type { PolicyGate } from './policies.ts';
import { bindStore, type ResolvedStore, type StoreObject } from './stores.ts';

/** A policy denies; `foreseen` if that was known before anything was read. */
export class PolicyDenied extends EsaError {
  readonly verdicts: readonly Verdict[];
  readonly foreseen: boolean;

  constructor(verdicts: readonly Verdict[], foreseen: boolean) {
    super('POLICY_DENIED', `denied by ${verdicts.map(describeVerdict).join('; ')}`);
    this.name = 'PolicyDenied';
    this.verdicts = verdicts;
    this.foreseen = foreseen;
  }
}

/** What a policy has denied, wherever in the causes of an error it stands. */
export function deniedIn(error: unknown): readonly Verdict[] {
  for (let one = error; one instanceof EsaError; one = one.cause) {
    if (one instanceof PolicyDenied) return one.verdicts;
  }
  return [];
}

/** `policy "name", rule keys: spec.data[0].remoteRef.key: ...` */
export const describeVerdict = (verdict: Verdict): string =>
  `${sourceOf(verdict)}: ${formatFieldPath(verdict.path)}: ${verdict.message}`;

/**
 * @param foreseen true if nothing has been read yet
 * @returns the verdicts, none of which denies
 * @throws SyncError stage `fetch`, code POLICY_DENIED, if one denies; its cause is a PolicyDenied
 */
export function enforce(verdicts: readonly Verdict[], foreseen: boolean): readonly Verdict[] {
  const denied = verdicts.filter(({ effect }) => effect === 'Deny');
  if (denied.length > 0) throw toSyncError('fetch', new PolicyDenied(denied, foreseen));
  return verdicts;
}

/** The part of an ExternalSecret that policies look at. */
export const objectOf = ({ metadata, spec }: ExternalSecret) => ({ labels: metadata.labels ?? {}, spec });

/**
 * What a store and the reads through it are to policies; undefined if nothing can be said, since its block is
 * malformed: nothing can be read through it either.
 */
export function useOf(
  reference: StoreReference,
  object: StoreObject,
  reads: readonly PlannedRead[],
): StoreUse | undefined {
  const choice = providerOf(object.spec.provider, object.metadata.annotations);
  if (!choice.ok) return undefined;
  const { provider, config } = choice;
  const mine = reads.flatMap(({ source, path }) =>
    source.kind !== 'generator' &&
    source.store.kind === reference.kind &&
    source.store.name === reference.name
      ? [{ source, path }]
      : [],
  );
  return {
    kind: reference.kind,
    name: reference.name,
    provider: provider.name,
    servers: provider.servers(config),
    path: mine[0]?.source.storePath ?? ['spec', 'secretStoreRef', 'name'],
    reads: mine.flatMap(({ source, path }) =>
      source.kind === 'read' ? [{ path, key: provider.canonicalKey(config, source.remote) }] : [],
    ),
  };
}

/** A store as it stands, without anybody who uses it. */
export function ownUse(object: StoreObject): StoreUse | undefined {
  const use = useOf({ kind: object.kind, name: object.metadata.name ?? '' }, object, []);
  return use === undefined ? undefined : { ...use, path: ['spec', 'provider', use.provider] };
}

/**
 * Binds a store to be looked at for its own sake. What policies say about servers and providers holds for a
 * SecretStore too: its author chooses where this program connects to. A ClusterSecretStore has no namespace.
 * @throws SyncError POLICY_DENIED; EsaError PROVIDER_INVALID_CONFIG
 */
export async function bindForValidation(
  object: StoreObject,
  gate: PolicyGate,
  signal: AbortSignal,
): Promise<ResolvedStore> {
  if (object.kind === 'ClusterSecretStore') return bindStore(object, undefined);
  const policies = await gate(object.metadata.namespace ?? '', signal);
  const use = policies.needsStores ? ownUse(object) : undefined;
  if (use !== undefined) enforce(policies.judge({ stores: [use] }), true);
  return bindStore(object, undefined, policies.guard);
}
