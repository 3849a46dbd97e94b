/** Columns, lists and selectors of kubectl, on the bed of kinds.test.ts. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { GROUP, SERVED_VERSIONS } from '../../../api/external-secrets/names.ts';
import type { Bed } from '../../harness/bed.ts';
import { Cluster } from '../support/cluster.ts';
import { clusterSecretStore, externalSecret, prepare } from '../support/vault.ts';

/** Registers the tests. @param bed once it is up */
export function kubectlGets(bed: () => Bed): void {
  describe('kubectl get', () => {
    const WHERE = 'columns';
    const headers = async (...args: string[]): Promise<string[]> => {
      const table = await bed().cp.kubectlOutput(['get', ...args, '-n', WHERE]);
      return (table.split('\n')[0] ?? '').trim().split(/ {2,}/);
    };
    const row = async (...args: string[]): Promise<string[]> => {
      const table = await bed().cp.kubectlOutput(['get', ...args, '-n', WHERE, '--no-headers']);
      return table.trim().split(/ {2,}/);
    };
    const ready = (reason: string): object => ({
      type: 'Ready',
      status: 'True',
      reason,
      lastTransitionTime: '2026-11-22T00:00:00Z',
    });

    let cluster: Cluster;

    before(async () => {
      cluster = new Cluster(bed().cp);
      await prepare(cluster, bed().openBao, WHERE);
      await cluster.create(
        clusterSecretStore('columns', { provider: { fake: { data: [{ key: 'a', value: 'b' }] } } }),
      );
      await cluster.create(
        externalSecret(WHERE, 'app', { secretStoreRef: { name: 'vault', kind: 'SecretStore' } }),
      );
      await cluster.create(
        externalSecret(WHERE, 'other', {
          secretStoreRef: { name: 'columns', kind: 'ClusterSecretStore' },
          data: [{ secretKey: 'a', remoteRef: { key: 'a' } }],
          target: { name: 'elsewhere' },
        }),
      );
    });

    test('prints the columns of External Secrets Operator', async () => {
      for (const resource of [
        'es',
        ...SERVED_VERSIONS.map((version) => `externalsecrets.${version}.${GROUP}`),
      ]) {
        assert.deepEqual(await headers(resource), [
          'NAME',
          'STORETYPE',
          'STORE',
          'REFRESH INTERVAL',
          'STATUS',
          'READY',
          'LAST SYNC',
        ]);
      }
      for (const resource of [
        'ss',
        'css',
        ...SERVED_VERSIONS.map((version) => `secretstores.${version}.${GROUP}`),
      ]) {
        assert.deepEqual(await headers(resource), ['NAME', 'AGE', 'STATUS', 'CAPABILITIES', 'READY']);
      }
    });

    test('fills the columns from spec and status', async () => {
      assert.deepEqual(await row('es', 'app'), ['app', 'SecretStore', 'vault', '1s']);
      const refreshTime = new Date(Date.now() - 3_600_000 * 5).toISOString();
      await cluster.patch(
        'ExternalSecret',
        WHERE,
        'app',
        { status: { refreshTime, conditions: [ready('SecretSynced')] } },
        { subresource: 'status' },
      );
      assert.deepEqual(await row('es', 'app'), [
        'app',
        'SecretStore',
        'vault',
        '1s',
        'SecretSynced',
        'True',
        '5h',
      ]);
      await cluster.patch(
        'SecretStore',
        WHERE,
        'vault',
        { status: { capabilities: 'ReadWrite', conditions: [ready('Valid')] } },
        { subresource: 'status' },
      );
      const [name, , ...rest] = await row('ss', 'vault');
      assert.deepEqual([name, ...rest], ['vault', 'Valid', 'ReadWrite', 'True']);
    });

    test('external-secrets lists all kinds', async () => {
      const names = await bed().cp.kubectlOutput(['get', 'external-secrets', '-n', WHERE, '-o', 'name']);
      assert.deepEqual(names.trim().split('\n').toSorted(), [
        `clustersecretstore.${GROUP}/columns`,
        `externalsecret.${GROUP}/app`,
        `externalsecret.${GROUP}/other`,
        `secretstore.${GROUP}/vault`,
      ]);
    });

    test('selects by fields of the spec', async () => {
      for (const selector of [
        'spec.secretStoreRef.name=vault',
        'spec.secretStoreRef.kind=SecretStore',
        'spec.target.name!=elsewhere',
        'spec.refreshInterval=1s,spec.secretStoreRef.name!=columns',
      ]) {
        for (const version of ['v1', 'v1beta1']) {
          const args = [
            'get',
            `externalsecrets.${version}.${GROUP}`,
            '-n',
            WHERE,
            `--field-selector=${selector}`,
          ];
          assert.equal(
            await bed().cp.kubectlOutput([...args, '-o', 'name']),
            `externalsecret.${GROUP}/app\n`,
            `${version} ${selector}`,
          );
        }
      }
    });
  });
}
