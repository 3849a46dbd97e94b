import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type {
  Connection,
  FindRequest,
  ProviderError,
  RemoteRef,
  StoreContext,
} from '../../providers/contract.ts';
import { gcpsmConfigSchema } from '../../providers/gcpsm/config.ts';
import { takeGcpEnvironment } from '../../providers/gcpsm/environment.ts';
import { forgetGcpSessions, gcpsmProvider } from '../../providers/gcpsm/provider.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { providers } from '../../providers/registry.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { providerConformance } from '../conformance/provider-kit.ts';
import { type GcpCall, GcpFake } from '../gcp/fake.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';

const PROJECT = 'projects/shop-1';
const store: StoreContext = {
  kind: 'SecretStore',
  name: 'gcp',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const keyFile = (more: object = {}): string =>
  JSON.stringify({
    type: 'service_account',
    project_id: 'shop-1',
    private_key_id: 'k1',
    private_key: privateKey,
    client_email: 'reader@shop-1.iam.gserviceaccount.com',
    // Whoever may write a Secret must not choose where the assertion is sent.
    token_uri: 'http://127.0.0.1:9/stolen',
    ...more,
  });
const withKey = { secretRef: { secretAccessKeySecretRef: { name: 'gcp', key: 'key.json' } } };
const block = (more: object = {}): Record<string, unknown> => ({ projectID: 'shop-1', auth: withKey, ...more });
const PRIVATE = privateKey.split('\n')[1] ?? '';

const endpoints = (url: string, secrets: string = url): NodeJS.ProcessEnv => ({
  CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER: secrets,
  CLOUDSDK_AUTH_TOKEN_HOST: `${url}/token`,
  CLOUDSDK_API_ENDPOINT_OVERRIDES_STS: url,
  CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS: url,
});

async function startFake(): Promise<GcpFake> {
  configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
  const fake = await GcpFake.start();
  fake.publicKey = publicKey;
  takeGcpEnvironment({ ambient: false }, endpoints(fake.url));
  return fake;
}

after(() => takeGcpEnvironment({ ambient: false }, {}));

providerConformance('gcpsm', async () => {
  const fake = await startFake();
  const cluster = new MemoryCluster().set('Secret', 'team/gcp', { 'key.json': keyFile() });
  const provider = providers.get('gcpsm');
  if (provider === undefined) throw new Error('provider gcpsm is not registered');
  return {
    provider,
    store,
    ports: cluster.ports,
    traits: {
      find: ['name', 'tags', 'path'],
      metadata: { team: 'labels.team' },
      keys: 'names',
      bigBytes: 64 * 1024,
    },
    keyOf: (name) => name.replaceAll(/[^A-Za-z0-9_-]/g, '-'),
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) fake.put(PROJECT, key, text);
      return block();
    },
    async prepareBytes(bytes) {
      fake.put(PROJECT, 'bytes', bytes);
      return { key: 'bytes' };
    },
    async tag(key, tags) {
      const stored = fake.secrets.get(`${PROJECT}/secrets/${key}`);
      if (stored !== undefined) stored.labels = { ...tags };
    },
    refused: [
      { block: block({ projectID: '' }), path: ['projectID'] },
      { block: block({ location: 'eu/evil.example.com' }), path: ['location'] },
      { block: block({ auth: undefined }), path: ['auth'] },
      { block: block({ auth: { secretRef: {} } }), path: ['auth', 'secretRef', 'secretAccessKeySecretRef'] },
      {
        block: block({ auth: { workloadIdentity: { serviceAccountRef: { name: 'x', namespace: 'other' } } } }),
        path: ['auth', 'workloadIdentity', 'serviceAccountRef', 'namespace'],
      },
    ],
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
    hang: () => {
      fake.pause();
      return () => fake.resume();
    },
    at(url, ca) {
      if (ca !== undefined) return undefined;
      takeGcpEnvironment({ ambient: false }, endpoints(fake.url, url));
      return block();
    },
    sentinels: [PRIVATE, 'ya29.'],
    close: () => fake.stop(),
  };
});
