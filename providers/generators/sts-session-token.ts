/**
 * STSSessionToken: temporary credentials of an IAM user, with the word of an MFA device if it is asked for
 * (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).
 */
import { type StsSessionTokenSpec, stsSessionTokenSpec } from '../../api/generators/v1alpha1/aws.ts';
import type { Report } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import type { Asked } from '../aws/errors.ts';
import { awsGeneratorAccess, awsGeneratorProblems } from '../aws/generator-block.ts';
import { sendWith } from '../aws/requests.ts';
import type { Generator } from './contract.ts';

/** What AWS gives where nothing is asked, in seconds. */
const DEFAULT_SECONDS = 12 * 60 * 60;
const SECONDS = { min: 900, max: 36 * 60 * 60 } as const;

function check({ role, auth, requestParameters = {} }: StsSessionTokenSpec, report: Report): void {
  const { sessionDuration, serialNumber, tokenCode } = requestParameters;
  const temporary: [string[], unknown][] = [
    [['role'], role === '' ? undefined : role],
    [['auth', 'jwt', 'serviceAccountRef'], auth?.jwt?.serviceAccountRef],
    [['auth', 'secretRef', 'sessionTokenSecretRef'], auth?.secretRef?.sessionTokenSecretRef],
  ];
  for (const [path, value] of temporary) {
    if (value === undefined) continue;
    report(
      'generator-sts-user',
      path,
      'AWS gives session tokens only for the keys of an IAM user, not for temporary credentials; use those themselves, or keys in auth.secretRef',
    );
  }
  if (sessionDuration !== undefined && (sessionDuration < SECONDS.min || sessionDuration > SECONDS.max)) {
    report(
      'generator-sts-duration',
      ['requestParameters', 'sessionDuration'],
      `AWS takes ${SECONDS.min} to ${SECONDS.max} seconds`,
    );
  }
  for (const [field, value, other] of [
    ['serialNumber', serialNumber, tokenCode],
    ['tokenCode', tokenCode, serialNumber],
  ] as const) {
    if (!value && other) {
      report(
        'generator-sts-mfa',
        ['requestParameters', field],
        'serialNumber and tokenCode go together: one names the MFA device, the other is what it shows',
      );
    }
  }
}

export const stsSessionTokenGenerator: Generator<StsSessionTokenSpec> = {
  kind: 'STSSessionToken',
  schema: stsSessionTokenSpec,
  validateSpec: (spec, clusterWide) =>
    awsGeneratorProblems(spec, clusterWide, (report) => check(spec, report)),
  lifeMs: ({ requestParameters }) => (requestParameters?.sessionDuration ?? DEFAULT_SECONDS) * 1_000,

  async generate(spec, use, signal) {
    const { sessionDuration, serialNumber, tokenCode } = spec.requestParameters ?? {};
    const access = await awsGeneratorAccess(spec, use, signal);
    const asked: Asked = { service: 'STS', region: spec.region, what: 'get a session token' };
    const input = {
      ...(sessionDuration === undefined ? {} : { DurationSeconds: sessionDuration }),
      ...(serialNumber && tokenCode ? { SerialNumber: serialNumber, TokenCode: tokenCode } : {}),
    };
    const { getSessionToken } = await import('../aws/session-token.ts');
    const made = await sendWith(access, asked, signal, (reach, credentials) =>
      getSessionToken(input, asked, reach, credentials, signal),
    );
    return new Map([
      ['access_key_id', SecretValue.fromText(made.accessKeyId)],
      ['secret_access_key', made.secretAccessKey],
      ['session_token', made.sessionToken],
      ['expiration', SecretValue.fromText(String(Math.floor(made.expiresAt / 1_000)))],
    ]);
  },
};
