/** The provider aws: Secrets Manager and the Parameter Store of Systems Manager. */
import { allFollowable, dependenciesOf } from '../block-references.ts';
import {
  type Connection,
  type Provider,
  ProviderError,
  type ProviderPorts,
  type StoreContext,
} from '../contract.ts';
import { type AwsConfig, awsConfigSchema } from './config.ts';
import { awsAnnotations, serviceOf } from './endpoints.ts';
import { validateAwsFind } from './find.ts';
import { loginIdentity, tagsCaller, usesSts } from './identity.ts';
import { parameterName } from './parameter-name.ts';
import { endpointOf } from './reach.ts';
import {
  canonicalAwsKey,
  referencesOf,
  secretIdOf,
  validateAwsBlock,
  validateAwsRef,
  validateParameterFind,
  warnAwsBlock,
} from './validate.ts';

async function connect(
  config: AwsConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<Connection> {
  // Stores that were stored before this webhook ran have not been validated by it.
  const [problem] = validateAwsBlock(config, store);
  if (problem !== undefined) {
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${store.kind} ${store.name}: aws.${problem.path.join('.')}: ${problem.message}`,
    );
  }
  // With the first store of AWS comes its SDK.
  const { awsAccess } = await import('./access.ts');
  const access = await awsAccess(config, store, ports, signal);
  await access.session.credentials(access.login, signal);
  if (config.service !== 'ParameterStore') {
    const { SecretsManagerConnection } = await import('./secrets-manager.ts');
    return new SecretsManagerConnection(config, access);
  }
  const { ParameterStoreConnection } = await import('./parameter-store.ts');
  return new ParameterStoreConnection(config, access);
}

/** Secrets a request; more is not allowed. */
const BATCH_SIZES: Readonly<Record<AwsConfig['service'], number>> = {
  SecretsManager: 20,
  ParameterStore: 10,
  CertificateManager: 1,
};

export const awsProvider: Provider<AwsConfig> = {
  name: 'aws',
  schema: awsConfigSchema,
  capabilities: 'ReadWrite',
  annotations: awsAnnotations,
  validateConfig: validateAwsBlock,
  warnConfig: warnAwsBlock,
  validateRef: validateAwsRef,
  validateFind: (config, request) =>
    config.service === 'ParameterStore' ? validateParameterFind(request) : validateAwsFind(config, request),

  batch: (config) => ({
    size: BATCH_SIZES[config.service],
    // Versions of secrets cannot be had so, and versions of one parameter not beside each other.
    accepts: ({ key, version, metadata }) =>
      version === undefined &&
      metadata !== true &&
      (config.service !== 'ParameterStore' || parameterName(secretIdOf(config, key)).selector === undefined),
  }),

  canonicalKey: (config, { key }) => canonicalAwsKey(config, key),

  identity: (config, store) =>
    JSON.stringify([
      'aws',
      config.service,
      config.endpoints ?? {},
      loginIdentity(config, store),
      config.prefix ?? '',
    ]),

  servers: (config) => [
    endpointOf(serviceOf(config), config),
    ...(usesSts(config) ? [endpointOf('STS', config)] : []),
  ],

  role: ({ role }) => role,

  dependencies: (config, store) => dependenciesOf(referencesOf(config), store),

  canValidate: (config, store) =>
    allFollowable(referencesOf(config), store) &&
    !(tagsCaller(config) && store.kind === 'ClusterSecretStore' && store.callerNamespace === undefined),
  connect,
};
