/**
 * What the accounts of the two programs have to be allowed: the rules of deploy/manifests/rbac-*.yaml, right by right
 * (a test compares them). Asking for each right finds what is missing whatever roles grant it.
 */
export type ProgramName = 'webhook' | 'poller';

export interface Right {
  readonly group: string;
  /** With its subresource: `secrets`, `serviceaccounts/token`. */
  readonly resource: string;
  readonly verb: string;
  /** Only of this object. */
  readonly name?: string;
}

export interface Rule {
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly names?: readonly string[];
  /** Only in the namespace of the programs; else everywhere, or in the one namespace that they serve. */
  readonly own?: true;
  /** What the rule is for, where the product works without; it is asked for if that is in use. */
  readonly for?: Feature;
}

/** Parts that may be switched off. */
export type Feature =
  | 'kes'
  | 'cluster-external-secrets'
  | 'cluster-stores'
  | 'cluster-stores-reported'
  | 'cluster-generators'
  | 'crds'
  | 'shards'
  /** One namespace only: what else is everywhere then has to be said for the own one. */
  | 'scoped';

const ESO = 'external-secrets.io';
const OURS = 'external-secrets-admission.io';
const KES = 'kubernetes-client.io';
const GENERATORS = 'generators.external-secrets.io';
const ADMISSION = 'admissionregistration.k8s.io';

/** Those that can be used. */
const GENERATOR_RESOURCES = [
  'ecrauthorizationtokens',
  'fakes',
  'githubaccesstokens',
  'mfas',
  'passwords',
  'sshkeys',
  'stssessiontokens',
  'uuids',
  'vaultdynamicsecrets',
  'webhooks',
];
const READ = ['get', 'list', 'watch'];

const of = (
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
  more: Partial<Rule> = {},
): Rule => ({
  groups: [group],
  resources,
  verbs,
  ...more,
});

const MARKER_KEY: readonly Rule[] = [
  of('', ['secrets'], ['get'], { own: true, names: ['external-secrets-admission-marker'], for: 'scoped' }),
  of('', ['secrets'], ['create'], { own: true, for: 'scoped' }),
];

/** @param configuration name of the validating configuration, see Install */
export const expectedRules = (configuration: string): Readonly<Record<ProgramName, readonly Rule[]>> => ({
  webhook: [
    of(ESO, ['externalsecrets', 'secretstores'], ['get']),
    of(ESO, ['clustersecretstores'], ['get'], { for: 'cluster-stores' }),
    of(KES, ['externalsecrets'], ['get'], { for: 'kes' }),
    of(OURS, ['clustersecretpolicies'], READ),
    of(GENERATORS, GENERATOR_RESOURCES, ['get']),
    of(GENERATORS, ['clustergenerators'], ['get'], { for: 'cluster-generators' }),
    of(ESO, ['secretgenerators'], ['get']),
    of('', ['secrets'], ['get', 'create', 'update']),
    of('', ['configmaps', 'namespaces', 'serviceaccounts'], ['get']),
    of('', ['serviceaccounts/token'], ['create']),
    of('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
    of(ADMISSION, ['validatingwebhookconfigurations'], [...READ, 'patch'], { names: [configuration] }),
    of(ADMISSION, ['mutatingwebhookconfigurations'], [...READ, 'patch'], { names: [`zz-${configuration}`] }),
    of('apiextensions.k8s.io', ['customresourcedefinitions'], ['list', 'watch'], { for: 'crds' }),
    of('apiextensions.k8s.io', ['customresourcedefinitions'], ['get', 'patch'], {
      for: 'crds',
      names: ['externalsecrets', 'secretstores', 'clustersecretstores'].map((plural) => `${plural}.${ESO}`),
    }),
    of('', ['secrets'], [...READ, 'update'], { own: true, names: ['external-secrets-admission-ca'] }),
    ...MARKER_KEY,
    of('coordination.k8s.io', ['leases'], ['get', 'create', 'update'], { own: true }),
  ],
  poller: [
    of(ESO, ['externalsecrets'], [...READ, 'patch']),
    of(ESO, ['externalsecrets'], ['create', 'delete'], { for: 'cluster-external-secrets' }),
    of(KES, ['externalsecrets'], READ, { for: 'kes' }),
    of(KES, ['externalsecrets/status'], ['patch'], { for: 'kes' }),
    of(ESO, ['clusterexternalsecrets'], ['list', 'watch', 'patch'], { for: 'cluster-external-secrets' }),
    of(ESO, ['secretstores'], READ),
    of(ESO, ['clustersecretstores'], READ, { for: 'cluster-stores' }),
    of(ESO, ['clustersecretstores'], ['use'], { for: 'cluster-external-secrets' }),
    of(OURS, ['clustersecretpolicies'], READ),
    of(GENERATORS, GENERATOR_RESOURCES, READ),
    of(GENERATORS, ['clustergenerators'], READ, { for: 'cluster-generators' }),
    of(ESO, ['secretgenerators'], READ),
    of(ESO, ['externalsecrets/status', 'secretstores/status'], ['patch']),
    of(ESO, ['clustersecretstores/status'], ['patch'], { for: 'cluster-stores-reported' }),
    of(ESO, ['clusterexternalsecrets/status'], ['patch'], { for: 'cluster-external-secrets' }),
    of(ESO, ['externalsecrets/finalizers'], ['update']),
    of(ESO, ['clusterexternalsecrets/finalizers'], ['update'], { for: 'cluster-external-secrets' }),
    of('', ['secrets'], [...READ, 'create', 'patch', 'delete']),
    of('', ['configmaps', 'serviceaccounts'], READ),
    of('', ['namespaces'], READ),
    of('', ['serviceaccounts/token'], ['create']),
    of(ADMISSION, ['mutatingwebhookconfigurations'], ['get'], { names: [`zz-${configuration}`] }),
    of(ADMISSION, ['validatingwebhookconfigurations'], ['get'], { names: [configuration] }),
    of('', ['events'], ['create', 'patch']),
    ...MARKER_KEY,
    of('coordination.k8s.io', ['leases'], ['get', 'create', 'update'], { own: true }),
    of('coordination.k8s.io', ['leases'], ['list', 'watch', 'delete'], { own: true, for: 'shards' }),
  ],
});

/** The rights that rules grant, each once. */
export const rightsOf = (rules: readonly Rule[]): readonly (Right & { readonly own: boolean })[] =>
  rules.flatMap(({ groups, resources, verbs, names, own = false }) =>
    groups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          (names ?? [undefined]).map((name) => ({
            group,
            resource,
            verb,
            own,
            ...(name === undefined ? {} : { name }),
          })),
        ),
      ),
    ),
  );
