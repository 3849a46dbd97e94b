import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SecretStore } from '../api/external-secrets/v1/index.ts';
import type { FoundObject, RemoteObject } from '../providers/contract.ts';
import { auditedSources, type Source } from './audit.ts';
import { bindStore, type ResolvedStore } from './stores.ts';

const store = (kind: 'SecretStore' | 'ClusterSecretStore', provider: object): ResolvedStore =>
  bindStore(
    {
      kind,
      metadata: { name: 'backend', ...(kind === 'SecretStore' ? { namespace: 'shop' } : {}) },
      spec: { provider },
    } as SecretStore,
    'shop',
  );
const object = (version?: string): RemoteObject => ({
  version,
  get: () => assert.fail('no value is looked at'),
  getMap: () => assert.fail('no value is looked at'),
});
const read = (from: ResolvedStore, key: string, answer: RemoteObject, version?: string): Source => ({
  store: from,
  answer,
  source: {
    kind: 'read',
    store: { kind: from.context.kind, name: 'backend' },
    storePath: [],
    remote: { key, version },
  },
});

test('who has read what: each store, remote object and generator once', () => {
  const vault = store('ClusterSecretStore', {
    vault: {
      server: 'https://vault.example.com:8200',
      path: 'secret',
      version: 'v2',
      caProvider: { type: 'ConfigMap', name: 'ca', key: 'ca.crt', namespace: 'infra' },
      auth: {
        kubernetes: {
          mountPath: 'kubernetes',
          role: 'shop',
          serviceAccountRef: { name: 'reader', namespace: 'infra' },
        },
      },
    },
  });
  const aws = store('SecretStore', {
    aws: {
      service: 'SecretsManager',
      region: 'eu-central-1',
      role: 'arn:aws:iam::111122223333:role/shop',
      auth: { jwt: { serviceAccountRef: { name: 'shop' } } },
    },
  });
  assert.deepEqual(
    auditedSources([
      read(vault, 'app', object('3')),
      read(vault, 'app', object('3')),
      read(vault, 'app', object('1'), '1'),
      { generator: { kind: 'Password', name: 'short' } },
      read(aws, 'prod/app', object()),
    ]),
    [
      {
        store: 'ClusterSecretStore backend',
        provider: 'vault',
        server: 'https://vault.example.com:8200',
        credentials: ['ServiceAccount infra/reader'],
        role: 'shop',
        objects: [
          { key: 'secret/data/app', version: '3' },
          { key: 'secret/data/app', requested: '1', version: '1' },
        ],
      },
      {
        store: 'SecretStore shop/backend',
        provider: 'aws',
        server: 'https://secretsmanager.eu-central-1.amazonaws.com',
        credentials: ['ServiceAccount shop/shop'],
        role: 'arn:aws:iam::111122223333:role/shop',
        objects: [{ key: 'eu-central-1/prod/app' }],
      },
      { generator: 'Password short' },
    ],
  );
});

test('of a find that brings many, the first hundred', () => {
  const from = store('SecretStore', { fake: { data: [{ key: 'a', value: 'b' }] } });
  const answer: FoundObject[] = Array.from({ length: 130 }, (_, index) => ({
    key: `k${index}`,
    canonicalKey: `team/k${index}`,
    object: object(),
  }));
  const source = {
    kind: 'find',
    store: { kind: 'SecretStore', name: 'backend' },
    storePath: [],
    request: { nameRegexp: '.*' },
  } as const;
  const [audited] = auditedSources([{ store: from, answer, source }]);
  assert.ok(audited !== undefined && 'objects' in audited);
  assert.deepEqual(audited.objects[99], { key: 'team/k99' });
  assert.deepEqual([audited.objects.length, audited.more], [100, 30]);
});
