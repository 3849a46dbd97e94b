/** Rules on a kubernetes block that its schema cannot say, without I/O. */
import { collector, type Problem } from '../../api/problem.ts';
import { type BlockReference, caReference, checkCaBundle, checkReferences } from '../block-references.ts';
import type { FindRequest, RemoteRef, StoreContext } from '../contract.ts';
import { serverUrl } from '../server-url.ts';
import type { KubernetesConfig } from './config.ts';

/** What the API server of the cluster is called in every cluster. */
export const OWN_SERVER = 'https://kubernetes.default';
const OWN_HOST = /^kubernetes\.default(\.svc(\.cluster\.local)?)?$/;

/** The URL of the API server, or what is wrong with it; as client-go, a host alone is taken. */
export function apiServerUrl({ server }: KubernetesConfig): URL | string {
  const text = server?.url ?? '';
  if (text === '') return new URL(OWN_SERVER);
  return serverUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
}

/** True if the store reads from the cluster that it is in. */
export function isOwnCluster(config: KubernetesConfig): boolean {
  if (config.authRef !== undefined) return false;
  const url = apiServerUrl(config);
  if (typeof url === 'string' || url.protocol !== 'https:') return false;
  return OWN_HOST.test(url.hostname) && url.port === '' && url.pathname === '/';
}

/** Every reference that the block makes. */
export function referencesOf({ server, auth, authRef }: KubernetesConfig): BlockReference[] {
  const secret = (
    path: readonly string[],
    reference: BlockReference['reference'] | undefined,
  ): BlockReference[] => (reference === undefined ? [] : [{ kind: 'Secret', path, reference }]);
  return [
    ...secret(['auth', 'cert', 'clientCert'], auth?.cert?.clientCert),
    ...secret(['auth', 'cert', 'clientKey'], auth?.cert?.clientKey),
    ...secret(['auth', 'token', 'bearerToken'], auth?.token?.bearerToken),
    ...(auth?.serviceAccount === undefined
      ? []
      : [
          {
            kind: 'ServiceAccount' as const,
            path: ['auth', 'serviceAccount'],
            reference: auth.serviceAccount,
          },
        ]),
    ...secret(['authRef'], authRef),
    ...caReference(server ?? {}, ['server']),
  ];
}

/** Everything that is wrong with the block; paths are relative to it. */
export function validateKubernetesConfig(
  config: KubernetesConfig,
  store: Pick<StoreContext, 'kind' | 'namespace'>,
): Problem[] {
  const { report, problems } = collector();
  const { auth, authRef, server } = config;
  if (auth === undefined && authRef === undefined) {
    report('kubernetes-auth', ['auth'], 'set auth or authRef: a store reads with credentials of its own');
  }
  if (authRef !== undefined) {
    const beside = auth !== undefined ? 'auth' : server !== undefined ? 'server' : undefined;
    if (beside !== undefined)
      report('kubernetes-one-auth', [beside], 'leave it out: the kubeconfig of authRef says it');
  }
  if (auth?.cert !== undefined) {
    for (const field of ['clientCert', 'clientKey'] as const) {
      if (auth.cert[field] === undefined)
        report('kubernetes-client-certificate', ['auth', 'cert', field], 'set both clientCert and clientKey');
    }
  }
  if (auth?.token !== undefined && auth.token.bearerToken === undefined)
    report('kubernetes-token', ['auth', 'token', 'bearerToken'], 'name the Secret that holds the token');
  const url = apiServerUrl(config);
  if (typeof url === 'string') report('store-server-url', ['server', 'url'], url);
  if (server !== undefined) checkCaBundle(server, ['server'], report);
  checkReferences(referencesOf(config), store, report);
  return problems;
}

/** What may be admitted and yet surprises. */
export function warnKubernetesConfig(config: KubernetesConfig): Problem[] {
  const { report, problems } = collector();
  const { server, auth, authRef } = config;
  const foreign = authRef === undefined && !isOwnCluster(config);
  if (foreign && server?.caBundle === undefined && server?.caProvider === undefined)
    report(
      'kubernetes-ca',
      ['server'],
      'No caBundle or caProvider specified; TLS connections will use system certificate roots.',
    );
  if (foreign && auth?.serviceAccount !== undefined && (auth.serviceAccount.audiences ?? []).length === 0)
    report(
      'kubernetes-audiences',
      ['auth', 'serviceAccount', 'audiences'],
      'without audiences the token sent to that server is good for this cluster, too',
    );
  return problems;
}

const SECRET_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Why this reference can never work, or undefined. */
export function validateKubernetesRef(ref: Omit<RemoteRef, 'property'>): string | undefined {
  if (ref.version !== undefined) return 'provider kubernetes has no versions: leave version out';
  return SECRET_NAME.test(ref.key) && ref.key.length <= 253
    ? undefined
    : 'key must be the name of a Secret: lowercase letters, digits, "-" and "."';
}

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** Why this find can never work, or undefined. Tags outrank a name, as in ESO. */
export function validateKubernetesFind({ path, nameRegexp, tags }: FindRequest): string | undefined {
  if (path !== undefined) return 'provider kubernetes knows no find.path: leave it out';
  for (const [key, value] of Object.entries(tags ?? {})) {
    // Anything else would be another selector than one label.
    if (!LABEL_KEY.test(key) || !LABEL_VALUE.test(value))
      return 'find.tags must be labels as an object can have them';
  }
  return nameRegexp === undefined && Object.keys(tags ?? {}).length === 0
    ? 'unexpected find operator: provider kubernetes finds by name or by tags (labels)'
    : undefined;
}
