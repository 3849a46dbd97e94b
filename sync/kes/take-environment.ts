/** How the programs take what KES has in its environment; before anything else there is taken or removed. */
import { EsaError } from '../../api/errors.ts';
import { type KesEnvironment, readKesEnvironment } from '../../api/kubernetes-client/environment.ts';
import { type KesCredentials, readKesCredentials } from './services.ts';

interface KesFlags {
  readonly kes: boolean;
  readonly 'kes-service-account': string | undefined;
  readonly 'kes-vault-audience': string | undefined;
}

const SERVICE_ACCOUNT = 'external-secrets-admission-poller';
/** KES's names for what the SDK of AWS calls otherwise. */
const ENDPOINTS = {
  AWS_SM_ENDPOINT: 'AWS_ENDPOINT_URL_SECRETS_MANAGER',
  AWS_SSM_ENDPOINT: 'AWS_ENDPOINT_URL_SSM',
} as const;

/**
 * @param namespace of the program, where its ServiceAccount is unless the flag says otherwise
 * @returns undefined without --kes; then the environment is left as it is
 * @throws EsaError CONFIGURATION
 */
export function takeKesEnvironment(
  flags: KesFlags,
  namespace: string,
  variables: NodeJS.ProcessEnv = process.env,
): { readonly environment: KesEnvironment; readonly credentials: KesCredentials } | undefined {
  if (!flags.kes) return undefined;
  const account = flags['kes-service-account'] ?? `${namespace}/${SERVICE_ACCOUNT}`;
  const parts = account.split('/');
  const [accountNamespace = '', name = ''] = parts;
  if (parts.length !== 2 || accountNamespace === '' || name === '') {
    throw new EsaError(
      'CONFIGURATION',
      `--kes-service-account: "${account}" is not of the form namespace/name`,
    );
  }
  const environment = readKesEnvironment(variables, {
    serviceAccount: { namespace: accountNamespace, name },
    vaultAudience: flags['kes-vault-audience'] || undefined,
  });
  for (const [ours, theirs] of Object.entries(ENDPOINTS)) {
    const url = variables[ours];
    if (url !== undefined && url !== '') variables[theirs] ??= url;
  }
  return { environment, credentials: readKesCredentials(variables) };
}
