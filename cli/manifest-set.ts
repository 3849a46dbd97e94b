/** All objects of some files, judged, and what they know of each other. */
import { dirname } from 'node:path';
import type { StoreKind } from '../api/external-secrets/names.ts';
import type { SecretStore } from '../api/external-secrets/v1/index.ts';
import type { Finding } from './findings.ts';
import { type Judged, ObjectJudge, type SoundObject } from './judge-object.ts';
import { type ManifestObject, readManifest } from './manifest.ts';
import type { Input } from './read-inputs.ts';

export interface ManifestSet {
  readonly files: readonly string[];
  /** Every object, of whatever kind. */
  readonly objects: readonly ManifestObject[];
  /** Those of our groups. */
  readonly judged: readonly Judged[];
  /** What is wrong with the texts themselves. */
  readonly faults: readonly Finding[];
}

/** An object in which a text that nobody can read would be missed. */
const OURS = /external-secrets/;

/** @param namespace of objects that name none */
export function readManifestSet(inputs: readonly Input[], namespace: string): ManifestSet {
  const judge = new ObjectJudge(namespace);
  const objects: ManifestObject[] = [];
  const faults: Finding[] = [];
  for (const { name, text, found } of inputs) {
    const manifest = readManifest(name, text);
    objects.push(...manifest.objects);
    for (const { place, message, text: part } of manifest.faults) {
      // A directory also holds files that are no manifests, and charts of others.
      if (!found || OURS.test(part)) faults.push({ severity: 'error', place, message });
    }
  }
  const judged = objects.flatMap((object) => judge.judge(object) ?? []);
  return { files: inputs.map(({ name }) => name), objects, judged, faults };
}

type SoundOf<Kind extends SoundObject['kind']> = Extract<SoundObject, { kind: Kind }>;

/** The sound objects of some kinds with where they come from. */
export function soundOf<Kind extends SoundObject['kind']>(
  { judged }: Pick<ManifestSet, 'judged'>,
  ...kinds: readonly Kind[]
): readonly { readonly judged: Judged; readonly sound: SoundOf<Kind> }[] {
  return judged.flatMap((one) =>
    one.sound !== undefined && (kinds as readonly string[]).includes(one.sound.kind)
      ? [{ judged: one, sound: one.sound as SoundOf<Kind> }]
      : [],
  );
}

/** The directory of the file that an object stands in: what lies together is applied together. */
export const directoryOf = ({ manifest }: Pick<Judged, 'manifest'>): string =>
  dirname(manifest.place([]).file);

/** The sound stores of the files. */
export class StoreIndex {
  readonly #stores = new Map<string, { readonly directory: string; readonly store: SecretStore }[]>();

  constructor(set: Pick<ManifestSet, 'judged'>) {
    for (const { judged, sound } of soundOf(set, 'SecretStore', 'ClusterSecretStore')) {
      const key = keyOf(sound.kind, sound.hub.metadata.namespace, sound.hub.metadata.name ?? '');
      const one = { directory: directoryOf(judged), store: { ...sound.hub, kind: sound.kind } };
      this.#stores.set(key, [...(this.#stores.get(key) ?? []), one]);
    }
  }

  /**
   * The store of the same directory, the later of several; else the one that there is. Of several elsewhere (the
   * overlays of several clusters, perhaps) nobody knows which is meant.
   * @param namespace from which the store is used
   */
  find(kind: StoreKind, namespace: string, name: string, directory: string): SecretStore | undefined {
    const all = this.#stores.get(keyOf(kind, namespace, name)) ?? [];
    const near = all.findLast((one) => one.directory === directory);
    return (near ?? (all.length === 1 ? all[0] : undefined))?.store;
  }
}

const keyOf = (kind: StoreKind, namespace: string | undefined, name: string): string =>
  `${kind}/${kind === 'SecretStore' ? (namespace ?? '') : ''}/${name}`;
