/**
 * The store that a kubernetes-external-secrets (KES) object needs. KES has none: each object says what it reads from,
 * and the environment of KES the rest. Equal needs give one ClusterSecretStore, whose name says what is in it and
 * is made of nothing else, so that it is the same in every run.
 */
import { createHash } from 'node:crypto';
import { GROUP } from '../../api/external-secrets/names.ts';
import type { KesEnvironment, SecretKey } from './kes-environment.ts';

/** What an object says of its backend, already of the right types. */
export interface BackendSpec {
  readonly backendType: string;
  readonly controllerId?: string | undefined;
  readonly vaultRole?: string | undefined;
  readonly vaultMountPoint?: string | undefined;
  readonly kvVersion?: number | undefined;
  readonly keyVaultName?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly region?: string | undefined;
  readonly projectId?: string | undefined;
}

export interface StoreObject {
  readonly apiVersion: string;
  readonly kind: 'ClusterSecretStore';
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A store and what is to be said about it; or why there can be none. */
export type StoreResult =
  | { readonly store: StoreObject; readonly notKept: readonly string[]; readonly notes: readonly string[] }
  | { readonly impossible: string };

/** What a need for a store collects. */
interface Remarks {
  readonly notKept: string[];
  readonly notes: string[];
}

/** KES's words for its backends (the second one is legacy), and ours. */
const SHORT: Readonly<Record<string, string>> = {
  secretsManager: 'aws-sm',
  secretManager: 'aws-sm',
  systemManager: 'aws-ssm',
  vault: 'vault',
  azureKeyVault: 'azure',
  gcpSecretsManager: 'gcp',
  ibmcloudSecretsManager: 'ibm',
};

class Impossible extends Error {}

/** @param mount of the Vault engine that is read from; it is part of the key in KES, and of the store in ESO */
export function storeFor(
  spec: BackendSpec,
  mount: string | undefined,
  environment: KesEnvironment,
): StoreResult {
  const remarks: Remarks = { notKept: [], notes: [] };
  try {
    const provider = providerFor(spec, mount, environment, remarks);
    const storeSpec =
      spec.controllerId === undefined || spec.controllerId === ''
        ? { provider }
        : { controller: spec.controllerId, provider };
    const hash = createHash('sha256').update(JSON.stringify(storeSpec)).digest('hex').slice(0, 8);
    const name = `kes-${SHORT[spec.backendType] ?? 'store'}-${hash}`;
    return {
      store: { apiVersion: `${GROUP}/v1`, kind: 'ClusterSecretStore', metadata: { name }, spec: storeSpec },
      ...remarks,
    };
  } catch (error) {
    if (error instanceof Impossible) return { impossible: error.message };
    throw error;
  }
}

type Block = Readonly<Record<string, unknown>>;

function providerFor(
  spec: BackendSpec,
  mount: string | undefined,
  environment: KesEnvironment,
  remarks: Remarks,
): Block {
  switch (spec.backendType) {
    case 'secretsManager':
    case 'secretManager':
      return { aws: awsBlock('SecretsManager', spec, environment, remarks) };
    case 'systemManager':
      return { aws: awsBlock('ParameterStore', spec, environment, remarks) };
    case 'vault':
      return { vault: vaultBlock(spec, mount, environment, remarks) };
    case 'azureKeyVault':
      return { azurekv: azureBlock(spec, environment, remarks) };
    case 'gcpSecretsManager':
      return { gcpsm: gcpBlock(spec, environment, remarks) };
    case 'ibmcloudSecretsManager':
      return { ibm: ibmBlock(environment, remarks) };
    default:
      throw new Impossible(`the backend ${spec.backendType} has no counterpart that is served here`);
  }
}

const selector = ({ name, key, namespace }: SecretKey): Block => ({ name, key, namespace });

/** A copy without what is undefined. */
const block = (members: Block): Block =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

/** A variable that is a credential: a reference to its Secret, also where it stood in the open. */
function credential(name: string, environment: KesEnvironment, remarks: Remarks): Block | undefined {
  const secret = environment.secrets.get(name);
  if (secret !== undefined) return selector(secret);
  if ((environment.values.get(name) ?? '') === '') return undefined;
  const wanted = { name: 'kes-credentials', key: name, namespace: environment.namespace };
  remarks.notKept.push(
    `${name} stands in the Deployment in the open: put it into the Secret ${wanted.name} of namespace ${wanted.namespace} under the key ${name}, to which the store refers`,
  );
  return selector(wanted);
}

function awsBlock(service: string, spec: BackendSpec, environment: KesEnvironment, remarks: Remarks): Block {
  const { values, serviceAccount, namespace } = environment;
  let region = spec.region ?? values.get('AWS_REGION');
  if (region === undefined || region === '') {
    region = 'us-west-2';
    remarks.notKept.push(
      'no region is known: us-west-2 is taken, the default of the chart of kubernetes-external-secrets; say --kes-env AWS_REGION=...',
    );
  }
  const accessKey = credential('AWS_ACCESS_KEY_ID', environment, remarks);
  const secretKey = credential('AWS_SECRET_ACCESS_KEY', environment, remarks);
  const identity = environment.serviceAccountAnnotations['eks.amazonaws.com/role-arn'];
  let auth: Block | undefined;
  if (accessKey !== undefined && secretKey !== undefined) {
    auth = {
      secretRef: block({
        accessKeyIDSecretRef: accessKey,
        secretAccessKeySecretRef: secretKey,
        sessionTokenSecretRef: credential('AWS_SESSION_TOKEN', environment, remarks),
      }),
    };
  } else if (identity !== undefined && serviceAccount !== undefined) {
    auth = { jwt: { serviceAccountRef: { name: serviceAccount, namespace } } };
  } else {
    remarks.notes.push(
      'no credentials of AWS are known: the store uses those of the environment of webhook and poller',
    );
  }
  if (values.has('LOCALSTACK'))
    remarks.notKept.push('LOCALSTACK: set AWS_ENDPOINT_URL for webhook and poller');
  const intermediate = values.get('AWS_INTERMEDIATE_ROLE_ARN');
  return block({
    service,
    region,
    auth,
    role: spec.roleArn,
    additionalRoles: spec.roleArn !== undefined && intermediate ? [intermediate] : undefined,
  });
}

function vaultBlock(
  spec: BackendSpec,
  mount: string | undefined,
  environment: KesEnvironment,
  remarks: Remarks,
): Block {
  const { values, serviceAccount, namespace } = environment;
  let server = values.get('VAULT_ADDR');
  if (server === undefined || server === '') {
    server = 'http://127.0.0.1:8200';
    remarks.notKept.push(
      `no address of Vault is known: ${server} is taken, the default of kubernetes-external-secrets; say --kes-env VAULT_ADDR=...`,
    );
  }
  const role = spec.vaultRole ?? values.get('DEFAULT_VAULT_ROLE');
  if (role === undefined || role === '')
    throw new Impossible('no role of Vault is known: say --kes-env DEFAULT_VAULT_ROLE=...');
  if (serviceAccount === undefined)
    throw new Impossible(
      'the ServiceAccount that logs in to Vault is not known: give --kes-deployment or --kes-service-account',
    );
  return block({
    server,
    path: mount,
    version: spec.kvVersion === 1 ? 'v1' : 'v2',
    namespace: values.get('VAULT_NAMESPACE') || undefined,
    auth: {
      kubernetes: {
        mountPath: spec.vaultMountPoint ?? (values.get('DEFAULT_VAULT_MOUNT_POINT') || 'kubernetes'),
        role,
        serviceAccountRef: block({
          name: serviceAccount,
          namespace,
          audiences: environment.vaultAudience === undefined ? undefined : [environment.vaultAudience],
        }),
      },
    },
    caProvider: caProviderOf(environment, remarks),
  });
}

function caProviderOf(environment: KesEnvironment, remarks: Remarks): Block | undefined {
  const file = environment.values.get('NODE_EXTRA_CA_CERTS');
  if (file === undefined || file === '') return undefined;
  const secret = environment.fileSecret(file);
  if (secret !== undefined) return { type: 'Secret', ...selector(secret) };
  remarks.notKept.push(
    `NODE_EXTRA_CA_CERTS is ${file}, which is no file of a mounted Secret: set caBundle or caProvider of the store`,
  );
  return undefined;
}

const AZURE: Readonly<Record<string, { readonly type: string; readonly suffix: string }>> = {
  AzureCloud: { type: 'PublicCloud', suffix: 'vault.azure.net' },
  AzureChinaCloud: { type: 'ChinaCloud', suffix: 'vault.azure.cn' },
  AzureGermanCloud: { type: 'GermanCloud', suffix: 'vault.microsoftazure.de' },
  AzureUSGovernmentCloud: { type: 'USGovernmentCloud', suffix: 'vault.usgovcloudapi.net' },
};

function azureBlock(spec: BackendSpec, environment: KesEnvironment, remarks: Remarks): Block {
  const { values, secrets } = environment;
  if (spec.keyVaultName === undefined) throw new Impossible('keyVaultName is missing');
  const cloud = AZURE[values.get('AZURE_ENVIRONMENT') || 'AzureCloud'];
  if (cloud === undefined)
    throw new Impossible(`AZURE_ENVIRONMENT ${values.get('AZURE_ENVIRONMENT')} is unknown`);
  const suffix = values.get('AZURE_KEY_VAULT_DNS_SUFFIX') || cloud.suffix;
  const common = {
    vaultUrl: `https://${spec.keyVaultName}.${suffix}`,
    environmentType: cloud.type === 'PublicCloud' ? undefined : cloud.type,
  };
  const tenant = secrets.get('AZURE_TENANT_ID');
  // The id of a client is no secret, but stores take it from one only.
  const clientId = credential('AZURE_CLIENT_ID', environment, remarks);
  const clientSecret = credential('AZURE_CLIENT_SECRET', environment, remarks);
  if (clientId === undefined || clientSecret === undefined) {
    remarks.notKept.push(
      'no credentials of Azure are known: set auth of the store; give --kes-deployment for those of kubernetes-external-secrets',
    );
    return block({ ...common, tenantId: values.get('AZURE_TENANT_ID') || undefined });
  }
  return block({
    ...common,
    authType: 'ServicePrincipal',
    tenantId: values.get('AZURE_TENANT_ID') || undefined,
    authSecretRef: block({
      tenantId: tenant === undefined ? undefined : selector(tenant),
      clientId,
      clientSecret,
    }),
  });
}

function gcpBlock(spec: BackendSpec, environment: KesEnvironment, remarks: Remarks): Block {
  const { values, serviceAccount, namespace } = environment;
  const file = values.get('GOOGLE_APPLICATION_CREDENTIALS');
  const secret = file === undefined ? undefined : environment.fileSecret(file);
  let auth: Block | undefined;
  if (secret !== undefined) auth = { secretRef: { secretAccessKeySecretRef: selector(secret) } };
  else if (
    serviceAccount !== undefined &&
    environment.serviceAccountAnnotations['iam.gke.io/gcp-service-account'] !== undefined
  )
    auth = { workloadIdentity: { serviceAccountRef: { name: serviceAccount, namespace } } };
  else if (file)
    remarks.notKept.push(
      `GOOGLE_APPLICATION_CREDENTIALS is ${file}, which is no file of a mounted Secret: set auth of the store`,
    );
  else remarks.notes.push('no credentials of Google are known: the store uses those of webhook and poller');
  if (spec.projectId === undefined)
    remarks.notes.push('projectId is missing: it is that of the credentials, as it was');
  return block({ projectID: spec.projectId, auth });
}

function ibmBlock(environment: KesEnvironment, remarks: Remarks): Block {
  remarks.notKept.push(
    'the provider ibm is refused by external-secrets-admission; External Secrets Operator has it',
  );
  return block({
    serviceUrl: environment.values.get('IBM_CLOUD_SECRETS_MANAGER_API_ENDPOINT'),
    auth: {
      secretRef: block({
        secretApiKeySecretRef: credential('IBM_CLOUD_SECRETS_MANAGER_API_APIKEY', environment, remarks),
      }),
    },
  });
}
