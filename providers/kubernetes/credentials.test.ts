import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ProviderError, type StoreContext } from '../contract.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { kubernetesConfigSchema } from './config.ts';
import { readAuth, type TokenSource } from './credentials.ts';

const HOUR = 3_600_000;

describe('the token of a ServiceAccount', () => {
  let now = 0;
  let uid = 0;
  let cluster: MemoryCluster;
  const clock = { now: () => now, monotonic: () => now };
  const soon = (): AbortSignal => AbortSignal.timeout(10_000);
  const account = (token: string): void => void cluster.objects.set('ServiceAccount team/reader', { token });
  const source = async (audiences: readonly string[] = []): Promise<TokenSource> => {
    const auth = { serviceAccount: { name: 'reader', audiences } };
    const store: StoreContext = {
      kind: 'SecretStore',
      name: 'other',
      namespace: 'team',
      uid: `u${uid}`,
      generation: 1,
      callerNamespace: 'team',
    };
    return (await readAuth(kubernetesConfigSchema.parse({ auth }), store, cluster.ports, soon())).tokens;
  };
  const textOf = async (tokens: TokenSource): Promise<string | undefined> =>
    (await tokens.token(soon()))?.revealText();

  beforeEach(() => {
    now = 0;
    uid++;
    cluster = new MemoryCluster(clock);
    account('first');
  });

  test('is one for all connections of a store, for the audiences that it names', async () => {
    const tokens = await Promise.all([source(['api']), source(['api'])]);
    assert.deepEqual(await Promise.all(tokens.map(textOf)), ['first', 'first']);
    assert.deepEqual(cluster.asked, ['token team/reader api 3600']);
  });

  test('is requested again after two thirds of its life; while that fails, what there is goes on to its end', async () => {
    const tokens = await source();
    assert.equal(await textOf(tokens), 'first');
    account('second');
    now = HOUR * 0.66;
    assert.equal(await textOf(tokens), 'first');
    cluster.objects.delete('ServiceAccount team/reader');
    now = HOUR * 0.7;
    assert.equal(await textOf(tokens), 'first');
    account('second');
    assert.equal(await textOf(tokens), 'second');
    cluster.objects.delete('ServiceAccount team/reader');
    now = HOUR * 1.8;
    await assert.rejects(textOf(tokens), { code: 'REFERENCE_NOT_FOUND' });
  });

  test('is replaced once when the server refuses it, not each time', async () => {
    const tokens = await source();
    const first = await tokens.token(soon());
    account('second');
    assert.equal(tokens.refused(first), true);
    const second = await tokens.token(soon());
    assert.equal(second?.revealText(), 'second');
    // Somebody else had asked with the one before.
    assert.equal(tokens.refused(first), true);
    assert.equal(tokens.refused(second), false);
    assert.equal(cluster.asked.length, 2);
  });

  test('who gives up gets an error of the union', async () => {
    const tokens = await source();
    await assert.rejects(tokens.token(AbortSignal.abort()), (error: ProviderError) => {
      assert.ok(error instanceof ProviderError);
      assert.equal(error.code, 'PROVIDER_TIMEOUT');
      assert.match(error.message, /request a token of ServiceAccount team\/reader/);
      return true;
    });
  });

  test('one of another namespace is not requested for a SecretStore', async () => {
    const auth = { serviceAccount: { name: 'reader', namespace: 'other' } };
    const store: StoreContext = {
      kind: 'SecretStore',
      name: 'other',
      namespace: 'team',
      uid: 'x',
      generation: 1,
      callerNamespace: 'team',
    };
    const config = kubernetesConfigSchema.parse({ auth });
    await assert.rejects(readAuth(config, store, cluster.ports, soon()), { code: 'REFERENCE_FORBIDDEN' });
    assert.deepEqual(cluster.asked, []);
  });
});
