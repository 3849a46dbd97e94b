/**
 * What a change of a Secret was made from, for the audit line: who read (store and identity), what (remote objects
 * and their versions). Names only; a value has no way in here.
 */
import type { FoundObject, RemoteObject } from '../providers/contract.ts';
import type { GeneratorReference, PlannedRead } from './plan.ts';
import { type ResolvedStore, storeLabel } from './stores.ts';

/** One entry of a spec, and what answered it. */
export type Source =
  | {
      readonly store: ResolvedStore;
      readonly source: Exclude<PlannedRead['source'], { kind: 'generator' }>;
      readonly answer: RemoteObject | readonly FoundObject[];
    }
  | { readonly generator: GeneratorReference };

/** One remote object. */
interface AuditedObject {
  /** As policies name it, see Provider.canonicalKey. */
  readonly key: string;
  /** The version that was asked for, if one was. */
  readonly requested?: string;
  /** The version that was read, in the provider's words, where it says one. */
  readonly version?: string;
}

/** What was read through one store. */
interface AuditedStore {
  /** `SecretStore ns/name` or `ClusterSecretStore name`. */
  readonly store: string;
  readonly provider: string;
  readonly server?: string;
  /** What the store authenticates itself with: objects of the cluster, by name. */
  readonly credentials?: readonly string[];
  /** The role at the provider, where the store names one. */
  readonly role?: string;
  readonly objects: readonly AuditedObject[];
  /** How many more objects a find has brought. */
  readonly more?: number;
}

export type AuditedSource = AuditedStore | { readonly generator: string };

/** What the line of each change of a Secret says, whoever writes it: by this, audit lines are found in the log. */
export const AUDIT_MESSAGE = 'Secret written';

/** A find may bring thousands; a line of a log has an end. */
const OBJECTS_A_LINE = 100;

/** Each store and each generator once, in the order of the spec. */
export function auditedSources(sources: readonly Source[]): readonly AuditedSource[] {
  const stores = new Map<ResolvedStore, Map<string, AuditedObject>>();
  const generators = new Set<string>();
  for (const one of sources) {
    if ('generator' in one) {
      generators.add(`${one.generator.kind} ${one.generator.name}`);
      continue;
    }
    const objects = stores.get(one.store) ?? new Map<string, AuditedObject>();
    stores.set(one.store, objects);
    for (const object of objectsOf(one)) objects.set(`${object.key} ${object.requested ?? ''}`, object);
  }
  return [
    ...[...stores].map(([store, objects]) => ({ ...whoReads(store), ...listed([...objects.values()]) })),
    ...[...generators].map((generator) => ({ generator })),
  ];
}

function objectsOf(one: Extract<Source, { store: ResolvedStore }>): readonly AuditedObject[] {
  const { store, source, answer } = one;
  if (source.kind === 'find') {
    return (answer as readonly FoundObject[]).map(({ canonicalKey, object }) => ({
      key: canonicalKey,
      ...(object.version === undefined ? {} : { version: object.version }),
    }));
  }
  const { version } = answer as RemoteObject;
  const { remote } = source;
  return [
    {
      key: store.provider.canonicalKey(store.config, remote),
      ...(remote.version === undefined ? {} : { requested: remote.version }),
      ...(version === undefined ? {} : { version }),
    },
  ];
}

function whoReads({ provider, config, context }: ResolvedStore): Omit<AuditedStore, 'objects'> {
  const [server] = provider.servers(config);
  const credentials = provider
    .dependencies(config, context)
    .filter(({ path }) => path[0] === 'auth')
    .map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);
  const role = provider.role?.(config);
  return {
    store: storeLabel(context.kind, context.namespace, context.name),
    provider: provider.name,
    ...(server === undefined ? {} : { server: server.origin }),
    ...(credentials.length === 0 ? {} : { credentials: [...new Set(credentials)] }),
    ...(role === undefined ? {} : { role }),
  };
}

function listed(objects: readonly AuditedObject[]): Pick<AuditedStore, 'objects' | 'more'> {
  const more = objects.length - OBJECTS_A_LINE;
  return more > 0 ? { objects: objects.slice(0, OBJECTS_A_LINE), more } : { objects };
}
