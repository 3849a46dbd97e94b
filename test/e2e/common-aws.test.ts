/** The common cases on AWS Secrets Manager (a stand-in). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AwsBed, fromAws, prepareAws, startAwsBed } from './support/aws.ts';
import { type CommonBackend, commonSuite } from './support/common-suite.ts';

const WHERE = 'common';
const REGION = 'eu-central-1';

let bed: AwsBed;

before(async () => {
  bed = await startAwsBed();
  await prepareAws(bed.cluster, WHERE, REGION);
});
after(() => bed.stop());

const backend = (): CommonBackend => ({
  cluster: bed.cluster,
  where: WHERE,
  prepare: async (_name, remote) => {
    for (const [key, { value, tags }] of Object.entries(remote)) {
      await bed.aws.put(REGION, key, typeof value === 'string' ? value : JSON.stringify(value));
      if (tags === undefined) continue;
      const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
      await bed.aws.call('TagResource', { SecretId: key, Tags }, REGION);
    }
    return 'aws';
  },
  remove: async (_name, keys) => {
    for (const key of keys) await bed.aws.remove(REGION, key);
  },
});

commonSuite('AWS Secrets Manager', backend, {
  dialect: { text: (key) => ({ key }), foundText: (text) => text },
});

test('9.4 caching: several properties of one secret are one call', async () => {
  await bed.aws.put(REGION, 'shared/one', '{"a":"1","b":{"c":"2"},"d.e":"3"}');
  const entry = (secretKey: string, property: string): object => ({
    secretKey,
    remoteRef: { key: 'shared/one', property },
  });
  const data = [entry('a', 'a'), entry('c', 'b.c'), entry('e', 'd.e')];
  await bed.cluster.create(fromAws(WHERE, 'shared', { refreshInterval: '1h', data }));
  assert.deepEqual(await bed.cluster.values(WHERE, 'shared'), { a: '1', c: '2', e: '3' });
  await bed.cluster.synced(WHERE, 'shared');
  const calls = bed.aws.proxy.calls.filter(
    ({ action, parameters }) => action === 'GetSecretValue' && parameters['SecretId'] === 'shared/one',
  );
  assert.equal(calls.length, 1);
});
