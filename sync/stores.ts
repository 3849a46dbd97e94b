/** From a store reference to everything that is needed to read through it. */
import { EsaError } from '../api/errors.ts';
import { GROUP, type StoreKind } from '../api/external-secrets/names.ts';
import type { SecretStore } from '../api/external-secrets/v1/index.ts';
import { formatProblem, type Problem } from '../api/problem.ts';
import { needsNamespaceLabels, offersNamespace } from '../policy/store-conditions.ts';
import type { Provider, ServerGuard, StoreContext } from '../providers/contract.ts';
import { annotationProblems, type ProviderChoice, providerOf } from '../providers/registry.ts';
import type { StoreReference } from './plan.ts';

export type StoreObject = SecretStore;

/** How stores and namespaces are read: live by the webhook, from the watch by the poller. */
export interface StoreReader {
  /** undefined = it does not exist. */
  store(
    kind: StoreKind,
    namespace: string | undefined,
    name: string,
    signal: AbortSignal,
  ): Promise<StoreObject | undefined>;
  namespaceLabels(name: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}

export interface ResolvedStore {
  readonly object: StoreObject;
  readonly context: StoreContext;
  readonly provider: Provider<unknown>;
  readonly config: unknown;
  /** See Provider.identity; with the provider's name before it and the guard, if there is one, behind it. */
  readonly identity: string;
}

/** `SecretStore ns/name` or `ClusterSecretStore name`, for messages. */
export const storeLabel = (kind: StoreKind, namespace: string | undefined, name: string): string =>
  kind === 'SecretStore' ? `SecretStore ${namespace ?? ''}/${name}` : `ClusterSecretStore ${name}`;

/** What is the same for all who use a store object: its provider, what is wrong with it, and perhaps its identity. */
interface Parsed {
  readonly choice: ProviderChoice;
  readonly problems: readonly Problem[];
  /** Undefined if it depends on the caller's namespace. */
  readonly identity: string | undefined;
}

/** By the object itself: the poller has one as long as it does not change, and uses it many times a second. */
const parsed = new WeakMap<StoreObject, Parsed>();

function parse(object: StoreObject, context: StoreContext): Parsed {
  const known = parsed.get(object);
  if (known !== undefined) return known;
  const { annotations } = object.metadata;
  const choice = providerOf(object.spec.provider, annotations);
  // The rules are checked here again: the store may predate the webhook, or have come in while it was off.
  const problems = choice.ok
    ? [
        ...choice.provider.validateConfig(choice.config, context),
        ...annotationProblems(object.spec.provider, annotations),
      ]
    : choice.problems;
  const alone = {
    ...context,
    callerNamespace: object.kind === 'SecretStore' ? context.namespace : undefined,
  };
  const isShared = choice.ok && problems.length === 0 && choice.provider.canValidate(choice.config, alone);
  const identity = isShared ? choice.provider.identity(choice.config, alone) : undefined;
  const result: Parsed = { choice, problems, identity };
  parsed.set(object, result);
  return result;
}

/**
 * Binds a store to the namespace it is used from, and to what the policies of that namespace say about servers.
 * @throws EsaError PROVIDER_INVALID_CONFIG
 */
export function bindStore(
  object: StoreObject,
  callerNamespace: string | undefined,
  guard?: ServerGuard,
): ResolvedStore {
  const context: StoreContext = {
    kind: object.kind,
    name: object.metadata.name ?? '',
    namespace: object.kind === 'SecretStore' ? object.metadata.namespace : undefined,
    uid: object.metadata.uid ?? '',
    generation: object.metadata.generation ?? 0,
    callerNamespace: object.kind === 'SecretStore' ? object.metadata.namespace : callerNamespace,
    guard,
  };
  const { choice, problems, identity } = parse(object, context);
  if (!choice.ok || problems.length > 0) {
    const label = storeLabel(context.kind, context.namespace, context.name);
    throw new EsaError('PROVIDER_INVALID_CONFIG', `${label}: ${problems.map(formatProblem).join('; ')}`);
  }
  const { provider, config } = choice;
  const own = identity ?? provider.identity(config, context);
  return {
    object,
    context,
    provider,
    config,
    // What was connected or read for one namespace is no answer for another that may not reach the server.
    identity: `${provider.name}|${own}${guard === undefined ? '' : `|${guard.id}`}`,
  };
}

/**
 * Finds the store an entry refers to and checks that this namespace and this controller may use it.
 * @throws EsaError STORE_NOT_FOUND, STORE_OTHER_CLASS, STORE_NOT_ALLOWED, PROVIDER_INVALID_CONFIG
 */
export async function resolveStore(
  reference: StoreReference,
  namespace: string,
  reader: StoreReader,
  controllerClass: string,
  signal: AbortSignal,
  guard?: ServerGuard,
): Promise<ResolvedStore> {
  const { kind, name } = reference;
  const object =
    reference.object ??
    (await reader.store(kind, kind === 'SecretStore' ? namespace : undefined, name, signal));
  if (object === undefined) {
    // The second half is how the API server words it, and what ESO's users grep for.
    const where = kind === 'SecretStore' ? ` in namespace ${namespace}` : '';
    throw new EsaError(
      'STORE_NOT_FOUND',
      `could not get ${kind} "${name}", ${kind}.${GROUP} "${name}" not found${where}`,
    );
  }
  const storeClass = object.spec.controller ?? '';
  if (storeClass !== '' && storeClass !== controllerClass) {
    throw new EsaError(
      'STORE_OTHER_CLASS',
      `${storeLabel(kind, namespace, name)} belongs to controller class "${storeClass}"`,
    );
  }
  if (kind === 'ClusterSecretStore') {
    const { conditions } = object.spec;
    const labels = needsNamespaceLabels(conditions) ? await reader.namespaceLabels(namespace, signal) : {};
    if (!offersNamespace(conditions, namespace, labels)) {
      throw new EsaError(
        'STORE_NOT_ALLOWED',
        `using cluster store "${name}" is not allowed from namespace "${namespace}": denied by spec.condition`,
      );
    }
  }
  return bindStore(object, namespace, guard);
}
