/**
 * What objects of the same directory say against each other, as far as it is certain: what is not in the files is
 * unknown, and nothing is said about it. All of it can be healed elsewhere, so these are warnings.
 */
import { EsaError } from '../api/errors.ts';
import { pathInVersion } from '../api/external-secrets/paths.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import type { FieldPath } from '../api/problem.ts';
import { creationPolicyOf, plan, storeReferences, targetName } from '../sync/plan.ts';
import { resolveStore, type StoreReader } from '../sync/stores.ts';
import type { Judged, Remark } from './judge-object.ts';
import { directoryOf, type ManifestSet, StoreIndex, soundOf } from './manifest-set.ts';
import type { NamespaceLabels } from './namespaces.ts';
import { isTemplateObject, templateObjects } from './template-objects.ts';

export interface CrossRemark {
  readonly judged: Judged;
  readonly remark: Remark;
}

type Sound = ReturnType<typeof soundOf<'ExternalSecret'>>[number];

/** @param controllerClass that of webhook and poller */
export async function crossCheck(
  set: ManifestSet,
  namespaces: NamespaceLabels,
  controllerClass: string,
): Promise<readonly CrossRemark[]> {
  const stores = new StoreIndex(set);
  const templates = templatesByDirectory(set.objects);
  const secrets = soundOf(set, 'ExternalSecret');
  const reader = (directory: string): StoreReader => offlineReader(stores, namespaces, directory);
  const remarks: CrossRemark[] = [...twice(set.judged), ...sameTargets(secrets)];
  for (const { judged, sound } of secrets) {
    const directory = directoryOf(judged);
    const own = [
      ...(await storeRemarks(sound.hub, reader(directory), controllerClass)),
      ...(await templateRemarks(sound.hub, templates(directory))),
    ];
    for (const { path, message } of own)
      remarks.push({
        judged,
        remark: { path: pathInVersion(sound.version, 'ExternalSecret', path), message },
      });
  }
  return remarks;
}

/** `file:line`, for messages. */
const whereIs = ({ manifest }: Judged, path: FieldPath = []): string => {
  const { file, line } = manifest.place(path);
  return `${file}:${line}`;
};

/** The object is at fault that comes later: applied in turn, it meets the other one. */
function* later<T>(
  items: readonly T[],
  key: (item: T) => string | undefined,
): Generator<{ readonly first: T; readonly item: T }> {
  const seen = new Map<string, T>();
  for (const item of items) {
    const id = key(item);
    if (id === undefined) continue;
    const first = seen.get(id);
    if (first === undefined) seen.set(id, item);
    else yield { first, item };
  }
}

/** Directory, kind, namespace and name; undefined for an object whose name the server makes up. */
function identity(judged: Judged): string | undefined {
  const metadata = judged.sound?.hub.metadata;
  if (!metadata?.name) return undefined;
  return [directoryOf(judged), judged.sound?.kind, metadata.namespace ?? '', metadata.name].join(' ');
}

const twice = (judged: readonly Judged[]): CrossRemark[] =>
  [...later(judged, identity)].map(({ first, item }) => ({
    judged: item,
    remark: {
      path: ['metadata', 'name'],
      message: `${item.label} stands in ${whereIs(first)}, too; the one that is applied last counts`,
    },
  }));

/** Owner and Orphan replace the data of their Secret; the others may share one. */
const replaces = (es: ExternalSecret): boolean => ['Owner', 'Orphan'].includes(creationPolicyOf(es.spec));

function sameTargets(secrets: readonly Sound[]): CrossRemark[] {
  // An object that stands there twice has one target, and is remarked on already.
  const once = [...new Map(secrets.map((one) => [identity(one.judged) ?? one, one])).values()];
  const target = ({ judged, sound: { hub } }: Sound): string | undefined =>
    replaces(hub) && targetName(hub) !== ''
      ? [directoryOf(judged), hub.metadata.namespace, targetName(hub)].join(' ')
      : undefined;
  return [...later(once, target)].map(({ first, item }) => ({
    judged: item.judged,
    remark: {
      path: ['spec', 'target', 'name'],
      message: `${first.judged.label} (${whereIs(first.judged)}) makes the Secret "${targetName(item.sound.hub)}", too; give each its own, or merge with creationPolicy Merge`,
    },
  }));
}

/** Labels that only a cluster knows decide. */
class UnknownLabels extends Error {}

const offlineReader = (stores: StoreIndex, namespaces: NamespaceLabels, directory: string): StoreReader => ({
  store: async (kind, namespace, name) => stores.find(kind, namespace ?? '', name, directory),
  namespaceLabels: async (namespace) => {
    if (!namespaces.knows(namespace)) throw new UnknownLabels();
    return namespaces.of(namespace);
  },
});

const SAID: readonly string[] = ['STORE_NOT_ALLOWED', 'STORE_OTHER_CLASS'];

async function storeRemarks(
  es: ExternalSecret,
  reader: StoreReader,
  controllerClass: string,
): Promise<Remark[]> {
  const { signal } = new AbortController();
  const { reads } = plan(es);
  const remarks: Remark[] = [];
  for (const reference of storeReferences(es.spec)) {
    try {
      await resolveStore(reference, es.metadata.namespace ?? '', reader, controllerClass, signal);
    } catch (error) {
      if (error instanceof UnknownLabels) continue;
      if (!(error instanceof EsaError)) throw error;
      // That a store is not there, nobody can say offline; what is wrong with one is said where it stands.
      if (!SAID.includes(error.code)) continue;
      const named = reads.find(
        ({ source }) =>
          source.kind !== 'generator' &&
          source.store.kind === reference.kind &&
          source.store.name === reference.name,
      );
      const path =
        named !== undefined && named.source.kind !== 'generator' ? named.source.storePath : ['spec'];
      remarks.push({ path, message: error.message });
    }
  }
  return remarks;
}

function templatesByDirectory(
  objects: ManifestSet['objects'],
): (directory: string) => ReturnType<typeof templateObjects> {
  const groups = Map.groupBy(objects.filter(isTemplateObject), (manifest) => directoryOf({ manifest }));
  return (directory) => templateObjects(groups.get(directory) ?? []);
}

/** Keys that templateFrom names and an object of the files does not have. */
async function templateRemarks(
  es: ExternalSecret,
  templates: ReturnType<typeof templateObjects>,
): Promise<Remark[]> {
  const { signal } = new AbortController();
  const namespace = es.metadata.namespace ?? '';
  const remarks: Remark[] = [];
  for (const [index, entry] of (es.spec.target?.template?.templateFrom ?? []).entries()) {
    for (const kind of ['configMap', 'secret'] as const) {
      const reference = entry[kind];
      if (reference === undefined) continue;
      const found = await templates[kind](namespace, reference.name, signal);
      if (found === undefined) continue;
      const keys = found instanceof Map ? [...found.keys()] : Object.keys(found);
      for (const [position, { key }] of reference.items.entries()) {
        if (keys.includes(key)) continue;
        remarks.push({
          path: ['spec', 'target', 'template', 'templateFrom', index, kind, 'items', position, 'key'],
          message: `${kind === 'configMap' ? 'ConfigMap' : 'Secret'} "${reference.name}" has no key "${key}"`,
        });
      }
    }
  }
  return remarks;
}
