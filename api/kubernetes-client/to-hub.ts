/**
 * From an ExternalSecret of KES to one of the hub and the store that KES has in its environment: in memory only, so that
 * there is one engine. What the hub cannot say stays as it was written, in spec.kes.
 */
import type { ExternalSecret, ExternalSecretSpec, SecretStore } from '../external-secrets/v1/index.ts';
import type { ObjectMeta } from '../meta.ts';
import type { KesEnvironment } from './environment.ts';
import { KES_API_VERSION } from './names.ts';
import type { KesPart } from './part.ts';
import { statusFromKes } from './status.ts';
import type { KesSpec, KesStatus } from './v1/external-secret.ts';

/** An ExternalSecret of KES as it is stored. */
export interface KesObject {
  readonly metadata: ObjectMeta;
  readonly spec: KesSpec;
  readonly status?: KesStatus | undefined;
}

/** No object of the cluster can have a name with a colon, so nobody else can name such a store. */
export const KES_STORE_PREFIX = 'kes:';

/** Where stores of KES, and no others, find the environment of the program, as if it were a Secret. */
export const KES_CREDENTIALS = {
  namespace: 'kes-environment',
  name: 'kes-environment',
  azureClientId: 'AZURE_CLIENT_ID',
  azureClientSecret: 'AZURE_CLIENT_SECRET',
  googleKey: 'GOOGLE_APPLICATION_CREDENTIALS',
} as const;

/** The store that the fields of an object and the environment stand for. */
interface Backend {
  /** What tells it from others of its kind, in the order in which people look for it. */
  readonly name: readonly (string | undefined)[];
  readonly provider: KesPart['provider'];
  readonly lacking?: string | undefined;
}

const without = (value: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined && member !== ''));

function vault(spec: KesSpec, environment: KesEnvironment): Backend {
  const { address, namespace, audience } = environment.vault;
  const mountPath = spec.vaultMountPoint || environment.vault.mountPoint;
  const role = spec.vaultRole || environment.vault.role;
  const version = spec.kvVersion === 1 ? 'v1' : 'v2';
  const lacking =
    (address === undefined && 'VAULT_ADDR is not set for this controller') ||
    (mountPath === undefined && 'neither spec.vaultMountPoint nor DEFAULT_VAULT_MOUNT_POINT is set') ||
    (role === undefined && 'neither spec.vaultRole nor DEFAULT_VAULT_ROLE is set') ||
    undefined;
  return {
    name: [mountPath, role, version],
    lacking,
    provider: {
      vault: without({
        server: address,
        namespace,
        version,
        auth: {
          kubernetes: without({
            mountPath,
            role,
            serviceAccountRef: without({
              ...environment.serviceAccount,
              audiences: audience === undefined ? undefined : [audience],
            }),
          }),
        },
      }),
    },
  };
}

function aws(
  service: string,
  spec: KesSpec,
  { aws: { region: own, intermediateRoleArn } }: KesEnvironment,
): Backend {
  const region = spec.region || own;
  const role = spec.roleArn || undefined;
  return {
    name: [region, role],
    lacking: region === undefined ? 'neither spec.region nor AWS_REGION is set' : undefined,
    provider: {
      aws: without({
        service,
        region,
        role,
        additionalRoles:
          role === undefined || intermediateRoleArn === undefined ? undefined : [intermediateRoleArn],
      }),
    },
  };
}

function azure(
  spec: KesSpec,
  { azure: { tenantId, environmentType, dnsSuffix, hasClient } }: KesEnvironment,
): Backend {
  const secret = (key: string) => ({ namespace: KES_CREDENTIALS.namespace, name: KES_CREDENTIALS.name, key });
  return {
    name: [spec.keyVaultName],
    lacking: hasClient
      ? undefined
      : 'AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not set for this controller',
    provider: {
      azurekv: without({
        vaultUrl: `https://${spec.keyVaultName ?? ''}.${dnsSuffix}`,
        tenantId,
        environmentType,
        authType: 'ServicePrincipal',
        authSecretRef: {
          clientId: secret(KES_CREDENTIALS.azureClientId),
          clientSecret: secret(KES_CREDENTIALS.azureClientSecret),
        },
      }),
    },
  };
}

function gcp(spec: KesSpec, { gcp: { hasKey } }: KesEnvironment): Backend {
  const { namespace, name, googleKey } = KES_CREDENTIALS;
  return {
    name: [spec.projectId],
    lacking: hasKey ? undefined : 'GOOGLE_APPLICATION_CREDENTIALS is not set for this controller',
    provider: {
      gcpsm: without({
        projectID: spec.projectId,
        auth: { secretRef: { secretAccessKeySecretRef: { namespace, name, key: googleKey } } },
      }),
    },
  };
}

function backendOf(spec: KesSpec, environment: KesEnvironment): Backend {
  switch (spec.backendType) {
    case 'vault':
      return vault(spec, environment);
    case 'secretsManager':
      return aws('SecretsManager', spec, environment);
    case 'systemManager':
      return aws('ParameterStore', spec, environment);
    case 'azureKeyVault':
      return azure(spec, environment);
    case 'gcpSecretsManager':
      return gcp(spec, environment);
    default:
      return { name: [], provider: {}, lacking: `backendType ${String(spec.backendType)} is not served` };
  }
}

/** Type of the Secret that is made; undefined means Opaque. */
export function kesSecretType({ type, template }: KesSpec): string | undefined {
  const own = template?.['type'];
  return (typeof own === 'string' && own !== '' ? own : type) || undefined;
}

/** What policies and tables look at. The engine reads spec.kes, where the order of the entries is. */
function hubSpec(spec: KesSpec, storeName: string, environment: KesEnvironment): ExternalSecretSpec {
  const { data = [], dataFrom = [], dataFromWithOptions = [] } = spec;
  const finalizers = (spec.template?.['metadata'] as { finalizers?: unknown } | undefined)?.finalizers;
  const named = data.filter(({ path }) => path === undefined);
  const type = kesSecretType(spec);
  return {
    secretStoreRef: { kind: 'ClusterSecretStore', name: storeName },
    ...(environment.polling
      ? { refreshInterval: environment.refreshInterval }
      : { refreshPolicy: 'OnChange' as const }),
    target: {
      ...(spec.template?.['immutable'] === true ? { immutable: true } : {}),
      template: {
        mergePolicy: 'Merge',
        ...(type === undefined ? {} : { type }),
        ...(Array.isArray(finalizers) ? { metadata: { finalizers: finalizers.map(String) } } : {}),
      },
    },
    data: named.map(({ name = '', key = '' }) => ({ secretKey: name, remoteRef: { key } })),
    dataFrom: [
      ...[...dataFrom, ...dataFromWithOptions.map(({ key }) => key)].map((key) => ({ extract: { key } })),
      ...data.flatMap(({ path }) => (path === undefined ? [] : [{ find: { path } }])),
    ],
  };
}

/**
 * @param object valid by the schema of KES
 * @returns the object in the form of the hub, whose apiVersion still is that of KES, and its store
 */
export function kesToHub(
  object: KesObject,
  environment: KesEnvironment,
): { readonly externalSecret: ExternalSecret; readonly store: SecretStore } {
  const { metadata, spec, status } = object;
  const backend = backendOf(spec, environment);
  const name = [spec.backendType, ...backend.name.filter((part) => part !== undefined && part !== '')].join(
    ':',
  );
  const part: KesPart = {
    spec,
    provider: backend.provider,
    ...(backend.lacking === undefined ? {} : { lacking: backend.lacking }),
  };
  const externalSecret: ExternalSecret = {
    apiVersion: KES_API_VERSION,
    kind: 'ExternalSecret',
    metadata,
    spec: { ...hubSpec(spec, `${KES_STORE_PREFIX}${name}`, environment), kes: part },
    ...(status === undefined ? {} : { status: statusFromKes(status, metadata) }),
  };
  return { externalSecret, store: kesStore(externalSecret, part) };
}

/** Stores by what they are made of: what is known of a store is known by its object. */
const stores = new Map<string, SecretStore>();
/** More than any cluster has backends; then they are made anew. */
const MAX_STORES = 10_000;

/** The store of an ExternalSecret of KES: the same object for equal ones. */
export function kesStore(es: ExternalSecret, { provider }: KesPart): SecretStore {
  const name = es.spec.secretStoreRef?.name ?? '';
  const uid = `${name} ${JSON.stringify(provider)}`;
  const known = stores.get(uid);
  if (known !== undefined) return known;
  if (stores.size >= MAX_STORES) stores.clear();
  const store: SecretStore = {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterSecretStore',
    metadata: { name, uid },
    spec: { provider },
  };
  stores.set(uid, store);
  return store;
}
