/** `esa who-uses`; called by cli-cluster.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { externalSecret, passwordOf, prepare } from '../support/vault.ts';
import { bed, cluster, esa, HOUR } from './desk.ts';

export function describeWhoUses(): void {
  describe('esa who-uses', () => {
    test('finds who reads a remote secret: by key, by its name at the provider, by extract and by find', async () => {
      const where = 'users';
      await prepare(cluster, bed.openBao, where);
      await bed.openBao.write('team/db', { password: 'x', user: 'y' });
      const create = (name: string, spec: object): Promise<unknown> =>
        cluster.create(externalSecret(where, name, { ...HOUR, ...spec }));
      await create('by-property', {
        data: [{ secretKey: 'p', remoteRef: { key: 'team/db', property: 'password' } }],
      });
      await create('by-user', {
        data: [{ secretKey: 'u', remoteRef: { key: 'secret/data/team/db', property: 'user' } }],
      });
      await create('by-extract', { data: [], dataFrom: [{ extract: { key: 'team/db' } }] });
      await create('by-find', { data: [], dataFrom: [{ find: { path: 'team', name: { regexp: 'd.$' } } }] });
      await create('other', passwordOf('app'));
      const who = async (...args: string[]): Promise<string[]> => {
        const { out, code, error } = await esa(['who-uses', ...args, '-n', where, '-o', 'json']);
        assert.equal(code, 0, error);
        const { readers } = JSON.parse(out) as { readers: { name: string; namespace: string }[] };
        return readers
          .filter(({ namespace: ns }) => ns === where)
          .map(({ name }) => name)
          .sort();
      };
      const all = ['by-extract', 'by-find', 'by-property', 'by-user'];
      assert.deepEqual(await who('team/db'), all);
      assert.deepEqual(await who('team/db', '-A'), all);
      assert.deepEqual(
        await who('secret/data/team/db'),
        all.filter((name) => name !== 'by-find'),
      );
      assert.deepEqual(await who('team/db', '--property', 'user'), ['by-extract', 'by-find', 'by-user']);
      assert.deepEqual(await who('team/db', '--store', 'elsewhere'), []);
      const { out } = await esa(['who-uses', 'team/db', '-n', where, '--property', 'user']);
      assert.match(out, /^NAMESPACE +EXTERNALSECRET +FIELD +KEY +PROPERTY +FROM +READY\n/);
      assert.match(
        out,
        /^users +by-user +spec\.data\[0\]\.remoteRef\.key +secret\/data\/team\/db +user +SecretStore vault/m,
      );
      const nobody = await esa(['who-uses', 'never', '-n', where]);
      assert.equal(nobody.out, 'nobody in namespace users reads never (5 ExternalSecrets looked at)\n');
    });
  });
}
