/**
 * Rules on one ExternalSecret that no change outside of it can heal: pure, all problems at once, used by both
 * hooks and by the engine. Numbers in comments are the rules of eso.md 7.2.
 */

import { parseGoDuration } from '../api/duration.ts';
import type { DataFromEntry, ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { FieldPath, Problem, ProblemReason } from '../api/problem.ts';
import { FORBIDDEN_SECRET_TYPES } from './secret-types.ts';

type Report = (path: FieldPath, reason: ProblemReason, message: string) => void;

/** @param spec in the hub version and valid by its schema */
export function validateExternalSecretSpec(spec: ExternalSecretSpec): readonly Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, reason, message) =>
    problems.push({ path: ['spec', ...path], reason, message });
  validateSources(spec, report);
  validateTarget(spec, report);
  validateRefresh(spec, report);
  return problems;
}

const unsupported = (report: Report, path: FieldPath, what: string, instead = 'leave it out'): void =>
  report(path, 'FieldValueNotSupported', `${what} is not supported yet; ${instead}`);
const ONE_STORE = 'make one ExternalSecret for each store';
const NAME_EACH = 'name each secret in data, or with extract';

function validateSources(spec: ExternalSecretSpec, report: Report): void {
  const data = spec.data ?? [];
  const dataFrom = spec.dataFrom ?? [];
  // 3
  if (data.length === 0 && dataFrom.length === 0) {
    report(
      [],
      'FieldValueRequired',
      'either data or dataFrom should be specified; list at least one secret to fetch',
    );
  }
  const needsStore =
    data.some((entry) => entry.sourceRef?.storeRef === undefined) ||
    dataFrom.some((entry) => entry.extract !== undefined && entry.sourceRef?.storeRef === undefined);
  if (needsStore && (spec.secretStoreRef?.name ?? '') === '') {
    report(
      ['secretStoreRef', 'name'],
      'FieldValueRequired',
      'no store is named; set it to the SecretStore or ClusterSecretStore to read from',
    );
  }

  const firstAt = new Map<string, number>();
  for (const [index, entry] of data.entries()) {
    const path: FieldPath = ['data', index];
    if (entry.remoteRef.key === '')
      report([...path, 'remoteRef', 'key'], 'FieldValueRequired', 'the key is empty; name the remote secret');
    const first = firstAt.get(entry.secretKey);
    // 11: with another deletionPolicy ESO lets a later entry overwrite an earlier one.
    if (first === undefined) firstAt.set(entry.secretKey, index);
    else if ((spec.target?.deletionPolicy ?? 'Retain') === 'Retain') {
      report(
        [...path, 'secretKey'],
        'FieldValueDuplicate',
        `duplicate secretKey found: ${entry.secretKey} (also spec.data[${first}]); use each key once`,
      );
    }
    if (entry.sourceRef !== undefined)
      unsupported(report, [...path, 'sourceRef'], 'another source for one entry', ONE_STORE);
    validateRemoteRef(entry.remoteRef, [...path, 'remoteRef'], report);
  }
  for (const [index, entry] of dataFrom.entries()) validateDataFrom(entry, ['dataFrom', index], report);
}

function validateRemoteRef(
  ref: {
    decodingStrategy?: string | undefined;
    nullBytePolicy?: string | undefined;
  },
  path: FieldPath,
  report: Report,
): void {
  if ((ref.decodingStrategy ?? 'None') !== 'None')
    unsupported(report, [...path, 'decodingStrategy'], `decodingStrategy ${ref.decodingStrategy}`);
  if ((ref.nullBytePolicy ?? 'Ignore') !== 'Ignore')
    unsupported(report, [...path, 'nullBytePolicy'], `nullBytePolicy ${ref.nullBytePolicy}`);
}

function validateDataFrom(entry: DataFromEntry, path: FieldPath, report: Report): void {
  const { extract, find, sourceRef, rewrite } = entry;
  const sources = [extract, find, sourceRef?.generatorRef].filter((source) => source !== undefined);
  if (sources.length > 1) {
    // 8
    report(
      path,
      'FieldValueInvalid',
      'extract, find, or generatorRef cannot be set at the same time; make one entry of each',
    );
  } else if (extract === undefined && find === undefined && sourceRef === undefined) {
    // 9
    report(
      path,
      'FieldValueRequired',
      'either extract, find, or sourceRef must be set to dataFrom; name a secret with extract.key',
    );
  } else if (
    sourceRef !== undefined &&
    sourceRef.generatorRef === undefined &&
    sourceRef.storeRef === undefined
  ) {
    // 10
    report(
      [...path, 'sourceRef'],
      'FieldValueRequired',
      'generatorRef or storeRef must be set when using sourceRef in dataFrom',
    );
  } else if (sources.length === 0) {
    report(path, 'FieldValueRequired', 'sourceRef.storeRef alone fetches nothing; add extract');
  }
  if (extract !== undefined) {
    if (extract.key === '')
      report([...path, 'extract', 'key'], 'FieldValueRequired', 'the key is empty; name the remote secret');
    validateRemoteRef(extract, [...path, 'extract'], report);
  }
  if (find !== undefined) unsupported(report, [...path, 'find'], 'dataFrom.find', NAME_EACH);
  if (sourceRef?.generatorRef !== undefined)
    unsupported(report, [...path, 'sourceRef', 'generatorRef'], 'a generator', 'remove this entry');
  if (sourceRef?.storeRef !== undefined)
    unsupported(report, [...path, 'sourceRef', 'storeRef'], 'another store for one entry', ONE_STORE);
  if (rewrite !== undefined && rewrite.length > 0) unsupported(report, [...path, 'rewrite'], 'rewrite');
}

function validateTarget(spec: ExternalSecretSpec, report: Report): void {
  const target = spec.target;
  if (target === undefined) return;
  const { creationPolicy = 'Owner', deletionPolicy = 'Retain', template } = target;
  // 1
  if (deletionPolicy === 'Delete' && ['Merge', 'None', 'CreateOrMerge'].includes(creationPolicy)) {
    report(
      ['target', 'deletionPolicy'],
      'FieldValueInvalid',
      "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
    );
  }
  // 2
  if (deletionPolicy === 'Merge' && creationPolicy === 'None') {
    report(
      ['target', 'deletionPolicy'],
      'FieldValueInvalid',
      'deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with',
    );
  }
  if (creationPolicy !== 'Owner')
    unsupported(report, ['target', 'creationPolicy'], `creationPolicy ${creationPolicy}`);
  if (deletionPolicy !== 'Retain')
    unsupported(report, ['target', 'deletionPolicy'], `deletionPolicy ${deletionPolicy}`);
  if (target.immutable === true) unsupported(report, ['target', 'immutable'], 'an immutable target');
  if (target.manifest !== undefined) {
    report(
      ['target', 'manifest'],
      'FieldValueNotSupported',
      'a target other than a Secret is not supported; leave manifest out',
    );
  }
  if (template === undefined) return;

  const type = template.type ?? '';
  // 4 and 6, and stricter than ESO: without the annotation the type has no use either.
  if (FORBIDDEN_SECRET_TYPES.has(type)) {
    report(
      ['target', 'template', 'type'],
      'FieldValueForbidden',
      `template.type=${type} is not allowed: it would make credentials of the cluster itself; use another type`,
    );
  }
  for (const [index, from] of (template.templateFrom ?? []).entries()) {
    const at: FieldPath = ['target', 'template', 'templateFrom', index, 'target'];
    const into = from.target ?? 'Data';
    // 7
    if (
      target.manifest === undefined &&
      !['', 'data', 'annotations', 'labels'].includes(into.toLowerCase())
    ) {
      report(
        at,
        'FieldValueInvalid',
        `templateFrom target=${into} is not allowed when targeting a Secret, must be one of "Data", "Annotations" or "Labels"`,
      );
    }
    // 5
    if (type === 'kubernetes.io/service-account-token' && into.toLowerCase() === 'annotations') {
      report(
        at,
        'FieldValueForbidden',
        `template.type=${type} with templateFrom target=${into} is not allowed; use another type`,
      );
    }
  }
  const rendered =
    Object.keys(template.data ?? {}).length > 0 ||
    (template.templateFrom ?? []).length > 0 ||
    template.metadata !== undefined;
  if (rendered) unsupported(report, ['target', 'template'], 'a template with data, templateFrom or metadata');
}

function validateRefresh(spec: ExternalSecretSpec, report: Report): void {
  const { refreshInterval, refreshPolicy, syncWindows } = spec;
  if (
    refreshInterval !== undefined &&
    refreshInterval !== '' &&
    parseGoDuration(refreshInterval) === undefined
  ) {
    report(
      ['refreshInterval'],
      'FieldValueInvalid',
      `"${refreshInterval}" is not a duration; write it like 30s, 5m or 1h30m (0 fetches once)`,
    );
  }
  if (refreshPolicy !== undefined && refreshPolicy !== 'Periodic')
    unsupported(report, ['refreshPolicy'], `refreshPolicy ${refreshPolicy}`);
  if (syncWindows !== undefined) unsupported(report, ['syncWindows'], 'syncWindows');
}
