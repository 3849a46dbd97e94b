/** Rules on an azurekv block that its schema cannot say, without I/O. */
import { collector, type Problem, type Report } from '../../api/problem.ts';
import { isLoopbackAddress, literalAddress, refusalOf } from '../addresses.ts';
import type { BlockReference } from '../block-references.ts';
import type { FindRequest, RemoteRef, StoreContext } from '../contract.ts';
import { checkReference } from '../references.ts';
import { type AzurekvConfig, cloudOf, usesOwnIdentity } from './config.ts';
import { parseKey } from './keys.ts';

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

const SECRET_FIELDS = ['clientId', 'tenantId', 'clientSecret', 'clientCertificate'] as const;

/** The references that the credentials of the block come from. */
export function referencesOf(config: AzurekvConfig): BlockReference[] {
  const { authType, serviceAccountRef, authSecretRef = {} } = config;
  if (usesOwnIdentity(config)) return [];
  const fields = authType === 'WorkloadIdentity' ? (['clientId', 'tenantId'] as const) : SECRET_FIELDS;
  const secrets = fields.flatMap((field): BlockReference[] => {
    const reference = authSecretRef[field];
    return reference === undefined ? [] : [{ kind: 'Secret', path: ['authSecretRef', field], reference }];
  });
  return authType === 'WorkloadIdentity' && serviceAccountRef !== undefined
    ? [{ kind: 'ServiceAccount', path: ['serviceAccountRef'], reference: serviceAccountRef }, ...secrets]
    : secrets;
}

/** The vault's URL; undefined for one that a request cannot be sent to. */
export function vaultUrlOf({ vaultUrl }: Pick<AzurekvConfig, 'vaultUrl'>): URL | undefined {
  if (!/^https?:\/\/[^/?#@\s\\]+\/?$/i.test(vaultUrl) || !URL.canParse(vaultUrl)) return undefined;
  const url = new URL(vaultUrl);
  const literal = literalAddress(url);
  // Without TLS the token would be for everyone to read, but on this very machine (a stand-in, while developing).
  const isLoopback = literal !== undefined && isLoopbackAddress(literal);
  return url.protocol === 'https:' || isLoopback ? url : undefined;
}

function checkVault(config: AzurekvConfig, report: Report): void {
  const url = vaultUrlOf(config);
  if (url === undefined) {
    report(
      'azure-vault-url',
      ['vaultUrl'],
      'must be the URL of a vault, with https and without a path: https://my-vault.vault.azure.net',
    );
    return;
  }
  const literal = literalAddress(url);
  // Whether loopback is allowed is a setting of the running program, so that is said when it connects.
  const why = literal === undefined ? undefined : refusalOf(literal, true);
  if (why !== undefined) report('azure-vault-address', ['vaultUrl'], `${literal} ${why}; name the vault`);
}

/** An id, or a domain of the tenant; it becomes a part of a path. */
export const TENANT = /^[0-9A-Za-z](?:[0-9A-Za-z.-]{0,251}[0-9A-Za-z])?$/;

function checkServicePrincipal(config: AzurekvConfig, report: Report): void {
  const { tenantId = '', authSecretRef } = config;
  if (tenantId === '' && authSecretRef?.tenantId === undefined) {
    report('azure-tenant', ['tenantId'], 'name the tenant of the service principal');
  }
  if (authSecretRef === undefined || authSecretRef.clientId === undefined) {
    report(
      'azure-client-id',
      ['authSecretRef', 'clientId'],
      'a service principal needs a client id, and a client secret or certificate',
    );
    return;
  }
  const { clientSecret, clientCertificate } = authSecretRef;
  if (clientSecret === undefined && clientCertificate === undefined) {
    report(
      'azure-credential',
      ['authSecretRef', 'clientSecret'],
      'a service principal needs clientSecret or clientCertificate',
    );
  } else if (clientSecret !== undefined && clientCertificate !== undefined) {
    report('azure-one-credential', ['authSecretRef'], 'set clientSecret or clientCertificate, not both');
  }
}

function checkAuth(config: AzurekvConfig, store: StoreScope, report: Report): void {
  const { authType, authSecretRef, tenantId = '' } = config;
  if (tenantId !== '' && !TENANT.test(tenantId))
    report('azure-tenant-form', ['tenantId'], 'must be the id of a tenant, or one of its domains');
  if (usesOwnIdentity(config)) {
    if (store.kind === 'ClusterSecretStore') return;
    // What this program or its node can reach is not for everyone who may write a store into a namespace.
    report(
      'azure-auth',
      authType === 'ManagedIdentity' ? ['authType'] : ['serviceAccountRef'],
      'a SecretStore brings its own credentials: a service principal, or WorkloadIdentity with serviceAccountRef; those of this program and its node are lent to a ClusterSecretStore only',
    );
    return;
  }
  if (authType === 'ServicePrincipal') checkServicePrincipal(config, report);
  else if (authSecretRef !== undefined && authSecretRef.clientId === undefined) {
    report('azure-client-id', ['authSecretRef', 'clientId'], 'name it, or leave authSecretRef out');
  }
  for (const { kind, path, reference } of referencesOf(config)) {
    if (kind === 'Secret' && (reference.key ?? '') === '')
      report('store-ref-key', [...path, 'key'], 'name the key of the Secret');
  }
}

/** Everything that is wrong with the block; paths are relative to it. */
export function validateAzureBlock(config: AzurekvConfig, store: StoreScope): Problem[] {
  const { report, problems } = collector();
  checkVault(config, report);
  if (config.environmentType === 'AzureStackCloud' || config.customCloudConfig !== undefined) {
    report(
      'azure-custom-cloud',
      [config.customCloudConfig === undefined ? 'environmentType' : 'customCloudConfig'],
      'clouds of your own are not supported; supported: PublicCloud, USGovernmentCloud, ChinaCloud, GermanCloud',
    );
  }
  checkAuth(config, store, report);
  for (const { path, reference } of referencesOf(config)) checkReference(store, reference, path, report);
  return problems;
}

/** What changes nothing here, or is likely not what was meant. */
export function warnAzureBlock(config: AzurekvConfig): readonly Problem[] {
  const { report, problems } = collector();
  const { authType, useAzureSDK, identityId, serviceAccountRef, authSecretRef } = config;
  const { hostname } = vaultUrlOf(config) ?? {};
  const { vaults } = cloudOf(config);
  if (hostname !== undefined && !hostname.endsWith(`.${vaults}`)) {
    report(
      'azure-vault-host',
      ['vaultUrl'],
      `no vault of ${config.environmentType} (<name>.${vaults}); the token goes there`,
    );
  }
  const unused: (readonly [boolean, string])[] = [
    [useAzureSDK, 'useAzureSDK'],
    [identityId !== undefined && authType !== 'ManagedIdentity', 'identityId'],
    [serviceAccountRef !== undefined && authType !== 'WorkloadIdentity', 'serviceAccountRef'],
    [authSecretRef !== undefined && usesOwnIdentity(config), 'authSecretRef'],
  ];
  for (const [is, field] of unused) {
    if (is) report('azure-unused', [field], `changes nothing with authType ${authType}`);
  }
  return problems;
}

const VERSION = /^[0-9A-Za-z]{1,64}$/;

/** Why this remoteRef can never work, or undefined. */
export function validateAzureRef(_config: AzurekvConfig, { key, version }: RemoteRef): string | undefined {
  if (parseKey(key) === undefined) {
    return `key ${JSON.stringify(key.slice(0, 150))}: write name, secret/name, cert/name or key/name; names have letters, digits and "-" only`;
  }
  return version !== undefined && !VERSION.test(version)
    ? `version ${JSON.stringify(version.slice(0, 70))} is no id of a version`
    : undefined;
}

/** A sentence if this find can never work, else undefined. Without a criterion it means every secret, as in ESO. */
export function validateAzureFind(_config: AzurekvConfig, { path = '' }: FindRequest): string | undefined {
  return path === '' ? undefined : 'a vault has no folders: leave find.path out, and use find.name.regexp';
}
