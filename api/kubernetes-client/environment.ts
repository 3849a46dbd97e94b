/** What the environment of the program says about ExternalSecrets of KES: the variables of KES that mean something here. */
import { formatGoDuration } from '../duration.ts';
import { EsaError } from '../errors.ts';

/** What an ExternalSecret of KES does not say itself. It holds no secret. */
export interface KesEnvironment {
  /** Objects of another spec.controllerId are left alone; empty: those that have one. */
  readonly instanceId: string;
  /** A Go duration. */
  readonly refreshInterval: string;
  /** False: values are read when an object is new or its spec has changed, and not again. */
  readonly polling: boolean;
  /** Namespaces that are served; empty: all. */
  readonly namespaces: readonly string[];
  readonly permissions: {
    /** True: what no annotation of the namespace permits is refused. */
    readonly enforced: boolean;
    /** Names of the annotations. */
    readonly role: string;
    readonly naming: string;
  };
  /** Who logs in to Vault. */
  readonly serviceAccount: { readonly namespace: string; readonly name: string };
  readonly vault: {
    readonly address: string | undefined;
    readonly namespace: string | undefined;
    readonly mountPoint: string | undefined;
    readonly role: string | undefined;
    /** Audience of the token of the ServiceAccount; undefined: that of the API server. */
    readonly audience: string | undefined;
  };
  readonly aws: { readonly region: string | undefined; readonly intermediateRoleArn: string | undefined };
  readonly azure: {
    readonly tenantId: string | undefined;
    /** As a store of provider azurekv names it. */
    readonly environmentType: string;
    readonly dnsSuffix: string;
    /** True if the environment holds the id and the secret of a client. */
    readonly hasClient: boolean;
  };
  readonly gcp: {
    /** True if the environment names a file with the key of a service account. */
    readonly hasKey: boolean;
  };
}

export interface KesSettings {
  readonly serviceAccount: KesEnvironment['serviceAccount'];
  readonly vaultAudience: string | undefined;
}

const AZURE: Readonly<Record<string, { readonly type: string; readonly suffix: string }>> = {
  AzureCloud: { type: 'PublicCloud', suffix: 'vault.azure.net' },
  AzureChinaCloud: { type: 'ChinaCloud', suffix: 'vault.azure.cn' },
  AzureGermanCloud: { type: 'GermanCloud', suffix: 'vault.microsoftazure.de' },
  AzureUSGovernmentCloud: { type: 'USGovernmentCloud', suffix: 'vault.usgovcloudapi.net' },
};

const DEFAULT_INTERVAL_MS = 10_000;
/** As for every ExternalSecret: none is read more often. */
const SHORTEST_INTERVAL_MS = 1_000;
/** Ten years; what is longer means never, and DISABLE_POLLING says that. */
const LONGEST_INTERVAL_MS = 10 * 365 * 24 * 3_600_000;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads the variables. Empty is as good as unset.
 * @throws EsaError CONFIGURATION for a value that makes no sense
 */
export function readKesEnvironment(variables: Variables, settings: KesSettings): KesEnvironment {
  const text = (name: string): string | undefined => variables[name]?.trim() || undefined;
  const azure = AZURE[text('AZURE_ENVIRONMENT') ?? 'AzureCloud'];
  if (azure === undefined)
    throw senseless('AZURE_ENVIRONMENT', `is not one of ${Object.keys(AZURE).join(', ')}`);
  return {
    instanceId: text('INSTANCE_ID') ?? '',
    refreshInterval: formatGoDuration(intervalOf(text('POLLER_INTERVAL_MILLISECONDS'))),
    polling: !flag('DISABLE_POLLING', text('DISABLE_POLLING')),
    namespaces: (text('WATCHED_NAMESPACES') ?? '').split(',').flatMap((name) => name.trim() || []),
    permissions: {
      enforced: flag('ENFORCE_NAMESPACE_ANNOTATIONS', text('ENFORCE_NAMESPACE_ANNOTATIONS')),
      role: text('ROLE_PERMITTED_ANNOTATION') ?? 'iam.amazonaws.com/permitted',
      naming:
        text('NAMING_PERMITTED_ANNOTATION') ?? 'externalsecrets.kubernetes-client.io/permitted-key-name',
    },
    serviceAccount: settings.serviceAccount,
    vault: {
      address: text('VAULT_ADDR'),
      namespace: text('VAULT_NAMESPACE'),
      mountPoint: text('DEFAULT_VAULT_MOUNT_POINT'),
      role: text('DEFAULT_VAULT_ROLE'),
      audience: settings.vaultAudience,
    },
    aws: {
      region: text('AWS_REGION') ?? text('AWS_DEFAULT_REGION'),
      intermediateRoleArn: text('AWS_INTERMEDIATE_ROLE_ARN'),
    },
    azure: {
      tenantId: text('AZURE_TENANT_ID'),
      environmentType: azure.type,
      dnsSuffix: text('AZURE_KEY_VAULT_DNS_SUFFIX') ?? azure.suffix,
      hasClient: text('AZURE_CLIENT_ID') !== undefined && text('AZURE_CLIENT_SECRET') !== undefined,
    },
    gcp: { hasKey: text('GOOGLE_APPLICATION_CREDENTIALS') !== undefined },
  };
}

const senseless = (name: string, why: string): EsaError =>
  new EsaError('CONFIGURATION', `the environment variable ${name} ${why}`);

/** KES takes any value for true; "false" here means what it says. */
function flag(name: string, text: string | undefined): boolean {
  if (text === undefined || /^(?:false|0|no|off)$/i.test(text)) return false;
  if (/^(?:true|1|yes|on)$/i.test(text)) return true;
  throw senseless(name, 'is neither true nor false');
}

function intervalOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_INTERVAL_MS;
  const interval = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(interval >= SHORTEST_INTERVAL_MS && interval <= LONGEST_INTERVAL_MS)) {
    throw senseless(
      'POLLER_INTERVAL_MILLISECONDS',
      `is not a whole number from ${SHORTEST_INTERVAL_MS} to ${LONGEST_INTERVAL_MS}`,
    );
  }
  return interval;
}

/** True if this instance serves the object: namespace and controllerId are its own. */
export function servesKes(
  environment: KesEnvironment,
  object: {
    readonly metadata?: { readonly namespace?: string | undefined } | undefined;
    readonly spec?: unknown;
  },
): boolean {
  const { namespaces, instanceId } = environment;
  const namespace = object.metadata?.namespace ?? '';
  if (namespaces.length > 0 && !namespaces.includes(namespace)) return false;
  const { controllerId } = (object.spec ?? {}) as { controllerId?: unknown };
  return (controllerId ?? '') === instanceId;
}
