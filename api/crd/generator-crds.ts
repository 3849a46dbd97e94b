/** The CustomResourceDefinitions of the generators: one version, no conversion. */
import {
  CLUSTER_GENERATOR,
  GENERATOR_REF_KINDS,
  type GeneratorRefKind,
  generatorResource,
  SECRET_GENERATOR,
} from '../generators/names.ts';
import {
  clusterGeneratorSpec,
  generatorSchema,
  secretGeneratorSpec,
  unsupportedSpec,
} from '../generators/v1alpha1/schemas.ts';
import { type CustomResourceDefinition, objectSchema } from './crds.ts';

const DESCRIPTIONS: Readonly<Partial<Record<GeneratorRefKind, string>>> = {
  [CLUSTER_GENERATOR]: 'ClusterGenerator is a generator for ExternalSecrets of any namespace.',
  Fake: 'Fake is a generator of static values, for tests.',
  GithubAccessToken: 'GithubAccessToken is a generator of tokens for an installation of a GitHub App.',
  MFA: 'MFA is a generator of one-time passwords of the time (RFC 6238).',
  Password: 'Password is a generator of random passwords.',
  [SECRET_GENERATOR]: 'SecretGenerator is a generator of the kind that its spec names.',
  SSHKey: 'SSHKey is a generator of SSH key pairs.',
  UUID: 'UUID is a generator of random (version 4) UUIDs.',
  VaultDynamicSecret: 'VaultDynamicSecret is a generator of what Vault makes at each request.',
};

function specOf(kind: GeneratorRefKind) {
  if (kind === CLUSTER_GENERATOR) return clusterGeneratorSpec;
  if (kind === SECRET_GENERATOR) return secretGeneratorSpec;
  return generatorSchema(kind) ?? unsupportedSpec();
}

/** Every kind that a generatorRef can name, those that are not supported yet too: they are refused by name. */
export function buildGeneratorCrds(): CustomResourceDefinition[] {
  return GENERATOR_REF_KINDS.map((kind) => {
    const { group, version, resource, namespaced } = generatorResource(kind);
    const description =
      DESCRIPTIONS[kind] ?? `${kind} is a generator of External Secrets Operator that is not supported yet.`;
    return {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${resource}.${group}`, labels: { 'external-secrets.io/component': 'controller' } },
      spec: {
        group,
        names: {
          kind,
          listKind: `${kind}List`,
          plural: resource,
          singular: kind.toLowerCase(),
          shortNames: [],
          categories: ['external-secrets', 'external-secrets-generators'],
        },
        scope: namespaced ? 'Namespaced' : 'Cluster',
        conversion: { strategy: 'None' },
        versions: [
          {
            name: version,
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: objectSchema({ kind, description }, `${group}/${version}`, {
                spec: specOf(kind),
              }),
            },
            subresources: { status: {} },
            additionalPrinterColumns: [],
          },
        ],
      },
    };
  });
}
