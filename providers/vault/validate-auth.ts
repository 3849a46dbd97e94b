/** Rules on the auth block of a vault block that its schema cannot say, without I/O. */
import type { FieldPath, Report } from '../../api/problem.ts';
import type { StoreContext } from '../contract.ts';
import { AUTH_METHODS, type AuthMethod, mountOf, TOKEN_SECONDS } from './auth-methods.ts';
import type { VaultAuth, VaultConfig } from './config.ts';
import { splitSegments } from './paths.ts';

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

/** One method's own rules. */
interface Checks {
  readonly config: VaultConfig;
  readonly auth: VaultAuth;
  readonly store: StoreScope;
  readonly report: Report;
}

const LONGEST_TOKEN_SECONDS = 2 ** 32;
const AWS_ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/;

export function checkAuth(config: VaultConfig, store: StoreScope, report: Report): void {
  const { auth = {} } = config;
  const methods = AUTH_METHODS.filter((method) => auth[method] !== undefined);
  const [method] = methods;
  if (method === undefined) {
    report('vault-auth', ['auth'], `set one auth method: ${AUTH_METHODS.join(', ')}`);
    return;
  }
  if (methods.length > 1) {
    const names = methods.join(', ');
    report('vault-one-auth', ['auth'], `set exactly one auth method, found ${methods.length} (${names})`);
    return;
  }
  const mount = mountOf(auth, method);
  const segments = mount === undefined ? [] : splitSegments(mount[1]);
  if (mount !== undefined && typeof segments === 'string')
    report('vault-auth-mount', ['auth', method, mount[0]], segments);
  CHECKS[method]({ config, auth, store, report });
}

const CHECKS: Readonly<Record<AuthMethod, (checks: Checks) => void>> = {
  tokenSecretRef: () => undefined,
  appRole: ({ auth, report }) => {
    const { roleId = '', roleRef } = auth.appRole ?? {};
    if (roleId.trim() === '' && roleRef === undefined)
      report('vault-role-id', ['auth', 'appRole'], 'set roleId or roleRef');
  },
  kubernetes: ({ auth, report }) => {
    const { role, serviceAccountRef, secretRef } = auth.kubernetes ?? {};
    const path = ['auth', 'kubernetes'];
    checkRole(role, [...path, 'role'], report);
    if (serviceAccountRef !== undefined || secretRef !== undefined) return;
    report(
      'vault-kubernetes-token',
      path,
      "set serviceAccountRef or secretRef; logging in with the controller's own token is not supported",
    );
  },
  ldap: (checks) => checkNamed(checks, 'ldap'),
  userPass: (checks) => checkNamed(checks, 'userPass'),
  jwt: checkJwt,
  cert: ({ config, auth, report }) => {
    const path = ['auth', 'cert'];
    for (const field of ['clientCert', 'secretRef'] as const) {
      if (auth.cert?.[field] === undefined)
        report(
          'vault-cert',
          [...path, field],
          'a login by certificate needs both clientCert and secretRef, which holds its private key',
        );
    }
    if (/^http:/i.test(config.server))
      report('vault-cert-tls', path, 'a login by certificate needs a server with https');
  },
  iam: checkIam,
  gcp: ({ auth, report }) => {
    const path = ['auth', 'gcp'];
    const { role, secretRef, workloadIdentity, serviceAccountRef } = auth.gcp ?? {};
    checkRole(role, [...path, 'role'], report);
    for (const [field, value] of Object.entries({ workloadIdentity, serviceAccountRef })) {
      if (value !== undefined)
        report('vault-auth-kind', [...path, field], `${field} is not supported yet; ${GCP_REMEDY}`);
    }
    if (secretRef?.secretAccessKeySecretRef !== undefined) return;
    report('vault-gcp-key', [...path, 'secretRef'], GCP_REMEDY);
  },
};

const GCP_REMEDY = 'set secretRef.secretAccessKeySecretRef, the key of a service account';

function checkRole(role: string | undefined, path: FieldPath, report: Report): void {
  if (role === undefined || role.trim() === '') report('vault-role', path, 'name the role');
}

function checkNamed({ auth, report }: Checks, method: 'ldap' | 'userPass'): void {
  const { username = '', secretRef } = auth[method] ?? {};
  const segments = splitSegments(username.trim());
  // It becomes a segment of the login's path.
  if (typeof segments === 'string' || segments.length > 1)
    report('vault-username', ['auth', method, 'username'], 'name the user, without a slash');
  if (secretRef === undefined)
    report('vault-password', ['auth', method, 'secretRef'], 'name the Secret with the password');
}

function checkJwt({ auth, report }: Checks): void {
  const path = ['auth', 'jwt'];
  const { secretRef, kubernetesServiceAccountToken: requested } = auth.jwt ?? {};
  if (secretRef === undefined && requested === undefined)
    report('vault-jwt-token', path, 'set secretRef or kubernetesServiceAccountToken');
  const seconds = requested?.expirationSeconds;
  if (seconds !== undefined && (seconds < TOKEN_SECONDS || seconds > LONGEST_TOKEN_SECONDS))
    report(
      'vault-jwt-life',
      [...path, 'kubernetesServiceAccountToken', 'expirationSeconds'],
      `the API server gives tokens for ${TOKEN_SECONDS} to ${LONGEST_TOKEN_SECONDS} seconds`,
    );
}

function checkIam({ auth, store, report }: Checks): void {
  const path = ['auth', 'iam'];
  const { vaultRole, role, secretRef, jwt, vaultAwsIamServerID = '', region = '' } = auth.iam ?? {};
  checkRole(vaultRole, [...path, 'vaultRole'], report);
  if (role !== undefined && role !== '' && !AWS_ROLE.test(role))
    report(
      'vault-iam-role',
      [...path, 'role'],
      'must be the ARN of a role: arn:aws:iam::<account>:role/<name>',
    );
  if (!/^([a-z]{2,5}(-[a-z]+)+-\d{1,2})?$/.test(region))
    report('vault-iam-region', [...path, 'region'], 'name an AWS region, such as eu-central-1');
  if (!/^[\x21-\x7e]*$/.test(vaultAwsIamServerID))
    report('vault-iam-server-id', [...path, 'vaultAwsIamServerID'], 'must be printable ASCII without blanks');
  if (jwt?.serviceAccountRef !== undefined) return;
  if (secretRef === undefined) {
    // What this program can reach in AWS is not for everyone who may write a store into a namespace.
    if (store.kind === 'ClusterSecretStore') return;
    report(
      'vault-iam-credentials',
      path,
      'a SecretStore brings its own credentials: set jwt.serviceAccountRef or secretRef; those of this program are lent to a ClusterSecretStore only',
    );
    return;
  }
  for (const field of ['accessKeyIDSecretRef', 'secretAccessKeySecretRef'] as const) {
    if (secretRef[field] === undefined)
      report(
        'vault-iam-keys',
        [...path, 'secretRef', field],
        'static credentials need both accessKeyIDSecretRef and secretAccessKeySecretRef',
      );
  }
}
