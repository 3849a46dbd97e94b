/** `esa explain`, on a dozen broken objects and on sound ones; called by cli-cluster.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../harness/eventually.ts';
import {
  clusterSecretStore,
  externalSecret,
  passwordOf,
  prepare,
  secretStore,
  vaultProvider,
} from '../support/vault.ts';
import { bed, cluster, es, esa, explain, firstCause, HOUR, WITHIN } from './desk.ts';
import { SITUATIONS } from './situations.ts';

export function describeExplain(): void {
  describe('esa explain', { concurrency: 4 }, () => {
    for (const { where, what, make, code, message, remedy } of SITUATIONS) {
      test(`names the cause and the remedy when ${what}`, async () => {
        await prepare(cluster, bed.openBao, where);
        await make(where);
        const { causes } = await eventually(
          async () => {
            const tried = await firstCause('app', where, code, message);
            assert.equal(tried.next?.kind, 'within');
            return tried;
          },
          { what: 'the poller has tried it', ...WITHIN },
        );
        assert.match(causes[0]?.remedy ?? '', remedy);
        const { out, code: exit } = await esa(['explain', 'es/app', '-n', where]);
        assert.equal(exit, 1, out);
        assert.match(out, new RegExp(`^ExternalSecret ${where}/app `));
        assert.ok(out.includes(`${code}: `), out);
        assert.doesNotMatch(out, /value of|s\.wrong/);
      });
    }

    test('says that an object of another class is left alone, and is content', async () => {
      const where = 'other-class';
      await prepare(cluster, bed.openBao, where);
      const spec = { controller: 'somebody', provider: vaultProvider(bed.openBao.address) };
      await cluster.create(secretStore(where, 'theirs', spec));
      await es(where, { secretStoreRef: { name: 'theirs' } });
      const explanation = await explain('app', where);
      assert.equal(explanation.verdict, 'ignored');
      assert.match(explanation.summary, /controller class "somebody"/);
      assert.equal((await explain('app', where, '--controller-class', 'somebody')).verdict, 'waiting');
    });

    test('of one that is synced: everything that was looked at, and the moment of its next refresh', async () => {
      const where = 'healthy';
      await prepare(cluster, bed.openBao, where);
      await cluster.patch('Namespace', undefined, where, {
        metadata: { labels: { 'external-secrets-admission.io/suspend': 'yes' } },
      });
      await cluster.create(externalSecret(where, 'app', HOUR));
      await cluster.synced(where, 'app', 20_000);
      const explanation = await eventually(
        async () => {
          const now = await explain('app', where);
          assert.equal(now.verdict, 'ready', JSON.stringify(now));
          return now;
        },
        { what: 'it is explained as ready', ...WITHIN },
      );
      assert.deepEqual(explanation.causes, []);
      const of = (about: string) => explanation.facts.filter((fact) => fact.about === about);
      assert.match(
        of('target')[0]?.text ?? '',
        /Secret healthy\/app exists with 1 key \(password\); it is this object's/,
      );
      assert.match(of('store')[0]?.text ?? '', /^SecretStore healthy\/vault \(vault at http/);
      assert.ok(of('store').some(({ text }) => text === 'Secret healthy/vault-token has key token'));
      assert.deepEqual(of('reads'), [
        { about: 'reads', state: 'note', text: 'spec.data[0]: key app, property password' },
      ]);
      assert.match(of('namespace')[0]?.text ?? '', /suspend/);
      assert.match(of('poller')[0]?.text ?? '', /^at work: /);
      assert.equal(explanation.next?.kind, 'schedule');
      const at = Date.parse(explanation.next?.at ?? '');
      assert.ok(at > Date.now() - 1_000 && at <= Date.now() + 3_600_000, explanation.next?.at ?? '');
      const { code, out } = await esa(['explain', 'app', '-n', where]);
      assert.equal(code, 0, out);
    });

    test('of the next refresh: the provider is read at that moment', async () => {
      const where = 'on-time';
      await prepare(cluster, bed.openBao, where);
      await bed.openBao.write('on-time', { password: 'x' });
      await cluster.create(
        externalSecret(where, 'app', { refreshInterval: '10s', ...passwordOf('on-time') }),
      );
      await cluster.synced(where, 'app', 20_000);
      const readsAt = (): number[] =>
        bed.openBao
          .auditLines()
          .filter(({ type, request }) => type === 'request' && request.path === 'secret/data/on-time')
          .map(({ time }) => Date.parse(time));
      // After an adoption the first turn is by the name of the object; from then on by what it reads.
      await eventually(() => readsAt().length >= 3, { what: 'it was refreshed', timeout: 60_000 });
      const { next } = await explain('app', where);
      const at = Date.parse(next?.at ?? '');
      const read = await eventually(() => readsAt().find((time) => time >= at - 1_000), {
        what: 'the next refresh',
        timeout: 30_000,
      });
      // A machine under load is late; but by less than to the turn behind this one.
      assert.ok(read - at < 9_000, `${new Date(read).toISOString()}, ${next?.at}`);
    });

    test('of a store, and of a ClusterExternalSecret', async () => {
      const where = 'stores';
      await prepare(cluster, bed.openBao, where);
      await cluster.create(
        clusterSecretStore('far-away', {
          provider: vaultProvider('http://127.0.0.1:9', {
            auth: { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: where } },
          }),
        }),
      );
      await firstCause('css/far-away', where, 'PROVIDER_UNREACHABLE', /connection refused/);
      await eventually(async () => (await explain('ss/vault', where)).verdict === 'ready', {
        what: 'the store is ready',
        ...WITHIN,
      });
      await cluster.create(externalSecret(where, 'mine', HOUR));
      await cluster.create({
        apiVersion: 'external-secrets.io/v1',
        kind: 'ClusterExternalSecret',
        metadata: { name: 'everywhere' },
        spec: {
          externalSecretName: 'mine',
          namespaces: [where],
          externalSecretSpec: { secretStoreRef: { name: 'vault' }, ...passwordOf('app') },
        },
      });
      const { summary } = await firstCause(
        'ces/everywhere',
        where,
        undefined,
        /namespace stores: .*already exists/,
      );
      assert.match(summary, /1 of 1 namespaces/);
    });

    test('what does not exist, what may not be read, and a cluster that is not there', async () => {
      const where = 'may-not';
      await prepare(cluster, bed.openBao, where);
      await cluster.create(externalSecret(where, 'app', HOUR));
      await cluster.synced(where, 'app', 20_000);
      const missing = await esa(['explain', 'nobody', '-n', where]);
      assert.deepEqual(
        [missing.code, missing.error],
        [1, 'error: ExternalSecret nobody does not exist in namespace may-not; there are: app\n'],
      );
      await bed.cp.kubectlOutput(['create', 'serviceaccount', 'reader', '-n', where]);
      const token = await bed.cp.serviceAccountToken(where, 'reader');
      const kubeconfig = bed.cp.writeKubeconfig('reader', token);
      const refused = await esa(['explain', 'app', '-n', where], kubeconfig);
      assert.equal(refused.code, 3);
      assert.match(
        refused.error,
        /^error: read ExternalSecret app: 403 Forbidden: .*\n {2}Ask for the right to get externalsecrets\.external-secrets\.io in namespace may-not for system:serviceaccount:may-not:reader/,
      );
      await bed.cp.kubectlOutput([
        'create',
        'role',
        'reader',
        '-n',
        where,
        '--verb=get',
        '--resource=externalsecrets.external-secrets.io',
      ]);
      await bed.cp.kubectlOutput([
        'create',
        'rolebinding',
        'reader',
        '-n',
        where,
        '--role=reader',
        `--serviceaccount=${where}:reader`,
      ]);
      const partly = await eventually(
        async () => {
          const result = await esa(['explain', 'app', '-n', where], kubeconfig);
          assert.notEqual(result.code, 3, result.error);
          return result;
        },
        { what: 'the right is in force', ...WITHIN },
      );
      assert.match(partly.out, /store +\? +read SecretStore vault: 403 Forbidden/);
      assert.match(partly.out, /target +\? +read Secret may-not\/app: 403 Forbidden/);
      const nowhere = await esa(['explain', 'app'], '/no/such/file');
      assert.equal(nowhere.code, 3);
      assert.match(nowhere.error, /^error: kubeconfig \/no\/such\/file cannot be read/);
    });
  });
}
