import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../api/clock.ts';
import { EsaError } from '../../api/errors.ts';
import type { StoreContext } from '../../providers/contract.ts';
import { providers } from '../../providers/registry.ts';
import { providerConformance } from '../conformance/provider-kit.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 'express',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};

const nothing = async (): Promise<never> => {
  throw new EsaError('INTERNAL', 'the express provider needs nothing of the cluster');
};

/** The server of the tutorial, with a switch that makes it hang. */
async function startServer(): Promise<{
  url: string;
  values: Map<string, string>;
  server: Server;
  hang(): () => void;
}> {
  const values = new Map<string, string>();
  let waiting: (() => void)[] | undefined;
  const server = createServer((request, response) => {
    const answer = (): void => {
      const [, key = ''] = /^\/keys\/(.+)$/.exec(request.url ?? '') ?? [];
      const value = values.get(decodeURIComponent(key));
      response.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(value === undefined ? '' : JSON.stringify({ key, value }));
    };
    if (waiting === undefined) answer();
    else waiting.push(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    values,
    server,
    hang() {
      waiting = [];
      return () => {
        for (const answer of waiting ?? []) answer();
        waiting = undefined;
      };
    },
  };
}

// S86
providerConformance('express', async () => {
  const { url, values, server, ...express } = await startServer();
  const provider = providers.get('express');
  assert.ok(provider !== undefined);
  return {
    provider,
    store,
    ports: {
      clock: systemClock,
      secretKey: nothing,
      configMapKey: nothing,
      serviceAccountToken: nothing,
      serviceAccountAnnotations: nothing,
    },
    traits: { find: [], metadata: 'none' },
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) values.set(key, text);
      return { host: url };
    },
    refused: ['foo', 'ftp://x', 'http://', 'http://u:p@x', 'http://169.254.169.254'].map((host) => ({
      block: { host },
      path: ['host'],
    })),
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
    hang: () => express.hang(),
    at: (host, ca) => (ca === undefined ? { host } : undefined),
    sentinels: [],
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
});
