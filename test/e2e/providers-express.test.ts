import assert from 'node:assert/strict';
import { providers } from '../../providers/registry.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { expressAnswer, startKeyServer } from '../conformance/key-server.ts';
import { providerConformance } from '../conformance/provider-kit.ts';

// S86
providerConformance('express', async () => {
  const server = await startKeyServer(expressAnswer);
  const provider = providers.get('express');
  assert.ok(provider !== undefined);
  return {
    provider,
    store: { kind: 'SecretStore', name: 's', namespace: 'a', uid: 'u', generation: 1, callerNamespace: 'a' },
    ports: new MemoryCluster().ports,
    traits: { find: [], metadata: 'none' },
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) server.values.set(key, text);
      return { host: server.url };
    },
    refused: ['foo', 'ftp://x', 'http://', 'http://u:p@x', 'http://169.254.169.254'].map((host) => ({
      block: { host },
      path: ['host'],
    })),
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
    hang: server.hang,
    at: (host, ca) => (ca === undefined ? { host } : undefined),
    sentinels: [],
    close: server.close,
  };
});
