/** The schemas of the generators that there are; a kind without one may hold anything. */
import { z } from 'zod';
import { exactlyOne, opaqueObject } from '../../external-secrets/shared.ts';
import { GENERATOR_KINDS, GENERATORS, type GeneratorKind } from '../names.ts';
import { ecrAuthorizationTokenSpec, stsSessionTokenSpec } from './aws.ts';
import { fakeSpec } from './fake.ts';
import { githubAccessTokenSpec } from './github-access-token.ts';
import { mfaSpec } from './mfa.ts';
import { passwordSpec } from './password.ts';
import { sshKeySpec } from './ssh-key.ts';
import { uuidSpec } from './uuid.ts';
import { vaultDynamicSecretSpec } from './vault-dynamic-secret.ts';
import { webhookSpec } from './webhook.ts';

const KNOWN: Readonly<Partial<Record<GeneratorKind, z.ZodType>>> = {
  ECRAuthorizationToken: ecrAuthorizationTokenSpec,
  Fake: fakeSpec,
  GithubAccessToken: githubAccessTokenSpec,
  MFA: mfaSpec,
  Password: passwordSpec,
  SSHKey: sshKeySpec,
  STSSessionToken: stsSessionTokenSpec,
  UUID: uuidSpec,
  VaultDynamicSecret: vaultDynamicSecretSpec,
  Webhook: webhookSpec,
};

/** Schema of `spec` of a kind; undefined if it is not supported yet. */
export const generatorSchema = (kind: GeneratorKind): z.ZodType | undefined => KNOWN[kind];

/** What stands in place of the schema of a kind that is not supported yet: manifests apply, nothing is pruned. */
export const unsupportedSpec = () =>
  opaqueObject().describe('Not supported yet: an ExternalSecret that refers to it is refused.');

function embedded() {
  const shape: Record<string, z.ZodOptional<z.ZodType>> = {};
  for (const kind of GENERATOR_KINDS) {
    shape[GENERATORS[kind].member] = (generatorSchema(kind) ?? unsupportedSpec()).optional();
  }
  return exactlyOne(shape).describe('The spec of the generator: the member that `kind` asks for.');
}

/** spec of ClusterGenerator v1alpha1. */
export const clusterGeneratorSpec = z
  .strictObject({
    kind: z.enum(GENERATOR_KINDS).describe('Kind of the generator.'),
    generator: embedded(),
  })
  .describe('A generator for ExternalSecrets of any namespace.');

/** spec of SecretGenerator, external-secrets.io/v1alpha1: a kind, and the spec of that kind. */
export const secretGeneratorSpec = z
  .strictObject({
    kind: z.enum(GENERATOR_KINDS).describe('Kind of the generator.'),
    spec: opaqueObject().optional().describe('The spec of an object of that kind.'),
  })
  .describe('A generator of another kind, spelled as one.');
