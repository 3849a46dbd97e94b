/** What the validating hook asks about other objects, and says, on an API server that answers as a test says. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { KubeClient } from '../kube/client.ts';
import { failure, sendJson, startWireServer } from '../kube/testing/wire-server.ts';
import { checkExternalSecret, checkStore } from '../policy/check-object.ts';
import { createLog } from '../runtime/log.ts';
import { LiveCluster } from '../sync/live.ts';
import { signMarker, specHash } from '../sync/marker.ts';
import { MarkerKeys } from '../sync/marker-keys.ts';
import type { AdmissionRequest } from './admission.ts';
import { CreateNotes } from './create-notes.ts';
import { type CrossObjectSubject, crossObjects } from './cross-object.ts';

const KEY = { id: 'k1', key: randomBytes(32) };
const base64 = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64');
const CORE = '/api/v1/namespaces/shop';
const STORE = '/apis/external-secrets.io/v1/namespaces/shop/secretstores/vault';
const TARGET = `${CORE}/secrets/app`;
const CONFIG_MAP = `${CORE}/configmaps/texts`;
const FAKE_STORE = {
  metadata: { name: 'vault', namespace: 'shop' },
  kind: 'SecretStore',
  spec: { provider: { fake: { data: [{ key: 'k', value: 'v' }] } } },
};

const es: ExternalSecret = checkExternalSecret({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name: 'app', namespace: 'shop' },
  spec: {
    secretStoreRef: { name: 'vault' },
    data: [{ secretKey: 'a', remoteRef: { key: 'k' } }],
    target: { template: { templateFrom: [{ configMap: { name: 'texts', items: [{ key: 'a' }] } }] } },
  },
}).hub;

const request = (more: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  uid: 'u',
  kind: { group: 'external-secrets.io', version: 'v1', kind: 'ExternalSecret' },
  namespace: 'shop',
  name: 'app',
  operation: 'CREATE',
  userInfo: {},
  object: null,
  ...more,
});

type Answer = object | 'hang' | 'fail';

/** Objects by their path; what is not there is not found. */
async function setUp(answers: Readonly<Record<string, Answer>>) {
  const all: Record<string, Answer> = {
    '/api/v1/namespaces/system/secrets/external-secrets-admission-marker': {
      metadata: { name: 'external-secrets-admission-marker' },
      data: { currentId: base64(KEY.id), current: base64(KEY.key) },
    },
    ...answers,
  };
  const server = await startWireServer(({ path }, response: ServerResponse) => {
    const answer = all[path];
    if (answer === 'hang') return undefined;
    if (answer === 'fail') return sendJson(response, 500, failure(500, 'InternalError', 'no'));
    if (answer === undefined) return sendJson(response, 404, failure(404, 'NotFound', 'not found'));
    return sendJson(response, 200, answer);
  });
  const kube = new KubeClient({ server: server.url });
  const keys = new MarkerKeys(kube, 'system');
  await keys.load(AbortSignal.timeout(5_000));
  const asked = server.received.length;
  const notes = new CreateNotes(systemClock);
  const deps = {
    live: new LiveCluster(kube, systemClock),
    keys,
    controllerClass: 'default',
    notes,
    verify: undefined,
    log: createLog('test', 'error'),
  };
  return {
    notes,
    paths: () => server.received.slice(asked).map(({ path }) => path),
    ask: async (
      of: AdmissionRequest = request(),
      budgetMs = 5_000,
      subject: CrossObjectSubject = { kind: 'ExternalSecret', hub: es },
    ) => {
      const { warnings } = await crossObjects(
        of,
        subject,
        deps,
        systemClock.monotonic(),
        AbortSignal.timeout(budgetMs),
      );
      return warnings;
    },
    [Symbol.asyncDispose]: async () => {
      await kube.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const pending = (hash: string) => ({
  metadata: {
    name: 'app',
    namespace: 'shop',
    annotations: {
      'external-secrets-admission.io/pending': signMarker(KEY, {
        namespace: 'shop',
        secret: 'app',
        externalSecret: 'app',
        specHash: hash,
        data: new Map([['a', Buffer.from('v')]]),
      }),
    },
  },
  data: { a: base64('v') },
});
const NO_TEXTS =
  'spec.target.template.templateFrom[0]: error fetching templateFrom data: configmaps "texts" not found in namespace "shop"';
const UPDATE = request({ operation: 'UPDATE' });

describe('what a generator gives and expires', () => {
  const ECR = '/apis/generators.external-secrets.io/v1alpha1/namespaces/shop/ecrauthorizationtokens/ecr';
  const auth = { jwt: { serviceAccountRef: { name: 'app' } } };
  const ecr = { metadata: { name: 'ecr', namespace: 'shop' }, spec: { region: 'eu-west-1', auth } };
  const subject = (more: object): CrossObjectSubject & { kind: 'ExternalSecret' } => ({
    kind: 'ExternalSecret',
    hub: checkExternalSecret({
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'app', namespace: 'shop' },
      spec: {
        dataFrom: [
          {
            sourceRef: {
              generatorRef: {
                apiVersion: 'generators.external-secrets.io/v1alpha1',
                kind: 'ECRAuthorizationToken',
                name: 'ecr',
              },
            },
          },
        ],
        ...more,
      },
    }).hub,
  });

  test('is warned of where it is not made anew in time, though the Secret is made', async () => {
    await using bed = await setUp({ [ECR]: ecr });
    const ask = (more: object): Promise<readonly string[]> => {
      const one = subject(more);
      bed.notes.leave(one.hub, { said: undefined, complete: true });
      return bed.ask(request(), 5_000, one);
    };
    assert.deepEqual(await ask({ refreshInterval: '24h' }), [
      'spec.dataFrom[0].sourceRef.generatorRef.name: what it gives expires after 12h0m0s, and refreshInterval is not shorter',
    ]);
    for (const more of [{ refreshInterval: '0' }, { refreshPolicy: 'CreatedOnce' }]) {
      assert.match((await ask(more)).join(), /expires after 12h0m0s, and they are not made anew by time$/);
    }
    assert.deepEqual(await ask({ refreshInterval: '11h' }), []);
    assert.deepEqual(await ask({}), []);
  });

  test('an update that changes nothing about it hears nothing', async () => {
    await using bed = await setUp({ [ECR]: ecr });
    const [slow, slower] = [subject({ refreshInterval: '24h' }), subject({ refreshInterval: '48h' })];
    assert.deepEqual(await bed.ask(UPDATE, 5_000, { ...slow, before: slow.hub }), []);
    assert.equal((await bed.ask(UPDATE, 5_000, { ...slower, before: slow.hub })).length, 1);
  });
});

describe('on CREATE', () => {
  test('what the mutating hook of this replica has seen is not read again', async () => {
    await using bed = await setUp({});
    bed.notes.leave(es, { said: undefined, complete: true });
    assert.deepEqual(await bed.ask(), []);
    assert.deepEqual(bed.paths(), []);
    // It is good for one review.
    assert.notDeepEqual(await bed.ask(), []);
  });

  test('where it has told one cause, only the others are told here', async () => {
    await using bed = await setUp({ [STORE]: FAKE_STORE });
    const said = 'error fetching templateFrom data: configmaps "texts" not found in namespace "shop"';
    bed.notes.leave(es, { said, complete: false });
    assert.deepEqual(await bed.ask(), []);
    bed.notes.leave(es, { said: 'permission denied', complete: false });
    assert.deepEqual(await bed.ask(), [NO_TEXTS]);
  });

  test('a note about another spec counts for nothing', async () => {
    await using bed = await setUp({ [STORE]: FAKE_STORE });
    const other = { ...es, spec: { ...es.spec, refreshInterval: '7s' } };
    bed.notes.leave(other, { said: undefined, complete: true });
    assert.equal((await bed.ask()).length, 1);
  });

  test('a Secret that another replica has made for it ends the matter after one request', async () => {
    await using bed = await setUp({ [TARGET]: pending(specHash(es.spec)) });
    assert.deepEqual(await bed.ask(), []);
    assert.deepEqual(bed.paths(), [TARGET]);
  });

  test('one that was made from another spec does not', async () => {
    await using bed = await setUp({ [TARGET]: pending('other'), [STORE]: FAKE_STORE });
    assert.equal((await bed.ask()).length, 1);
  });

  test('what another replica may have said is said in its words, so that the API server prints it once', async () => {
    await using bed = await setUp({ [STORE]: FAKE_STORE });
    assert.deepEqual(await bed.ask(), [
      'Secret shop/app is not made yet, retrying: ...templateFrom data: configmaps "texts" not found in namespace "shop"',
    ]);
  });
});

describe('what cannot be read', () => {
  test('is not spoken of, and the rest is', async () => {
    await using bed = await setUp({ [STORE]: 'fail' });
    assert.deepEqual(await bed.ask(UPDATE), [NO_TEXTS]);
    await using other = await setUp({ [CONFIG_MAP]: 'fail', [TARGET]: { metadata: {} } });
    assert.deepEqual(
      (await other.ask(UPDATE)).map((text) => text.slice(0, 30)),
      ['spec.secretStoreRef.name: ...S', 'Secret shop/app exists and bel'],
    );
  });

  test('in time is given up, and the rest is said', async () => {
    await using bed = await setUp({ [STORE]: 'hang' });
    const began = performance.now();
    assert.deepEqual(await bed.ask(UPDATE, 300), [NO_TEXTS]);
    assert.ok(performance.now() - began < 4_000);
  });
});

test('an update asks what its new parts ask, each object once', async () => {
  await using bed = await setUp({ [STORE]: FAKE_STORE });
  await bed.ask(UPDATE);
  assert.deepEqual(bed.paths().sort(), [CONFIG_MAP, TARGET, STORE].sort());
});

test('an update of an object of another class is nobody whom we have to tell anything, whatever changed', async () => {
  const before: ExternalSecret = {
    ...es,
    spec: { ...es.spec, target: { ...es.spec.target, name: 'other' } },
  };
  const subject = { kind: 'ExternalSecret', hub: es, before } as const;
  const answers = { [TARGET]: { metadata: { name: 'app' } }, [STORE]: FAKE_STORE };
  await using ours = await setUp(answers);
  assert.equal((await ours.ask(UPDATE, 5_000, subject)).length, 1);
  const foreign = { ...FAKE_STORE, spec: { ...FAKE_STORE.spec, controller: 'somebody-else' } };
  await using theirs = await setUp({ ...answers, [STORE]: foreign });
  assert.deepEqual(await theirs.ask(UPDATE, 5_000, subject), []);
  await using same = await setUp(answers);
  assert.deepEqual(await same.ask(UPDATE, 5_000, { ...subject, before: es }), []);
  assert.deepEqual(same.paths(), []);
});

test('a Secret that two fields of a store name is missing once', async () => {
  await using bed = await setUp({});
  const key = (name: string): object => ({ name: 'aws', key: name });
  const secretRef = { accessKeyIDSecretRef: key('id'), secretAccessKeySecretRef: key('secret') };
  const aws = { service: 'SecretsManager', region: 'eu-central-1', auth: { secretRef } };
  const { hub } = checkStore(
    {
      apiVersion: 'external-secrets.io/v1',
      kind: 'SecretStore',
      metadata: { name: 'aws', namespace: 'shop' },
      spec: { provider: { aws } },
    },
    'SecretStore',
  );
  const kind = { group: 'external-secrets.io', version: 'v1', kind: 'SecretStore' };
  assert.deepEqual(await bed.ask(request({ kind }), 5_000, { kind: 'SecretStore', hub }), [
    '...aws.auth.secretRef.accessKeyIDSecretRef.key: cannot get Kubernetes secret "aws" from namespace "shop": not found',
  ]);
  assert.deepEqual(bed.paths(), [`${CORE}/secrets/aws`]);
});

test('a note is forgotten after the longest time that a request can take', () => {
  let now = 1_000;
  const notes = new CreateNotes({ ...systemClock, monotonic: () => now });
  notes.leave(es, { said: undefined, complete: true });
  now += 36_000;
  assert.equal(notes.take(es), undefined);
});
