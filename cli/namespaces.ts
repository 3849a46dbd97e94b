/** Labels of namespaces, from objects in files and from the command line. */
import { isDeepStrictEqual } from 'node:util';
import { InvalidArgumentError } from 'commander';
import { isJsonObject } from '../api/json.ts';
import type { ManifestObject } from './manifest.ts';

export type Labels = Readonly<Record<string, string>>;
export type LabelsByNamespace = ReadonlyMap<string, Labels>;

export const NAMESPACE_LABELS_HELP =
  'labels of a namespace, as NAME=key=value,key=value, beside those of Namespaces in the files; may be given again';

/** For commander: adds one `NAME=key=value,...` to those before it. @throws InvalidArgumentError */
export function parseNamespaceLabels(text: string, before: LabelsByNamespace = new Map()): LabelsByNamespace {
  const [, name = '', list = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  const labels = list.split(',').flatMap((pair) => {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (key === '' && pair !== '') throw new InvalidArgumentError(`"${pair}" is not key=value.`);
    return key === '' ? [] : [[key, value] as const];
  });
  if (name === '') throw new InvalidArgumentError('Want NAME=key=value,key=value.');
  return new Map([...before, [name, { ...before.get(name), ...Object.fromEntries(labels) }]]);
}

const METADATA_NAME = 'kubernetes.io/metadata.name';

/** The labels that are known. */
export class NamespaceLabels {
  readonly #known: Map<string, Labels>;

  /** @param given wins over the objects, label by label */
  constructor(objects: readonly ManifestObject[], given: LabelsByNamespace = new Map()) {
    const found = new Map<string, Labels | undefined>();
    for (const { object } of objects) {
      const { apiVersion, kind, metadata } = object;
      if (apiVersion !== 'v1' || kind !== 'Namespace' || !isJsonObject(metadata)) continue;
      const { name } = metadata;
      if (typeof name !== 'string') continue;
      const labels = textsOf(metadata['labels']);
      // Two that differ are those of two clusters.
      const same = !found.has(name) || isDeepStrictEqual(found.get(name), labels);
      found.set(name, same ? labels : undefined);
    }
    this.#known = new Map(given);
    for (const [name, labels] of found)
      if (labels !== undefined) this.#known.set(name, { ...labels, ...given.get(name) });
  }

  knows(namespace: string): boolean {
    return this.#known.has(namespace);
  }

  /** With the label that the API server gives every namespace. */
  of(namespace: string): Labels {
    return { ...this.#known.get(namespace), [METADATA_NAME]: namespace };
  }
}

const textsOf = (value: unknown): Labels =>
  Object.fromEntries(
    Object.entries(isJsonObject(value) ? value : {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
