/** GetSessionToken of STS. */
import { GetSessionTokenCommand, type GetSessionTokenCommandInput } from '@aws-sdk/client-sts';
import { sts } from './client.ts';
import type { Asked } from './errors.ts';
import { credentialsIn, type SessionCredentials } from './login.ts';
import type { AwsCredentials, Reach } from './reach.ts';

/** @throws ProviderError PROVIDER_INVALID_RESPONSE; what toAwsError takes */
export async function getSessionToken(
  input: GetSessionTokenCommandInput,
  asked: Asked,
  reach: Reach,
  credentials: AwsCredentials,
  signal: AbortSignal,
): Promise<SessionCredentials> {
  const command = new GetSessionTokenCommand(input);
  const { Credentials } = await sts(reach, credentials).send(command, { abortSignal: signal });
  return credentialsIn(Credentials, asked);
}
