/** How the programs start, end, and go on: with the API server there, and without it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { NODE_FLAGS } from '../../runtime/node-flags.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { runCommand } from '../harness/command.ts';
import { httpRequest } from '../harness/http.ts';
import { programFile } from '../harness/product.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed();
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'first' });
  await prepare(cluster, bed.openBao, 'life');
  await cluster.create(externalSecret('life', 'app'));
  await cluster.synced('life', 'app');
});
after(() => bed.stop());

for (const program of ['webhook', 'poller'] as const) {
  test(`the bundle of the ${program} starts without Node's own fetch`, async () => {
    assert.ok(process.env['ESA_PROGRAMS'], 'node tools/test.ts makes the bundles');
    const atEnd = `process.on('exit', () => console.error(process.moduleLoadList.join()))`;
    const hook = ['--import', `data:text/javascript,${encodeURIComponent(atEnd)}`];
    const args = [...NODE_FLAGS, ...hook, programFile(program), '--help'];
    const { code, stdout, stderr } = await runCommand(process.execPath, args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /--kubeconfig/);
    assert.match(stderr, /NativeModule https?,/);
    assert.doesNotMatch(stderr, /deps\/undici/);
  });
}

test('when the API server comes back, webhook and poller go on by themselves', async () => {
  const pids = [bed.product.webhook.pid, bed.product.poller.pid];
  await bed.cp.stopApiServer();
  await bed.openBao.write('app', { password: 'second' });
  // No reason for anybody to start them anew, which would heal nothing.
  for (const { metricsUrl } of [bed.product.webhook, bed.product.poller]) {
    const { status, body } = await httpRequest<string>('GET', metricsUrl.replace(/metrics$/, 'healthz'));
    assert.deepEqual([status, body], [200, 'ok\n']);
  }
  await bed.cp.startApiServer();
  await cluster.holds('life', 'app', { password: 'second' }, 40_000);
  await cluster.create(externalSecret('life', 'later'));
  assert.deepEqual(await cluster.values('life', 'later'), { password: 'second' });
  assert.deepEqual([bed.product.webhook.pid, bed.product.poller.pid], pids);
  assert.ok(bed.product.webhook.isRunning() && bed.product.poller.isRunning());
});

test('SIGTERM ends both with exit code 0, and another poller leads at once', async () => {
  const ended = [bed.product.poller.process, bed.product.webhook.process];
  for (const process of ended) assert.deepEqual(await process.stop(), { code: 0, signal: null });
  const began = performance.now();
  await bed.product.poller.start();
  await bed.openBao.write('app', { password: 'third' });
  await cluster.holds('life', 'app', { password: 'third' });
  // A lease that was not given back would be waited for: 15 s.
  assert.ok(performance.now() - began < 12_000);
});

test('SIGTERM ends them without an API server, too', async () => {
  await bed.product.webhook.start();
  await bed.cp.stopApiServer();
  for (const process of [bed.product.poller.process, bed.product.webhook.process]) {
    assert.deepEqual(await process.stop(), { code: 0, signal: null });
  }
});
