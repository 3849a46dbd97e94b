/** More creates than the webhook serves at a time: the rest is left to the poller at once, and nothing is lost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';

const NAMESPACE = 'default';
const COUNT = 5;
let bed: Bed;

before(async () => {
  bed = await startBed({ product: { webhookArgs: ['--max-in-flight', '1', '--budget', '3s'] } });
  await bed.openBao.write('app', { password: 'hunter2' });
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'vault-token', namespace: NAMESPACE },
      stringData: { token: bed.openBao.token },
    },
    {
      apiVersion: 'external-secrets.io/v1',
      kind: 'SecretStore',
      metadata: { name: 'vault', namespace: NAMESPACE },
      spec: {
        provider: {
          vault: {
            server: bed.openBao.address,
            path: 'secret',
            auth: { tokenSecretRef: { name: 'vault-token', key: 'token' } },
          },
        },
      },
    },
  ];
  for (const object of objects) {
    await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
  }
});
after(() => bed.stop());

const create = (name: string, metadata: object = {}) =>
  bed.cp.kubectl(['create', '-f', '-'], {
    stdin: JSON.stringify({
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name, namespace: NAMESPACE, ...metadata },
      spec: { secretStoreRef: { name: 'vault' }, dataFrom: [{ extract: { key: 'app' } }] },
    }),
  });

test('hazard 2.9 with the provider hanging, one create waits, the others return at once with a warning', async () => {
  bed.openBao.pause();
  const first = create('first');
  await eventually(async () => (await bed.product.webhook.metric('esa_materialize_in_flight')) === 1);
  const results = await Promise.all(Array.from({ length: COUNT }, (_, index) => create(`late-${index}`)));
  for (const { code, stderr } of results) {
    assert.equal(code, 0);
    assert.match(stderr, /^Warning: .*the webhook is busy/);
  }
  const strict = await create('strict', {
    annotations: { 'external-secrets-admission.io/require-sync': 'true' },
  });
  assert.equal(strict.code, 1);
  assert.match(strict.stderr, /\(ServiceUnavailable\).*the webhook is busy \(try again\)/);
  assert.equal(
    await bed.product.webhook.metric('esa_materialize_total', { outcome: 'deferred-OVERLOADED' }),
    COUNT,
  );
  assert.equal((await first).code, 0);

  bed.openBao.resume();
  for (const name of ['first', ...Array.from({ length: COUNT }, (_, index) => `late-${index}`)]) {
    await eventually(async () => (await bed.cp.kubectl(['get', 'secret', name])).code === 0, {
      what: name,
      timeout: 20_000,
    });
  }
  assert.equal((await create('after')).stderr, '');
});
