/**
 * The promises of the product as a whole, on the real parts: the Secret exists when the create returns, the
 * poller is right on its own, and nothing is left behind.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_PENDING, FINALIZER_ESO } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';

const b64 = (text: string): string => Buffer.from(text).toString('base64');
const secretPath = (namespace: string, name: string): string =>
  `/api/v1/namespaces/${namespace}/secrets/${name}`;
const esPath = (namespace: string, name = ''): string =>
  `/apis/external-secrets.io/v1/namespaces/${namespace}/externalsecrets${name === '' ? '' : `/${name}`}`;

/** A namespace with a token Secret and a SecretStore `vault`, ready to be used. */
async function prepare(bed: Bed, namespace: string): Promise<void> {
  const manifests = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'vault-token', namespace },
      stringData: { token: bed.openBao.token },
    },
    {
      apiVersion: 'external-secrets.io/v1',
      kind: 'SecretStore',
      metadata: { name: 'vault', namespace },
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
  for (const manifest of manifests)
    await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(manifest) });
}

const externalSecret = (
  namespace: string,
  name: string,
  spec: object = {},
  metadata: object = {},
): object => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name, namespace, ...metadata },
  spec: {
    refreshInterval: '1h',
    secretStoreRef: { name: 'vault' },
    data: [{ secretKey: 'password', remoteRef: { key: 'app', property: 'password' } }],
    ...spec,
  },
});

async function getSecret(bed: Bed, namespace: string, name: string): Promise<SecretObject | undefined> {
  const { status, body } = await bed.cp.request<SecretObject>('GET', secretPath(namespace, name));
  return status === 200 ? body : undefined;
}

async function getObject(bed: Bed, namespace: string, name: string): Promise<ExternalSecret | undefined> {
  const { status, body } = await bed.cp.request<ExternalSecret>('GET', esPath(namespace, name));
  return status === 200 ? body : undefined;
}

const isReady = (es: ExternalSecret | undefined): boolean =>
  es?.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ??
  false;

describe('acceptance 1: the Secret is there when kubectl apply returns', () => {
  let bed: Bed;
  const COUNT = 200;
  const LANES = 4;
  before(async () => {
    bed = await startBed({ openBao: { audit: true }, product: { poller: false } });
    await bed.openBao.write('app', { password: 'hunter2' });
    await prepare(bed, 'now');
  });
  after(() => bed.stop());

  test('kubectl get finds it, 200 times out of 200', async () => {
    let found = 0;
    const lane = async (first: number): Promise<void> => {
      for (let index = first; index < COUNT; index += LANES) {
        const name = `app-${index}`;
        const stdin = JSON.stringify(externalSecret('now', name));
        assert.equal(
          (await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin })).trim(),
          `externalsecret.external-secrets.io/${name} created`,
        );
        const value = await bed.cp.kubectl([
          'get',
          'secret',
          name,
          '-n',
          'now',
          '-o',
          'jsonpath={.data.password}',
        ]);
        if (value.code === 0 && value.stdout === b64('hunter2')) found += 1;
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
    assert.equal(found, COUNT);
  });

  test('then the poller adopts all of them and writes no data', async () => {
    const path = '/api/v1/namespaces/now/secrets?labelSelector=reconcile.external-secrets.io/managed=true';
    const list = async (): Promise<readonly SecretObject[]> =>
      (await bed.cp.request<{ items: SecretObject[] }>('GET', path)).body.items;
    const before = new Map((await list()).map((secret) => [secret.metadata.name, secret]));
    assert.equal(before.size, COUNT);
    const reads = bed.openBao.auditCounts()['read secret/data/app'];
    const poller = await bed.product.startPoller();
    const adopted = await eventually(
      async () => {
        const secrets = await list();
        return secrets.every(({ metadata }) => metadata.ownerReferences?.[0]?.controller === true)
          ? secrets
          : undefined;
      },
      { timeout: 30_000, interval: 200, what: 'the adoption of all' },
    );
    for (const secret of adopted) {
      const earlier = before.get(secret.metadata.name);
      assert.equal(secret.metadata.uid, earlier?.metadata.uid);
      assert.deepEqual(secret.data, earlier?.data);
      assert.equal(secret.metadata.annotations?.[ANNOTATION_PENDING], undefined);
      const owner = await getObject(bed, 'now', secret.metadata.name ?? '');
      assert.equal(secret.metadata.ownerReferences?.[0]?.uid, owner?.metadata.uid);
    }
    await eventually(async () => (await poller.metric('esa_status_writes_total')) >= COUNT, {
      timeout: 20_000,
      what: 'all statuses',
    });
    assert.equal(await poller.metric('esa_secret_writes_total', { verb: 'adopted' }), COUNT);
    assert.equal(await poller.metric('esa_secret_writes_total'), COUNT);
    // Who does not read the value again cannot have written it again.
    assert.equal(bed.openBao.auditCounts()['read secret/data/app'], reads);
    assert.ok(isReady(await getObject(bed, 'now', 'app-0')));
  });
});

describe('acceptance 2a: without configurations and conversion the poller alone converges', () => {
  let bed: Bed;
  before(async () => {
    bed = await startBed({ product: { webhooks: 0, configurations: false, conversion: false } });
    await bed.openBao.write('app', { password: 'hunter2' });
  });
  after(() => bed.stop());

  test('objects applied in any order are synced, refreshed and repaired', async () => {
    await bed.cp.kubectlOutput(['create', 'namespace', 'alone']);
    const stdin = JSON.stringify(externalSecret('alone', 'app', { refreshInterval: '1s' }));
    await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin });
    await eventually(
      async () => (await getObject(bed, 'alone', 'app'))?.status?.conditions?.[0]?.status === 'False',
    );
    await prepare(bed, 'alone');
    const secret = await eventually(() => getSecret(bed, 'alone', 'app'));
    assert.deepEqual(secret.data, { password: b64('hunter2') });
    assert.equal(secret.metadata.ownerReferences?.[0]?.name, 'app');
    await bed.openBao.write('app', { password: 'rotated' });
    await eventually(
      async () => (await getSecret(bed, 'alone', 'app'))?.data?.['password'] === b64('rotated'),
    );
    await bed.cp.kubectlOutput(['delete', 'secret', 'app', '-n', 'alone']);
    const again = await eventually(() => getSecret(bed, 'alone', 'app'));
    assert.notEqual(again.metadata.uid, secret.metadata.uid);
    await eventually(async () => isReady(await getObject(bed, 'alone', 'app')));
  });
});

describe('acceptance 2b: with the webhook killed', () => {
  let bed: Bed;
  before(async () => {
    bed = await startBed();
    await bed.openBao.write('app', { password: 'hunter2' });
    for (const namespace of ['down', 'doomed']) {
      await prepare(bed, namespace);
      for (const name of ['app', 'leaving', 'old']) {
        const metadata = name === 'old' ? { finalizers: [FINALIZER_ESO] } : {};
        const stdin = JSON.stringify(externalSecret(namespace, name, { refreshInterval: '1s' }, metadata));
        await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin });
        await eventually(async () => isReady(await getObject(bed, namespace, name)));
      }
    }
    await bed.product.webhook.kill();
  });
  after(() => bed.stop());

  test('creates are refused by the API server, and so are changes of a spec', async () => {
    const create = await bed.cp.kubectl(['apply', '-f', '-'], {
      stdin: JSON.stringify(externalSecret('down', 'new')),
    });
    assert.notEqual(create.code, 0);
    assert.match(create.stderr, /failed calling webhook "validate\.externalsecret\.external-secrets\.io"/);
    const change = await bed.cp.kubectl([
      'patch',
      'externalsecret',
      'app',
      '-n',
      'down',
      '--type=merge',
      '-p',
      '{"spec":{"refreshInterval":"2s"}}',
    ]);
    assert.notEqual(change.code, 0);
    assert.match(change.stderr, /failed calling webhook/);
    assert.equal(await getObject(bed, 'down', 'new'), undefined);
  });

  test('labels, annotations, finalizers and status are written as ever', async () => {
    await bed.cp.kubectlOutput(['label', 'externalsecret', 'app', '-n', 'down', 'team=x']);
    await bed.cp.kubectlOutput(['annotate', 'externalsecret', 'app', '-n', 'down', 'force-sync=1']);
    await eventually(async () => (await getSecret(bed, 'down', 'app'))?.metadata.labels?.['team'] === 'x');
    await bed.cp.kubectlOutput([
      'patch',
      'externalsecret',
      'app',
      '-n',
      'down',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":["example.com/keep"]}}',
    ]);
    await bed.cp.kubectlOutput([
      'patch',
      'externalsecret',
      'app',
      '-n',
      'down',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    ]);
  });

  test('refresh and drift repair go on', async () => {
    await bed.openBao.write('app', { password: 'rotated' });
    await eventually(
      async () => (await getSecret(bed, 'down', 'app'))?.data?.['password'] === b64('rotated'),
    );
    await bed.cp.kubectlOutput([
      'patch',
      'secret',
      'app',
      '-n',
      'down',
      '--type=merge',
      '-p',
      JSON.stringify({ data: { password: b64('edited') } }),
    ]);
    await eventually(
      async () => (await getSecret(bed, 'down', 'app'))?.data?.['password'] === b64('rotated'),
    );
  });

  test('objects and their Secrets are deleted, with the finalizer of ESO too', async () => {
    for (const name of ['leaving', 'old']) {
      await bed.cp.kubectlOutput(['delete', 'externalsecret', name, '-n', 'down', '--timeout=10s']);
      await eventually(async () => (await getSecret(bed, 'down', name)) === undefined);
    }
  });

  test('a namespace is deleted with all that is in it', async () => {
    await bed.cp.kubectlOutput(['delete', 'namespace', 'doomed', '--timeout=30s']);
    assert.equal((await bed.cp.request('GET', '/api/v1/namespaces/doomed')).status, 404);
  });

  test('back again, the webhook serves as before', async () => {
    await bed.product.webhook.start();
    const stdin = JSON.stringify(externalSecret('down', 'back'));
    await eventually(async () => (await bed.cp.kubectl(['apply', '-f', '-'], { stdin })).code === 0, {
      what: 'a create',
    });
    assert.ok(await getSecret(bed, 'down', 'back'));
  });
});

describe('acceptance 3: nothing is left behind', () => {
  let bed: Bed;
  before(async () => {
    bed = await startBed({ product: { poller: false } });
    await bed.openBao.write('app', { password: 'hunter2' });
    await prepare(bed, 'left');
  });
  after(() => bed.stop());

  test('what admission made for objects that never came to be is swept, and nothing else', {
    timeout: 120_000,
  }, async () => {
    const { cp } = bed;
    const apply = (object: object) => cp.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
    // Somebody else's policy, later in the chain, refuses.
    const policy = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'no-refused' },
      spec: {
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['external-secrets.io'],
              apiVersions: ['*'],
              resources: ['externalsecrets'],
              operations: ['CREATE'],
            },
          ],
        },
        validations: [{ expression: '!object.metadata.name.startsWith("refused")', message: 'not this one' }],
      },
    };
    const binding = {
      apiVersion: policy.apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'no-refused' },
      spec: { policyName: 'no-refused', validationActions: ['Deny'] },
    };
    for (const object of [policy, binding])
      await cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
    await eventually(async () =>
      /not this one/.test(
        (
          await cp.kubectl(['apply', '--dry-run=server', '-f', '-'], {
            stdin: JSON.stringify(externalSecret('left', 'refused-probe')),
          })
        ).stderr,
      ),
    );
    assert.equal(await getSecret(bed, 'left', 'refused-probe'), undefined);
    assert.match((await apply(externalSecret('left', 'refused'))).stderr, /not this one/);
    assert.ok(await getSecret(bed, 'left', 'refused'), 'admission had made it before the policy spoke');

    // Deleted before anybody adopted its Secret.
    assert.equal((await apply(externalSecret('left', 'brief'))).code, 0);
    await cp.kubectlOutput(['delete', 'externalsecret', 'brief', '-n', 'left']);
    // Deleted and made again at once: the second object takes the Secret of the first.
    assert.equal((await apply(externalSecret('left', 'twice'))).code, 0);
    await cp.kubectlOutput(['delete', 'externalsecret', 'twice', '-n', 'left']);
    assert.equal((await apply(externalSecret('left', 'twice'))).code, 0);
    // A create that ends in 409 leaves the live Secret as it is.
    assert.equal((await apply(externalSecret('left', 'present', { target: { name: 'present' } }))).code, 0);
    const live = await getSecret(bed, 'left', 'present');
    const again = externalSecret('left', 'present', {
      target: { name: 'present' },
      data: [{ secretKey: 'other', remoteRef: { key: 'app', property: 'password' } }],
    });
    const conflict = await cp.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(again) });
    assert.match(conflict.stderr, /already exists/);
    assert.equal(
      (await getSecret(bed, 'left', 'present'))?.metadata.resourceVersion,
      live?.metadata.resourceVersion,
    );
    // Somebody's own Secret with a marker that we did not sign.
    const marker =
      (await getSecret(bed, 'left', 'refused'))?.metadata.annotations?.[ANNOTATION_PENDING] ?? '';
    const forged = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'mine', namespace: 'left', annotations: { [ANNOTATION_PENDING]: marker } },
      stringData: { keep: 'me' },
    };
    await cp.kubectlOutput(['create', '-f', '-'], { stdin: JSON.stringify(forged) });

    const poller = await bed.product.startPoller();
    await eventually(
      async () => (await getSecret(bed, 'left', 'twice'))?.metadata.ownerReferences?.length === 1,
      { what: 'the adoption' },
    );
    for (const name of ['refused', 'brief'])
      assert.ok(await getSecret(bed, 'left', name), `${name} is swept too early`);
    await eventually(async () => (await poller.metric('esa_sweeps_total')) === 2, {
      timeout: 60_000,
      interval: 500,
      what: 'the sweep',
    });
    for (const name of ['refused', 'brief']) assert.equal(await getSecret(bed, 'left', name), undefined);
    await always(
      async () => {
        for (const name of ['twice', 'present', 'mine'])
          assert.ok(await getSecret(bed, 'left', name), `${name} is gone`);
      },
      { duration: 2_000, interval: 250 },
    );
    assert.equal(await poller.metric('esa_sweeps_total'), 2);
  });
});
