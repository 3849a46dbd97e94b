import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { statusFromKes, statusToKes } from './status.ts';

const at = '2026-11-22T10:00:00Z';
const ready = (status: 'True' | 'False', message: string) => ({
  type: 'Ready',
  status,
  reason: status === 'True' ? 'SecretSynced' : 'SecretSyncedError',
  message,
  lastTransitionTime: at,
});

describe('S53 the status of KES', () => {
  test('K8 success', () => {
    const status = {
      conditions: [ready('True', 'secret synced')],
      refreshTime: at,
      syncedResourceVersion: '2',
    };
    const kes = { status: 'SUCCESS', lastSync: at, observedGeneration: 2 };
    assert.deepEqual(statusToKes(status, 2), kes);
    assert.deepEqual(statusFromKes(kes, { name: 'app', generation: 2 }), {
      ...status,
      binding: { name: 'app' },
    });
  });

  test('K9 K12 failure, in one line', () => {
    const status = { conditions: [ready('False', 'Lots  of\n\n\tspaces ')], refreshTime: at };
    const kes = { status: 'ERROR, Lots of spaces', lastSync: at, observedGeneration: 3 };
    assert.deepEqual(statusToKes(status, 3), kes);
    assert.deepEqual(statusFromKes(kes, { name: 'app', generation: 3 }), {
      conditions: [ready('False', 'Lots of spaces')],
      refreshTime: at,
      syncedResourceVersion: '!3',
      binding: { name: '' },
    });
  });

  test('none, and what KES left half written', () => {
    assert.equal(statusFromKes(undefined, { generation: 1 }), undefined);
    assert.deepEqual(statusFromKes({ lastSync: at }, { generation: 1 })?.syncedResourceVersion, undefined);
  });
});
