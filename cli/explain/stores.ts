/** The stores that an ExternalSecret reads from: whether they are there, ready, and have what they log in with. */
import { EsaError } from '../../api/errors.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import type { ServerGuard } from '../../providers/contract.ts';
import { storeReferences } from '../../sync/plan.ts';
import { readyCondition } from '../../sync/status.ts';
import { bindStore, type ResolvedStore, type StoreObject, storeLabel } from '../../sync/stores.ts';
import { formatAge } from '../cluster/words.ts';
import { codeOf } from './code-of.ts';
import { type ExplainContext, liveOf } from './context.ts';
import { type Cause, causeOf, type Fact } from './explanation.ts';

export interface StoreFindings {
  readonly facts: readonly Fact[];
  readonly causes: readonly Cause[];
  /** Those that could be bound to the namespace. */
  readonly stores: readonly ResolvedStore[];
  readonly objects: readonly StoreObject[];
  /** The class of a store of another controller. */
  readonly otherClass: string | undefined;
}

const NONE: StoreFindings = { facts: [], causes: [], stores: [], objects: [], otherClass: undefined };

export async function lookAtStores(
  es: ExternalSecret,
  guard: ServerGuard | undefined,
  context: ExplainContext,
  signal: AbortSignal,
): Promise<StoreFindings> {
  const namespace = es.metadata.namespace ?? '';
  const reader = liveOf(context).reader(context.clock.monotonic());
  const looked = storeReferences(es.spec).map(async ({ kind, name }): Promise<StoreFindings> => {
    const label = storeLabel(kind, namespace, name);
    let object: StoreObject | undefined;
    try {
      object = await reader.store(kind, kind === 'SecretStore' ? namespace : undefined, name, signal);
    } catch (error) {
      if (!(error instanceof EsaError)) throw error;
      return { ...NONE, facts: [{ about: 'store', state: 'unknown', text: error.message }] };
    }
    if (object === undefined)
      return { ...NONE, facts: [{ about: 'store', state: 'wrong', text: `${label} does not exist` }] };
    return lookAtStore({ ...object, kind }, namespace, guard, context, signal);
  });
  const all = await Promise.all(looked);
  return {
    facts: all.flatMap(({ facts }) => facts),
    causes: all.flatMap(({ causes }) => causes),
    stores: all.flatMap(({ stores }) => stores),
    objects: all.flatMap(({ objects }) => objects),
    otherClass: all.find(({ otherClass }) => otherClass !== undefined)?.otherClass,
  };
}

/** @param callerNamespace undefined: it is looked at for its own sake */
export async function lookAtStore(
  object: StoreObject,
  callerNamespace: string | undefined,
  guard: ServerGuard | undefined,
  context: ExplainContext,
  signal: AbortSignal,
): Promise<StoreFindings> {
  const { kind, metadata } = object;
  const label = storeLabel(kind, metadata.namespace, metadata.name ?? '');
  const storeClass = object.spec.controller ?? '';
  if (storeClass !== '' && storeClass !== context.controllerClass) {
    const text = `${label} belongs to controller class "${storeClass}", so this product leaves it and all that read from it alone`;
    return {
      ...NONE,
      facts: [{ about: 'store', state: 'note', text }],
      objects: [object],
      otherClass: storeClass,
    };
  }
  let store: ResolvedStore;
  try {
    store = bindStore(object, callerNamespace, guard);
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    const cause = causeOf(error.code, error.message, 'now');
    return {
      ...NONE,
      facts: [{ about: 'store', state: 'wrong', text: error.message }],
      causes: [cause],
      objects: [object],
    };
  }
  const { fact, cause } = readiness(store, label, context.clock.now());
  const references = await lookAtReferences(store, context, signal);
  return {
    ...NONE,
    facts: [fact, ...references.map(({ fact }) => fact)],
    causes: [...references.flatMap(({ cause }) => cause ?? []), ...(cause === undefined ? [] : [cause])],
    stores: [store],
    objects: [object],
  };
}

function readiness(
  { object, provider, config }: ResolvedStore,
  label: string,
  now: number,
): { fact: Fact; cause?: Cause } {
  const servers = provider.servers(config).map(({ origin }) => origin);
  const what = `${label} (${provider.name}${servers.length === 0 ? '' : ` at ${servers.join(', ')}`})`;
  const condition = readyCondition(object.status);
  if (condition === undefined)
    return { fact: { about: 'store', state: 'note', text: `${what}: nobody has looked at it yet` } };
  const age = formatAge(now - (Date.parse(condition.lastTransitionTime) || now));
  if (condition.status === 'True')
    return { fact: { about: 'store', state: 'ok', text: `${what}: Ready for ${age}` } };
  const code = codeOf(condition.message) ?? 'STORE_NOT_READY';
  return {
    fact: { about: 'store', state: 'wrong', text: `${what}: not Ready for ${age}: ${condition.message}` },
    cause: causeOf(code, `${label} is not Ready: ${condition.message}`, 'status'),
  };
}

/** Secrets, ConfigMaps and ServiceAccounts that it logs in with, without a look at a value. */
async function lookAtReferences(
  { provider, config, context: storeContext }: ResolvedStore,
  context: ExplainContext,
  signal: AbortSignal,
): Promise<{ fact: Fact; cause?: Cause }[]> {
  const objects = liveOf(context).objects(context.clock.monotonic());
  return Promise.all(
    provider
      .dependencies(config, storeContext)
      .map(async (dependency): Promise<{ fact: Fact; cause?: Cause }> => {
        const { kind, namespace, name, key } = dependency;
        const what = `${kind} ${namespace}/${name}`;
        try {
          const why = await objects.whyMissing(dependency, signal);
          const ok = key === undefined || key === '' ? `${what} exists` : `${what} has key ${key}`;
          if (why === undefined) return { fact: { about: 'store', state: 'ok', text: ok } };
          const path = ['spec', 'provider', provider.name, ...dependency.path].join('.');
          return {
            fact: { about: 'store', state: 'wrong', text: why },
            cause: causeOf('REFERENCE_NOT_FOUND', why, 'now', `${path} of the store`),
          };
        } catch (error) {
          if (!(error instanceof EsaError)) throw error;
          return { fact: { about: 'store', state: 'unknown', text: error.message } };
        }
      }),
  );
}
