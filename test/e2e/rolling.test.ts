/** A rolling update of the webhook while creates and updates go on: the API server loses no review. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bed, startBed } from '../harness/bed.ts';
import { sumSamples } from '../harness/metrics.ts';
import { rollWebhooks } from '../soak/roll.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const WHERE = 'rolling';
const LANES = 4;
const PAUSE_MS = 100;

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({ product: { webhooks: 2, poller: false, webhookArgs: ['--lame-duck', '2s'] } });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'first' });
  await prepare(cluster, bed.openBao, WHERE);
});
after(() => bed.stop());

/** Calls of our hooks that the API server got no answer to. */
async function lostCalls(): Promise<number> {
  const { body } = await bed.cp.request<string>('GET', '/metrics');
  return (
    sumSamples(body, 'apiserver_admission_webhook_fail_open_count') +
    sumSamples(body, 'apiserver_admission_webhook_rejection_count', { error_type: 'calling_webhook_error' })
  );
}

test('both replicas are replaced, one after the other, and no review fails', async () => {
  const lostBefore = await lostCalls();
  const bad: string[] = [];
  let done = 0;
  let over = false;
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    for (let turn = 0; !over; turn += 1) {
      const name = `app-${lane}-${turn}`;
      const { status, warnings, body } = await cluster.attempt(externalSecret(WHERE, name));
      if (status !== 201 || warnings.length > 0)
        bad.push(`create ${name}: ${status} ${body.message ?? ''} ${warnings.join()}`);
      else if ((await cluster.values(WHERE, name))?.['password'] !== 'first')
        bad.push(`${name} has no Secret`);
      await cluster
        .patch('ExternalSecret', WHERE, name, { spec: { refreshInterval: `${turn + 2}s` } })
        .catch((error: unknown) => bad.push(String(error)));
      done += 1;
      await sleep(PAUSE_MS);
    }
  });
  const old = bed.product.webhooks.filter((replica) => replica.isRunning());
  await rollWebhooks(bed.product).finally(() => {
    over = true;
  });
  await Promise.all(lanes);
  assert.deepEqual(bad, []);
  assert.ok(done >= 20, `${done} creates`);
  assert.equal(await lostCalls(), lostBefore);
  assert.equal(old.length, 2);
  for (const replica of old) assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
  assert.equal(bed.product.webhooks.filter((replica) => replica.isRunning()).length, 2);
});
