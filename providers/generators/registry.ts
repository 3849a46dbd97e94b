/** The generators there are, one line each, and the way from any object that is a generator to one of them. */
import {
  CLUSTER_GENERATOR,
  GENERATORS,
  type GeneratorKind,
  type GeneratorRefKind,
  isGeneratorKind,
  SECRET_GENERATOR,
} from '../../api/generators/names.ts';
import { clusterGeneratorSpec, secretGeneratorSpec } from '../../api/generators/v1alpha1/schemas.ts';
import { isJsonObject } from '../../api/json.ts';
import { below, collector, type FieldPath, type Problem } from '../../api/problem.ts';
import { parseWith } from '../schema-problems.ts';
import type { Generator } from './contract.ts';
import { ecrAuthorizationTokenGenerator } from './ecr-authorization-token.ts';
import { fakeGenerator } from './fake.ts';
import { githubAccessTokenGenerator } from './github-access-token.ts';
import { mfaGenerator } from './mfa.ts';
import { passwordGenerator } from './password.ts';
import { sshKeyGenerator } from './ssh-key.ts';
import { stsSessionTokenGenerator } from './sts-session-token.ts';
import { uuidGenerator } from './uuid.ts';
import { vaultDynamicSecretGenerator } from './vault-dynamic-secret.ts';
import { webhookGenerator } from './webhook.ts';

// Sound without the type of the spec: a generator only ever gets one that its own schema has parsed.
const registered = [
  ecrAuthorizationTokenGenerator,
  fakeGenerator,
  githubAccessTokenGenerator,
  mfaGenerator,
  passwordGenerator,
  sshKeyGenerator,
  stsSessionTokenGenerator,
  uuidGenerator,
  vaultDynamicSecretGenerator,
  webhookGenerator,
] as readonly Generator<unknown>[];
const generators: ReadonlyMap<string, Generator<unknown>> = new Map(registered.map((one) => [one.kind, one]));

/** True if an ExternalSecret may refer to this kind; what kind a wrapper holds is seen when it is read. */
export const supportsGenerator = (kind: GeneratorRefKind): boolean =>
  generators.has(kind) || kind === CLUSTER_GENERATOR || kind === SECRET_GENERATOR;

/** What is said of a kind that is not supported. */
export const generatorNotSupported = (kind: string): string =>
  `generator kind ${kind} is not supported yet; supported: ${[...generators.keys(), CLUSTER_GENERATOR].sort().join(', ')}`;

/** The generator that an object describes, or what is wrong with it; paths are relative to its spec. */
export type GeneratorChoice =
  | { readonly ok: true; readonly generator: Generator<unknown>; readonly spec: unknown }
  | {
      readonly ok: false;
      /** True: nothing is wrong but that there is no such generator here. */
      readonly unsupported: boolean;
      readonly problems: readonly Problem[];
    };

const refuse = (problems: readonly Problem[]): GeneratorChoice => ({
  ok: false,
  unsupported: false,
  problems,
});

/** The kind and spec that an object stands for, a wrapper for that within, and where in its spec that is. */
interface Unwrapped {
  readonly kind: GeneratorKind;
  readonly spec: unknown;
  readonly path: FieldPath;
}

/** @returns undefined if the wrapper does not hold what its kind asks for */
function unwrap(kind: GeneratorRefKind, spec: unknown): Unwrapped | undefined {
  if (kind !== CLUSTER_GENERATOR && kind !== SECRET_GENERATOR) return { kind, spec, path: [] };
  if (!isJsonObject(spec)) return undefined;
  const { kind: inner } = spec;
  if (typeof inner !== 'string' || !isGeneratorKind(inner)) return undefined;
  if (kind === SECRET_GENERATOR) return { kind: inner, spec: spec['spec'], path: ['spec'] };
  const { member } = GENERATORS[inner];
  const { generator } = spec;
  if (!isJsonObject(generator) || !isJsonObject(generator[member])) return undefined;
  return { kind: inner, spec: generator[member], path: ['generator', member] };
}

/**
 * Picks the generator of an object and parses its spec; pure.
 * @param spec as it stands in the object; undefined counts as empty
 */
export function generatorOf(kind: GeneratorRefKind, spec: unknown): GeneratorChoice {
  const wrapper =
    kind === CLUSTER_GENERATOR
      ? clusterGeneratorSpec
      : kind === SECRET_GENERATOR
        ? secretGeneratorSpec
        : undefined;
  if (wrapper !== undefined) {
    const parsed = parseWith<{ kind: GeneratorKind }>(wrapper, spec ?? {});
    if (!parsed.ok) return refuse(parsed.problems);
  }
  const unwrapped = unwrap(kind, spec);
  if (unwrapped === undefined) return refuse(mismatch(spec));
  const { path } = unwrapped;
  const generator = generators.get(unwrapped.kind);
  if (generator === undefined) {
    const { report, problems } = collector(path);
    report('generator-kind', [], generatorNotSupported(unwrapped.kind));
    return { ok: false, unsupported: true, problems };
  }
  const parsed = parseWith(generator.schema, unwrapped.spec ?? {});
  const problems = parsed.ok
    ? generator.validateSpec(parsed.value, kind === CLUSTER_GENERATOR)
    : parsed.problems;
  if (!parsed.ok || problems.length > 0) return refuse(below(path, problems));
  return { ok: true, generator, spec: parsed.value };
}

/** A ClusterGenerator whose one member is not that of its kind. */
function mismatch(spec: unknown): readonly Problem[] {
  const kind = isJsonObject(spec) && typeof spec['kind'] === 'string' ? spec['kind'] : '';
  const member = isGeneratorKind(kind) ? GENERATORS[kind].member : '';
  const { report, problems } = collector(['generator']);
  report('generator-member', [member], `when kind is ${kind}, ${member} must be set`);
  return problems;
}

/** The controller class that an object names, a wrapper through what it holds; '' means any. */
export function generatorClass(kind: GeneratorRefKind, spec: unknown): string {
  const inner = unwrap(kind, spec)?.spec;
  const controller = isJsonObject(inner) ? inner['controller'] : undefined;
  return typeof controller === 'string' ? controller : '';
}
