/** Names of kubernetes-external-secrets (KES) on the wire, and how its ExternalSecrets are told from those of ESO. */

export const KES_GROUP = 'kubernetes-client.io';
export const KES_VERSION = 'v1';
export const KES_API_VERSION = `${KES_GROUP}/${KES_VERSION}`;
export const KES_PLURAL = 'externalsecrets';

interface Named {
  readonly apiVersion?: string | undefined;
  readonly metadata: { readonly name?: string | undefined };
}

/** True for an ExternalSecret of KES, as it is stored or in the form of the hub. */
export const isKes = ({ apiVersion }: { readonly apiVersion?: string | undefined }): boolean =>
  apiVersion === KES_API_VERSION;

const PREFIX = `${KES_GROUP}/`;

/**
 * The name of an ExternalSecret as Secrets and tables of ours know it. Two objects of one name, one of each kind, may
 * stand in a namespace; that of KES has its group before the name, which no name can have by itself.
 */
export const qualifiedName = (es: Named): string => `${isKes(es) ? PREFIX : ''}${es.metadata.name ?? ''}`;

/** @returns the name alone, and whether it is that of an ExternalSecret of KES */
export const splitName = (qualified: string): { readonly kes: boolean; readonly name: string } =>
  qualified.startsWith(PREFIX)
    ? { kes: true, name: qualified.slice(PREFIX.length) }
    : { kes: false, name: qualified };
