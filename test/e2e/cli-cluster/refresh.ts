/** `esa refresh` of one, by key, by store and of all; called by cli-cluster.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../harness/eventually.ts';
import { externalSecret, passwordOf, prepare, requestsTo } from '../support/vault.ts';
import { bed, cluster, esa, HOUR, WITHIN } from './desk.ts';

/** Reads of a remote object, as OpenBao's audit log has them. */
const readsOf = (key: string): number => requestsTo(bed.openBao, 'read', `secret/data/${key}`);

export function describeRefresh(): void {
  describe('esa refresh', { concurrency: 4 }, () => {
    test('S14 of one, by store, by key, then of all: each is read within five seconds, no spec is edited', async () => {
      const where = 'by-hand';
      await prepare(cluster, bed.openBao, where);
      const names = ['one', 'two'];
      for (const name of names) {
        await bed.openBao.write(`hand/${name}`, { password: 'first' });
        await cluster.create(externalSecret(where, name, { ...HOUR, ...passwordOf(`hand/${name}`) }));
        await cluster.synced(where, name, 20_000);
      }
      await cluster.create(externalSecret(where, 'once', { refreshInterval: '0s', ...passwordOf('app') }));
      await cluster.synced(where, 'once', 20_000);
      const value = (name: string): Promise<unknown> =>
        cluster.values(where, name).then((all) => all?.['password']);
      const asked = async (args: readonly string[], expected: RegExp): Promise<void> => {
        const { code, out, error } = await esa(['refresh', ...args, '-n', where]);
        assert.equal(code, 0, error + out);
        assert.match(out, expected);
      };
      const comes = (name: string, password: string): Promise<unknown> =>
        eventually(async () => (await value(name)) === password, {
          what: `${name} is ${password}`,
          timeout: 5_000,
        });

      await bed.openBao.write('hand/one', { password: 'second' });
      await bed.openBao.write('hand/two', { password: 'second' });
      const readsOfTwo = readsOf('hand/two');
      await asked(['one', '--wait'], /^1 of 1 ExternalSecret refreshed\n$/);
      assert.equal(await value('one'), 'second');
      assert.equal(readsOf('hand/two'), readsOfTwo);

      await asked(['--key', 'secret/data/hand/two'], /^asked for a refresh of 1 ExternalSecret\n$/);
      await comes('two', 'second');

      await bed.openBao.write('hand/one', { password: 'third' });
      await bed.openBao.write('hand/two', { password: 'third' });
      await asked(
        ['--store', 'vault'],
        /^asked for a refresh of 2 ExternalSecrets \(by 1 store\)\nleft alone, since it reads once: by-hand\/once\n$/,
      );
      for (const name of names) await comes(name, 'third');

      await bed.openBao.write('hand/one', { password: 'fourth' });
      await asked(['--all'], /^asked for a refresh of 2 ExternalSecrets \(by 1 store\)/);
      await comes('one', 'fourth');

      for (const name of [...names, 'once']) {
        const { metadata } = await cluster.get('ExternalSecret', where, name);
        assert.equal(metadata.generation, 1);
        const secret = await cluster.get('Secret', where, name);
        assert.ok(!Object.keys(secret.metadata.annotations ?? {}).some((key) => key.includes('refresh')));
      }
      const nothing = await esa(['refresh', 'once', '-n', where]);
      assert.equal(nothing.out, 'nothing to refresh\nleft alone, since it reads once: by-hand/once\n');
    });

    test('--wait ends with exit code 1 and the reason of those that are not synced', async () => {
      const where = 'by-hand-fails';
      await prepare(cluster, bed.openBao, where);
      await cluster.create(externalSecret(where, 'app', HOUR));
      await cluster.synced(where, 'app', 20_000);
      await cluster.remove('Secret', where, 'vault-token');
      const { code, out } = await esa(['refresh', '--all', '-n', where, '--wait', '-o', 'json']);
      assert.equal(code, 1);
      const { undone } = JSON.parse(out) as { undone: readonly { name: string; why: string }[] };
      assert.equal(undone[0]?.name, 'app');
      assert.match(undone[0]?.why ?? '', /secret "vault-token" from namespace "by-hand-fails": not found/);
    });

    test('whoever may only patch ExternalSecrets may refresh all of them, too', async () => {
      const where = 'by-role';
      await prepare(cluster, bed.openBao, where);
      await bed.openBao.write('by-role', { password: 'first' });
      await cluster.create(externalSecret(where, 'app', { ...HOUR, ...passwordOf('by-role') }));
      await cluster.synced(where, 'app', 20_000);
      await bed.openBao.write('by-role', { password: 'second' });
      const kubectl = (...args: string[]): Promise<string> => bed.cp.kubectlOutput([...args, '-n', where]);
      await kubectl('create', 'serviceaccount', 'deployer');
      const verbs = ['--verb=get,list,patch', '--resource=externalsecrets.external-secrets.io'];
      await kubectl('create', 'role', 'deployer', ...verbs);
      await kubectl(
        'create',
        'rolebinding',
        'deployer',
        '--role=deployer',
        `--serviceaccount=${where}:deployer`,
      );
      const kubeconfig = bed.cp.writeKubeconfig(
        'deployer',
        await bed.cp.serviceAccountToken(where, 'deployer'),
      );
      await eventually(
        async () => {
          const { code, out, error } = await esa(['refresh', '--all', '-n', where], kubeconfig);
          assert.equal(code, 0, error);
          // Nothing is said of kubernetes-client.io, which this cluster does not have and this caller may not list.
          assert.equal(error, '');
          assert.equal(out, 'asked for a refresh of 1 ExternalSecret\n');
          return true;
        },
        { what: 'the rights are in force', ...WITHIN },
      );
      await cluster.holds(where, 'app', { password: 'second' });
    });
  });
}
