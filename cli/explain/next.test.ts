import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { nextSlot } from '../../sync/phase.ts';
import { currentVersion } from '../../sync/status.ts';
import type { PollerState } from '../cluster/poller-lease.ts';
import { nextAttempt } from './next.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const WORKING: PollerState = { state: 'working', holder: 'p', renewedMsAgo: 1 };

function es(spec: object, ready?: 'True' | 'False', metadata: object = {}): ExternalSecret {
  const object = {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: 'a', namespace: 'b', generation: 1, ...metadata },
    spec: { secretStoreRef: { name: 's' }, refreshInterval: '1h', ...spec },
  } as ExternalSecret;
  if (ready === undefined) return object;
  const condition = {
    type: 'Ready',
    status: ready,
    reason: 'x',
    message: 'x',
    lastTransitionTime: '2026-11-22T11:00:00Z',
  };
  return {
    ...object,
    status: {
      conditions: [condition],
      refreshTime: '2026-11-22T11:59:00Z',
      syncedResourceVersion: currentVersion(object),
    },
  };
}

const next = (object: ExternalSecret, phase?: number, poller: PollerState = WORKING) =>
  nextAttempt({ es: object, poller, now: NOW, phase });

describe('the next attempt', () => {
  test('of one that is synced is its slot', () => {
    const { kind, at, text } = next(es({}, 'True'), 90_000);
    assert.equal(kind, 'schedule');
    assert.equal(Date.parse(at ?? ''), nextSlot(NOW, 3_600_000, 90_000));
    assert.equal(text, 'in 1m30s by schedule (every 1h0m0s)');
  });

  test('is within the interval where its stores could not be read', () => {
    const { kind, at } = next(es({}, 'True'));
    assert.deepEqual([kind, at], ['within', '2026-11-22T13:00:00.000Z']);
  });

  test('of one that fails is within its interval, and within seven minutes', () => {
    assert.equal(next(es({ refreshInterval: '30s' }, 'False'), 0).at, '2026-11-22T12:00:30.000Z');
    assert.equal(next(es({}, 'False'), 0).at, '2026-11-22T12:07:00.000Z');
    assert.equal(next(es({ refreshPolicy: 'OnChange' }, 'False'), 0).at, '2026-11-22T12:07:00.000Z');
  });

  test('is at once for one that is new, or changed', () => {
    assert.equal(next(es({})).kind, 'now');
    const changed = es({}, 'True');
    assert.equal(next({ ...changed, metadata: { ...changed.metadata, generation: 2 } }, 0).kind, 'now');
  });

  test('waits for a change where time brings none', () => {
    assert.match(next(es({ refreshInterval: '0s' }, 'True'), 0).text, /reads once \(refreshInterval: 0\)/);
    assert.match(next(es({ refreshPolicy: 'CreatedOnce' }, 'True'), 0).text, /CreatedOnce/);
    assert.match(next(es({ refreshPolicy: 'OnChange' }, 'True'), 0).text, /OnChange/);
  });

  test('waits for a sync window', () => {
    const syncWindows = { kind: 'allow', windows: [{ schedule: '0 15 * * *', duration: '1h' }] };
    const { kind, at } = next(es({ syncWindows }, 'True'), 0);
    assert.deepEqual([kind, at], ['schedule', '2026-11-22T15:00:00.000Z']);
  });

  test('is none for one that is being deleted, and without a poller', () => {
    const gone = es({}, 'True', { deletionTimestamp: '2026-11-22T12:00:00Z' });
    assert.equal(next(gone, 0).kind, 'none');
    assert.equal(next(es({}, 'True'), 0, { state: 'absent' }).kind, 'none');
    assert.equal(next(es({}), 0, { state: 'silent', holder: 'p', renewedMsAgo: 99_000 }).kind, 'none');
    assert.equal(next(es({}, 'True'), 0, { state: 'unknown', why: '403' }).kind, 'schedule');
  });
});
