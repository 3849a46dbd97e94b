import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EsaError } from '../api/errors.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { ProviderError } from '../providers/contract.ts';
import { SyncError } from './errors.ts';
import { currentVersion, failedStatus, readyCondition, type SyncedOutcome, syncedStatus } from './status.ts';

const NOW = Date.parse('2026-01-02T03:04:05.678Z');
const HOUR = 3_600_000;
const es = (status?: ExternalSecret['status']): Pick<ExternalSecret, 'metadata' | 'status'> => ({
  metadata: { name: 'app', namespace: 'ns', generation: 1 },
  status,
});
const synced = (now = NOW, status?: ExternalSecret['status'], interval = HOUR) =>
  syncedStatus({ es: es(status), outcome: 'synced', target: 't', refreshedAt: now, now, interval });

test('the first success says all of it, in ESO’s words', () => {
  assert.deepEqual(synced(), {
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'SecretSynced',
        message: 'secret synced',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
    refreshTime: '2026-01-02T03:04:05Z',
    syncedResourceVersion: currentVersion(es()),
    binding: { name: 't' },
  });
});

test('what a sync came to is said in ESO’s words, and the binding names a Secret only if there is one', () => {
  const before = synced();
  const said = (outcome: SyncedOutcome) => {
    const status = syncedStatus({
      es: es(before),
      outcome,
      target: 't',
      refreshedAt: NOW,
      now: NOW + 1000,
      interval: HOUR,
    });
    const { reason, message, status: ready } = readyCondition(status) ?? {};
    return [ready, reason, message, status?.binding?.name];
  };
  const retained = 'secret retained due to DeletionPolicy=Retain';
  assert.deepEqual(said('retained'), ['True', 'SecretSynced', retained, 't']);
  assert.deepEqual(said('deleted'), [
    'True',
    'SecretDeleted',
    'secret deleted due to DeletionPolicy=Delete',
    '',
  ]);
  const missing = 'secret will not be created due to CreationPolicy=Merge';
  assert.deepEqual(said('missing'), ['True', 'SecretMissing', missing, '']);
  assert.deepEqual(said('none'), ['True', 'SecretSynced', 'secret synced', '']);
});

test('while nothing changes refreshTime is written each interval or ten minutes, whichever is longer', () => {
  const first = synced();
  assert.equal(synced(NOW + 30 * 60_000, first), undefined);
  assert.equal(synced(NOW + HOUR, first)?.refreshTime, '2026-01-02T04:04:05Z');
  assert.equal(synced(NOW + 9 * 60_000, first, 10_000), undefined);
  assert.notEqual(synced(NOW + 11 * 60_000, first, 10_000), undefined);
  assert.equal(synced(NOW + 24 * HOUR, first, 0), undefined);
});

test('a refreshTime in the future, from a clock that was wrong, is put right by the next refresh', () => {
  const first = synced(NOW + HOUR);
  assert.equal(synced(NOW, first, 10_000)?.refreshTime, '2026-01-02T03:04:05Z');
  assert.equal(synced(NOW + HOUR - 30_000, first, 10_000), undefined);
});

test('a failure keeps what was synced and the time of the transition', () => {
  const error = new SyncError(
    'fetch',
    new ProviderError('PROVIDER_NOT_FOUND', 'no secret at secret/data/app'),
    { location: 'spec.data[0] (key: app)', path: ['spec'] },
  );
  const failed = failedStatus(es(synced()), error, NOW + 1000);
  const condition = readyCondition(failed);
  assert.equal(
    condition?.message,
    'could not get secret data from provider: error processing spec.data[0] (key: app), err: no secret at secret/data/app',
  );
  assert.equal(condition?.lastTransitionTime, '2026-01-02T03:04:06Z');
  assert.deepEqual(Object.keys(failed ?? {}), ['conditions']);
  // The same failure again is not written again; another one is, with the time of the first.
  assert.equal(failedStatus(es(failed), error, NOW + 60_000), undefined);
  const other = new SyncError('apply', new EsaError('KUBE_API', 'quota'));
  assert.equal(
    readyCondition(failedStatus(es(failed), other, NOW + 60_000))?.lastTransitionTime,
    '2026-01-02T03:04:06Z',
  );
});

test('with --status-refresh-time=always it is written at each refresh, to the second', () => {
  const before = synced();
  const at = (now: number, interval = 10_000) =>
    syncedStatus({
      es: es(before),
      outcome: 'synced',
      target: 't',
      refreshedAt: now,
      now,
      interval,
      refreshTime: 'always',
    })?.refreshTime;
  assert.equal(at(NOW + 10_000), '2026-01-02T03:04:15Z');
  assert.equal(at(NOW + 300), undefined, 'the same second');
  // Where time alone brings no refresh, what looks like one is a look at the Secret.
  assert.equal(at(NOW + 10_000, 0), undefined);
});
