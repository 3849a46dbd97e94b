/** Stores, ExternalSecrets and logins for the bed's OpenBao. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { GROUP } from '../../../api/external-secrets/names.ts';
import type { Bed } from '../../harness/bed.ts';
import type { ControlPlane } from '../../harness/control-plane.ts';
import type { OpenBao } from '../../harness/openbao.ts';
import type { Cluster, Manifest } from './cluster.ts';

const SEEDS = join(import.meta.dirname, '..', 'seeds');

/** The manifests of a seed, with the bed's OpenBao in place of the article's server and token. */
export function readSeed(file: string, { openBao }: Pick<Bed, 'openBao'>): Manifest[] {
  const text = readFileSync(join(SEEDS, file), 'utf8')
    .replaceAll(
      /https:\/\/vault\.example\.com|http:\/\/vault\.vault\.svc\.cluster\.local:8200/g,
      openBao.address,
    )
    .replaceAll('REPLACE-WITH-VAULT-TOKEN', openBao.token);
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** Applies as a user would: kubectl with its strict validation. @returns what it printed */
export async function applyManifests(
  cp: ControlPlane,
  manifests: readonly Manifest[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const list = { apiVersion: 'v1', kind: 'List', items: manifests };
  return cp.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(list) });
}

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

export const tokenSecret = (where: string, token: string, name = 'vault-token'): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: where },
  stringData: { token },
});

const TOKEN_AUTH = { tokenSecretRef: { name: 'vault-token', key: 'token' } };

/** spec.provider of a store: KV v2 at `secret/` with the token of Secret `vault-token`, unless `block` differs. */
export const vaultProvider = (server: string, block: object = {}): object => ({
  vault: { server, path: 'secret', version: 'v2', auth: TOKEN_AUTH, ...block },
});

export const secretStore = (where: string, name: string, spec: object): Manifest => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'SecretStore',
  metadata: { name, namespace: where },
  spec,
});

export const clusterSecretStore = (name: string, spec: object): Manifest => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'ClusterSecretStore',
  metadata: { name },
  spec,
});

/** One key, `password`, from property `password` of `app` in SecretStore `vault`, each second; `spec` is merged in. */
export const externalSecret = (
  where: string,
  name: string,
  spec: object = {},
  metadata: object = {},
): Manifest => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'ExternalSecret',
  metadata: { name, namespace: where, ...metadata },
  spec: {
    refreshInterval: '1s',
    secretStoreRef: { name: 'vault' },
    data: [{ secretKey: 'password', remoteRef: { key: 'app', property: 'password' } }],
    ...spec,
  },
});

/** `password` from this remote object. */
export const passwordOf = (key: string): object => ({
  data: [{ secretKey: 'password', remoteRef: { key, property: 'password' } }],
});

/** A namespace with a token and a SecretStore `vault` that uses it. */
export async function prepare(cluster: Cluster, openBao: OpenBao, name: string): Promise<void> {
  await cluster.create(namespace(name));
  await cluster.create(tokenSecret(name, openBao.token));
  await cluster.create(secretStore(name, 'vault', { provider: vaultProvider(openBao.address) }));
}

/** A request with the root token that has to succeed. */
export async function administer<T = unknown>(
  openBao: OpenBao,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await openBao.request<T>(method, path, body);
  if (answer.status < 300) return answer.body;
  throw new Error(`OpenBao refused ${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** A token that may read what is at `secret/`. */
export async function readerToken(openBao: OpenBao): Promise<string> {
  await administer(openBao, 'PUT', 'sys/policies/acl/reader', {
    policy: 'path "secret/data/*" { capabilities = ["read"] }',
  });
  const request = { policies: ['reader'] };
  type Answer = { auth: { client_token: string } };
  return (await administer<Answer>(openBao, 'POST', 'auth/token/create', request)).auth.client_token;
}

export interface KubernetesRole {
  readonly name: string;
  readonly serviceAccount: string;
  readonly namespace: string;
  /** The audience that a token has to have; none is asked for without it. */
  readonly audience?: string;
}

/** Mounts auth/kubernetes, which reviews tokens at the bed's API server, with these roles and read access to `secret/`. */
export async function enableKubernetesAuth(
  { cp, openBao }: Pick<Bed, 'cp' | 'openBao'>,
  cluster: Cluster,
  roles: readonly KubernetesRole[],
): Promise<void> {
  const reviewer = { name: 'vault-reviewer', namespace: 'default' };
  if ((await cluster.find('ServiceAccount', reviewer.namespace, reviewer.name)) === undefined) {
    await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: reviewer });
    const subject = `--serviceaccount=${reviewer.namespace}:${reviewer.name}`;
    const binding = [
      'create',
      'clusterrolebinding',
      reviewer.name,
      '--clusterrole=system:auth-delegator',
      subject,
    ];
    await cp.kubectlOutput(binding);
  }
  await administer(openBao, 'PUT', 'sys/policies/acl/reader', {
    policy: 'path "secret/data/*" { capabilities = ["read"] }',
  });
  await administer(openBao, 'POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
  await administer(openBao, 'POST', 'auth/kubernetes/config', {
    kubernetes_host: cp.server,
    kubernetes_ca_cert: cp.ca,
    token_reviewer_jwt: await cp.serviceAccountToken(reviewer.namespace, reviewer.name),
    disable_local_ca_jwt: true,
  });
  for (const role of roles) {
    await administer(openBao, 'POST', `auth/kubernetes/role/${role.name}`, {
      bound_service_account_names: [role.serviceAccount],
      bound_service_account_namespaces: [role.namespace],
      token_policies: ['reader'],
      token_ttl: '1h',
      ...(role.audience === undefined ? {} : { audience: role.audience }),
    });
  }
}

/** How often OpenBao answered this request so far, e.g. `read`, `secret/data/app`. Needs its audit log. */
export const requestsTo = (openBao: OpenBao, operation: string, path: string): number =>
  openBao.auditCounts()[`${operation} ${path}`] ?? 0;
