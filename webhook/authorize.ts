/**
 * Whether the caller could have made the Secret himself, and may use the stores of the cluster that it is read
 * from (`--authorize-callers`). Only admission knows the caller; later syncs are nobody's.
 */
import { isDeepStrictEqual } from 'node:util';
import { GROUP, HUB_VERSION } from '../api/external-secrets/names.ts';
import { pathInVersion } from '../api/external-secrets/paths.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { isKes } from '../api/kubernetes-client/names.ts';
import { collector, type FieldPath, type Problem } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';
import type { UserInfo } from '../kube/objects.ts';
import { kesPath } from '../policy/check-kes.ts';
import { namedStores } from '../policy/policy-rules.ts';
import { embeddedPath } from '../policy/validate-cluster-external-secret.ts';
import type { AccessReviews } from '../sync/access-reviews.ts';
import { creationPolicyOf, targetName } from '../sync/plan.ts';

export const AUTHORIZE_MODES = ['off', 'warn', 'enforce'] as const;
export type AuthorizeMode = (typeof AUTHORIZE_MODES)[number];

const makesSecret = (es: ExternalSecret): boolean => creationPolicyOf(es.spec) !== 'None';

/** True if the Secret that `es` is about is another one than before, or nobody made one before. */
const isNewTarget = (es: ExternalSecret, before: ExternalSecret | undefined): boolean =>
  makesSecret(es) && (before === undefined || !makesSecret(before) || targetName(es) !== targetName(before));

/**
 * What the caller may not do, one problem each, all questions asked side by side; in the hub version.
 * @param es without a namespace: one that is made in namespaces that nobody knows yet
 * @param before the stored object on UPDATE: only what is new is asked for
 * @throws KubeError if the API server cannot say
 */
async function missingRights(
  es: ExternalSecret,
  before: ExternalSecret | undefined,
  user: UserInfo,
  access: AccessReviews,
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const namespace = es.metadata.namespace ?? '';
  const who = `user "${user.username ?? ''}"`;
  const questions: {
    readonly allowed: Promise<boolean>;
    readonly rule: RuleId;
    readonly path: FieldPath;
    readonly message: string;
  }[] = [];
  if (isNewTarget(es, before)) {
    const secrets = { group: '', version: 'v1', resource: 'secrets' };
    questions.push({
      allowed:
        namespace === ''
          ? access.may(user, { verb: 'create', ...secrets }, signal)
          : access.mayCreate(user, { ...secrets, namespace }, signal),
      rule: 'caller-creates-secrets',
      path: ['spec', 'target', 'name'],
      message: `${who} may not create secrets in ${namespace === '' ? 'all namespaces' : `namespace "${namespace}"`}, so not through an ExternalSecret either; ask for that right`,
    });
  }
  const known = new Set(
    before === undefined ? [] : namedStores(before.spec).map(({ kind, name }) => `${kind}/${name}`),
  );
  // The one store of KES is the program's own; what may be read through it is said by the namespace.
  for (const { kind, name, path } of isKes(es) ? [] : namedStores(es.spec)) {
    if (kind !== 'ClusterSecretStore' || known.has(`${kind}/${name}`)) continue;
    const resource = { group: GROUP, version: HUB_VERSION, resource: 'clustersecretstores', name };
    questions.push({
      allowed: access.may(user, { verb: 'use', ...resource }, signal),
      rule: 'caller-uses-store',
      path,
      message: `${who} may not use ClusterSecretStore "${name}"; ask for the verb use on it`,
    });
  }
  const answers = await Promise.all(questions.map(({ allowed }) => allowed));
  const { report, problems } = collector();
  for (const [index, { rule, path, message }] of questions.entries()) {
    if (answers[index] !== true) report(rule, path, message);
  }
  return problems;
}

const selectionOf = ({ spec }: ClusterExternalSecret): readonly unknown[] => [
  spec.namespaceSelectors,
  spec.namespaceSelector,
  spec.namespaces,
];

/** The ExternalSecret that it stands for, in no namespace. */
const embedded = ({ apiVersion, metadata, spec }: ClusterExternalSecret): ExternalSecret => ({
  apiVersion,
  kind: 'ExternalSecret',
  metadata: { name: spec.externalSecretName ?? metadata.name },
  spec: spec.externalSecretSpec,
});

export class CallerAuthorizer {
  readonly mode: AuthorizeMode;
  readonly #access: AccessReviews;

  constructor(mode: AuthorizeMode, access: AccessReviews) {
    this.mode = mode;
    this.#access = access;
  }

  /** @returns what the caller may not do, in the user's version; nothing if the mode is off @throws KubeError */
  async problems(
    es: ExternalSecret,
    before: ExternalSecret | undefined,
    version: Parameters<typeof pathInVersion>[0],
    user: UserInfo,
    signal: AbortSignal,
  ): Promise<readonly Problem[]> {
    if (this.mode === 'off') return [];
    const problems = await missingRights(es, before, user, this.#access, signal);
    return problems.map((problem) => ({
      ...problem,
      path: isKes(es) ? kesPath(problem.path) : pathInVersion(version, 'ExternalSecret', problem.path),
    }));
  }

  /**
   * The same of a ClusterExternalSecret. What it makes is made by the poller, so this is where the rights of a person
   * are asked for: in all namespaces, since a selector may match any. Who chooses other namespaces is asked as if
   * it were new. @throws KubeError
   */
  async clusterProblems(
    ces: ClusterExternalSecret,
    before: ClusterExternalSecret | undefined,
    user: UserInfo,
    signal: AbortSignal,
  ): Promise<readonly Problem[]> {
    if (this.mode === 'off') return [];
    const same = before !== undefined && isDeepStrictEqual(selectionOf(ces), selectionOf(before));
    const problems = await missingRights(
      embedded(ces),
      same ? embedded(before) : undefined,
      user,
      this.#access,
      signal,
    );
    return problems.map((problem) => ({ ...problem, path: embeddedPath(problem.path) }));
  }

  /** False where the validating hook will refuse the create of this object. @throws KubeError */
  readonly may = async (es: ExternalSecret, user: UserInfo, signal: AbortSignal): Promise<boolean> =>
    this.mode !== 'enforce' || (await missingRights(es, undefined, user, this.#access, signal)).length === 0;
}
