/** The webhooks of deploy/manifests/webhook-configurations.yaml, as far as doctor looks at them (a test compares them). */

export interface ExpectedHook {
  readonly failurePolicy: 'Fail' | 'Ignore';
  /** `resource.group`, in alphabetical order. */
  readonly resources: readonly string[];
  readonly operations: readonly string[];
  readonly timeoutSeconds: number;
}

const ESO = 'external-secrets.io';
const GENERATORS = 'generators.external-secrets.io';
const BOTH = ['CREATE', 'UPDATE'];

const hook = (
  failurePolicy: ExpectedHook['failurePolicy'],
  operations: readonly string[],
  resources: readonly string[],
  timeoutSeconds = 5,
): ExpectedHook => ({ failurePolicy, operations, resources, timeoutSeconds });

export const POLICY_HOOK = 'validate.clustersecretpolicy.external-secrets-admission.io';
export const MATERIALIZE = 'materialize.externalsecret.external-secrets.io';

/** Of the mutating configuration; with --materialise-in=validating it is in the other one. */
export const MUTATING_HOOKS: Readonly<Record<string, ExpectedHook>> = {
  [MATERIALIZE]: hook(
    'Ignore',
    ['CREATE'],
    [`externalsecrets.${ESO}`, 'externalsecrets.kubernetes-client.io'],
    10,
  ),
};

export const VALIDATING_HOOKS: Readonly<Record<string, ExpectedHook>> = {
  'validate.externalsecret.external-secrets.io': hook('Fail', BOTH, [`externalsecrets.${ESO}`]),
  'validate-labels.externalsecret.external-secrets.io': hook(
    'Ignore',
    ['UPDATE'],
    [`externalsecrets.${ESO}`],
  ),
  'validate.secretstore.external-secrets.io': hook('Fail', BOTH, [`secretstores.${ESO}`]),
  'validate.clustersecretstore.external-secrets.io': hook('Fail', BOTH, [`clustersecretstores.${ESO}`]),
  'validate-limits.stores.external-secrets.io': hook(
    'Ignore',
    ['UPDATE'],
    [`clustersecretstores.${ESO}`, `secretstores.${ESO}`],
  ),
  'validate.clusterexternalsecret.external-secrets.io': hook('Fail', BOTH, [`clusterexternalsecrets.${ESO}`]),
  'validate.externalsecret.kubernetes-client.io': hook('Ignore', BOTH, [
    'externalsecrets.kubernetes-client.io',
  ]),
  [POLICY_HOOK]: hook('Fail', BOTH, ['clustersecretpolicies.external-secrets-admission.io']),
  'validate.generator.external-secrets.io': hook('Fail', BOTH, [
    ...[
      'acraccesstokens',
      'beyondtrustworkloadcredentialsdynamicsecrets',
      'cloudsmithaccesstokens',
      'ecrauthorizationtokens',
      'fakes',
      'gcraccesstokens',
      'githubaccesstokens',
      'gitlabdeploytokens',
      'grafanas',
      'mfas',
      'passwords',
      'quayaccesstokens',
    ].map((one) => `${one}.${GENERATORS}`),
    `secretgenerators.${ESO}`,
    ...['sshkeys', 'stssessiontokens', 'uuids', 'vaultdynamicsecrets', 'webhooks'].map(
      (one) => `${one}.${GENERATORS}`,
    ),
  ]),
  'validate.clustergenerator.external-secrets.io': hook('Fail', BOTH, [`clustergenerators.${GENERATORS}`]),
};

/** Hooks that a chart leaves out with the part of the product that they are about. */
export const OPTIONAL_HOOKS: ReadonlySet<string> = new Set([
  'validate.clustersecretstore.external-secrets.io',
  'validate.clusterexternalsecret.external-secrets.io',
  'validate.externalsecret.kubernetes-client.io',
  'validate.clustergenerator.external-secrets.io',
]);
