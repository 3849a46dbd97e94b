import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExternalSecret, ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { cadenceOf, isOverdue, neverSynced, refreshedInFuture, windowOpens } from './cadence.ts';
import { currentVersion } from './status.ts';

test('9.3 #47 what brings a read, by policy and interval', () => {
  const cases = [
    [undefined, undefined, 3_600_000, true],
    ['Periodic', '1h0m0s', 3_600_000, true],
    ['Periodic', '10ms', 1_000, true],
    ['Periodic', '0', 0, false],
    ['Periodic', '0s', 0, false],
    ['Periodic', '-5s', 0, false],
    ['OnChange', '10s', 0, true],
    ['OnChange', '0', 0, true],
    ['CreatedOnce', '10s', 0, false],
  ] as const;
  for (const [refreshPolicy, refreshInterval, interval, onEdit] of cases) {
    const spec = {
      ...(refreshPolicy === undefined ? {} : { refreshPolicy }),
      ...(refreshInterval === undefined ? {} : { refreshInterval }),
    };
    assert.deepEqual(cadenceOf(spec), { interval, onEdit }, JSON.stringify(spec));
  }
});

describe('9.3 #47 is an object read, by policy and status', () => {
  const NOW = Date.parse('2026-06-01T12:00:00Z');
  const HOUR = 3_600_000;
  const at = (ms: number): string => new Date(ms).toISOString();
  const object = (refreshPolicy: 'CreatedOnce' | 'OnChange' | 'Periodic', refreshInterval: string) => {
    const es: ExternalSecret = {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'a', namespace: 'ns', generation: 2, labels: { a: 'b' } },
      spec: { refreshPolicy, refreshInterval },
    };
    return es;
  };
  /** What the poller concludes when it first sees the object (controller.ts). */
  const isRead = (es: ExternalSecret): boolean => {
    const cadence = cadenceOf(es.spec);
    const edited = cadence.onEdit && es.status?.syncedResourceVersion !== currentVersion(es);
    return neverSynced(es) || edited || refreshedInFuture(es, cadence, NOW) || isOverdue(es, cadence, NOW);
  };

  for (const [policy, interval, what, version, refreshTime, read] of [
    ['CreatedOnce', '1h', 'never synced', '', undefined, true],
    ['CreatedOnce', '1h', 'without refreshTime', 'current', undefined, true],
    ['CreatedOnce', '1h', 'synced', 'current', NOW, false],
    ['CreatedOnce', '1h', 'edited since', '1-old', NOW, false],
    ['CreatedOnce', '1h', 'synced long ago', 'current', NOW - 5 * HOUR, false],
    ['OnChange', '1h', 'never synced', '', undefined, true],
    ['OnChange', '1h', 'synced', 'current', NOW, false],
    ['OnChange', '1h', 'edited since', '1-old', NOW, true],
    ['OnChange', '1h', 'synced long ago', 'current', NOW - 5 * HOUR, false],
    ['Periodic', '1h', 'never synced', '', undefined, true],
    ['Periodic', '1h', 'edited since', '1-old', NOW, true],
    ['Periodic', '1h', 'synced', 'current', NOW - HOUR / 2, false],
    ['Periodic', '1h', 'due', 'current', NOW - HOUR - 1, true],
    ['Periodic', '1h', 'with a refreshTime in the future', 'current', NOW + HOUR, true],
    ['Periodic', '0', 'never synced', '', undefined, true],
    ['Periodic', '0', 'edited since', '1-old', NOW - 5 * HOUR, false],
    ['Periodic', '0', 'with a refreshTime in the future', 'current', NOW + HOUR, false],
  ] as const) {
    test(`${policy} each ${interval}, ${what}: ${read ? 'yes' : 'no'}`, () => {
      const es = object(policy, interval);
      const syncedResourceVersion = version === 'current' ? currentVersion(es) : version;
      const status = {
        syncedResourceVersion,
        ...(refreshTime === undefined ? {} : { refreshTime: at(refreshTime) }),
      };
      assert.equal(isRead({ ...es, status }), read);
    });
  }

  test('9.3 #48 windows hold back what only time has brought', () => {
    const spec: ExternalSecretSpec = {
      refreshInterval: '1h',
      syncWindows: { kind: 'allow', windows: [{ schedule: '0 22 * * *', duration: '2h' }] },
    };
    const es = { ...object('Periodic', '1h'), spec };
    const cadence = cadenceOf(spec);
    const status = { syncedResourceVersion: currentVersion(es), refreshTime: at(NOW - 2 * HOUR) };
    assert.equal(windowOpens(es, cadence, NOW), undefined, 'the first sync');
    assert.equal(windowOpens({ ...es, status }, cadence, NOW), Date.parse('2026-06-01T22:00:00Z'));
    const edited = { ...status, syncedResourceVersion: '1-old' };
    assert.equal(windowOpens({ ...es, status: edited }, cadence, NOW), undefined, 'an edit');
    const open = Date.parse('2026-06-01T23:00:00Z');
    assert.equal(windowOpens({ ...es, status }, cadence, open), undefined, 'an open window');
  });
});
