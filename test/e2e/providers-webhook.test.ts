import assert from 'node:assert/strict';
import { providers } from '../../providers/registry.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { startKeyServer } from '../conformance/key-server.ts';
import { providerConformance } from '../conformance/provider-kit.ts';

const TOKEN = 'webhook-conformance-token';

providerConformance('webhook', async () => {
  const server = await startKeyServer((response, _key, value) => {
    response.writeHead(value === undefined ? 404 : 200).end(value ?? '');
  });
  const cluster = new MemoryCluster()
    .set('Secret', 'a/login', { token: TOKEN, 'key in url': 'x/y&z' })
    .label('a/login', { 'external-secrets.io/type': 'webhook' });
  const provider = providers.get('webhook');
  assert.ok(provider !== undefined);
  const block = (origin: string, more: object = {}): object => ({
    url: `${origin}/keys/{{ .remoteRef.key }}`,
    headers: { Authorization: 'Bearer {{ .login.token }}' },
    secrets: [{ name: 'login', secretRef: { name: 'login' } }],
    ...more,
  });
  return {
    provider,
    store: { kind: 'SecretStore', name: 's', namespace: 'a', uid: 'u', generation: 1, callerNamespace: 'a' },
    ports: cluster.ports,
    traits: { property: 'none', find: [], metadata: 'none', raw: true },
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) server.values.set(key, text);
      return block(server.url);
    },
    async prepareBytes(bytes) {
      server.values.set('bytes', bytes);
      return { key: 'bytes' };
    },
    refused: [
      { block: { url: 'ftp://x' }, path: ['url'] },
      { block: block('https://{{ .remoteRef.key }}'), path: ['url'] },
      { block: block(server.url, { headers: { Host: 'x' } }), path: ['headers', 'Host'] },
      { block: block(server.url, { body: '{{ .nobody.token }}' }), path: ['body'] },
      { block: block(server.url, { result: { jsonPath: '$.a[' } }), path: ['result', 'jsonPath'] },
      { block: block(server.url, { timeout: 'soon' }), path: ['timeout'] },
      {
        block: block(server.url, {
          secrets: [{ name: 'login', secretRef: { name: 'login', namespace: 'other' } }],
        }),
        path: ['secrets', 0, 'secretRef', 'namespace'],
      },
    ],
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
    hang: server.hang,
    at: (url, ca) => block(url, ca === undefined ? {} : { caBundle: ca }),
    sentinels: [TOKEN],
    close: server.close,
  };
});
