/**
 * `esa` against a cluster with everything in it: what it says of a dozen broken objects, refreshes, who reads a key,
 * completion, and as a plugin of kubectl.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Explanation } from '../../cli/explain/explanation.ts';
import { run } from '../../cli/run.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Bed, startBed } from '../harness/bed.ts';
import { type CommandResult, runCommand } from '../harness/command.ts';
import { eventually } from '../harness/eventually.ts';
import { Cluster } from './support/cluster.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  requestsTo,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

let bed: Bed;
let cluster: Cluster;
const HOUR = { refreshInterval: '1h' };

before(async () => {
  bed = await startBed({ openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  for (const key of ['app', 'one', 'two']) await bed.openBao.write(key, { password: `value of ${key}` });
});
after(() => bed.stop());

interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** As the admin, or as whom the kubeconfig says. */
async function esa(args: readonly string[], kubeconfig = bed.cp.kubeconfig): Promise<Result> {
  let out = '';
  let error = '';
  const code = await run([...args, '--kubeconfig', kubeconfig], {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    readInput: async () => Buffer.from(''),
  });
  return { code, out, error };
}

async function explain(name: string, where: string, ...more: string[]): Promise<Explanation> {
  const { out, error } = await esa(['explain', name, '-n', where, '-o', 'json', ...more]);
  assert.equal(error, '');
  return JSON.parse(out) as Explanation;
}

const WITHIN = { timeout: 30_000, interval: 300 };

/** Waits until the first cause has this code, then gives it. */
async function firstCause(
  name: string,
  where: string,
  code: string | undefined,
  text: RegExp,
): Promise<Explanation> {
  return eventually(
    async () => {
      const explanation = await explain(name, where);
      const [cause] = explanation.causes;
      assert.ok(cause, `${explanation.verdict}: ${explanation.summary}`);
      assert.equal(cause.code, code, JSON.stringify(explanation.causes));
      assert.match(cause.message, text, cause.message);
      assert.equal(explanation.verdict, 'not-ready');
      return explanation;
    },
    { what: `explain ${name} says ${code}`, ...WITHIN },
  );
}

interface Situation {
  readonly where: string;
  readonly what: string;
  /** Makes it; the namespace with a token and the store `vault` is there. */
  readonly make: (where: string) => Promise<unknown>;
  readonly code: string;
  readonly message: RegExp;
  readonly remedy: RegExp;
}

const es = (where: string, spec: object = {}): Promise<unknown> =>
  cluster.create(externalSecret(where, 'app', { refreshInterval: '5s', ...spec }));

const SITUATIONS: readonly Situation[] = [
  {
    where: 'no-store',
    what: 'the store does not exist',
    make: (where) => es(where, { secretStoreRef: { name: 'elsewhere' } }),
    code: 'STORE_NOT_FOUND',
    message: /could not get SecretStore "elsewhere"/,
    remedy: /Create the store/,
  },
  {
    where: 'no-token',
    what: 'the Secret that the store logs in with does not exist',
    make: async (where) => {
      await cluster.create(
        secretStore(where, 'lost', {
          provider: vaultProvider(bed.openBao.address, {
            auth: { tokenSecretRef: { name: 'gone', key: 'token' } },
          }),
        }),
      );
      await es(where, { secretStoreRef: { name: 'lost' } });
    },
    code: 'REFERENCE_NOT_FOUND',
    message: /cannot get Kubernetes secret "gone" from namespace "no-token"/,
    remedy: /Create it/,
  },
  {
    where: 'no-token-key',
    what: 'the Secret that the store logs in with has no such key',
    make: async (where) => {
      await cluster.create(
        secretStore(where, 'lost', {
          provider: vaultProvider(bed.openBao.address, {
            auth: { tokenSecretRef: { name: 'vault-token', key: 'tocken' } },
          }),
        }),
      );
      await es(where, { secretStoreRef: { name: 'lost' } });
    },
    code: 'REFERENCE_NOT_FOUND',
    message: /has no key "tocken"/,
    remedy: /Create it/,
  },
  {
    where: 'wrong-token',
    what: 'the credentials of the store are refused',
    make: async (where) => {
      await cluster.create(tokenSecret(where, 's.wrong', 'wrong'));
      await cluster.create(
        secretStore(where, 'strange', {
          provider: vaultProvider(bed.openBao.address, {
            auth: { tokenSecretRef: { name: 'wrong', key: 'token' } },
          }),
        }),
      );
      await es(where, { secretStoreRef: { name: 'strange' } });
    },
    code: 'PROVIDER_UNAUTHENTICATED',
    message: /the login was refused \(403\)/,
    remedy: /Check the auth block of the store/,
  },
  {
    where: 'no-server',
    what: 'nothing listens at the address of the store',
    make: async (where) => {
      await cluster.create(secretStore(where, 'far', { provider: vaultProvider('http://127.0.0.1:9') }));
      await es(where, { secretStoreRef: { name: 'far' } });
    },
    code: 'PROVIDER_UNREACHABLE',
    message: /connection refused/,
    remedy: /Check the address of the store/,
  },
  {
    where: 'no-key',
    what: 'the remote secret does not exist',
    make: (where) => es(where, passwordOf('never/there')),
    code: 'PROVIDER_NOT_FOUND',
    message: /never\/there.*no such secret/,
    remedy: /remoteRef\.key/,
  },
  {
    where: 'no-property',
    what: 'the remote secret has no such property',
    make: (where) =>
      es(where, { data: [{ secretKey: 'password', remoteRef: { key: 'app', property: 'pass' } }] }),
    code: 'PROVIDER_PROPERTY_NOT_FOUND',
    message: /"pass"/,
    remedy: /remoteRef\.property/,
  },
  {
    where: 'denied',
    what: 'a policy that came later denies it',
    make: async (where) => {
      await cluster.patch('Namespace', undefined, where, { metadata: { labels: { explained: 'yes' } } });
      await es(where);
      await cluster.synced(where, 'app', 20_000);
      await cluster.create({
        apiVersion: 'external-secrets-admission.io/v1alpha1',
        kind: 'ClusterSecretPolicy',
        metadata: { name: 'only-aws' },
        spec: { namespaceSelector: { matchLabels: { explained: 'yes' } }, providers: ['aws'] },
      });
    },
    code: 'POLICY_DENIED',
    message: /policy "only-aws", rule providers/,
    remedy: /names the policy/,
  },
  {
    where: 'bad-template',
    what: 'its template fails with what the provider gave',
    make: (where) =>
      es(where, {
        target: {
          template: {
            engineVersion: 'v2',
            data: { n: '{{ .password | mustFromJson }}' },
          },
        },
      }),
    code: 'TEMPLATE_EXEC',
    message: /template/,
    remedy: /position and the cause/,
  },
  {
    where: 'no-template',
    what: 'the ConfigMap of templateFrom does not exist',
    make: (where) =>
      es(where, {
        target: { template: { templateFrom: [{ configMap: { name: 'tpl', items: [{ key: 'a' }] } }] } },
      }),
    code: 'REFERENCE_NOT_FOUND',
    message: /configmaps "tpl" not found/,
    remedy: /Create it/,
  },
  {
    where: 'unmanaged',
    what: "a Secret of the target's name is nobody's",
    make: async (where) => {
      await cluster.create(tokenSecret(where, 'x', 'app'));
      await es(where);
    },
    code: 'TARGET_UNMANAGED',
    message: /Secret unmanaged\/app exists and belongs to nobody/,
    remedy: /adopt: "true"/,
  },
  {
    where: 'owned',
    what: 'another ExternalSecret keeps the target',
    make: async (where) => {
      await cluster.create(externalSecret(where, 'first', { ...HOUR, target: { name: 'common' } }));
      await cluster.synced(where, 'first', 20_000);
      await es(where, { target: { name: 'common' } });
    },
    code: 'TARGET_OWNED',
    message: /belongs to ExternalSecret first/,
    remedy: /another target\.name/,
  },
  {
    where: 'quota',
    what: 'a quota of the namespace is used up',
    make: async (where) => {
      await cluster.create({
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'few', namespace: where },
        spec: { hard: { secrets: '1' } },
      });
      await eventually(
        async () => (await cluster.get('ResourceQuota', where, 'few')).status?.used?.['secrets'] === '1',
        { what: 'the quota is counted', timeout: 60_000 },
      );
      await es(where);
    },
    code: 'KUBE_API',
    message: /exceeded quota: few/,
    remedy: /quota/,
  },
];

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
    await cluster.create(externalSecret(where, 'app', { refreshInterval: '10s', ...passwordOf('on-time') }));
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

/** Reads of a remote object, as OpenBao's audit log has them. */
const readsOf = (key: string): number => requestsTo(bed.openBao, 'read', `secret/data/${key}`);

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
        assert.equal(out, 'asked for a refresh of 1 ExternalSecret\n');
        return true;
      },
      { what: 'the rights are in force', ...WITHIN },
    );
    await cluster.holds(where, 'app', { password: 'second' });
  });
});

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

describe('docs/cli.md, and kubectl esa', () => {
  const where = 'shop';
  const bin = mkdtempSync(join(tmpdir(), 'esa-bin-'));
  after(() => rmSync(bin, { recursive: true }));

  before(async () => {
    await prepare(cluster, bed.openBao, where);
    await bed.openBao.write('shop/db', { password: 'x' });
    const auth = { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: where } };
    await cluster.create(
      clusterSecretStore('vault', { provider: vaultProvider(bed.openBao.address, { auth }) }),
    );
    await cluster.create(externalSecret(where, 'database', { ...HOUR, ...passwordOf('shop/db') }));
    await cluster.synced(where, 'database', 20_000);
    const script = (name: string, line: string): void => {
      writeFileSync(join(bin, name), `#!/bin/sh\nexec ${line}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    const program = `${process.execPath} ${join(ROOT, 'cli', 'main.mjs')}`;
    script('esa', `${program} "$@"`);
    script('kubectl-esa', `${program} "$@"`);
    script('kubectl_complete-esa', 'esa __complete -- "$@"');
    script('kubectl', `${bed.cp.kubectlBinary} "$@"`);
  });

  const shell = (line: string): Promise<CommandResult> =>
    runCommand('bash', ['--norc', '-c', `set -o pipefail; ${line}`], {
      env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, KUBECONFIG: bed.cp.kubeconfig, HOME: bin },
    });

  test('every command that the page shows against a cluster does what it says', async () => {
    const page = readFileSync(join(ROOT, 'docs', 'cli.md'), 'utf8');
    const lines = [...page.matchAll(/^```sh\n(.*?)^```$/gms)]
      .flatMap(([, block = '']) => block.trimEnd().split('\n'))
      .filter((line) => /^(kubectl )?esa (explain|refresh|who-uses|crds)\b/.test(line));
    assert.ok(lines.length >= 11, lines.join('\n'));
    for (const line of lines) {
      const result = /^esa [^|]*$/.test(line) ? await esa(line.split(' ').slice(1)) : await shell(line);
      const said = 'error' in result ? result.error + result.out : result.stderr + result.stdout;
      assert.equal(result.code, 0, `${line}\n${said}`);
    }
  });

  test('kubectl finds it as a plugin, and asks it for completions', async () => {
    const explained = await shell('kubectl esa explain database -n shop');
    assert.equal(explained.code, 0, explained.stderr);
    assert.match(explained.stdout, /^ExternalSecret shop\/database is synced/);
    const commands = await shell('kubectl __complete esa ref');
    assert.match(commands.stdout, /^refresh\t/m, commands.stderr);
    const names = await shell('kubectl __complete esa explain -n shop da');
    assert.match(names.stdout, /^database$/m, names.stderr);
    const stores = await shell('esa __complete -- refresh -n shop --store va');
    assert.equal(stores.stdout, 'vault\n:4\n');
  });
});

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
