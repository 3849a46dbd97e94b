/** ConfigMaps and Secrets of files, for templateFrom. */
import { isJsonObject } from '../api/json.ts';
import type { TemplateReader } from '../sync/template-sources.ts';
import type { ManifestObject } from './manifest.ts';

type Kind = 'ConfigMap' | 'Secret';

/** True for objects that templateFrom may name. */
export const isTemplateObject = ({ object }: ManifestObject): boolean =>
  object['apiVersion'] === 'v1' && (object['kind'] === 'ConfigMap' || object['kind'] === 'Secret');

const textMembers = (value: unknown): [string, string][] =>
  Object.entries(isJsonObject(value) ? value : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );

/**
 * Reads what templateFrom names from manifests. An object without a namespace is there in every one, since the one that
 * it will be applied to is not known; of two objects of one name the later one counts.
 */
export function templateObjects(manifests: readonly ManifestObject[]): TemplateReader {
  const objects = manifests.filter(isTemplateObject).map(({ object }) => object);
  const find = (
    kind: Kind,
    namespace: string,
    name: string,
  ): Readonly<Record<string, unknown>> | undefined => {
    const named = objects.filter(
      ({ kind: one, metadata }) => one === kind && isJsonObject(metadata) && metadata['name'] === name,
    );
    const inNamespace =
      (wanted: string | undefined) =>
      (object: Readonly<Record<string, unknown>>): boolean =>
        isJsonObject(object['metadata']) && (object['metadata']['namespace'] ?? undefined) === wanted;
    return named.findLast(inNamespace(namespace)) ?? named.findLast(inNamespace(undefined));
  };
  return {
    configMap: async (namespace, name) => {
      const object = find('ConfigMap', namespace, name);
      return object === undefined ? undefined : Object.fromEntries(textMembers(object['data']));
    },
    secret: async (namespace, name) => {
      const object = find('Secret', namespace, name);
      if (object === undefined) return undefined;
      // The API server lets stringData win.
      return new Map([
        ...textMembers(object['data']).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const),
        ...textMembers(object['stringData']).map(([key, text]) => [key, Buffer.from(text)] as const),
      ]);
    },
  };
}
