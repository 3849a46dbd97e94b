import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { KnownHashes, KnownNames } from '../kube/known-objects.ts';
import { nameHash } from '../kube/name-hash.ts';
import { specHash } from '../sync/marker.ts';
import { keyOf, ObjectIndex } from './object-index.ts';
import { URGENCY, WorkQueue } from './queue.ts';
import { memoryOf, type Tracked, track } from './tracked.ts';

const COUNT = 10_000;
const HOUR_MS = 3_600_000;

const fingerprint = nameHash();
const hash = (text: string): string => createHash('sha3-224').update(text).digest('hex');

/** As the watch brings it after a sync, parsed from text so that nothing is shared. */
function listed(index: number): ExternalSecret {
  const name = `checkout-service-${index}`;
  const conditions = [{ type: 'Ready', status: 'True', reason: 'SecretSynced', message: 'secret synced' }];
  const object = {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: {
      creationTimestamp: '2026-11-22T06:00:00Z',
      generation: 1,
      labels: { 'app.kubernetes.io/name': name },
      managedFields: Array.from({ length: 2 }, () => ({ manager: 'kubectl', fieldsV1: { 'f:spec': {} } })),
      name,
      namespace: `team-${index % 100}`,
      resourceVersion: String(1_000_000 + index),
      uid: randomUUID(),
    },
    spec: {
      data: ['host', 'port', 'user', 'password', 'database'].map((property) => ({
        remoteRef: {
          conversionStrategy: 'Default',
          decodingStrategy: 'None',
          key: `teams/${index % 100}/${name}`,
          metadataPolicy: 'None',
          nullBytePolicy: 'Ignore',
          property,
        },
        secretKey: property,
      })),
      refreshInterval: '1h',
      secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault' },
      target: { creationPolicy: 'Owner', deletionPolicy: 'Retain', name },
    },
    status: {
      binding: { name },
      conditions: conditions.map((one) => ({ ...one, lastTransitionTime: '2026-11-22T06:00:05Z' })),
      refreshTime: '2026-11-22T06:00:05Z',
      syncedResourceVersion: `1-${hash(name)}`,
    },
  };
  return JSON.parse(JSON.stringify(object)) as ExternalSecret;
}

test('all that is kept of an object of five keys, its Secret and its turn takes some 1,200 bytes of heap', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const queue = new WorkQueue({ clock: systemClock, workers: 1, work: async () => {} });
  const names = new KnownNames();
  const secrets = new KnownHashes();
  const objects = new ObjectIndex<Tracked>();
  const take = (index: number): void => {
    const es = listed(index);
    const { namespace, name, uid = '', resourceVersion = '' } = es.metadata;
    const key = keyOf(namespace, name);
    names.set(key, uid, resourceVersion);
    const tracked = track(key, es);
    objects.put(tracked, es);
    tracked.handled = fingerprint(specHash([resourceVersion, es.spec]));
    const digest = createHash('sha256').update(key).digest('base64url');
    const secretVersion = JSON.parse(`"${3_000_000 + index}"`) as string;
    tracked.memory = memoryOf({ digest, dataHash: hash(key), secretVersion, missing: [], verdicts: [] });
    tracked.attempts = 7;
    tracked.microseconds = 1_234;
    tracked.condition = 'True';
    tracked.dueAt = Math.ceil(systemClock.monotonic() + HOUR_MS + index);
    queue.set(key, tracked.dueAt, URGENCY.refresh);
    secrets.set(key, randomUUID(), secretVersion);
  };
  for (let index = 0; index < 500; index += 1) take(index);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 500; index < 500 + COUNT; index += 1) take(index);
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / COUNT;
  // All of it is still there.
  assert.deepEqual([objects.size, names.size, secrets.size], [COUNT + 500, COUNT + 500, COUNT + 500]);
  await queue.stop();
  assert.ok(bytes < 1_300, `${Math.round(bytes)} bytes an object`);
});
