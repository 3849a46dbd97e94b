/** `esa explain`, `refresh` and `who-uses` of ExternalSecrets of KES; called by kes.test.ts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Explanation } from '../../../cli/explain/explanation.ts';
import type { Readers } from '../../../cli/usage/readers.ts';
import { ROOT } from '../../../tools/setup/paths.mjs';
import type { ControlPlane } from '../../harness/control-plane.ts';
import { eventually } from '../../harness/eventually.ts';
import type { OpenBao } from '../../harness/openbao.ts';
import type { Cluster, Manifest } from '../support/cluster.ts';
import { type EsaResult, runEsa } from '../support/esa.ts';
import { administer, externalSecret, namespace, requestsTo } from '../support/vault.ts';

/** What the tests need of the file that has the bed. */
export interface Place {
  readonly cp: ControlPlane;
  readonly cluster: Cluster;
  readonly openBao: OpenBao;
  /** Makes an object of KES. */
  readonly kes: (where: string, name: string, spec: object) => Manifest;
  readonly patch: (where: string, name: string, body: object) => Promise<void>;
  /** Waits for its status. */
  readonly reports: (where: string, name: string, status: RegExp) => Promise<unknown>;
  /** Fields of a backend that works. */
  readonly vault: object;
  readonly account: { readonly namespace: string; readonly name: string };
}

const KEY = 'kubernetes/data/cool/secrets';
const SYSTEM = 'external-secrets-system';
const WITHIN = { timeout: 30_000, interval: 300 };
const entry = (name: string, property = 'test'): object => ({ name, key: KEY, property });

const esaOf =
  (place: () => Place) =>
  (args: readonly string[], kubeconfig = place().cp.kubeconfig): Promise<EsaResult> =>
    // A busy machine may take its time.
    runEsa([...args, '--request-timeout', '60s'], kubeconfig);

/** Nothing here needs a poller but one that syncs. @param page the one whose commands are run, from the root of the repository */
export function describeCommands(place: () => Place, page: string): void {
  const where = 'commands';
  const guarded = 'commands-guarded';
  const esa = esaOf(place);
  const explain = async (name: string, ...more: string[]): Promise<Explanation> => {
    const { out, error } = await esa(['explain', name, '-n', where, '-o', 'json', ...more]);
    assert.equal(error, '');
    return JSON.parse(out) as Explanation;
  };
  const factsOf = ({ facts }: Explanation, about: string): readonly string[] =>
    facts.filter((fact) => fact.about === about).map(({ state, text }) => `${state} ${text}`);

  describe('the command line', () => {
    before(async () => {
      const { cluster, kes, vault } = place();
      await cluster.create(namespace(where));
      await cluster.create(kes(where, 'synced', { ...vault, data: [entry('test')] }));
      await cluster.create(kes(where, 'twin', { ...vault, dataFrom: [KEY] }));
      await cluster.create(externalSecret(where, 'twin', { target: { name: 'other' } }));
      const far = { backendType: 'secretsManager', region: 'eu-central-1' };
      await cluster.create(kes(where, 'far', { ...far, dataFromWithOptions: [{ key: 'who-uses' }] }));
      const deep = { backendType: 'systemManager', data: [{ path: '/who/uses' }] };
      await cluster.create(kes(where, 'deep', deep));
    });
    // What fails is tried again, also where others count the reads.
    after(async () => {
      for (const one of [where, guarded]) {
        const path = `/apis/kubernetes-client.io/v1/namespaces/${one}/externalsecrets`;
        assert.equal((await place().cp.request('DELETE', path)).status, 200);
      }
    });

    test('explain of one that is synced: what it reads, from where and as whom, and its Secret', async () => {
      await place().reports(where, 'synced', /^SUCCESS$/);
      const explanation = await eventually(
        async () => {
          const now = await explain('synced');
          assert.equal(now.verdict, 'ready', JSON.stringify(now));
          return now;
        },
        { what: 'it is explained as ready', ...WITHIN },
      );
      assert.deepEqual(explanation.object, {
        kind: 'ExternalSecret',
        group: 'kubernetes-client.io',
        namespace: where,
        name: 'synced',
      });
      assert.deepEqual(explanation.causes, []);
      assert.deepEqual(factsOf(explanation, 'reads'), [`note spec.data[0]: key ${KEY}, property test`]);
      assert.match(
        factsOf(explanation, 'target')[0] ?? '',
        /^ok Secret commands\/synced exists with 1 key \(test\); it is this object's$/,
      );
      const [backend, unseen] = factsOf(explanation, 'store');
      assert.equal(
        backend,
        'note backendType vault at the VAULT_ADDR of the poller, KV version 2: role kubernetes-external-secrets at the auth mount kubernetes, with the token of a ServiceAccount',
      );
      assert.match(
        unseen ?? '',
        /^unknown its environment is unknown: there is no Deployment of the poller in/,
      );
      assert.equal(explanation.next?.kind, 'within');
      assert.ok(Date.parse(explanation.lastSuccess ?? '') > 0);
      const { code, out } = await esa(['explain', 'kes/synced', '-n', where]);
      assert.equal(code, 0, out);
      assert.match(out, /^ExternalSecret\.kubernetes-client\.io commands\/synced is synced/);
    });

    test('explain goes by the flags and the environment of the Deployment of the poller', async () => {
      const { cp, cluster, account, kes, vault } = place();
      await cluster.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kes', namespace: SYSTEM },
        data: { VAULT_ADDR: place().openBao.address },
      });
      const container = {
        name: 'poller',
        image: 'none',
        args: ['poller', '--kes', `--kes-service-account=${account.namespace}/${account.name}`],
        env: [{ name: 'POLLER_INTERVAL_MILLISECONDS', value: '1000' }],
        envFrom: [{ configMapRef: { name: 'kes' } }],
      };
      const labels = { 'app.kubernetes.io/part-of': 'external-secrets-admission' };
      const path = `/apis/apps/v1/namespaces/${SYSTEM}/deployments`;
      const put = async (method: string, at: string, args: readonly string[], envFrom: readonly object[]) => {
        const { status, body } = await cp.request(method, at, {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'poller', labels: { ...labels, 'app.kubernetes.io/component': 'poller' } },
          spec: {
            replicas: 0,
            selector: { matchLabels: labels },
            template: { metadata: { labels }, spec: { containers: [{ ...container, args, envFrom }] } },
          },
        });
        assert.ok(status < 300, JSON.stringify(body));
      };
      await put('POST', path, container.args, container.envFrom);
      try {
        const known = await eventually(
          async () => {
            const now = await explain('synced');
            assert.equal(now.verdict, 'ready', JSON.stringify(now));
            return now;
          },
          { what: 'it is ready', ...WITHIN },
        );
        assert.deepEqual(factsOf(known, 'store'), [
          `note backendType vault at ${place().openBao.address}, KV version 2: role kubernetes-external-secrets at the auth mount kubernetes, with the token of ${account.namespace}/${account.name}`,
          `ok ServiceAccount ${account.namespace}/${account.name} exists`,
        ]);
        assert.equal(known.next?.kind, 'schedule');
        await cluster.create(kes(where, 'foreign', { ...vault, controllerId: 'x', data: [entry('a')] }));
        const foreign = await explain('foreign');
        assert.equal(foreign.verdict, 'ignored');
        assert.match(foreign.summary, /spec\.controllerId is "x", and the INSTANCE_ID of the poller ""/);

        await put('PUT', `${path}/poller`, container.args, []);
        const [lacking] = (await explain('synced')).causes;
        assert.deepEqual(
          [lacking?.code, lacking?.message],
          ['CONFIGURATION', 'VAULT_ADDR is not set for this controller'],
        );

        await put('PUT', `${path}/poller`, ['poller'], []);
        const off = await explain('synced');
        assert.deepEqual(
          [off.verdict, off.summary],
          ['ignored', 'is left alone: the poller runs without --kes'],
        );
      } finally {
        await cp.request('DELETE', `${path}/poller`);
      }
    });

    test('explain of one that is not synced names the cause, with its code and the remedy', async () => {
      const { cluster, kes, vault, reports } = place();
      await cluster.create(kes(where, 'lost', { ...vault, data: [entry('a', 'nobody')] }));
      await reports(where, 'lost', /^ERROR, /);
      const [cause] = (await explain('lost')).causes;
      assert.deepEqual(
        [cause?.code, cause?.message, cause?.seen],
        ['PROVIDER_PROPERTY_NOT_FOUND', `Could not find property nobody in ${KEY}`, 'status'],
      );
      const { code, out } = await esa(['explain', 'lost', '-n', where]);
      assert.equal(code, 1);
      assert.match(out, /is not synced, as of /);
      assert.match(out, /attempts +- +last attempt that is recorded: /);
    });

    test('explain says what the annotations of the namespace do not permit', async () => {
      const { cluster, kes, vault, reports } = place();
      await cluster.create(namespace(guarded));
      await cluster.create(kes(guarded, 'app', { ...vault, data: [entry('a')] }));
      await reports(guarded, 'app', /^SUCCESS$/);
      const annotations = { 'externalsecrets.kubernetes-client.io/permitted-key-name': 'team-a/.*' };
      await cluster.patch('Namespace', undefined, guarded, { metadata: { annotations } });
      await reports(guarded, 'app', /^ERROR, not allowed to fetch secret/);
      const { causes } = await explain('app', '-n', guarded);
      assert.equal(causes.length, 1, JSON.stringify(causes));
      assert.deepEqual([causes[0]?.code, causes[0]?.path], ['POLICY_DENIED', 'spec.data[0].key']);
      assert.match(causes[0]?.remedy ?? '', /Ask who owns the namespace/);
    });

    test('a name that two have asks which; with the group it is told', async () => {
      const both = await esa(['explain', 'twin', '-n', where]);
      assert.equal(both.code, 2);
      assert.match(
        both.error,
        /two ExternalSecrets twin: write kes\/twin for .*externalsecrets\.external-secrets\.io\/twin for the other/,
      );
      for (const [name, group] of [
        ['kes/twin', 'kubernetes-client.io'],
        ['es.kubernetes-client.io/twin', 'kubernetes-client.io'],
        ['externalsecret.kubernetes-client.io/twin', 'kubernetes-client.io'],
        ['externalsecrets.external-secrets.io/twin', undefined],
      ] as const)
        assert.equal((await explain(name)).object.group, group, name);
      const none = await esa(['explain', 'nobody', '-n', where]);
      assert.equal(none.code, 1);
      assert.match(none.error, /nobody does not exist in namespace commands; there are: twin, .*kes\/synced/);
      const refreshed = await esa(['refresh', 'twin', '-n', where]);
      assert.equal(refreshed.code, 2);
      assert.match(refreshed.error, /write kes\/twin/);
    });

    test('who-uses finds them by key, by property, by the name at the provider and by path', async () => {
      const who = async (...args: string[]): Promise<string[]> => {
        const { out, code, error } = await esa(['who-uses', ...args, '-n', where, '-o', 'json']);
        assert.deepEqual([code, error], [0, '']);
        return (JSON.parse(out) as Readers).readers
          .filter(({ namespace: one, group }) => one === where && group === 'kubernetes-client.io')
          .filter(({ name }) => !['foreign', 'lost'].includes(name))
          .map(({ name, how, path }) => `${name} ${how} ${path}`)
          .sort();
      };
      const all = ['synced data spec.data[0].key', 'twin extract spec.dataFrom[0]'];
      assert.deepEqual(await who(KEY), all);
      assert.deepEqual(await who(KEY, '-A'), all);
      assert.deepEqual(await who(KEY, '--property', 'other'), ['twin extract spec.dataFrom[0]']);
      assert.deepEqual(await who(KEY, '--store', 'vault'), []);
      const far = ['far extract spec.dataFromWithOptions[0].key'];
      assert.deepEqual(await who('who-uses'), far);
      assert.deepEqual(await who('eu-central-1/who-uses'), far);
      assert.deepEqual(await who('/who/uses/a'), ['deep find spec.data[0].path']);
      assert.deepEqual(await who('/who/uses/a/b'), []);
      const { out } = await esa(['who-uses', KEY, '-n', where]);
      assert.match(
        out,
        /^commands +kes\/synced +spec\.data\[0\]\.key +kubernetes\/data\/cool\/secrets +test +backendType vault +True$/m,
      );
    });

    test(`every command of ${page} does what it says`, async () => {
      const { cp, kes, vault, reports } = place();
      const [block = ''] = /^```sh\nesa .*?^```$/ms.exec(readFileSync(join(ROOT, page), 'utf8')) ?? [];
      const lines = block.split('\n').filter((line) => line.startsWith('esa '));
      assert.ok(lines.length >= 4, block);
      // It may be there already.
      const path = '/apis/kubernetes-client.io/v1/namespaces/shop/externalsecrets';
      await cp.request('POST', path, kes('shop', 'cool-secret', { ...vault, data: [entry('test')] }));
      await reports('shop', 'cool-secret', /^SUCCESS$/);
      for (const line of lines)
        await eventually(
          async () => {
            const { code, out, error } = await esa(line.split(' ').slice(1));
            assert.equal(code, 0, `${line}\n${error}${out}`);
            return true;
          },
          { what: line, timeout: 120_000 },
        );
    });

    test('whoever may not read them is told so, and hears the rest', async () => {
      const { cp } = place();
      const kubectl = (...args: string[]): Promise<string> => cp.kubectlOutput([...args, '-n', where]);
      await kubectl('create', 'serviceaccount', 'reader');
      const verbs = ['--verb=get,list,patch', '--resource=externalsecrets.external-secrets.io'];
      await kubectl('create', 'role', 'reader', ...verbs);
      await kubectl('create', 'rolebinding', 'reader', '--role=reader', `--serviceaccount=${where}:reader`);
      const kubeconfig = cp.writeKubeconfig('reader', await cp.serviceAccountToken(where, 'reader'));
      const refused = /^not looked at: list kubernetes-client\.io\/v1\/.*externalsecrets: 403 Forbidden/m;
      const used = await eventually(
        async () => {
          const result = await esa(['who-uses', KEY, '-n', where], kubeconfig);
          assert.equal(result.code, 0, result.error);
          return result;
        },
        { what: 'the rights are in force', ...WITHIN },
      );
      assert.match(used.error, refused);
      const all = await esa(['refresh', '--all', '-n', where], kubeconfig);
      assert.deepEqual([all.code, all.out], [0, 'asked for a refresh of 1 ExternalSecret\n'], all.error);
      assert.match(all.error, refused);
      const missing = await esa(['explain', 'synced', '-n', where], kubeconfig);
      assert.equal(missing.code, 1);
      assert.match(
        missing.error,
        /ExternalSecret synced does not exist.*; read ExternalSecret\.kubernetes-client\.io synced: 403/,
      );
      const found = await esa(['explain', 'twin', '-n', where, '-o', 'json'], kubeconfig);
      assert.equal((JSON.parse(found.out) as Explanation).object.group, undefined);
    });
  });
}

export interface Programs {
  readonly stopPoller: () => Promise<unknown>;
  readonly startPoller: () => Promise<unknown>;
}

/** With polling disabled, so that nothing else reads. @param namespace with the objects a and b, which read `test` */
export function describeRefresh(place: () => Place, where: string, programs: Programs): void {
  const esa = esaOf(place);
  const refresh = (...args: string[]): Promise<EsaResult> =>
    esa(['refresh', ...args, '-n', where, '--timeout', '3m']);
  const write = (data: object): Promise<unknown> => administer(place().openBao, 'POST', KEY, { data });
  const reads = (): number => requestsTo(place().openBao, 'read', KEY);
  const testOf = async (name: string): Promise<unknown> =>
    (await place().cluster.values(where, name))?.['test'];

  test('esa refresh --wait of one reads that one, and no other', async () => {
    const before = [reads(), await testOf('b')];
    await write({ test: 'asked' });
    const { code, out, error } = await refresh('a', '--wait');
    assert.deepEqual([code, out, error], [0, '1 of 1 ExternalSecret refreshed\n', '']);
    assert.equal(await testOf('a'), 'asked');
    assert.deepEqual([reads() - 1, await testOf('b')], before);
    const again = await refresh('kes/a', '--wait');
    assert.deepEqual([again.code, again.out], [0, '1 of 1 ExternalSecret refreshed\n']);
  });

  test('esa refresh --key and --all reach them; --wait says of one that fails why', async () => {
    const { code, out } = await refresh('--key', KEY);
    assert.deepEqual([code, out], [0, 'asked for a refresh of 2 ExternalSecrets\n']);
    await place().cluster.holds(where, 'b', { test: 'asked' }, 20_000);
    await write({ other: 'x' });
    const failed = await refresh('--all', '--wait');
    assert.equal(failed.code, 1);
    assert.match(
      failed.out,
      /^not synced: once\/a \(kubernetes-client\.io\): Could not find property test in kubernetes\/data\/cool/m,
    );
    await write({ test: 'well again' });
    // What failed before and says nothing new for ten seconds counts as failing: then it is asked again.
    const mended = await eventually(
      async () => {
        const result = await refresh('--all', '--wait', '-o', 'json');
        assert.equal(result.code, 0, result.out);
        return result;
      },
      { what: 'both are refreshed', timeout: 120_000 },
    );
    const group = 'kubernetes-client.io';
    assert.deepEqual(JSON.parse(mended.out), {
      objects: ['a', 'b'].map((name) => ({ namespace: where, name, group })),
      stores: 0,
      readOnce: [],
      undone: [],
      unread: [],
    });
    for (const name of ['a', 'b']) assert.equal(await testOf(name), 'well again');
  });

  test('what was asked while no poller is there is done once one is', async () => {
    await programs.stopPoller();
    try {
      await write({ test: 'meanwhile' });
      assert.equal((await refresh('a')).code, 0);
    } finally {
      await programs.startPoller();
    }
    await place().cluster.holds(where, 'a', { test: 'meanwhile' }, 30_000);
    assert.equal(await testOf('b'), 'well again');
  });
}
