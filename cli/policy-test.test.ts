import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { run } from './run.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'esa-policy-'));
});
after(() => rm(root, { recursive: true }));

let count = 0;
async function directory(files: Readonly<Record<string, string | readonly object[]>>): Promise<string> {
  const path = join(root, `d${count++}`);
  await mkdir(path);
  for (const [name, content] of Object.entries(files))
    await writeFile(join(path, name), typeof content === 'string' ? content : text(...content));
  return path;
}

const text = (...objects: readonly object[]): string =>
  objects.map((object) => JSON.stringify(object)).join('\n---\n');

interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function esa(...args: readonly string[]): Promise<Result> {
  let out = '';
  let error = '';
  const code = await run(['policy', 'test', ...args], {
    out: (part) => {
      out += part;
    },
    error: (part) => {
      error += part;
    },
    readInput: async () => Buffer.from(''),
  });
  return { code, out, error };
}

const policy = (name: string, spec: object): object => ({
  apiVersion: 'external-secrets-admission.io/v1alpha1',
  kind: 'ClusterSecretPolicy',
  metadata: { name },
  spec,
});
const TENANTS = { namespaceSelector: { matchLabels: { tenant: 'true' } } };
const SHOP = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { tenant: 'true' } } };
const STORE = {
  apiVersion: 'external-secrets.io/v1',
  kind: 'ClusterSecretStore',
  metadata: { name: 'vault' },
  spec: {
    provider: {
      vault: {
        server: 'http://openbao',
        path: 'secret',
        version: 'v2',
        auth: { tokenSecretRef: { name: 't', key: 't', namespace: 'x' } },
      },
    },
  },
};
const es = (name: string, key: string, spec: object = {}, namespace = 'shop', version = 'v1'): object => ({
  apiVersion: `external-secrets.io/${version}`,
  kind: 'ExternalSecret',
  metadata: { name, namespace },
  spec: {
    refreshInterval: '1h',
    secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault' },
    data: [{ secretKey: 'a', remoteRef: { key } }],
    ...spec,
  },
});
const KEYS = policy('teams', { ...TENANTS, keys: [{ glob: 'secret/data/{{namespace}}/**' }] });

/** Text without positions, which are those of lint.test.ts. */
const plain = ({ out }: Result): string => out.replaceAll(/^( *)\S+:\d+:\d+: /gm, '$1');

async function judge(
  policies: readonly object[],
  objects: readonly object[],
  ...more: string[]
): Promise<Result> {
  const path = await directory({ 'p.yaml': policies, 'm.yaml': objects });
  return esa('-p', join(path, 'p.yaml'), join(path, 'm.yaml'), ...more);
}

describe('with --policy', () => {
  test('each object with the policies that were asked, and what they say', async () => {
    const result = await judge(
      [KEYS, policy('interval', { effect: 'Warn', refreshInterval: { minimum: '2h' } })],
      [
        SHOP,
        STORE,
        es('mine', 'shop/db', { refreshInterval: '0' }),
        es('stolen', 'hr/db'),
        es('free', 'hr/db', {}, 'free'),
      ],
      '--namespace-labels',
      'free=tenant=no',
    );
    assert.equal(result.code, 1);
    assert.equal(
      plain(result),
      `ExternalSecret shop/mine: Allow (policies: teams, interval)
ExternalSecret shop/stolen: Deny (policies: teams, interval)
  error: spec.data[0].remoteRef.key: "secret/data/hr/db" may not be read; allowed: secret/data/shop/** (policy "teams", rule keys)
  warning: spec.refreshInterval: "1h" is too short; allowed: 2h or longer, and 0 or refreshPolicy CreatedOnce or OnChange (policy "interval", rule refreshInterval)
ExternalSecret free/free: Warn (policies: interval)
  warning: spec.refreshInterval: "1h" is too short; allowed: 2h or longer, and 0 or refreshPolicy CreatedOnce or OnChange (policy "interval", rule refreshInterval)
`,
    );
    assert.equal(result.error, '3 objects, 2 policies: 1 Allow, 1 Warn, 1 Deny\n');
  });

  test('the words are those of the webhook', async () => {
    const golden = readFileSync(
      join(import.meta.dirname, '../test/e2e/policies/everything.golden.txt'),
      'utf8',
    );
    const store = { ...STORE, kind: 'SecretStore', metadata: { name: 'vault', namespace: 'refused' } };
    Object.assign(store, {
      spec: {
        provider: {
          vault: { ...STORE.spec.provider.vault, auth: { tokenSecretRef: { name: 't', key: 't' } } },
        },
      },
    });
    const result = await judge(
      [
        policy('refused', {
          stores: [{ kind: 'ClusterSecretStore', name: 'vault-*' }],
          providers: ['aws'],
          keys: [{ glob: 'secret/data/{{namespace}}/**' }],
          servers: [{ scheme: 'https' }],
          refreshInterval: { minimum: '1m' },
          creationPolicies: ['Owner'],
          deletionPolicies: ['Merge'],
          maximumKeys: 1,
          secretTypes: ['kubernetes.io/tls'],
          requiredLabels: [{ key: 'team', values: ['shop'] }],
          forbiddenTemplateFunctions: ['genCA'],
        }),
      ],
      [
        store,
        es(
          'app',
          'private/app',
          {
            secretStoreRef: { name: 'vault' },
            refreshInterval: '5s',
            data: ['a', 'b'].map((secretKey) => ({ secretKey, remoteRef: { key: 'private/app' } })),
            target: { creationPolicy: 'Orphan', template: { data: { out: '{{ (genCA "x" 1).Cert }}' } } },
          },
          'refused',
        ),
      ],
      '-o',
      'json',
    );
    const { objects } = JSON.parse(result.out) as {
      objects: { object: string; findings: { path: string; message: string }[] }[];
    };
    const app = objects.find(({ object }) => object === 'ExternalSecret refused/app');
    const said = app?.findings.map(({ path, message }) => `* ${path}: ${message}`) ?? [];
    assert.deepEqual(said, golden.match(/^\* .*$/gm));
  });

  test('paths of an older version', async () => {
    const old = es('old', 'x', { target: {}, data: [], dataFrom: [{ key: 'hr/db' }] }, 'shop', 'v1alpha1');
    assert.match(
      plain(await judge([KEYS], [SHOP, STORE, old])),
      /error: spec\.dataFrom\[0\]\.key: "secret\/data\/hr\/db"/,
    );
  });

  test('a SecretStore by itself; a ClusterSecretStore is in no namespace', async () => {
    const store = {
      apiVersion: 'external-secrets.io/v1',
      kind: 'SecretStore',
      metadata: { name: 'fake', namespace: 'shop' },
      spec: { provider: { fake: { data: [] } } },
    };
    const result = await judge([policy('p', { providers: ['vault'] })], [store, STORE]);
    assert.equal(result.code, 1);
    assert.equal(
      plain(result),
      `SecretStore shop/fake: Deny (policies: p)\n  error: spec.provider.fake: SecretStore "fake" is of provider fake; allowed: vault (policy "p", rule providers)\n`,
    );
  });

  test('what cannot be judged without a cluster is noted', async () => {
    const find = { data: [], dataFrom: [{ find: { path: 'a' } }] };
    const result = await judge([policy('p', { keys: [], servers: [] })], [es('app', 'k', find)]);
    assert.equal(result.code, 0);
    assert.equal(
      plain(result),
      `ExternalSecret shop/app: Allow (policies: p)
  note: spec.secretStoreRef.name: ClusterSecretStore "vault" is not among the files, so nothing is said for it about: keys, servers
  note: spec.dataFrom[0].find: what a find comes upon is judged when it is read, so nothing is said about: keys
`,
    );
    const labels = await judge([KEYS], [STORE, es('a', 'hr/x'), es('b', 'hr/x')]);
    assert.equal(labels.code, 0);
    assert.equal(labels.out.match(/labels of namespace "shop" are not known/g)?.length, 1);
  });

  test('the name of a namespace is one of its labels', async () => {
    const named = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } };
    const result = await judge([policy('p', { ...named, stores: [] })], [es('app', 'k')]);
    assert.equal(result.code, 1);
  });

  test('--policy-default=deny', async () => {
    const objects = [{ ...SHOP, metadata: { name: 'shop' } }, STORE, es('app', 'k')];
    assert.equal((await judge([KEYS], objects)).code, 0);
    const result = await judge([KEYS], objects, '--policy-default', 'deny');
    assert.equal(result.code, 1);
    assert.match(
      plain(result),
      /error: metadata\.namespace: no ClusterSecretPolicy is about namespace "shop".*\(--policy-default=deny\)/,
    );
  });

  test('an object that the webhook refuses before it asks policies', async () => {
    const result = await judge([KEYS], [SHOP, es('app', '')]);
    assert.equal(result.code, 1);
    assert.match(
      plain(result),
      /^ExternalSecret shop\/app: Invalid \(policies: none\)\n {2}error: spec\.data\[0\]\.remoteRef\.key: the key is empty/,
    );
  });

  test('of two policies of one name the later one counts', async () => {
    const result = await judge([policy('p', { stores: [] }), policy('p', {})], [es('app', 'k')]);
    assert.equal(result.code, 0);
  });

  test('malformed and missing policies', async () => {
    const malformed = await judge([policy('p', { providers: ['vaullt'] })], [es('app', 'k')]);
    assert.equal(malformed.code, 1);
    assert.match(malformed.out, /p\.yaml:1:\d+: error: spec\.providers\[0\]: /);
    const none = await judge([SHOP], [es('app', 'k')]);
    assert.equal(none.code, 2);
    assert.equal(none.error, 'error: --policy: there is no ClusterSecretPolicy in it\n');
    assert.equal((await judge([KEYS], [], '--namespace-labels', 'shop')).code, 2);
  });
});

describe('tests of policies', () => {
  const suite = (expect: readonly object[], more: object = {}): object => ({
    apiVersion: 'cli.external-secrets-admission.io/v1alpha1',
    kind: 'PolicyTest',
    metadata: { name: 'teams' },
    policies: ['policies.yaml'],
    manifests: ['manifests.yaml'],
    expect,
    ...more,
  });
  const runSuite = async (
    expect: readonly object[],
    more: object = {},
    ...args: string[]
  ): Promise<Result> => {
    const path = await directory({
      'test.yaml': [suite(expect, more)],
      'policies.yaml': [KEYS, policy('interval', { ...TENANTS, refreshInterval: { minimum: '2h' } })],
      'manifests.yaml': [
        SHOP,
        STORE,
        es('mine', 'shop/db', { refreshInterval: '3h' }),
        es('stolen', 'hr/db'),
      ],
    });
    const result = await esa(path, ...args);
    return { ...result, out: result.out.replaceAll(`${path}/`, '') };
  };
  const stolen = 'ExternalSecret shop/stolen';

  test('pass when all is as expected; the rules may be named with or without their policy', async () => {
    const result = await runSuite([
      { object: stolen, outcome: 'Deny', rules: ['teams/keys', 'refreshInterval'] },
    ]);
    assert.equal(
      result.out,
      `teams (test.yaml)
  ok   ExternalSecret shop/stolen: Deny (teams/keys, interval/refreshInterval)
  ok   ExternalSecret shop/mine: Allow
`,
    );
    assert.equal(result.error, '1 test, 2 objects: 0 failed\n');
    assert.equal(result.code, 0);
  });

  test('fail for another outcome, with the place of the expectation and what was said', async () => {
    const result = await runSuite([
      { object: stolen, outcome: 'Allow' },
      { object: 'ExternalSecret shop/mine', outcome: 'Deny' },
    ]);
    assert.equal(result.code, 1);
    assert.match(
      result.out,
      / {2}FAIL ExternalSecret shop\/stolen: Deny \(teams\/keys, interval\/refreshInterval\)\n {7}test\.yaml:1:\d+: error: expect\[0\]: want Allow, got Deny \(.*\)\n {7}manifests\.yaml:\d+:\d+: error: spec\.data\[0\]\.remoteRef\.key: /,
    );
    assert.match(
      result.out,
      / {2}FAIL ExternalSecret shop\/mine: Allow\n {7}test\.yaml:1:\d+: error: expect\[1\]: want Deny, got Allow\n/,
    );
    assert.equal(result.error, '1 test, 2 objects: 2 failed\n');
  });

  test('fail for other rules, fewer or more', async () => {
    for (const rules of [
      ['keys'],
      ['keys', 'refreshInterval', 'stores'],
      ['other/keys', 'refreshInterval'],
      [],
    ])
      assert.equal((await runSuite([{ object: stolen, outcome: 'Deny', rules }])).code, 1, rules.join());
  });

  test('fail for a denial that nothing expects', async () => {
    const result = await runSuite([]);
    assert.equal(result.code, 1);
    assert.match(
      result.out,
      /FAIL ExternalSecret shop\/stolen: .*\n {7}manifests\.yaml:\d+:\d+: error: got Deny .*, which nothing under expect is about\n/,
    );
  });

  test('fail for an object that is not there', async () => {
    const result = await runSuite([
      { object: stolen, outcome: 'Deny' },
      { object: 'ExternalSecret shop/gone', outcome: 'Deny' },
    ]);
    assert.equal(result.code, 1);
    assert.match(
      result.out,
      /the manifests have no ExternalSecret shop\/gone; they have: ExternalSecret shop\/mine, ExternalSecret shop\/stolen/,
    );
  });

  test('labels and the default of policies; of the test before those of the command', async () => {
    const both = [
      { object: stolen, outcome: 'Deny', rules: ['policyDefault'] },
      { object: 'ExternalSecret shop/mine', outcome: 'Deny', rules: ['policyDefault'] },
    ];
    const labels = { namespaceLabels: { shop: { tenant: 'no' } } };
    assert.equal((await runSuite(both, { ...labels, policyDefault: 'deny' })).code, 0);
    assert.equal((await runSuite(both, labels, '--policy-default', 'deny')).code, 0);
    assert.equal(
      (await runSuite(both, { ...labels, policyDefault: 'allow' }, '--policy-default', 'deny')).code,
      1,
    );
  });

  test('one that is malformed, or names what is not there', async () => {
    const result = await runSuite([{ object: 'shop/stolen', outcome: 'Denied' }], { policy: [] });
    assert.equal(result.code, 1);
    for (const field of ['expect[0].object', 'expect[0].outcome', 'policy'])
      assert.ok(result.out.includes(`error: ${field}: `), `${field} in ${result.out}`);
    assert.equal((await runSuite([], { manifests: ['nowhere.yaml'] })).code, 2);
    assert.equal((await esa(await directory({ 'm.yaml': [SHOP] }))).code, 2);
  });

  test('as JSON', async () => {
    const { out } = await runSuite([{ object: stolen, outcome: 'Deny' }], {}, '-o', 'json');
    const { tests } = JSON.parse(out) as {
      tests: { name: string; cases: { object: string; passed: boolean }[] }[];
    };
    assert.deepEqual(
      tests.map(({ name, cases }) => [name, cases.map(({ object, passed }) => [object, passed])]),
      [
        [
          'teams',
          [
            [stolen, true],
            ['ExternalSecret shop/mine', true],
          ],
        ],
      ],
    );
  });
});

test('the program itself', async () => {
  const path = await directory({ 'p.yaml': [KEYS], 'm.yaml': [SHOP, STORE, es('stolen', 'hr/db')] });
  const args = [join(import.meta.dirname, 'main.mjs'), 'policy', 'test', '-p', 'p.yaml', 'm.yaml'];
  await assert.rejects(
    promisify(execFile)(process.execPath, args, { cwd: path }),
    (error: Error & { code: number; stdout: string }) => {
      assert.equal(error.code, 1);
      assert.match(
        error.stdout,
        /^ExternalSecret shop\/stolen: Deny \(policies: teams\)\n {2}m\.yaml:5:\d+: error: /,
      );
      return true;
    },
  );
});
