/** Rules on spec.data and spec.dataFrom. Numbers in comments are the rules of eso.md 7.2. */

import type {
  DataFromEntry,
  ExternalSecretSpec,
  GeneratorRef,
  RewriteStep,
} from '../api/external-secrets/v1/index.ts';
import { generatorResource } from '../api/generators/names.ts';
import { compileGoRegexp, GoRegexpError, regexpsError } from '../api/go-regexp.ts';
import type { FieldPath, Report } from '../api/problem.ts';
import { generatorNotSupported, supportsGenerator } from '../providers/generators/registry.ts';
import { checkTemplateText } from './template-text.ts';

/** @param spec in the hub version and valid by its schema */
export function validateSources(spec: ExternalSecretSpec, report: Report): void {
  const data = spec.data ?? [];
  const dataFrom = spec.dataFrom ?? [];
  // 3
  if (data.length === 0 && dataFrom.length === 0) {
    report('es-source', [], 'either data or dataFrom should be specified; list at least one secret to fetch');
  }
  const needsStore =
    data.some((entry) => entry.sourceRef?.storeRef === undefined) ||
    dataFrom.some(
      ({ extract, find, sourceRef }) => (extract ?? find) !== undefined && sourceRef?.storeRef === undefined,
    );
  if (needsStore && (spec.secretStoreRef?.name ?? '') === '') {
    report(
      'es-store',
      ['secretStoreRef', 'name'],
      'no store is named; set it to the SecretStore or ClusterSecretStore to read from',
    );
  }

  const firstAt = new Map<string, number>();
  for (const [index, entry] of data.entries()) {
    const path: FieldPath = ['data', index];
    if (entry.remoteRef.key === '')
      report('es-remote-key', [...path, 'remoteRef', 'key'], 'the key is empty; name the remote secret');
    const first = firstAt.get(entry.secretKey);
    // 11: with another deletionPolicy ESO lets a later entry overwrite an earlier one.
    if (first === undefined) firstAt.set(entry.secretKey, index);
    else if ((spec.target?.deletionPolicy ?? 'Retain') === 'Retain') {
      report(
        'es-secret-key-twice',
        [...path, 'secretKey'],
        `duplicate secretKey found: ${entry.secretKey} (also spec.data[${first}]); use each key once`,
      );
    }
    if (entry.sourceRef?.generatorRef !== undefined) {
      report(
        'es-generator-in-data',
        [...path, 'sourceRef', 'generatorRef'],
        'a generator cannot fill a single entry; use it in dataFrom',
      );
    }
    validateStoreRef(entry.sourceRef?.storeRef, [...path, 'sourceRef', 'storeRef'], report);
  }
  const tooLong = regexpsError(dataFrom.flatMap(regexpsOf));
  if (tooLong !== undefined) report('es-regexps-size', ['dataFrom'], tooLong);
  for (const [index, entry] of dataFrom.entries())
    validateDataFrom(entry, ['dataFrom', index], tooLong === undefined, report);
}

function validateStoreRef(
  ref: { name?: string | undefined } | undefined,
  path: FieldPath,
  report: Report,
): void {
  if (ref !== undefined && (ref.name ?? '') === '')
    report('es-store-ref', [...path, 'name'], 'no store is named; name the store to read from');
}

const regexpsOf = ({ find, rewrite = [] }: DataFromEntry): string[] => [
  find?.name?.regexp ?? '',
  ...rewrite.map(({ regexp }) => regexp?.source ?? ''),
];

/** @param compile false if expressions are not to be looked at */
function validateDataFrom(entry: DataFromEntry, path: FieldPath, compile: boolean, report: Report): void {
  const { extract, find, sourceRef, rewrite } = entry;
  const sources = [extract, find, sourceRef?.generatorRef].filter((source) => source !== undefined);
  if (sources.length > 1) {
    // 8
    report(
      'es-one-source',
      path,
      'extract, find, or generatorRef cannot be set at the same time; make one entry of each',
    );
  } else if (extract === undefined && find === undefined && sourceRef === undefined) {
    // 9
    report(
      'es-entry-source',
      path,
      'either extract, find, or sourceRef must be set to dataFrom; name a secret with extract.key',
    );
  } else if (sources.length === 0) {
    // Rule 10, a sourceRef without anything, is the schema's.
    report('es-store-ref-alone', path, 'sourceRef.storeRef alone fetches nothing; add extract or find');
  }
  validateStoreRef(sourceRef?.storeRef, [...path, 'sourceRef', 'storeRef'], report);
  if (extract !== undefined && extract.key === '')
    report('es-remote-key', [...path, 'extract', 'key'], 'the key is empty; name the remote secret');
  // What else a find may say depends on the provider, which the store names.
  const regexp = find?.name?.regexp ?? '';
  const reason = compile ? regexpError(regexp) : undefined;
  if (reason !== undefined) report('es-find-regexp', [...path, 'find', 'name', 'regexp'], reason);
  validateGeneratorRef(sourceRef?.generatorRef, [...path, 'sourceRef', 'generatorRef'], report);
  for (const [index, step] of (rewrite ?? []).entries())
    validateRewrite(step, [...path, 'rewrite', index], compile, report);
}

function validateGeneratorRef(ref: GeneratorRef | undefined, path: FieldPath, report: Report): void {
  if (ref === undefined) return;
  const { kind, apiVersion = '' } = ref;
  if (!supportsGenerator(kind)) {
    report('es-generator-kind', [...path, 'kind'], `${generatorNotSupported(kind)}; remove this entry`);
    return;
  }
  const { group, version } = generatorResource(kind);
  const wanted = `${group}/${version}`;
  if (apiVersion !== '' && apiVersion !== wanted)
    report('es-generator-api-version', [...path, 'apiVersion'], `${kind} is a kind of ${wanted}; write that`);
}

/** Why a regular expression cannot be used; undefined if it can. */
function regexpError(source: string): string | undefined {
  try {
    compileGoRegexp(source);
    return undefined;
  } catch (error) {
    if (!(error instanceof GoRegexpError)) throw error;
    return `must be a regular expression (RE2): ${error.reason} in \`${source}\``;
  }
}

function validateRewrite(
  { regexp, transform, merge }: RewriteStep,
  path: FieldPath,
  compile: boolean,
  report: Report,
): void {
  const reason = regexp === undefined || !compile ? undefined : regexpError(regexp.source);
  if (reason !== undefined) report('es-rewrite-regexp', [...path, 'regexp', 'source'], reason);
  if (transform !== undefined) {
    checkTemplateText(transform.template, new Set(['value']), [...path, 'transform', 'template'], report);
  }
  if (merge?.strategy === 'JSON' && (merge.into ?? '') === '') {
    report(
      'es-rewrite-merge-into',
      [...path, 'merge', 'into'],
      'strategy JSON needs a key to write the merged object under; set into',
    );
  }
}
