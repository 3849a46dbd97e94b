import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../api/clock.ts';
import { LABEL_CREATED_BY, LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import { readKesEnvironment } from '../../api/kubernetes-client/environment.ts';
import { kesToHub } from '../../api/kubernetes-client/to-hub.ts';
import type { KesSpec } from '../../api/kubernetes-client/v1/external-secret.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { desire } from '../desire.ts';
import { NO_POLICIES } from '../policies.ts';
import { diff, newSecret } from '../secret-patch.ts';
import type { DesiredSecret } from '../shape.ts';

const environment = readKesEnvironment(
  { VAULT_ADDR: 'https://vault.example.com' },
  { serviceAccount: { namespace: 's', name: 's' }, vaultAudience: undefined },
);
const nobody = { configMap: () => Promise.resolve(undefined), secret: () => Promise.resolve(undefined) };

async function desired(
  spec: Partial<KesSpec>,
  values: Readonly<Record<string, string>> = { a: 'fetched' },
): Promise<DesiredSecret> {
  const { externalSecret } = kesToHub(
    {
      metadata: {
        name: 'app',
        namespace: 'shop',
        uid: 'u',
        labels: { own: 'label' },
        annotations: { own: 'x' },
      },
      spec: { backendType: 'vault', vaultMountPoint: 'm', vaultRole: 'r', ...spec },
    },
    environment,
  );
  const fetched = new Map(Object.entries(values).map(([key, text]) => [key, SecretValue.fromText(text)]));
  const signal = new AbortController().signal;
  return (await desire(externalSecret, fetched, nobody, systemClock, NO_POLICIES, signal)).secret;
}
const dataOf = ({ data }: DesiredSecret): Record<string, string> =>
  Object.fromEntries([...data].map(([key, value]) => [key, value.revealText()]));
const OURS = [LABEL_MANAGED, LABEL_CREATED_BY];
const without = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([name]) => !OURS.includes(name)));
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the Secret that is made', () => {
  test('K2 K7 Opaque, with its data, and neither stringData nor labels of the object', async () => {
    const secret = await desired({});
    const body = newSecret(secret, {});
    assert.equal(body.type, 'Opaque');
    assert.deepEqual(body.data, { a: base64('fetched') });
    assert.equal('stringData' in body, false);
    assert.deepEqual(without(secret.labels), {});
    assert.deepEqual(secret.annotations, {});
    assert.equal(secret.name, 'app');
  });

  test('K3 K4 spec.type, and template.type before it', async () => {
    assert.equal((await desired({ type: 'a' })).type, 'a');
    assert.equal((await desired({ type: 'a', template: { type: 'b' } })).type, 'b');
  });

  test('K5 labels and annotations of the template are added; its name and kind are not taken', async () => {
    const secret = await desired({
      template: {
        kind: 'ConfigMap',
        metadata: { name: 'other', namespace: 'kube-system', labels: { l: '1' }, annotations: { x: '2' } },
      },
    });
    assert.deepEqual([secret.name, secret.namespace], ['app', 'shop']);
    assert.deepEqual(without(secret.labels), { l: '1' });
    assert.deepEqual(secret.annotations, { x: '2' });
  });

  test('data of the template is below what is fetched, stringData above it; finalizers and immutable are taken', async () => {
    const secret = await desired({
      template: {
        data: { a: base64('below'), b: base64('constant') },
        stringData: { c: 'see <%= data.a %>', d: '' },
        immutable: true,
        metadata: { finalizers: ['example.com/a'] },
      },
    });
    assert.deepEqual(dataOf(secret), { a: 'fetched', b: 'constant', c: 'see fetched', d: '' });
    assert.deepEqual([secret.immutable, secret.finalizers], [true, ['example.com/a']]);
    const over = await desired({ template: { stringData: { a: 'above' } } });
    assert.deepEqual(dataOf(over), { a: 'above' });
  });

  test('S70 numbers, booleans and null become texts', async () => {
    const { annotations } = await desired({
      template: { metadata: { annotations: { n: 12e10, t: true, o: null, s: '01' } } },
    });
    assert.deepEqual(annotations, { n: '120000000000', t: 'true', o: 'null', s: '01' });
  });

  test('a result that cannot stand there is an error without a value', async () => {
    await assert.rejects(
      desired({ template: { metadata: { labels: { l: '<%= data.a %>' } } } }, { a: 'not a label' }),
      {
        code: 'TEMPLATE_RESULT',
        message: /^spec\.template\.metadata\.labels\.l: the value of a label must be/,
      },
    );
    await assert.rejects(desired({ template: { data: { l: '<%= data.a %>' } } }, { a: '!' }), {
      code: 'TEMPLATE_RESULT',
      message: 'spec.template.data.l: the result is not base64',
    });
  });
});

describe('K23 K24 K25 the Secret that is there', () => {
  const writer = { name: 'kubernetes-client.io/app', uid: 'u' };
  const live = async (spec: Partial<KesSpec>) => ({
    ...newSecret(await desired(spec), {
      owner: {
        apiVersion: 'kubernetes-client.io/v1',
        kind: 'ExternalSecret',
        name: 'app',
        uid: 'u',
        controller: true,
      },
    }),
  });

  test('K23 is left as it is when it is equal, whatever the order of its keys', async () => {
    const secret = await live({});
    assert.deepEqual(diff(secret, await desired({}), writer), { patch: undefined, blocked: undefined });
    const two = newSecret(await desired({}, { b: '1', a: '2' }), {});
    const { patch } = diff(two, await desired({}, { a: '2', b: '1' }), writer);
    assert.equal(patch?.data, undefined);
  });

  test('K24 is written when its data differs', async () => {
    const { patch } = diff(await live({}), await desired({}, { a: 'new' }), writer);
    assert.deepEqual(patch?.data, { a: base64('new') });
  });

  test('K25 S73 keeps the labels of others, which KES would have deleted', async () => {
    const secret = await live({});
    const labelled = {
      ...secret,
      metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, foreign: 'x' } },
    };
    assert.equal(diff(labelled, await desired({}), writer).patch, undefined);
  });
});
