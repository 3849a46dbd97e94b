/** Names of generators on the wire, as External Secrets Operator 2.9 has them (eso.md 1.2). */
import { GROUP } from '../external-secrets/names.ts';

export const GENERATOR_GROUP = 'generators.external-secrets.io';
const GENERATOR_VERSION = 'v1alpha1';

/** Kinds that say by themselves what to make: their plural, and their member in the spec of a ClusterGenerator. */
export const GENERATORS = {
  ACRAccessToken: { plural: 'acraccesstokens', member: 'acrAccessTokenSpec' },
  BeyondtrustWorkloadCredentialsDynamicSecret: {
    plural: 'beyondtrustworkloadcredentialsdynamicsecrets',
    member: 'beyondtrustWorkloadCredentialsDynamicSecretSpec',
  },
  CloudsmithAccessToken: { plural: 'cloudsmithaccesstokens', member: 'cloudsmithAccessTokenSpec' },
  ECRAuthorizationToken: { plural: 'ecrauthorizationtokens', member: 'ecrAuthorizationTokenSpec' },
  Fake: { plural: 'fakes', member: 'fakeSpec' },
  GCRAccessToken: { plural: 'gcraccesstokens', member: 'gcrAccessTokenSpec' },
  GithubAccessToken: { plural: 'githubaccesstokens', member: 'githubAccessTokenSpec' },
  GitlabDeployToken: { plural: 'gitlabdeploytokens', member: 'gitlabDeployTokenSpec' },
  Grafana: { plural: 'grafanas', member: 'grafanaSpec' },
  MFA: { plural: 'mfas', member: 'mfaSpec' },
  Password: { plural: 'passwords', member: 'passwordSpec' },
  QuayAccessToken: { plural: 'quayaccesstokens', member: 'quayAccessTokenSpec' },
  SSHKey: { plural: 'sshkeys', member: 'sshKeySpec' },
  STSSessionToken: { plural: 'stssessiontokens', member: 'stsSessionTokenSpec' },
  UUID: { plural: 'uuids', member: 'uuidSpec' },
  VaultDynamicSecret: { plural: 'vaultdynamicsecrets', member: 'vaultDynamicSecretSpec' },
  Webhook: { plural: 'webhooks', member: 'webhookSpec' },
} as const;

export type GeneratorKind = keyof typeof GENERATORS;
/** In alphabetical order. */
export const GENERATOR_KINDS = Object.keys(GENERATORS) as [GeneratorKind, ...GeneratorKind[]];

/** Its values are leased by the server that makes them. */
export const LEASED_KIND: GeneratorKind = 'VaultDynamicSecret';

/** Holds the spec of any other kind, for all namespaces. */
export const CLUSTER_GENERATOR = 'ClusterGenerator';
/** Not in ESO: of external-secrets.io/v1alpha1, as an article spells a generator. */
export const SECRET_GENERATOR = 'SecretGenerator';

export type GeneratorRefKind = GeneratorKind | typeof CLUSTER_GENERATOR | typeof SECRET_GENERATOR;
/** What `generatorRef.kind` may be, in alphabetical order. */
export const GENERATOR_REF_KINDS = [...GENERATOR_KINDS, CLUSTER_GENERATOR, SECRET_GENERATOR].sort() as [
  GeneratorRefKind,
  ...GeneratorRefKind[],
];

export const isGeneratorKind = (kind: string): kind is GeneratorKind => Object.hasOwn(GENERATORS, kind);

export interface GeneratorResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespaced: boolean;
}

/** Where the objects of a kind are served. */
export function generatorResource(kind: GeneratorRefKind): GeneratorResource {
  const version = GENERATOR_VERSION;
  if (kind === SECRET_GENERATOR) {
    return { group: GROUP, version, resource: 'secretgenerators', namespaced: true };
  }
  if (kind === CLUSTER_GENERATOR) {
    return { group: GENERATOR_GROUP, version, resource: 'clustergenerators', namespaced: false };
  }
  return { group: GENERATOR_GROUP, version, resource: GENERATORS[kind].plural, namespaced: true };
}
