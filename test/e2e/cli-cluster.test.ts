/**
 * `esa` against a cluster with everything in it: what it says of a dozen broken objects, refreshes, who reads a key,
 * completion, and as a plugin of kubectl. The suites are in cli-cluster/; objects of KES have theirs in kes.test.ts.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bed, cluster, esa, firstCause, openDesk } from './cli-cluster/desk.ts';
import { describeExplain } from './cli-cluster/explain.ts';
import { describePage } from './cli-cluster/page.ts';
import { describeRefresh } from './cli-cluster/refresh.ts';
import { describeWhoUses } from './cli-cluster/who-uses.ts';
import { externalSecret, namespace } from './support/vault.ts';

before(openDesk);
after(() => bed.stop());

describeExplain();
describeRefresh();
describeWhoUses();
describePage('docs/cli.md');

describe('without a poller', () => {
  test('esa explain says so', async () => {
    const where = 'no-poller';
    await cluster.create(namespace(where));
    await bed.product.poller.stop();
    try {
      await cluster.create(externalSecret(where, 'app', { secretStoreRef: { name: 'soon' } }));
      const waiting = await firstCause('app', where, undefined, /no poller is at work/);
      assert.match(waiting.causes[0]?.remedy ?? '', /get pods/);
      assert.equal(waiting.next?.kind, 'none');
      assert.ok(waiting.causes.some(({ code }) => code === 'STORE_NOT_FOUND'));
      const refreshed = await esa(['refresh', 'app', '-n', where]);
      assert.deepEqual([refreshed.code, refreshed.out], [0, 'asked for a refresh of 1 ExternalSecret\n']);
      assert.match(refreshed.error, /^no poller is at work/);
    } finally {
      await bed.product.poller.start();
    }
  });
});
