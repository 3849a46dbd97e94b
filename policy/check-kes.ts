/**
 * The judgement on an ExternalSecret of KES: its schema, then what that cannot say. Pure; used by both hooks and by the
 * poller, since KES itself stored objects without asking anybody.
 */
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { isJsonObject } from '../api/json.ts';
import type { KesEnvironment } from '../api/kubernetes-client/environment.ts';
import { kesOf } from '../api/kubernetes-client/part.ts';
import { type KesObject, kesSecretType, kesToHub } from '../api/kubernetes-client/to-hub.ts';
import {
  KES_SERVED_BACKENDS,
  type KesBackend,
  type KesDataItem,
  type KesSpec,
  kesSpec,
} from '../api/kubernetes-client/v1/external-secret.ts';
import {
  below,
  collector,
  type FieldPath,
  formatProblem,
  type Problem,
  type Report,
} from '../api/problem.ts';
import { providerOf } from '../providers/registry.ts';
import { parseWith } from '../providers/schema-problems.ts';
import type { Checked } from './check-object.ts';
import { templateWarnings, validateKesTemplate } from './kes-template.ts';
import { FORBIDDEN_SECRET_TYPES } from './secret-types.ts';

const SECRET_KEY = /^[-._a-zA-Z0-9]{1,253}$/;
/** What Azure takes; it becomes the name of the host that is talked to. */
const KEY_VAULT_NAME = /^[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$/;

/**
 * @param object as it is on the wire
 * @returns the object in the form of the hub; with problems it is one that nothing is read for
 */
export function checkKes(object: unknown, environment: KesEnvironment): Checked<ExternalSecret> {
  const written = object as KesObject;
  const { report, problems } = collector();
  if (!isJsonObject(written.spec)) {
    report('kes-spec', ['spec'], 'the spec is missing; say what to fetch, and from which backendType');
    return refused(written, problems, environment);
  }
  const parsed = parseWith(kesSpec, written.spec);
  if (!parsed.ok) return refused(written, below(['spec'], parsed.problems), environment);
  const spec = parsed.value;
  const inSpec = collector(['spec']);
  validateSpec(spec, inSpec.report);
  const hub = kesToHub({ ...written, spec }, environment).externalSecret;
  const all = [...inSpec.problems, ...(inSpec.problems.length > 0 ? [] : providerProblems(spec, hub))];
  if (all.length > 0) return { ...withReason(hub, all), problems: all, warnings: [] };
  return { hub, problems: [], warnings: warningsOf(spec, hub) };
}

/** What has no shape is not looked into. */
function refused(
  { metadata, status }: KesObject,
  problems: readonly Problem[],
  environment: KesEnvironment,
): Checked<ExternalSecret> {
  const empty: KesObject = { metadata, status, spec: { backendType: 'vault' } };
  const { hub } = withReason(kesToHub(empty, environment).externalSecret, problems);
  return { hub, problems, warnings: [] };
}

function withReason(hub: ExternalSecret, problems: readonly Problem[]): { readonly hub: ExternalSecret } {
  const part = kesOf(hub);
  if (part === undefined) return { hub };
  const reason = problems.map(formatProblem).join('; ');
  return { hub: { ...hub, spec: { ...hub.spec, kes: { ...part, refused: reason } } } };
}

function validateSpec(spec: KesSpec, report: Report): void {
  const { backendType, data, dataFrom, dataFromWithOptions } = spec;
  if (!(KES_SERVED_BACKENDS as readonly KesBackend[]).includes(backendType)) {
    report(
      'kes-backend',
      ['backendType'],
      `${backendType} is not supported; supported values: ${KES_SERVED_BACKENDS.join(', ')}`,
    );
  }
  if (data === undefined && dataFrom === undefined && dataFromWithOptions === undefined)
    report('kes-source', [], 'one of data, dataFrom and dataFromWithOptions must list what to fetch');
  for (const [index, item] of (data ?? []).entries())
    validateItem(item, backendType, (rule, path, message) => report(rule, ['data', index, ...path], message));
  if (backendType === 'azureKeyVault' && !KEY_VAULT_NAME.test(spec.keyVaultName ?? '')) {
    if (!spec.keyVaultName)
      report('kes-key-vault', ['keyVaultName'], 'azureKeyVault needs the name of a key vault');
    else
      report(
        'kes-key-vault-name',
        ['keyVaultName'],
        'must be the name of a key vault: 3 to 24 letters, digits and dashes, beginning with a letter',
      );
  }
  const type = kesSecretType(spec);
  if (type !== undefined && FORBIDDEN_SECRET_TYPES.has(type)) {
    report(
      'kes-secret-type',
      spec.template?.['type'] === type ? ['template', 'type'] : ['type'],
      `Secrets of type ${type} would be credentials of the cluster itself; use another type`,
    );
  }
  validateKesTemplate(spec.template, report);
}

function validateItem(item: KesDataItem, backend: KesBackend, report: Report): void {
  const { key, name, path, property } = item;
  if (path !== undefined) {
    const beside = (['key', 'name', 'property'] as const).filter((field) => item[field] !== undefined);
    if (beside.length > 0)
      report(
        'kes-path-alone',
        ['path'],
        `path reads all that is under it; leave ${beside.join(' and ')} out`,
      );
    if (backend !== 'systemManager')
      report('kes-path-backend', ['path'], `${backend} has no paths; only systemManager has`);
    else if (!path.startsWith('/'))
      report('kes-path', ['path'], 'must begin with a slash, as the names of parameters in folders do');
    return;
  }
  if (!key) report('kes-entry-key', ['key'], 'name the secret to read, or give a path (systemManager)');
  if (!name) report('kes-entry-name', ['name'], 'name the key that the value gets in the Secret');
  else if (!SECRET_KEY.test(name))
    report(
      'kes-secret-key',
      ['name'],
      'cannot be a key of a Secret: only -._a-zA-Z0-9 may occur, 253 of them',
    );
  if (property === '')
    report('kes-property', ['property'], 'names no member; leave it out to get the whole secret');
}

/** Where a field of a provider's block comes from. */
const FIELDS: readonly (readonly [inBlock: string, field: keyof KesSpec])[] = [
  ['vault.auth.kubernetes.mountPath', 'vaultMountPoint'],
  ['vault.auth.kubernetes.role', 'vaultRole'],
  ['aws.region', 'region'],
  ['aws.role', 'roleArn'],
  ['azurekv.vaultUrl', 'keyVaultName'],
  ['gcpsm.projectID', 'projectId'],
];

/** What the provider says about the store that the fields stand for, and about the keys. */
function providerProblems(spec: KesSpec, hub: ExternalSecret): readonly Problem[] {
  const part = kesOf(hub);
  if (part === undefined || part.lacking !== undefined) return [];
  const choice = providerOf(part.provider);
  const scope = { kind: 'ClusterSecretStore', namespace: undefined } as const;
  const problems = choice.ok
    ? below([choice.name], choice.provider.validateConfig(choice.config, scope))
    : choice.problems;
  if (problems.length > 0 || !choice.ok) {
    return problems.map((problem) => ({ ...problem, path: ['spec', fieldOf(problem.path)] }));
  }
  const { report, problems: found } = collector(['spec']);
  for (const [key, path] of keysOf(spec)) {
    const why = choice.provider.validateRef?.(choice.config, { key });
    if (why !== undefined) report('kes-key', path, why);
  }
  return found;
}

/** What the environment makes is the environment's; the field that chose it is named then. */
function fieldOf(path: FieldPath): string {
  const written = path.join('.');
  return FIELDS.find(([inBlock]) => written.startsWith(inBlock))?.[1] ?? 'backendType';
}

function keysOf({
  data = [],
  dataFrom = [],
  dataFromWithOptions = [],
}: KesSpec): (readonly [string, FieldPath])[] {
  return [
    ...dataFrom.map((key, index) => [key, ['dataFrom', index]] as const),
    ...dataFromWithOptions.map(({ key }, index) => [key, ['dataFromWithOptions', index, 'key']] as const),
    ...data.flatMap(({ key }, index) => (key === undefined ? [] : [[key, ['data', index, 'key']] as const])),
  ];
}

/** Fields by the backends that read them. */
const OF_BACKENDS: readonly (readonly [field: keyof KesSpec, backends: readonly KesBackend[]])[] = [
  ['vaultRole', ['vault']],
  ['vaultMountPoint', ['vault']],
  ['kvVersion', ['vault']],
  ['keyVaultName', ['azureKeyVault']],
  ['roleArn', ['secretsManager', 'systemManager']],
  ['region', ['secretsManager', 'systemManager']],
  ['projectId', ['gcpSecretsManager']],
  ['keyByName', []],
];
const ITEM_OF_BACKENDS: readonly (readonly [field: keyof KesDataItem, backends: readonly KesBackend[]])[] = [
  ['secretType', []],
  ['version', ['gcpSecretsManager']],
  ['versionStage', ['secretsManager']],
  ['versionId', ['secretsManager']],
];

function warningsOf(spec: KesSpec, hub: ExternalSecret): readonly Problem[] {
  const { report, problems } = collector(['spec']);
  const { backendType } = spec;
  const unused = (field: string, path: FieldPath): void =>
    report('kes-unused-field', path, `${field} means nothing to ${backendType}; leave it out`);
  for (const [field, backends] of OF_BACKENDS)
    if (spec[field] !== undefined && !backends.includes(backendType)) unused(field, [field]);
  for (const [field, backends] of ITEM_OF_BACKENDS) {
    if (backends.includes(backendType)) continue;
    for (const [index, item] of (spec.data ?? []).entries())
      if (item[field] !== undefined) unused(field, ['data', index, field]);
  }
  templateWarnings(spec.template, report);
  const lacking = kesOf(hub)?.lacking;
  if (lacking !== undefined)
    report('kes-environment', ['backendType'], `nothing can be read yet: ${lacking}`);
  return problems;
}

/** Field that a field of the hub form stands for. */
export function kesPath(path: FieldPath): FieldPath {
  const [first, second, third, ...rest] = path;
  if (first !== 'spec') return path;
  if (second === 'secretStoreRef') return ['spec', 'backendType'];
  if (second === 'target' && third === 'template') return ['spec', 'template', ...rest];
  if (second === 'target') return ['metadata', 'name'];
  if (second === 'refreshInterval' || second === 'refreshPolicy') return ['spec'];
  return path;
}
