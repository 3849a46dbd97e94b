/** Credentials of a generator of AWS: those of a store with the same fields. */
import { collector, formatProblem, type Problem, type Report } from '../../api/problem.ts';
import { ProviderError } from '../contract.ts';
import type { GeneratorUse } from '../generators/contract.ts';
import { type AwsConfig, awsConfigSchema } from './config.ts';
import type { AwsAccess } from './requests.ts';
import { validateAwsBlock } from './validate.ts';

/** What the specs have in common. */
export type AwsGeneratorSpec = Pick<AwsConfig, 'region' | 'role'> & {
  readonly auth?: Pick<NonNullable<AwsConfig['auth']>, 'jwt' | 'secretRef'> | undefined;
};

const blockOf = ({ region, role, auth }: AwsGeneratorSpec): AwsConfig =>
  awsConfigSchema.parse({ service: 'SecretsManager', region, role, auth });

/** Rules of both kinds; paths are those of their specs. */
export function awsGeneratorProblems(
  spec: AwsGeneratorSpec,
  clusterWide: boolean,
  more: (report: Report) => void = () => {},
): Problem[] {
  const { report, problems } = collector();
  const { jwt, secretRef } = spec.auth ?? {};
  if (!clusterWide && jwt?.serviceAccountRef === undefined && secretRef === undefined) {
    report(
      'generator-aws-auth',
      ['auth'],
      'a generator of a namespace brings its own credentials: set auth.jwt.serviceAccountRef or auth.secretRef; those of this program are lent to a ClusterGenerator only',
    );
  }
  more(report);
  // Whether its references are of its own namespace is seen when they are followed.
  return [
    ...problems,
    ...validateAwsBlock(blockOf(spec), { kind: 'ClusterSecretStore', namespace: undefined }),
  ];
}

/** @throws ProviderError PROVIDER_INVALID_CONFIG; of the references */
export async function awsGeneratorAccess(
  spec: AwsGeneratorSpec,
  { store, ports }: GeneratorUse,
  signal: AbortSignal,
): Promise<AwsAccess> {
  const block = blockOf(spec);
  const [problem] = validateAwsBlock(block, store);
  if (problem !== undefined) {
    const text = formatProblem({ ...problem, path: ['spec', ...problem.path] });
    throw new ProviderError('PROVIDER_INVALID_CONFIG', `${store.name}: ${text}`);
  }
  const { awsAccess } = await import('./access.ts');
  return awsAccess(block, store, ports, signal);
}
