/** The environment in which ExternalSecrets of KES are judged. */
import { readKesEnvironment } from '../../api/kubernetes-client/environment.ts';

const KES_VARIABLES = { VAULT_ADDR: 'https://vault.example.com', AWS_REGION: 'eu-central-1' };

export const KES_ENVIRONMENT = readKesEnvironment(KES_VARIABLES, {
  serviceAccount: { namespace: 'system', name: 'kes' },
  vaultAudience: undefined,
});
