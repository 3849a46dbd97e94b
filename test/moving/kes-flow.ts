/**
 * The ways from kubernetes-external-secrets (KES) and back, as docs/migrating.md tells them. KES itself cannot be had, so
 * what it leaves and what it writes next are those of test/e2e/support/kes.ts.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import {
  installKesCrd,
  KES_ACCOUNT,
  KES_MANIFEST,
  KES_OBJECTS,
  prepareArticle,
  putArticle,
  secretOfKes,
} from '../e2e/support/kes.ts';
import { always, eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import type { Move, World } from './flow.ts';

const WITHIN_MS = 60_000;
const NAME = 'cool-secret';
const SECRET = `/api/v1/namespaces/default/secrets/${NAME}`;

/** The Deployment as far as it is looked at: replicas, and the environment that `esa convert` reads. */
const deployment = (vault: string): object => {
  const labels = { 'app.kubernetes.io/name': 'kubernetes-external-secrets' };
  const env = [{ name: 'VAULT_ADDR', value: vault }];
  const container = { name: 'kubernetes-external-secrets', image: 'kes:8.5.5', env };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: KES_ACCOUNT,
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { serviceAccountName: KES_ACCOUNT.name, containers: [container] },
      },
    },
  };
};

/** Served as they are and given back; converted, given back, taken again, and KES removed. The product runs. */
export function fromKes(move: Move, world: () => World): void {
  let uid: string;
  const live = () => move.cluster.get('Secret', 'default', NAME);
  const owners = async (): Promise<readonly string[]> =>
    ((await live()).metadata.ownerReferences ?? []).map(({ apiVersion }) => apiVersion);

  before(async () => {
    const { cp, openBao } = world();
    await prepareArticle({ cp, openBao }, move.cluster, { test: 't0p' });
    const path = `/apis/apps/v1/namespaces/${KES_ACCOUNT.namespace}/deployments`;
    assert.equal((await cp.request('POST', path, deployment(openBao.address))).status, 201);
    await installKesCrd({ cp });
    await cp.kubectlOutput(['apply', '-f', KES_MANIFEST]);
    await cp.kindsChanged();
    await move.cluster.create(secretOfKes(NAME, await uidOfOld(), { test: 't0p' }));
    // Goes when the garbage collector has seen that the old object is gone.
    await move.cluster.create(secretOfKes('witness', await uidOfOld(), {}));
    uid = (await live()).metadata.uid ?? '';
  });

  const uidOfOld = async (): Promise<string> => {
    const old = await world().cp.request<ExternalSecret>('GET', `${KES_OBJECTS}/${NAME}`);
    return old.body.metadata.uid ?? '';
  };

  /** A value that changes at the provider arrives, in the same Secret. */
  const serves = async (value: string): Promise<void> => {
    await putArticle(world(), { test: value });
    await move.cluster.holds('default', NAME, { test: value }, WITHIN_MS);
    assert.equal((await live()).metadata.uid, uid);
  };

  test('served as they are: the Secret stays, new values arrive', async () => {
    await move.follow('1. Turn KES off');
    await move.follow('2. Serve its objects');
    await serves('as it is');
    assert.deepEqual(await owners(), ['kubernetes-client.io/v1']);
  });

  test('KES again: its object and its Secret are as they were, and nobody else writes', async () => {
    await move.follow('3. Back to KES');
    assert.deepEqual(await owners(), ['kubernetes-client.io/v1']);
    const { resourceVersion } = (await live()).metadata;
    await putArticle(world(), { test: 't0p' });
    await always(async () => assert.equal((await live()).metadata.resourceVersion, resourceVersion), {
      duration: 3_000,
      interval: 300,
    });
  });

  test('S99 converted, it takes over the live Secret', async () => {
    const printed = await move.follow('1. Convert the objects');
    assert.match(printed, /1 object converted, 1 store made: 0 errors, 0 warnings/);
    await move.follow('2. Hand the Secrets over');
    assert.deepEqual(await owners(), ['external-secrets.io/v1']);
    assert.equal((await live()).metadata.uid, uid);
    await serves('ours');
  });

  test('given back to KES, it is not touched any more', needsGarbageCollection(), async () => {
    await move.follow('3. Give them back');
    await eventually(async () => (await owners()).length === 0, { timeout: WITHIN_MS });
    assert.equal((await live()).metadata.uid, uid);
    // What KES writes next: the whole Secret, whatever stood there.
    const written = secretOfKes(NAME, await uidOfOld(), { test: 'by KES' });
    assert.equal((await world().cp.request('PUT', SECRET, written)).status, 200);
    const { metadata } = await live();
    assert.equal(metadata.uid, uid);
    await always(
      async () => assert.equal((await live()).metadata.resourceVersion, metadata.resourceVersion),
      { duration: 3_000, interval: 300 },
    );
  });

  test(
    'S99 taken over again, it outlives the object, the CRD and the Deployment of KES',
    needsGarbageCollection(),
    async () => {
      await move.follow('2. Hand the Secrets over');
      await move.follow('4. Remove KES');
      const gone = async () => (await move.cluster.find('Secret', 'default', 'witness')) === undefined;
      await eventually(gone, { timeout: 2 * WITHIN_MS });
      await serves('for good');
      assert.deepEqual(await owners(), ['external-secrets.io/v1']);
    },
  );
}
