/** The texts that target.template.templateFrom refers to, read from the namespace of the ExternalSecret. */
import { EsaError } from '../api/errors.ts';
import type { ExternalSecretSpec, TemplateFromEntry } from '../api/external-secrets/v1/index.ts';
import type { FieldPath } from '../api/problem.ts';

/** How they are read: live by the webhook and the poller, from files by `esa render`. undefined = there is none. */
export interface TemplateReader {
  /** The texts of a ConfigMap by key. */
  configMap(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>> | undefined>;
  /** The values of a Secret by key. */
  secret(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Buffer> | undefined>;
}

export type TemplateTarget = 'data' | 'annotations' | 'labels';

/** One template that renders into the Secret. */
export interface TemplateSource {
  /** Where it stands in the hub version. */
  readonly path: FieldPath;
  /** How errors name it. */
  readonly label: string;
  readonly text: string;
  readonly target: TemplateTarget;
  /** The key that the rendered text is the value of; undefined: it renders to YAML with keys and values. */
  readonly key: string | undefined;
  readonly decoding: NonNullable<TemplateFromEntry['valuesDecodingStrategy']>;
}

/** The target of an entry; validation has refused every other word (rule 7 of eso.md 7.2). */
const templateTarget = (target: string | undefined): TemplateTarget => {
  const lower = (target ?? '').toLowerCase();
  return lower === 'annotations' || lower === 'labels' ? lower : 'data';
};

/**
 * All templates of a spec in the order in which they are rendered: templateFrom in order, then template.data,
 * then the metadata; a later one overwrites (eso.md 2.7).
 * @throws EsaError REFERENCE_NOT_FOUND with ESO's words for an object or key that is missing
 */
export async function templateSources(
  namespace: string,
  spec: ExternalSecretSpec,
  reader: TemplateReader,
  signal: AbortSignal,
): Promise<readonly TemplateSource[]> {
  const template = spec.target?.template;
  if (template === undefined) return [];
  const at: FieldPath = ['spec', 'target', 'template'];
  // Side by side; the order of the entries is what counts, not that of the answers.
  const from = await Promise.all(
    (template.templateFrom ?? []).map((entry, index) =>
      entrySources(namespace, entry, [...at, 'templateFrom', index], reader, signal),
    ),
  );
  const mapped = (
    map: Readonly<Record<string, string>> | undefined,
    path: FieldPath,
    target: TemplateTarget,
  ): TemplateSource[] =>
    // Sorted: which error comes first must not depend on the order of a JSON object.
    Object.entries(map ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, text]) => ({
        path: [...path, key],
        label: key,
        text,
        target,
        key,
        decoding: 'None',
      }));
  return [
    ...from.flat(),
    ...mapped(template.data, [...at, 'data'], 'data'),
    ...mapped(template.metadata?.annotations, [...at, 'metadata', 'annotations'], 'annotations'),
    ...mapped(template.metadata?.labels, [...at, 'metadata', 'labels'], 'labels'),
  ];
}

/** The templates of one entry of templateFrom that stands at `path`. @throws EsaError as `templateSources` */
export async function entrySources(
  namespace: string,
  entry: TemplateFromEntry,
  path: FieldPath,
  reader: TemplateReader,
  signal: AbortSignal,
): Promise<TemplateSource[]> {
  const target = templateTarget(entry.target);
  const decoding = entry.valuesDecodingStrategy ?? 'None';
  const sources: TemplateSource[] = [];
  for (const kind of ['configMap', 'secret'] as const) {
    const reference = entry[kind];
    if (reference === undefined) continue;
    const texts = await readTexts(kind, namespace, reference.name, reader, signal);
    for (const [index, { key, templateAs }] of reference.items.entries()) {
      const text = texts(key);
      if (text === undefined) {
        throw new EsaError(
          'REFERENCE_NOT_FOUND',
          `error in ${kind.toLowerCase()} ${reference.name}: missing key ${key}`,
        );
      }
      sources.push({
        path: [...path, kind, 'items', index],
        label: key,
        text,
        target,
        key: templateAs === 'KeysAndValues' ? undefined : key,
        decoding,
      });
    }
  }
  if (entry.literal !== undefined) {
    sources.push({
      path: [...path, 'literal'],
      label: 'literal',
      text: entry.literal,
      target,
      key: undefined,
      decoding,
    });
  }
  return sources;
}

async function readTexts(
  kind: 'configMap' | 'secret',
  namespace: string,
  name: string,
  reader: TemplateReader,
  signal: AbortSignal,
): Promise<(key: string) => string | undefined> {
  const notFound = (): EsaError =>
    new EsaError(
      'REFERENCE_NOT_FOUND',
      `error fetching templateFrom data: ${kind.toLowerCase()}s "${name}" not found in namespace "${namespace}"`,
    );
  if (kind === 'configMap') {
    const data = await reader.configMap(namespace, name, signal);
    if (data === undefined) throw notFound();
    return (key) => (Object.hasOwn(data, key) ? data[key] : undefined);
  }
  const data = await reader.secret(namespace, name, signal);
  if (data === undefined) throw notFound();
  return (key) => data.get(key)?.toString('utf8');
}
