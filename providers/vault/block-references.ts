/** The references that a vault block makes to objects of the cluster. */
import type { FieldPath } from '../../api/problem.ts';
import type { ReferenceOptions, StoreReference } from '../references.ts';
import type { VaultConfig } from './config.ts';

/** A reference of the block, where it stands, and what holds for it. */
export interface BlockReference {
  readonly kind: 'Secret' | 'ConfigMap' | 'ServiceAccount';
  readonly path: FieldPath;
  readonly reference: StoreReference & { readonly key?: string | undefined };
  readonly options: ReferenceOptions;
  /** The key that is meant where the reference names none; undefined if it has to. */
  readonly defaultKey?: string | undefined;
  /** False where something else outranks it: it is checked all the same, but never followed. */
  readonly used: boolean;
}

/** Every reference that the block makes, as far as something could follow it. */
export function referencesOf({ server, auth, caBundle, caProvider, tls }: VaultConfig): BlockReference[] {
  const references: BlockReference[] = [];
  // Over plain HTTP, CA and client certificate have no meaning, as in ESO.
  const secure = !/^http:/i.test(server);
  const add = (
    kind: BlockReference['kind'],
    path: FieldPath,
    reference: BlockReference['reference'] | undefined,
    extra: Partial<Pick<BlockReference, 'defaultKey' | 'options' | 'used'>> = {},
  ): void => {
    if (reference !== undefined)
      references.push({ kind, path, reference, options: {}, used: true, ...extra });
  };
  const { appRole, kubernetes, jwt, cert, iam, gcp } = auth ?? {};
  add('Secret', ['auth', 'tokenSecretRef'], auth?.tokenSecretRef);
  // An id in the open outranks one in a Secret, as in ESO.
  add('Secret', ['auth', 'appRole', 'roleRef'], appRole?.roleRef, { used: !appRole?.roleId });
  add('Secret', ['auth', 'appRole', 'secretRef'], appRole?.secretRef);
  add('Secret', ['auth', 'ldap', 'secretRef'], auth?.ldap?.secretRef);
  add('Secret', ['auth', 'userPass', 'secretRef'], auth?.userPass?.secretRef);
  // A stored JWT outranks a requested one, as in ESO.
  const requested = jwt?.kubernetesServiceAccountToken;
  add('Secret', ['auth', 'jwt', 'secretRef'], jwt?.secretRef);
  const account = ['auth', 'jwt', 'kubernetesServiceAccountToken', 'serviceAccountRef'];
  add('ServiceAccount', account, requested?.serviceAccountRef, { used: jwt?.secretRef === undefined });
  add('Secret', ['auth', 'cert', 'clientCert'], cert?.clientCert, { used: secure });
  add('Secret', ['auth', 'cert', 'secretRef'], cert?.secretRef, { used: secure });
  const identity = iam?.jwt?.serviceAccountRef;
  add('ServiceAccount', ['auth', 'iam', 'jwt', 'serviceAccountRef'], identity);
  for (const field of AWS_KEYS)
    add('Secret', ['auth', 'iam', 'secretRef', field], iam?.secretRef?.[field], {
      used: identity === undefined,
    });
  const key = ['auth', 'gcp', 'secretRef', 'secretAccessKeySecretRef'];
  add('Secret', key, gcp?.secretRef?.secretAccessKeySecretRef);
  add('ServiceAccount', ['auth', 'kubernetes', 'serviceAccountRef'], kubernetes?.serviceAccountRef);
  // A ServiceAccount outranks a Secret, and caBundle a caProvider, as in ESO.
  add('Secret', ['auth', 'kubernetes', 'secretRef'], kubernetes?.secretRef, {
    defaultKey: 'token',
    used: kubernetes?.serviceAccountRef === undefined,
  });
  add(caProvider?.type ?? 'Secret', ['caProvider'], caProvider, {
    options: { namespaceRequired: true },
    used: secure && caBundle === undefined,
  });
  // A login by certificate shows its own.
  const shown = secure && cert === undefined;
  add('Secret', ['tls', 'certSecretRef'], tls?.certSecretRef, { defaultKey: 'tls.crt', used: shown });
  add('Secret', ['tls', 'keySecretRef'], tls?.keySecretRef, { defaultKey: 'tls.key', used: shown });
  return references;
}

const AWS_KEYS = ['accessKeyIDSecretRef', 'secretAccessKeySecretRef', 'sessionTokenSecretRef'] as const;
