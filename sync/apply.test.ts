import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CreationPolicy, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { KubeClient } from '../kube/client.ts';
import { failure, sendJson, startWireServer } from '../kube/testing/wire-server.ts';
import { apply, OwnerGone } from './apply.ts';
import { MarkerKeys } from './marker-keys.ts';
import { shape } from './shape.ts';

const NEVER = new AbortController().signal;

const external = (creationPolicy: CreationPolicy, metadata: object = {}): ExternalSecret => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { namespace: 'shop', name: 'app', uid: 'seen', ...metadata },
  spec: { target: { creationPolicy } },
});

/** Applies where there is no Secret. @param live the object as the API server has it; undefined: not at all @returns the requests */
async function applyTo(live: ExternalSecret | undefined, policy: CreationPolicy) {
  await using server = await startWireServer(({ method, path, body }, response) => {
    if (method === 'POST') return sendJson(response, 201, JSON.parse(body));
    if (live === undefined || !path.includes('/externalsecrets/'))
      return sendJson(response, 404, failure(404, 'NotFound', 'not found'));
    sendJson(response, 200, live);
  });
  const kube = new KubeClient({ server: server.url });
  const deps = { kube, keys: new MarkerKeys(kube, 'system'), unmanagedTarget: 'refuse' } as const;
  const es = external(policy);
  const desired = shape(es, new Map(), { data: undefined, labels: {}, annotations: {} });
  try {
    const outcome = await apply(es, desired, undefined, deps, NEVER).catch((error: unknown) => error);
    return { outcome, requests: server.received.map(({ method, path }) => `${method} ${path}`) };
  } finally {
    await kube.close();
  }
}

const SECRETS = '/api/v1/namespaces/shop/secrets';
const OBJECT = '/apis/external-secrets.io/v1/namespaces/shop/externalsecrets/app';

describe('a Secret that is missing', () => {
  test('is made for an object that is there', async () => {
    const { outcome, requests } = await applyTo(external('Owner'), 'Owner');
    assert.equal((outcome as { action: string }).action, 'created');
    assert.deepEqual(
      requests.map((one) => one.replace(/\?.*/, '')),
      [`GET ${SECRETS}/app`, `GET ${OBJECT}`, `POST ${SECRETS}`],
    );
  });

  for (const [what, live] of [
    ['has gone', undefined],
    ['was made anew', external('Orphan', { uid: 'another' })],
    ['is going', external('Orphan', { deletionTimestamp: '2026-01-02T03:04:05Z' })],
  ] as const)
    test(`is not made once more, after a watch that was cut, for an object that ${what}`, async () => {
      const { outcome, requests } = await applyTo(live, 'Orphan');
      assert.ok(outcome instanceof OwnerGone);
      assert.deepEqual(
        requests.filter((one) => one.startsWith('POST')),
        [],
      );
    });

  test('is not made at all by Merge, and nobody is asked', async () => {
    const { outcome, requests } = await applyTo(external('Merge'), 'Merge');
    assert.deepEqual(outcome, { action: 'missing' });
    assert.deepEqual(requests, [`GET ${SECRETS}/app`]);
  });
});
