/**
 * The judgement on one object as a cluster would give it: whether anything serves its kind, what the API server says
 * from metadata and schema, then what the validating hook says. The rules that the CRDs hold in CEL are among those
 * of the hook (test: every one of them has a case here), so they need no interpreter.
 */
import { checkMetadata } from '../api/crd/check-metadata.ts';
import { checkStructural } from '../api/crd/check-structural.ts';
import { buildCrds, type CustomResourceDefinition } from '../api/crd/crds.ts';
import { buildGeneratorCrds } from '../api/crd/generator-crds.ts';
import { buildPolicyCrd } from '../api/crd/policy-crd.ts';
import type { StructuralSchema } from '../api/crd/structural.ts';
import { EsaError } from '../api/errors.ts';
import { GROUP, HUB_VERSION, SERVED_VERSIONS, type ServedVersion } from '../api/external-secrets/names.ts';
import type { ExternalSecret, SecretStore } from '../api/external-secrets/v1/index.ts';
import { GENERATOR_GROUP, GENERATOR_REF_KINDS, generatorResource } from '../api/generators/names.ts';
import { isJsonObject } from '../api/json.ts';
import { type ClusterSecretPolicy, POLICY_GROUP, POLICY_KIND } from '../api/policy/cluster-secret-policy.ts';
import { type FieldPath, formatFieldPath } from '../api/problem.ts';
import { checkGenerator } from '../policy/check-generator.ts';
import { checkClusterExternalSecret, checkExternalSecret, checkStore } from '../policy/check-object.ts';
import { validateClusterPolicy } from '../policy/validate-cluster-policy.ts';
import { providerSchemas } from '../providers/registry.ts';
import type { ManifestObject } from './manifest.ts';

/** Something to say about a field; the rule that it is about, where it has a name. */
export interface Remark {
  readonly path: FieldPath;
  readonly message: string;
  readonly rule?: string;
}

export interface Judged {
  readonly manifest: ManifestObject;
  /** `ExternalSecret app`, for messages. */
  readonly label: string;
  /** A cluster would refuse it. */
  readonly problems: readonly Remark[];
  /** A cluster would take it with a word. */
  readonly warnings: readonly Remark[];
  /** What cannot be judged here. */
  readonly notes: readonly Remark[];
  /** The object in the hub version with its namespace, if it is sound and of a kind that others are judged by. */
  readonly sound?: SoundObject;
}

interface Sound<Kind extends string, Hub> {
  readonly kind: Kind;
  /** In which the user wrote it. */
  readonly version: ServedVersion;
  /** With its namespace. */
  readonly hub: Hub;
}

export type SoundObject =
  | Sound<'ExternalSecret', ExternalSecret>
  | Sound<'SecretStore', SecretStore>
  | Sound<'ClusterSecretStore', SecretStore>
  | Sound<typeof POLICY_KIND, ClusterSecretPolicy>;

interface Served {
  readonly scope: 'Namespaced' | 'Cluster';
  readonly versions: ReadonlyMap<string, StructuralSchema>;
}

const OUR_GROUPS: readonly string[] = [GROUP, GENERATOR_GROUP, POLICY_GROUP];

/** Kinds of External Secrets Operator 2.9 that are not ours: its own CRDs serve them, where they are installed. */
const SERVED_BY_ESO: ReadonlySet<string> = new Set([
  `${GROUP}/ClusterPushSecret`,
  `${GROUP}/PushSecret`,
  `${GENERATOR_GROUP}/GeneratorState`,
]);

let kinds: ReadonlyMap<string, Served> | undefined;

/** Every kind of the CRDs by `group/kind`; made once, since it takes some tenths of a second. */
export function servedKinds(): ReadonlyMap<string, Served> {
  kinds ??= buildKinds();
  return kinds;
}

function buildKinds(): ReadonlyMap<string, Served> {
  const crds = [
    ...buildCrds({ providers: providerSchemas, conversion: { namespace: '', serviceName: '' } }),
    ...buildGeneratorCrds(),
    buildPolicyCrd(),
  ];
  return new Map(crds.map((crd) => [`${crd.spec.group}/${crd.spec.names.kind}`, servedBy(crd)]));
}

const servedBy = ({ spec }: CustomResourceDefinition): Served => ({
  scope: spec.scope,
  versions: new Map(
    spec.versions
      .filter(({ served }) => served)
      .map(({ name, schema }) => [name, schema.openAPIV3Schema] as const),
  ),
});

type Words = Pick<Judged, 'problems' | 'warnings' | 'notes'>;
const SILENT: Words = { problems: [], warnings: [], notes: [] };

/** Judges objects of our groups. */
export class ObjectJudge {
  readonly #kinds = servedKinds();
  readonly #namespace: string;

  /** @param namespace of objects that name none */
  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** @returns undefined if the object is of another group, about which nothing can be said */
  judge(manifest: ManifestObject): Judged | undefined {
    const { object } = manifest;
    const { apiVersion, kind } = object;
    if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
    const [group = '', version = ''] = apiVersion.split('/');
    if (!OUR_GROUPS.includes(group)) return undefined;
    const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
    const name = typeof metadata['name'] === 'string' ? ` ${metadata['name']}` : '';
    const common = { manifest, label: `${kind}${name}` };
    const served = this.#kinds.get(`${group}/${kind}`);
    const schema = served?.versions.get(version);
    if (served === undefined || schema === undefined)
      return { ...common, ...SILENT, ...unserved(group, version, kind, served) };
    return { ...common, ...this.#judgeServed(group, version, kind, object, served.scope, schema) };
  }

  #judgeServed(
    group: string,
    version: string,
    kind: string,
    object: ManifestObject['object'],
    scope: Served['scope'],
    schema: StructuralSchema,
  ): Words & Pick<Judged, 'sound'> {
    const meta = checkMetadata(scope, object['metadata']);
    const { metadata: given, status: _dropped, ...rest } = object;
    const shape = checkStructural(schema, rest);
    // The server drops the status of a new object before it validates, but not before it looks for unknown fields.
    const status = 'status' in object ? checkStructural(schema, { status: object['status'] }).unknown : [];
    const unknown = [...meta.unknown, ...shape.unknown, ...status];
    const invalid = [...meta.invalid, ...shape.invalid];
    const all = (problems: readonly Remark[]): readonly Remark[] => [
      ...unknown,
      ...problems.filter((problem) => !isConsequence(problem, unknown, object)),
    ];
    // Rules only make sense of what has the right shape; what is misspelt counts as left out.
    if (invalid.length > 0) return { ...SILENT, problems: all(invalid) };
    const metadata = isJsonObject(given) ? given : {};
    const namespace = scope === 'Namespaced' ? { namespace: metadata['namespace'] || this.#namespace } : {};
    const complete = { ...(shape.value as object), metadata: { ...metadata, ...namespace } };
    const { problems, warnings, sound } = validated(group, version, kind, complete);
    const isSound = unknown.length === 0 && problems.length === 0 && sound !== undefined;
    return { problems: all(problems), warnings, notes: [], ...(isSound ? { sound } : {}) };
  }
}

/** True if something is said to be missing exactly where something is misspelt. */
function isConsequence(
  { path }: Remark,
  unknown: readonly Remark[],
  object: ManifestObject['object'],
): boolean {
  const holders = new Set(unknown.map((one) => formatFieldPath(one.path.slice(0, -1))));
  if (holders.size === 0) return false;
  let value: unknown = object;
  const present: (string | number)[] = [];
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) break;
    value = (value as Readonly<Record<string | number, unknown>>)[part];
    present.push(part);
  }
  return holders.has(formatFieldPath(present));
}

/** What kubectl would say, which asks the API server what there is. */
function unserved(group: string, version: string, kind: string, served: Served | undefined): Partial<Words> {
  if (served === undefined && SERVED_BY_ESO.has(`${group}/${kind}`)) {
    const message = `${kind} is left to External Secrets Operator and its CRDs; it is not judged here`;
    return { notes: [{ path: ['kind'], message }] };
  }
  const message =
    served === undefined
      ? `nothing serves kind ${JSON.stringify(kind)} of ${group}`
      : `${group} has no version ${JSON.stringify(version)} of ${kind}; it is served as ${[...served.versions.keys()].join(', ')}`;
  const path = served === undefined ? ['kind'] : ['apiVersion'];
  return { problems: [{ path, message }] };
}

/** The same functions as the validating hook calls. @param object without unknown fields, with defaults */
function validated(
  group: string,
  version: string,
  kind: string,
  object: Readonly<Record<string, unknown>>,
): Pick<Judged, 'problems' | 'warnings' | 'sound'> {
  const generator = GENERATOR_REF_KINDS.find((one) => one === kind && generatorResource(one).group === group);
  if (generator !== undefined) return checkGenerator(generator, object['spec']);
  const written = SERVED_VERSIONS.find((one) => one === version) ?? HUB_VERSION;
  switch (kind) {
    case 'ExternalSecret': {
      const { hub, problems, warnings } = checkExternalSecret(object);
      return { problems, warnings, sound: { kind, version: written, hub } };
    }
    case 'ClusterExternalSecret': {
      const { problems, warnings } = checkClusterExternalSecret(object);
      return { problems, warnings };
    }
    case 'SecretStore':
    case 'ClusterSecretStore': {
      const { hub, problems, warnings } = checkStore(object, kind);
      return { problems, warnings, sound: { kind, version: written, hub } };
    }
    case POLICY_KIND: {
      const hub = object as unknown as ClusterSecretPolicy;
      return {
        problems: validateClusterPolicy(object['spec'] ?? {}),
        warnings: [],
        sound: { kind, version: written, hub },
      };
    }
    default:
      throw new EsaError('INTERNAL', `there is a CRD of ${kind} and no rule on it`);
  }
}
