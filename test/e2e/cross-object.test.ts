/**
 * What the webhook says about other objects, word for word as kubectl prints it: stores, generators, targets and
 * templates that an ExternalSecret names, and what stores refer to. The poller is off, stores are logged in to
 * when they are applied.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_REQUIRE_SYNC } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { requestsOf } from './support/audit.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { warningsIn } from './support/kubectl.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  prepare,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';
import { inVersion } from './support/versions.ts';

const WHERE = 'cross';
const MAX_WARNING = 120;
const STRICT = { annotations: { [ANNOTATION_REQUIRE_SYNC]: 'true' } };
const DRY_RUN = '--dry-run=server';

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({
    controlPlane: { audit: true },
    openBao: { audit: true },
    product: { poller: false, webhookArgs: ['--verify-stores'] },
  });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, WHERE);
  await prepareOthers();
});
after(() => bed.stop());

async function apply(manifest: Manifest, ...flags: string[]) {
  const args = ['apply', '-f', '-', ...flags];
  const { code, stderr } = await bed.cp.kubectl(args, { stdin: JSON.stringify(manifest) });
  return { code, stderr, warnings: warningsIn(stderr) };
}

/** Applied, it is admitted with exactly these warnings. */
async function says(manifest: Manifest, expected: readonly string[], ...flags: string[]): Promise<void> {
  const { code, stderr, warnings } = await apply(manifest, ...flags);
  assert.equal(code, 0, stderr);
  assert.deepEqual(warnings, expected);
  for (const warning of warnings) assert.ok(warning.length <= MAX_WARNING, warning);
}

const secret = (name: string, data: Readonly<Record<string, string>>, metadata: object = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: WHERE, ...metadata },
  stringData: data,
});
const from = (...templateFrom: readonly object[]): object => ({ target: { template: { templateFrom } } });
const generatedBy = (name: string): object => ({
  data: [],
  dataFrom: [
    {
      sourceRef: {
        generatorRef: { apiVersion: 'generators.external-secrets.io/v1alpha1', kind: 'Password', name },
      },
    },
  ],
});
const through = (name: string): object => ({ secretStoreRef: { name, kind: 'ClusterSecretStore' } });

/** By name: a spec that leads to one fact, what a dry run says about it, and the field that a refusal names. */
const FACTS: readonly [name: string, spec: object, said: string, field: string, cause: RegExp][] = [
  [
    'store-missing',
    { secretStoreRef: { name: 'absent' } },
    'spec.secretStoreRef.name: ...SecretStore "absent", SecretStore.external-secrets.io "absent" not found in namespace cross',
    'spec.secretStoreRef.name',
    /could not get SecretStore "absent", SecretStore\.external-secrets\.io "absent" not found in namespace cross$/,
  ],
  [
    'store-not-allowed',
    through('not-for-us'),
    'spec.secretStoreRef.name: ...cluster store "not-for-us" is not allowed from namespace "cross": denied by spec.condition',
    'spec.secretStoreRef.name',
    /using cluster store "not-for-us" is not allowed from namespace "cross": denied by spec\.condition$/,
  ],
  [
    'store-reference-missing',
    through('referent'),
    'spec.secretStoreRef.name: cannot get Kubernetes secret "team-token" from namespace "cross": not found',
    'spec.secretStoreRef.name',
    /cannot get Kubernetes secret "team-token" from namespace "cross": not found$/,
  ],
  [
    'find-impossible',
    { secretStoreRef: { name: 'fake' }, data: [], dataFrom: [{ find: { tags: { a: 'b' } } }] },
    'spec.dataFrom[0].find: SecretStore cross/fake: provider fake can only find secrets by name: set find.name.regexp',
    'spec.dataFrom[0].find',
    /SecretStore cross\/fake: provider fake can only find secrets by name: set find\.name\.regexp$/,
  ],
  [
    'ref-impossible',
    { data: [{ secretKey: 'a', remoteRef: { key: 'app', version: 'latest' } }] },
    'spec.data[0].remoteRef.key: ...cross/vault: version must be a positive whole number, the number of a KV version 2 secret',
    'spec.data[0].remoteRef.key',
    /SecretStore cross\/vault: version must be a positive whole number, the number of a KV version 2 secret$/,
  ],
  [
    'generator-missing',
    generatedBy('absent'),
    '...sourceRef.generatorRef.name: error using generator: Password.generators.external-secrets.io "absent" not found',
    'spec.dataFrom[0].sourceRef.generatorRef.name',
    /error using generator: Password\.generators\.external-secrets\.io "absent" not found$/,
  ],
  [
    'config-map-missing',
    from({ configMap: { name: 'absent', items: [{ key: 'a' }] } }),
    '...template.templateFrom[0]: error fetching templateFrom data: configmaps "absent" not found in namespace "cross"',
    'spec.target.template.templateFrom[0]',
    /error fetching templateFrom data: configmaps "absent" not found in namespace "cross"$/,
  ],
  [
    'template-key-missing',
    from({ secret: { name: 'vault-token', items: [{ key: 'token' }, { key: 'absent' }] } }),
    'spec.target.template.templateFrom[0]: error in secret vault-token: missing key absent',
    'spec.target.template.templateFrom[0]',
    /error in secret vault-token: missing key absent$/,
  ],
  [
    'target-unmanaged',
    { target: { name: 'by-hand' } },
    'Secret cross/by-hand exists and belongs to nobody; delete it, choose another target.name, or annotate it with externa...',
    'spec.target.name',
    /Secret cross\/by-hand exists and belongs to nobody; delete it, .*$/,
  ],
  [
    'target-owned',
    { target: { name: 'owned' } },
    'Secret cross/owned belongs to ConfigMap shop; choose another target.name',
    'spec.target.name',
    /Secret cross\/owned belongs to ConfigMap shop; choose another target\.name$/,
  ],
  [
    'target-of-another',
    { target: { name: 'first' } },
    'Secret cross/first belongs to ExternalSecret first; choose another target.name',
    'spec.target.name',
    /Secret cross\/first belongs to ExternalSecret first; choose another target\.name$/,
  ],
];

/** What the facts are about. */
async function prepareOthers(): Promise<void> {
  const provider = (auth: object) => vaultProvider(bed.openBao.address, { auth });
  const auth = { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: WHERE } };
  await cluster.create(
    clusterSecretStore('not-for-us', { provider: provider(auth), conditions: [{ namespaces: ['other'] }] }),
  );
  await cluster.create(
    clusterSecretStore('referent', {
      provider: provider({ tokenSecretRef: { name: 'team-token', key: 'token' } }),
    }),
  );
  await cluster.create(
    clusterSecretStore('foreign', { provider: provider(auth), controller: 'somebody-else' }),
  );
  await cluster.create(
    secretStore(WHERE, 'fake', { provider: { fake: { data: [{ key: 'app', value: '{}' }] } } }),
  );
  await cluster.create(secret('by-hand', { a: 'b' }));
  const shop = await cluster.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'shop', namespace: WHERE },
  });
  const { uid } = shop.metadata;
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'shop', uid, controller: true };
  await cluster.create(secret('owned', { a: 'b' }, { ownerReferences: [owner] }));
  await cluster.create(externalSecret(WHERE, 'first'));
  await cluster.create(externalSecret(WHERE, 'sound'));
}

describe('an ExternalSecret that names what is not there, or not its own', () => {
  for (const [name, spec, said, field, cause] of FACTS) {
    test(`${name}: a dry run, a create and an update say so once; require-sync has a create refused`, async () => {
      await says(externalSecret(WHERE, name, spec), [said], DRY_RUN);

      const { status, body, warnings } = await cluster.attempt(externalSecret(WHERE, name, spec));
      assert.equal(status, 201, body.message ?? 'no message');
      const [warning = '', ...more] = warnings;
      assert.deepEqual(more, []);
      if (name.startsWith('target-')) assert.equal(warning, said);
      else assert.match(warning, new RegExp(`^Secret cross/${name} is not made yet, retrying: `));

      const strict = await apply(externalSecret(WHERE, `${name}-strict`, spec, STRICT));
      assert.equal(strict.code, 1);
      const [first = ''] = strict.stderr.split('\n');
      assert.match(first, new RegExp(`^The ExternalSecret "${name}-strict" is invalid: spec\\.`));
      assert.match(first, cause);
      assert.equal(await cluster.find('ExternalSecret', WHERE, `${name}-strict`), undefined);

      const patch = JSON.stringify({ spec });
      const args = ['-n', WHERE, 'patch', 'externalsecret', 'sound', '--type=merge', DRY_RUN, '-p', patch];
      const updated = await bed.cp.kubectl(args);
      assert.equal(updated.code, 0, updated.stderr);
      assert.deepEqual(warningsIn(updated.stderr), [said]);
    });

    test(`${name}: where the mutating hook leaves the Secret to the poller, this one refuses in its stead`, async () => {
      // Merge shares a Secret: it is nobody's business who else keeps keys there.
      if (name.startsWith('target-')) return;
      const target = { ...(spec as { target?: object }).target, creationPolicy: 'Merge' };
      const manifest = externalSecret(WHERE, `${name}-merge`, { ...spec, target }, STRICT);
      const { code, stderr } = await apply(manifest);
      assert.equal(code, 1);
      const head = `The ExternalSecret "${name}-merge" is invalid: ${field}: Secret cross/${name}-merge cannot be made now, and ${ANNOTATION_REQUIRE_SYNC} asks for it: `;
      assert.equal(stderr.slice(0, head.length), head);
      assert.match(stderr.trim(), cause);
    });
  }

  test('an update is told what it brings, not what has been said before', async () => {
    const spec = { secretStoreRef: { name: 'absent' } };
    const said = FACTS[0]?.[2] ?? '';
    await says(externalSecret(WHERE, 'changes'), []);
    await says(externalSecret(WHERE, 'changes', spec), [said]);
    await says(externalSecret(WHERE, 'changes', { ...spec, refreshInterval: '2s' }), []);
    await says(externalSecret(WHERE, 'changes', { ...spec, refreshInterval: '2s' }, STRICT), []);
  });

  test('a dry run is refused nothing: what the same apply would make before is not there', async () => {
    const [name, spec, said] = FACTS[0] ?? ['', {}, ''];
    await says(externalSecret(WHERE, `${name}-dry`, spec, STRICT), [said], DRY_RUN);
  });

  test('several facts are several warnings, on a create as well', async () => {
    const spec = {
      secretStoreRef: { name: 'absent' },
      target: {
        name: 'by-hand',
        template: { templateFrom: [{ secret: { name: 'no', items: [{ key: 'k' }] } }] },
      },
    };
    const store =
      'spec.secretStoreRef.name: ...SecretStore "absent", SecretStore.external-secrets.io "absent" not found in namespace cross';
    const others = [
      'spec.target.template.templateFrom[0]: error fetching templateFrom data: secrets "no" not found in namespace "cross"',
      'Secret cross/by-hand exists and belongs to nobody; delete it, choose another target.name, or annotate it with externa...',
    ];
    await says(externalSecret(WHERE, 'several', spec), [store, ...others], DRY_RUN);
    await says(externalSecret(WHERE, 'several', spec), [
      'Secret cross/by-hand is not made yet, retrying: ...SecretStore.external-secrets.io "absent" not found in namespace cross',
      ...others,
    ]);
  });

  test('the field is that of the version that was written', async () => {
    const spec = { target: {}, data: [], dataFrom: [{ key: 'app', version: 'latest' }] };
    const manifest = inVersion('v1alpha1', externalSecret(WHERE, 'old', spec));
    await says(
      manifest,
      [
        'spec.dataFrom[0].key: ...cross/vault: version must be a positive whole number, the number of a KV version 2 secret',
      ],
      DRY_RUN,
    );
  });

  test('a generated name is looked after here, as the mutating hook does not know it yet', async () => {
    const { metadata, ...rest } = externalSecret(WHERE, '', { secretStoreRef: { name: 'absent' } });
    const manifest = { ...rest, metadata: { namespace: metadata.namespace, generateName: 'some-' } };
    const { code, stderr } = await bed.cp.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(manifest) });
    assert.equal(code, 0, stderr);
    assert.match(warningsIn(stderr).join('\n'), /"absent" not found in namespace cross$/);
  });

  test('of another controller class is nobody whom we have to tell anything', async () => {
    const spec = { ...through('foreign'), target: { name: 'by-hand' } };
    await says(externalSecret(WHERE, 'not-ours', spec), [], DRY_RUN);
    await says(externalSecret(WHERE, 'not-ours', spec, STRICT), []);
  });

  test('another one that aims at the Secret of its own name is found before there is a Secret', async () => {
    await apply(externalSecret(WHERE, 'late', { secretStoreRef: { name: 'absent' } }));
    await says(
      externalSecret(WHERE, 'second', { target: { name: 'late' } }),
      ['Secret cross/late is the target of ExternalSecret late, too; choose another target.name'],
      DRY_RUN,
    );
    const target = { name: 'late', creationPolicy: 'Merge' };
    await says(externalSecret(WHERE, 'sharing', { target }), [], DRY_RUN);
  });

  test('Merge and None ask for no Secret of their own', async () => {
    for (const creationPolicy of ['Merge', 'None', 'CreateOrMerge'])
      await says(
        externalSecret(WHERE, 'guest', { target: { name: 'by-hand', creationPolicy } }),
        [],
        DRY_RUN,
      );
  });
});

describe('what it costs', () => {
  /** What an apply that says nothing has the webhook ask in the namespace; its own leases and watches are elsewhere. */
  const asked = async (manifest: Manifest): Promise<string[]> => {
    const since = new Date();
    await says(manifest, []);
    return requestsOf(bed, 'webhook', since)
      .flatMap(({ verb, objectRef }) =>
        objectRef?.namespace === WHERE ? [`${verb} ${objectRef.resource ?? ''}`] : [],
      )
      .sort();
  };

  test('a create whose Secret is made reads nothing twice', async () => {
    assert.deepEqual(await asked(externalSecret(WHERE, 'cheap')), [
      'create secrets',
      'get externalsecrets',
      'get secrets',
      'get secretstores',
    ]);
  });

  test('an update that names nothing new reads nothing', async () => {
    assert.deepEqual(await asked(externalSecret(WHERE, 'cheap', { refreshInterval: '3s' })), []);
  });
});

describe('a store that refers to what is not there', () => {
  const refers = (auth: object, more: object = {}): object => ({
    provider: vaultProvider(bed.openBao.address, { auth, ...more }),
  });
  const tls = {
    caProvider: { type: 'ConfigMap', name: 'ca', key: 'ca.crt' },
    server: 'https://vault.example.com',
  };

  test('is admitted, and every reference is named', async () => {
    await says(
      secretStore(WHERE, 'dangling', refers({ tokenSecretRef: { name: 'absent', key: 'token' } }, tls)),
      [
        'spec.provider.vault.auth.tokenSecretRef.key: cannot get Kubernetes secret "absent" from namespace "cross": not found',
        'spec.provider.vault.caProvider.key: cannot get Kubernetes configmap "ca" from namespace "cross": not found',
      ],
    );
    await says(
      secretStore(WHERE, 'no-key', refers({ tokenSecretRef: { name: 'vault-token', key: 'absent' } })),
      ['spec.provider.vault.auth.tokenSecretRef.key: Secret cross/vault-token has no key "absent"'],
      DRY_RUN,
    );
    const kubernetes = { role: 'r', serviceAccountRef: { name: 'absent', namespace: WHERE } };
    await says(clusterSecretStore('no-account', refers({ kubernetes })), [
      'spec.provider.vault.auth.kubernetes.serviceAccountRef.name: ServiceAccount cross/absent not found',
    ]);
  });

  test('an update names what is new alone', async () => {
    const auth = { tokenSecretRef: { name: 'absent-too', key: 'token' } };
    await says(secretStore(WHERE, 'dangling', refers(auth, tls)), [
      'spec.provider.vault.auth.tokenSecretRef.key: cannot get Kubernetes secret "absent-too" from namespace "cross": not found',
    ]);
  });

  test('in the namespace of whoever uses it, or of another class, is none of its own business', async () => {
    await says(clusterSecretStore('open', refers({ tokenSecretRef: { name: 'absent', key: 'token' } })), []);
    const auth = { tokenSecretRef: { name: 'absent', key: 'token' } };
    await says(secretStore(WHERE, 'theirs', { ...refers(auth), controller: 'somebody-else' }), []);
  });
});

describe('--verify-stores', () => {
  const lookups = (): number => bed.openBao.auditCounts()['read auth/token/lookup-self'] ?? 0;
  const store = (name: string, tokenName: string): Manifest =>
    secretStore(WHERE, name, {
      provider: vaultProvider(bed.openBao.address, {
        auth: { tokenSecretRef: { name: tokenName, key: 'token' } },
      }),
    });

  test('logs in when a store is applied, and not in a dry run', async () => {
    const before = lookups();
    await says(store('verified', 'vault-token'), [], DRY_RUN);
    assert.equal(lookups(), before);
    await says(store('verified', 'vault-token'), []);
    assert.equal(lookups(), before + 1);
  });

  test('a login that fails is a warning with its cause', async () => {
    await cluster.create(tokenSecret(WHERE, 's.not-a-token-of-this-server', 'wrong-token'));
    const { code, warnings } = await apply(store('refused', 'wrong-token'));
    assert.equal(code, 0);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? '',
      /^spec\.provider\.vault: \.\.\..*look up the token: the login was refused \(403\): permission denied$/,
    );
    assert.ok((warnings[0] ?? '').length <= MAX_WARNING);
    const fake = { data: [{ key: 'a', value: 'b' }], validationResult: 2 };
    await says(secretStore(WHERE, 'says-no', { provider: { fake } }), [
      'spec.provider.fake: provider fake is for tests: who reads the store reads its values',
      'spec.provider.fake: the store cannot be used now: the fake store says validationResult 2 (error)',
    ]);
  });

  test('a server that does not answer holds nobody up for longer than the budget', async () => {
    bed.openBao.pause();
    try {
      const began = performance.now();
      await says(store('hangs', 'vault-token'), [
        'spec.provider.vault: the store cannot be used now: no answer in time',
      ]);
      assert.ok(performance.now() - began < 8_000);
    } finally {
      bed.openBao.resume();
    }
  });
});

test('what cannot be read is not spoken of, and hinders nobody', async () => {
  await bed.cp.kubectlOutput([
    ...['patch', 'clusterrole', 'external-secrets-admission-webhook', '--type=json', '-p'],
    JSON.stringify([{ op: 'replace', path: '/rules', value: [] }]),
  ]);
  await cluster.create(namespace('blind'));
  const spec = { secretStoreRef: { name: 'absent' }, target: { name: 'by-hand' } };
  // RBAC is watched, so it takes a moment.
  await eventually(
    async () => {
      const { code, warnings } = await apply(externalSecret(WHERE, 'unread', spec, STRICT), DRY_RUN);
      assert.equal(code, 0);
      assert.deepEqual(warnings, []);
      return true;
    },
    { timeout: 15_000, what: 'a review without warnings' },
  );
  const target = { creationPolicy: 'Merge' };
  await says(externalSecret(WHERE, 'unread', { ...spec, target }, STRICT), []);
  const auth = { tokenSecretRef: { name: 'absent', key: 'token' } };
  const provider = vaultProvider(bed.openBao.address, { auth });
  const { code } = await apply(secretStore(WHERE, 'unread', { provider }));
  assert.equal(code, 0);
});
