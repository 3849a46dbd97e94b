import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { Agenda } from './agenda.ts';
import { WorkQueue } from './queue.ts';
import { track } from './tracked.ts';

const es = (name: string): ExternalSecret =>
  ({ metadata: { namespace: 'shop', name, uid: name }, spec: { refreshInterval: '1h' } }) as ExternalSecret;

test('whose store answers again has its turn sooner, never later, and once', async () => {
  const log: string[] = [];
  const queue = new WorkQueue({
    clock: systemClock,
    workers: 4,
    work: async (key) => {
      log.push(key);
    },
  });
  const agenda = new Agenda(systemClock, queue, 0);
  const now = systemClock.monotonic();
  const [late, soon, never] = ['late', 'soon', 'never'].map((name) => track(`shop/${name}`, es(name)));
  assert.ok(late && soon && never);
  agenda.schedule(late, now + 60_000);
  agenda.schedule(soon, now);
  agenda.schedule(never, now + 60_000);
  for (const one of [late, soon]) agenda.hasten(one, now + 50);
  await new Promise((done) => setTimeout(done, 300));
  assert.deepEqual(log, ['shop/soon', 'shop/late']);
  await queue.stop();
});
