/**
 * The whole judgement on an object that somebody wants to store, whichever served version it is written in:
 * schema, then rules, with the field paths of that version. Pure; both hooks call the same function.
 */
import { convertObject } from '../api/external-secrets/convert.ts';
import {
  GROUP,
  HUB_VERSION,
  SERVED_VERSIONS,
  type ServedVersion,
  type StoreKind,
} from '../api/external-secrets/names.ts';
import { pathInVersion } from '../api/external-secrets/paths.ts';
import {
  type ClusterExternalSecret,
  clusterExternalSecretSpec,
  type ExternalSecret,
  externalSecretSpec,
  type SecretStore,
  storeConditions,
} from '../api/external-secrets/v1/index.ts';
import type { JsonObject } from '../api/json.ts';
import { isJsonObject } from '../api/json.ts';
import { below, collector, type Problem } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';
import { annotationProblems } from '../providers/registry.ts';
import { parseWith } from '../providers/schema-problems.ts';
import { DEFAULT_STORE_LIMITS, storeLimits } from './store-limits.ts';
import {
  clusterExternalSecretWarnings,
  validateClusterExternalSecretSpec,
} from './validate-cluster-external-secret.ts';
import { externalSecretWarnings, validateExternalSecretSpec } from './validate-external-secret.ts';
import { limitWarnings, storeWarnings, validateStoreSpec } from './validate-store.ts';

export type CheckedKind = 'ExternalSecret' | StoreKind;

const HUB = `${GROUP}/${HUB_VERSION}`;

export interface Checked<T> {
  /** The object in the hub version. Only to be used if there are no problems. */
  readonly hub: T;
  /** Empty if it may be stored. */
  readonly problems: readonly Problem[];
  /** What may be stored and yet deserves a word. */
  readonly warnings: readonly Problem[];
}

const isVersion = (text: string): text is ServedVersion =>
  (SERVED_VERSIONS as readonly string[]).includes(text);

function versionOf(object: unknown): ServedVersion {
  const apiVersion = isJsonObject(object) ? object['apiVersion'] : undefined;
  const version = typeof apiVersion === 'string' ? (apiVersion.split('/')[1] ?? '') : '';
  return isVersion(version) ? version : HUB_VERSION;
}

function inVersion(
  version: ServedVersion,
  kind: CheckedKind,
  problems: readonly Problem[],
): readonly Problem[] {
  return version === HUB_VERSION
    ? problems
    : problems.map((problem) => ({ ...problem, path: pathInVersion(version, kind, problem.path) }));
}

function specMissing(rule: RuleId, remedy: string): readonly Problem[] {
  const { report, problems } = collector();
  report(rule, ['spec'], `the spec is missing; ${remedy}`);
  return problems;
}

export function checkExternalSecret(object: unknown): Checked<ExternalSecret> {
  const hub = convertObject(object as JsonObject, HUB) as unknown as ExternalSecret;
  if (!isJsonObject(hub.spec))
    return { hub, problems: specMissing('es-spec', 'say what to fetch'), warnings: [] };
  const version = versionOf(object);
  const parsed = parseWith(externalSecretSpec, hub.spec);
  if (!parsed.ok) {
    // Rules only make sense of what has the right shape.
    const problems = inVersion(version, 'ExternalSecret', below(['spec'], parsed.problems));
    return { hub, problems, warnings: [] };
  }
  // With the hub's defaults, as the API server will store it: an older version could not say some of them.
  const spec = parsed.value;
  return {
    hub: { ...hub, spec },
    problems: inVersion(version, 'ExternalSecret', validateExternalSecretSpec(spec)),
    warnings: inVersion(version, 'ExternalSecret', externalSecretWarnings(spec, hub.metadata?.annotations)),
  };
}

/** Both versions of a ClusterExternalSecret are the same, so paths need no translation. */
export function checkClusterExternalSecret(object: unknown): Checked<ClusterExternalSecret> {
  const hub = object as ClusterExternalSecret;
  if (!isJsonObject(hub.spec))
    return { hub, problems: specMissing('ces-spec', 'say what to make, and where'), warnings: [] };
  const parsed = parseWith(clusterExternalSecretSpec, hub.spec);
  if (!parsed.ok) {
    return { hub, problems: below(['spec'], parsed.problems), warnings: [] };
  }
  const spec = parsed.value;
  return {
    hub: { ...hub, spec },
    problems: validateClusterExternalSecretSpec(spec),
    warnings: clusterExternalSecretWarnings(spec),
  };
}

export function checkStore(object: unknown, kind: StoreKind): Checked<SecretStore> {
  const hub = convertObject(object as JsonObject, HUB) as unknown as SecretStore;
  if (!isJsonObject(hub.spec))
    return { hub, problems: specMissing('store-spec', 'name a provider'), warnings: [] };
  const version = versionOf(object);
  // What the rules walk through; the rest they judge themselves, in words of their own.
  const parsed = parseWith(storeConditions.optional(), hub.spec.conditions);
  if (!parsed.ok) {
    const problems = inVersion(version, kind, below(['spec', 'conditions'], parsed.problems));
    return { hub, problems, warnings: [] };
  }
  const problems = validateStoreSpec(
    kind,
    kind === 'SecretStore' ? hub.metadata?.namespace : undefined,
    hub.spec,
  );
  const { annotations } = hub.metadata ?? {};
  const limits = storeLimits(annotations, DEFAULT_STORE_LIMITS);
  return {
    hub,
    problems: [
      ...inVersion(version, kind, problems),
      ...limits.problems,
      ...annotationProblems(hub.spec.provider, annotations),
    ],
    warnings: [
      ...inVersion(version, kind, storeWarnings(kind, hub.spec)),
      ...limitWarnings(limits.limits, hub.spec),
    ],
  };
}
