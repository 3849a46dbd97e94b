/** The login that all uses of a block in this process share. */
import type { ProviderPorts, StoreContext } from '../contract.ts';
import { Sessions } from '../sessions.ts';
import type { AwsConfig } from './config.ts';
import { fingerprintOf, readSource } from './credentials.ts';
import { endpointOverride } from './environment.ts';
import { loginIdentity } from './identity.ts';
import { awsLogin } from './login.ts';
import type { AwsAccess } from './requests.ts';
import { AwsSession } from './session.ts';

/** Credentials of the whole process, by identity and by what they are made from. */
const sessions = new Sessions((clock) => new AwsSession(clock));

/** Drops every login of the process; credentials at AWS live until they expire. */
export function forgetAwsSessions(): void {
  sessions.clear();
}

/**
 * Reads the credentials of the block through the ports and finds the login for them; nothing is asked of AWS yet.
 * @throws as readSource
 */
export async function awsAccess(
  config: AwsConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<AwsAccess> {
  const source = await readSource(config, store, ports, signal);
  const parts = [
    loginIdentity(config, store),
    // What the clients are made for, which are kept with the credentials.
    config.endpoints,
    (['SecretsManager', 'SSM', 'STS'] as const).map(endpointOverride),
    fingerprintOf(source),
    store.guard?.id,
  ];
  const session = sessions.for(parts, ports.clock);
  return { session, login: awsLogin(config, store, source, ports), pace: ports.pace };
}
