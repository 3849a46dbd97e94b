/** Stores of provider aws, and what a bed with AWS was asked. */
import assert from 'node:assert/strict';
import type { Aws } from '../../harness/aws.ts';
import { type Bed, type BedOptions, startBed } from '../../harness/bed.ts';
import { Cluster, type Manifest } from './cluster.ts';
import { externalSecret, namespace, secretStore } from './vault.ts';

export interface AwsBed extends Bed {
  readonly aws: Aws;
  readonly cluster: Cluster;
}

/** A bed whose programs are led to a stand-in for AWS, with an environment of which nothing may matter to a store. */
export async function startAwsBed(options: BedOptions = {}): Promise<AwsBed> {
  const ambient = { AWS_ACCESS_KEY_ID: 'AMBIENT', AWS_SECRET_ACCESS_KEY: 'AMBIENT' };
  const env = { ...ambient, AWS_REGION: 'eu-west-3', AWS_PROFILE: 'ambient', ...options.product?.env };
  const bed = await startBed({ ...options, aws: {}, product: { ...options.product, env } });
  assert.ok(bed.aws !== undefined);
  return { ...bed, aws: bed.aws, cluster: new Cluster(bed.cp) };
}

/** S16: only what the article's IAM policy allows was asked of Secrets Manager, and nothing with ambient keys. */
export function assertLeastPrivilege({ proxy }: Aws): void {
  // Calls of STS need no right of the role that is assumed.
  const allowed = new Set(['GetSecretValue', 'DescribeSecret', 'AssumeRoleWithWebIdentity']);
  assert.ok(proxy.count('GetSecretValue') > 0);
  for (const { action, accessKeyId } of proxy.calls) {
    assert.ok(allowed.has(action), action);
    assert.notEqual(accessKeyId, 'AMBIENT');
  }
}

/** auth of a store with the keys in Secret `aws`. */
export const KEYS_AUTH = {
  secretRef: {
    accessKeyIDSecretRef: { name: 'aws', key: 'id' },
    secretAccessKeySecretRef: { name: 'aws', key: 'secret' },
  },
};

/** spec.provider of a store with the keys in Secret `aws`. */
const keysProvider = (region: string): object => ({
  aws: {
    service: 'SecretsManager',
    region,
    auth: KEYS_AUTH,
  },
});

/** A namespace with keys and a SecretStore `aws` that uses them. */
export async function prepareAws(
  cluster: Cluster,
  name: string,
  region: string,
  keys: { readonly accessKeyId: string; readonly secretAccessKey: string } = {
    accessKeyId: 'AKIATESTTESTTEST',
    secretAccessKey: 'key',
  },
): Promise<void> {
  await cluster.create(namespace(name));
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'aws', namespace: name },
    stringData: { id: keys.accessKeyId, secret: keys.secretAccessKey },
  });
  await cluster.create(secretStore(name, 'aws', { provider: keysProvider(region) }));
}

/** An ExternalSecret of that store; each second, unless `spec` says otherwise. */
export const fromAws = (where: string, name: string, spec: object = {}): Manifest =>
  externalSecret(where, name, { secretStoreRef: { name: 'aws' }, ...spec });
