/** Rules on an aws block that its schema cannot say, without I/O. */
import { collector, type FieldPath, type Problem, type Report } from '../../api/problem.ts';
import type { BlockReference } from '../block-references.ts';
import type { FindRequest, RemoteRef, StoreContext } from '../contract.ts';
import { type AwsConfig, resolveAwsAuth, validateAwsConfig } from './config.ts';
import { parameterProblem } from './parameter-name.ts';
import { KNOWN_REGIONS } from './regions.ts';

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

/** The references that the credentials of the block come from. */
export function referencesOf(config: AwsConfig): BlockReference[] {
  const auth = resolveAwsAuth(config);
  if (auth.method === 'environment') return [];
  if (auth.method === 'serviceAccount') {
    const path =
      config.auth?.jwt?.serviceAccountRef === undefined
        ? ['auth', 'serviceAccount']
        : ['auth', 'jwt', 'serviceAccountRef'];
    return [{ kind: 'ServiceAccount', path, reference: auth.serviceAccountRef }];
  }
  const fields = [
    ['accessKeyIDSecretRef', auth.accessKeyId],
    ['secretAccessKeySecretRef', auth.secretAccessKey],
    ['sessionTokenSecretRef', auth.sessionToken],
  ] as const;
  return fields.flatMap(([field, reference]) =>
    reference === undefined ? [] : [{ kind: 'Secret', path: ['auth', 'secretRef', field], reference }],
  );
}

/**
 * The form of AWS's region names, by the partitions of its SDKs: new regions appear more often than new
 * versions of this program.
 */
const REGION =
  /^(?:(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d{1,2}|cn-[a-z]+-\d{1,2}|us-gov-[a-z]+-\d{1,2}|us-iso[bf]?-[a-z]+-\d{1,2}|eu-isoe-[a-z]+-\d{1,2}|eusc-[a-z]{2}-[a-z]+-\d{1,2})$/;

const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/;

function checkService({ service, region, secretsManager }: AwsConfig, report: Report): void {
  if (service === 'CertificateManager') {
    report(
      'aws-service',
      ['service'],
      'service CertificateManager serves only to push certificates into AWS, which is not done here; nothing can be read from it; supported: SecretsManager, ParameterStore',
    );
  }
  const { forceDeleteWithoutRecovery, recoveryWindowInDays } = secretsManager ?? {};
  // The API of Secrets Manager refuses both (DeleteSecret), and ESO at admission (eso.md 7.3).
  if (
    forceDeleteWithoutRecovery === true &&
    recoveryWindowInDays !== undefined &&
    recoveryWindowInDays !== 0
  ) {
    report(
      'aws-deletion',
      ['secretsManager'],
      'forceDeleteWithoutRecovery and recoveryWindowInDays exclude each other; leave one of them out',
    );
  }
  if (recoveryWindowInDays !== undefined && recoveryWindowInDays !== 0) {
    if (recoveryWindowInDays < 7 || recoveryWindowInDays > 30) {
      report('aws-recovery-window', ['secretsManager', 'recoveryWindowInDays'], 'AWS takes 7 to 30 days');
    }
  }
  if (!REGION.test(region)) {
    report('aws-region', ['region'], 'region not found; name an AWS region, such as eu-central-1');
  }
}

function checkAuth(config: AwsConfig, store: StoreScope, report: Report): void {
  const auth = resolveAwsAuth(config);
  if (auth.method === 'environment') {
    // What this program can reach in AWS is not for everyone who may write a store into a namespace.
    if (store.kind === 'ClusterSecretStore') return;
    report(
      'aws-auth',
      ['auth'],
      'a SecretStore brings its own credentials: set auth.jwt.serviceAccountRef or auth.secretRef; those of this program are lent to a ClusterSecretStore only',
    );
    return;
  }
  if (auth.method === 'serviceAccount') return;
  for (const [field, reference] of [
    ['accessKeyIDSecretRef', auth.accessKeyId],
    ['secretAccessKeySecretRef', auth.secretAccessKey],
  ] as const) {
    if (reference === undefined) {
      report(
        'aws-static-keys',
        ['auth', 'secretRef', field],
        'static credentials need both accessKeyIDSecretRef and secretAccessKeySecretRef',
      );
    }
  }
  for (const { path, reference } of referencesOf(config)) {
    if (reference.key === undefined || reference.key === '') {
      report('store-ref-key', [...path, 'key'], 'name the key of the Secret');
    }
  }
}

function checkRoles({ role, additionalRoles }: AwsConfig, report: Report): void {
  const roles: [FieldPath, string][] = (additionalRoles ?? []).map((arn, i) => [['additionalRoles', i], arn]);
  if (role !== undefined && role !== '') roles.push([['role'], role]);
  for (const [path, arn] of roles) {
    if (!ROLE.test(arn))
      report('aws-role', path, 'must be the ARN of a role: arn:aws:iam::<account>:role/<name>');
  }
}

/** Everything that is wrong with the block; paths are relative to it. */
export function validateAwsBlock(config: AwsConfig, store: StoreScope): Problem[] {
  const { report, problems } = collector();
  checkService(config, report);
  validateAwsConfig(config, store, report);
  checkAuth(config, store, report);
  checkRoles(config, report);
  return problems;
}

/** The stage or version id that a remoteRef.version means; undefined for `uuid/` without an id. */
export function versionOf(
  version: string | undefined,
): { VersionId: string } | { VersionStage: string } | undefined {
  // Never left out: not every stand-in for AWS takes AWSCURRENT for granted.
  if (version === undefined) return { VersionStage: 'AWSCURRENT' };
  if (!version.startsWith('uuid/')) return { VersionStage: version };
  const id = version.slice('uuid/'.length);
  return id === '' ? undefined : { VersionId: id };
}

/** The name (or ARN) that AWS is asked for. */
export const secretIdOf = ({ prefix = '' }: Pick<AwsConfig, 'prefix'>, key: string): string =>
  `${prefix}${key}`;

/**
 * An ARN is unique by itself; a name is within its region: `us-west-2/prod/database`, and for a parameter
 * `us-west-2/ssm:/prod/database`, which no secret can be called. A version that stands in the key of a parameter stays:
 * reads with equal keys are one read.
 */
export function canonicalAwsKey(
  { service, region, prefix }: Pick<AwsConfig, 'service' | 'region' | 'prefix'>,
  key: string,
): string {
  const id = secretIdOf({ prefix }, key);
  if (id.startsWith('arn:')) return id;
  return service === 'ParameterStore' ? `${region}/ssm:${id}` : `${region}/${id}`;
}

/** A sentence if this find can never work with a Parameter Store, else undefined. */
export function validateParameterFind({ path, nameRegexp, tags = {} }: FindRequest): string | undefined {
  if (nameRegexp === undefined && Object.keys(tags).length === 0) {
    return 'unexpected find operator: provider aws finds parameters by find.name.regexp or find.tags';
  }
  return path === undefined || path === '' || path.startsWith('/')
    ? undefined
    : 'find.path of a Parameter Store is a folder of its hierarchy and begins with "/"';
}

/** Why this remoteRef can never work with this store, or undefined. */
export function validateAwsRef(config: AwsConfig, ref: RemoteRef): string | undefined {
  if (config.service === 'ParameterStore') return parameterProblem(secretIdOf(config, ref.key), ref);
  return ref.metadata !== true && versionOf(ref.version) === undefined
    ? 'version "uuid/" names no version; write uuid/<id> or the name of a stage'
    : undefined;
}

/** What changes nothing here, or is likely not what was meant. */
export function warnAwsBlock(config: AwsConfig): readonly Problem[] {
  const { region, auth, secretsManager } = config;
  const { report, problems } = collector();
  if (REGION.test(region) && !KNOWN_REGIONS.has(region))
    report(
      'aws-region-unknown',
      ['region'],
      `"${region}" is none of AWS's regions as known here; is it misspelt?`,
    );
  if (auth?.secretRef !== undefined && resolveAwsAuth(config).method === 'serviceAccount')
    report(
      'aws-secret-ref-outranked',
      ['auth', 'secretRef'],
      'the ServiceAccount outranks it; it is not used',
    );
  if (secretsManager !== undefined) {
    report(
      'aws-push-only',
      ['secretsManager'],
      'only pushing secrets uses this, which is not done here; it changes nothing',
    );
  }
  return problems;
}
