/**
 * ClusterSecretPolicies on a real API server, with webhook and poller: refusals word for word, what the poller does
 * with objects that are stored already, and that nothing is read for what is denied.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { warningsIn } from './support/kubectl.ts';
import {
  clusterSecretStore,
  externalSecret,
  passwordOf,
  prepare,
  requestsTo,
  secretStore,
  vaultProvider,
} from './support/vault.ts';
import { inVersion } from './support/versions.ts';

const DIRECTORY = join(import.meta.dirname, 'policies');
let bed: Bed;
let cluster: Cluster;

const policy = (name: string, spec: object): Manifest => ({
  apiVersion: 'external-secrets-admission.io/v1alpha1',
  kind: 'ClusterSecretPolicy',
  metadata: { name },
  spec,
});

const kubectl = (args: readonly string[], stdin?: Manifest) =>
  bed.cp.kubectl(args, stdin === undefined ? {} : { stdin: JSON.stringify(stdin) });
const apply = (manifest: Manifest) => kubectl(['apply', '-f', '-'], manifest);

/** A policy for the namespaces with the label `case: NAME`, in force at the webhook when this resolves. */
async function enforce(name: string, spec: object, probe: Manifest): Promise<void> {
  const { code, stderr } = await apply(
    policy(name, { namespaceSelector: { matchLabels: { case: name } }, ...spec }),
  );
  assert.equal(code, 0, stderr);
  const dryRun = ['apply', '--dry-run=server', '-f', '-'];
  await eventually(
    async () => {
      const { stderr, stdout } = await kubectl(dryRun, probe);
      assert.ok(stderr.includes(`policy "${name}"`), stderr + stdout);
      return true;
    },
    { what: `policy ${name} in force` },
  );
}

/** A namespace with the label `case`, a token and the store `vault`. */
async function room(name: string): Promise<void> {
  await prepare(cluster, bed.openBao, name);
  await cluster.patch('Namespace', undefined, name, { metadata: { labels: { case: name } } });
}

const goldenFile = (name: string): string => join(DIRECTORY, `${name}.golden.txt`);

async function compareWithGolden(
  name: string,
  manifest: Manifest,
  command: readonly string[] = ['apply', '-f', '-'],
): Promise<void> {
  const { code, stdout, stderr } = await kubectl(command, manifest);
  const text = `$ kubectl ${command.join(' ')}\n${stdout}${stderr}exit code ${code}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(goldenFile(name), text);
  assert.equal(text, readFileSync(goldenFile(name), 'utf8'));
}

before(async () => {
  bed = await startBed({ openBao: { audit: true }, product: { balancer: true } });
  cluster = new Cluster(bed.cp);
  for (const key of ['app', 'team/refused', 'team/allowed', 'hidden/one', 'private/app', 'slow']) {
    await bed.openBao.write(key, { password: `value of ${key}` });
  }
});
after(() => bed.stop());

describe('with policies', { concurrency: true }, () => {
  test('a create that breaks several rules is refused once, with all of them', async () => {
    const WHERE = 'refused';
    await room(WHERE);
    const manifest = externalSecret(WHERE, 'app', {
      refreshInterval: '5s',
      target: { creationPolicy: 'Orphan', template: { data: { out: '{{ (genCA "x" 1).Cert }}' } } },
      data: ['password', 'other'].map((secretKey) => ({ secretKey, remoteRef: { key: 'private/app' } })),
    });
    await enforce(
      WHERE,
      {
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
      },
      manifest,
    );
    const golden = async (): Promise<void> => {
      const { stderr, code } = await apply(manifest);
      const text = `$ kubectl apply -f -\n${stderr.replaceAll(bed.openBao.address, 'http://openbao')}exit code ${code}\n`;
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(goldenFile('everything'), text);
      assert.equal(text, readFileSync(goldenFile('everything'), 'utf8'));
    };
    await golden();
    assert.equal(await cluster.find('Secret', WHERE, 'app'), undefined);
    assert.equal(requestsTo(bed.openBao, 'read', 'secret/data/private/app'), 0);
  });

  test('one rule, in the paths of an old version', async () => {
    const WHERE = 'old-version';
    await room(WHERE);
    const v1alpha1 = inVersion(
      'v1alpha1',
      externalSecret(WHERE, 'old', { target: {}, data: [], dataFrom: [{ key: 'hidden/one' }] }),
    );
    await enforce(WHERE, { keys: [{ glob: 'secret/data/team/*' }] }, v1alpha1);
    await compareWithGolden('v1alpha1', v1alpha1);
  });

  test('Warn admits with a warning, Audit without; both are in events and metrics', async () => {
    const WHERE = 'softly';
    await room(WHERE);
    const manifest = externalSecret(WHERE, 'soft');
    await apply(
      policy('softly-audit', {
        effect: 'Audit',
        namespaceSelector: { matchLabels: { case: WHERE } },
        creationPolicies: ['Merge'],
      }),
    );
    await enforce(WHERE, { effect: 'Warn', refreshInterval: { minimum: '1m' } }, manifest);
    const { code, stderr } = await apply(manifest);
    assert.equal(code, 0, stderr);
    assert.deepEqual(warningsIn(stderr), [
      'policy "softly", rule refreshInterval: spec.refreshInterval: "1s" is too short; allowed: 1m or longer, and 0 or refre...',
    ]);
    assert.deepEqual(await cluster.values(WHERE, 'soft'), { password: 'value of app' });
    await cluster.synced(WHERE, 'soft');
    await eventually(async () => {
      const events = (await cluster.events(WHERE)).filter(({ reason }) => reason === 'PolicyViolation');
      return ['softly', 'softly-audit'].every((name) =>
        events.some(({ message }) => message.includes(`policy "${name}"`)),
      );
    });
    const violations = (program: { metric: typeof bed.product.webhook.metric }) =>
      program.metric('esa_policy_violations_total', { policy: 'softly-audit', effect: 'Audit' });
    assert.ok((await violations(bed.product.webhook)) > 0);
    assert.equal(await violations(bed.product.poller), 1);
  });

  test('what is stored already is no longer read, says so, and comes back with the policy gone', async () => {
    const WHERE = 'later';
    await room(WHERE);
    const manifest = externalSecret(WHERE, 'app', passwordOf('slow'));
    assert.equal((await apply(manifest)).code, 0);
    await cluster.synced(WHERE, 'app');
    const { code } = await apply(
      policy(WHERE, { namespaceSelector: { matchLabels: { case: WHERE } }, keys: [{ glob: 'none' }] }),
    );
    assert.equal(code, 0);
    const message = await cluster.failing(WHERE, 'app', /denied by policy "later", rule keys/);
    assert.match(message, /^could not get secret data from provider: /);
    const reads = (): number => requestsTo(bed.openBao, 'read', 'secret/data/slow');
    const before = reads();
    await bed.openBao.write('slow', { password: 'changed' });
    await always(() => assert.equal(reads(), before), { duration: 2_500 });
    // The Secret is as it was.
    assert.deepEqual(await cluster.values(WHERE, 'app'), { password: 'value of slow' });
    // What the object had before is a warning on an update of something else.
    const patch = JSON.stringify({ spec: { refreshInterval: '2s' } });
    const update = await kubectl(['-n', WHERE, 'patch', 'es', 'app', '--type=merge', '-p', patch]);
    assert.equal(update.code, 0, update.stderr);
    assert.match(warningsIn(update.stderr)[0] ?? '', /^policy "later", rule keys: /);
    await kubectl(['delete', 'csp', WHERE]);
    await cluster.holds(WHERE, 'app', { password: 'changed' });
    await cluster.synced(WHERE, 'app');
  });

  test('a find that comes upon one secret too many brings none, and does not name it', async () => {
    const WHERE = 'finding';
    await room(WHERE);
    const find = (name: string, regexp: string): Manifest =>
      externalSecret(WHERE, name, { data: [], dataFrom: [{ find: { name: { regexp } } }] });
    await enforce(WHERE, { keys: [{ glob: 'secret/data/team/*' }] }, externalSecret(WHERE, 'probe'));
    const { code, stderr } = await apply(find('wide', 'team|hidden'));
    assert.equal(code, 0, stderr);
    const message = await cluster.failing(WHERE, 'wide', /1 of the 3 secrets that the find came upon/);
    assert.doesNotMatch(message, /hidden\/one/);
    assert.equal(await cluster.find('Secret', WHERE, 'wide'), undefined);
    assert.equal((await apply(find('narrow', '^team/'))).code, 0);
    await cluster.synced(WHERE, 'narrow');
  });

  test('a server outside of the network is not contacted, by a store or by who uses it', async () => {
    const WHERE = 'network';
    await room(WHERE);
    const byName = bed.openBao.address.replace('127.0.0.1', 'localhost');
    await enforce(WHERE, { servers: [{ network: '10.0.0.0/8' }] }, externalSecret(WHERE, 'probe'));
    // A literal address is judged at once, what a name leads to when it is connected to.
    const literal = await apply(
      secretStore(WHERE, 'literal', { provider: vaultProvider(bed.openBao.address) }),
    );
    assert.equal(literal.code, 1);
    assert.match(literal.stderr, /spec\.provider\.vault: SecretStore "literal" leads to http:\/\/127/);
    const named = await apply(secretStore(WHERE, 'named', { provider: vaultProvider(byName) }));
    assert.equal(named.code, 0, named.stderr);
    const { code, stderr } = await apply(externalSecret(WHERE, 'app', { secretStoreRef: { name: 'named' } }));
    assert.equal(code, 0, stderr);
    await cluster.failing(WHERE, 'app', /is not allowed by policy "network", rule servers/);
    assert.equal(await cluster.find('Secret', WHERE, 'app'), undefined);
  });

  test('the number of keys of the result counts', async () => {
    const WHERE = 'keys';
    await room(WHERE);
    await bed.openBao.write('many', { a: '1', b: '2', c: '3' });
    const two = ['a', 'b', 'c'].map((secretKey) => ({
      secretKey,
      remoteRef: { key: 'many', property: secretKey },
    }));
    await enforce(WHERE, { maximumKeys: 2 }, externalSecret(WHERE, 'probe', { data: two }));
    const { code } = await apply(
      externalSecret(WHERE, 'app', { data: [], dataFrom: [{ extract: { key: 'many' } }] }),
    );
    assert.equal(code, 0);
    await cluster.failing(WHERE, 'app', /the Secret would have 3 keys; at most 2 are allowed/);
    assert.equal(await cluster.find('Secret', WHERE, 'app'), undefined);
  });

  test('labels that are required stay required when only labels change', async () => {
    const WHERE = 'labels';
    await room(WHERE);
    const labels = { labels: { team: 'shop' } };
    await enforce(WHERE, { requiredLabels: [{ key: 'team' }] }, externalSecret(WHERE, 'probe'));
    assert.equal((await apply(externalSecret(WHERE, 'app', {}, labels))).code, 0);
    const { code, stderr } = await kubectl(['-n', WHERE, 'label', 'es', 'app', 'team-']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /metadata\.labels\.team: the label is missing; set it \(policy "labels", rule required/,
    );
  });

  test('a policy that means nothing is refused', async () => {
    await compareWithGolden(
      'malformed',
      policy('malformed', {
        stores: [{ name: 'vault-?' }],
        providers: ['vaullt'],
        keys: [{ glob: '{{ namespace }}' }, { regexp: 'a)|(b' }],
        servers: [{ network: '10.0.0.0' }],
        forbiddenTemplateFunctions: ['genCa'],
      }),
    );
  });

  test('kubectl get shows effect and namespaces', async () => {
    await apply(policy('shown', { namespaceSelector: { matchLabels: { case: 'shown' } } }));
    const { stdout } = await kubectl(['get', 'csp', 'shown']);
    assert.match(
      stdout,
      /^NAME +EFFECT +NAMESPACES +AGE\nshown +Deny +\{"matchLabels":\{"case":"shown"\}\} +\d+s\n$/,
    );
    const all = await kubectl(['get', 'external-secrets', '-A', '-o', 'name']);
    assert.match(all.stdout, /clustersecretpolicy\.external-secrets-admission\.io\/shown/);
  });
});

describe('with --policy-default=deny and --authorize-callers=enforce', () => {
  const OPEN = 'default-open';
  const CLOSED = 'default-closed';
  let user: string;

  before(async () => {
    for (const name of [OPEN, CLOSED]) await prepare(cluster, bed.openBao, name);
    // The harness tries the hooks in namespace default.
    for (const name of [OPEN, 'default'])
      await cluster.patch('Namespace', undefined, name, { metadata: { labels: { case: 'default' } } });
    await apply(policy('default', { namespaceSelector: { matchLabels: { case: 'default' } } }));
    await bed.product.webhook.stop();
    await bed.product.startWebhook(['--policy-default=deny', '--authorize-callers=enforce']);
    await cluster.create(
      clusterSecretStore('shared', {
        provider: vaultProvider(bed.openBao.address, {
          auth: { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: OPEN } },
        }),
      }),
    );
    // May create ExternalSecrets, and nothing that they lead to.
    user = `--as=developer`;
    await kubectl([
      'create',
      'clusterrole',
      'es-only',
      '--verb=*',
      '--resource=externalsecrets.external-secrets.io',
    ]);
    await kubectl(['create', 'clusterrolebinding', 'es-only', '--clusterrole=es-only', '--user=developer']);
  });

  test('a namespace without a policy is closed', async () => {
    await eventually(async () => (await apply(externalSecret(OPEN, 'open'))).code === 0);
    await compareWithGolden('default-deny', externalSecret(CLOSED, 'closed'));
    assert.equal(await cluster.find('Secret', CLOSED, 'closed'), undefined);
  });

  test('hazard 2.6 who may not create Secrets nor use the store makes none', async () => {
    const shared = externalSecret(OPEN, 'shared', {
      secretStoreRef: { kind: 'ClusterSecretStore', name: 'shared' },
    });
    const create = ['create', '-f', '-', user];
    await compareWithGolden('callers', shared, create);
    assert.equal(await cluster.find('Secret', OPEN, 'shared'), undefined);

    const role = ['-n', OPEN, 'create', 'role', 'make', '--verb=create', '--resource=secrets'];
    assert.equal((await kubectl(role)).code, 0);
    await kubectl(['-n', OPEN, 'create', 'rolebinding', 'make', '--role=make', '--user=developer']);
    await eventually(async () => {
      const { stderr } = await kubectl(create, shared);
      return !stderr.includes('create secrets') && stderr.includes('may not use');
    });
    const made = await apply({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'use' },
      rules: [
        {
          apiGroups: ['external-secrets.io'],
          resources: ['clustersecretstores'],
          resourceNames: ['shared'],
          verbs: ['use'],
        },
      ],
    });
    assert.equal(made.code, 0, made.stderr);
    await kubectl(['create', 'clusterrolebinding', 'use', '--clusterrole=use', '--user=developer']);
    await eventually(async () => (await kubectl(create, shared)).code === 0);
    assert.deepEqual(await cluster.values(OPEN, 'shared'), { password: 'value of app' });
    // An update of something else asks for nothing.
    await kubectl(['delete', 'clusterrolebinding', 'use']);
    const patch = JSON.stringify({ spec: { refreshInterval: '30m' } });
    const args = ['-n', OPEN, 'patch', 'es', 'shared', '--type=merge', '-p', patch, user];
    assert.equal((await kubectl(args)).code, 0);
    const other = JSON.stringify({ spec: { target: { name: 'elsewhere' } } });
    const moved = await kubectl(['-n', OPEN, 'patch', 'es', 'shared', '--type=merge', '-p', other, user]);
    assert.equal(moved.code, 0, moved.stderr);
  });

  test('with warn the same is a warning, and the Secret is made', async () => {
    await bed.product.webhooks[1]?.stop();
    await bed.product.startWebhook(['--authorize-callers=warn']);
    const { code, stderr } = await kubectl(
      ['create', '-f', '-', user],
      externalSecret(CLOSED, 'warned', {
        secretStoreRef: { kind: 'ClusterSecretStore', name: 'shared' },
      }),
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(warningsIn(stderr), [
      'spec.target.name: user "developer" may not create secrets in namespace "default-closed", so not through an ExternalSe...',
      'spec.secretStoreRef.name: user "developer" may not use ClusterSecretStore "shared"; ask for the verb use on it',
    ]);
    assert.deepEqual(await cluster.values(CLOSED, 'warned'), { password: 'value of app' });
  });

  test('the poller closes the namespace as well', async () => {
    await bed.product.poller.stop();
    await bed.product.startPoller(['--policy-default=deny']);
    await cluster.failing(
      CLOSED,
      'warned',
      /denied by --policy-default=deny: metadata\.namespace: no Cluster/,
    );
    await cluster.synced(OPEN, 'open');
    assert.deepEqual(await cluster.values(CLOSED, 'warned'), { password: 'value of app' });
  });
});
