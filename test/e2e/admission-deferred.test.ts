/**
 * The mutating hook when a Secret cannot be made, or should not be: what is admitted with a warning, what
 * `require-sync` turns into a refusal, and what is none of its business. The poller is off.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_REQUIRE_SYNC } from '../../api/external-secrets/names.ts';
import type { Bed } from '../harness/bed.ts';
import type { Cluster, Manifest } from './support/cluster.ts';
import { warningsIn } from './support/kubectl.ts';
import { type Recorder, SENTINEL, startRecorder } from './support/recorder.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';
import { inVersion } from './support/versions.ts';

const LABEL_SUSPEND = 'external-secrets-admission.io/suspend';
const REQUIRE_SYNC = { annotations: { [ANNOTATION_REQUIRE_SYNC]: 'true' } };
/** The longest that a create may take: the webhook's own budget, and a second. */
const MAX_CREATE_MS = 6_000;

let recorder: Recorder;
let bed: Bed;
let cluster: Cluster;

before(async () => {
  recorder = await startRecorder();
  ({ bed, cluster } = recorder);
});
after(() => bed.stop());

/** Applies with kubectl. @returns what it said, and how long it took */
async function timedApply(manifest: Manifest): Promise<{ code: number; stderr: string; ms: number }> {
  const began = performance.now();
  const { code, stderr } = await recorder.apply(manifest);
  return { code, stderr, ms: performance.now() - began };
}

/** Nothing of a refused create may be left. */
async function assertAbsent(where: string, name: string): Promise<void> {
  assert.equal(await cluster.find('ExternalSecret', where, name), undefined);
  assert.equal(await cluster.find('Secret', where, name), undefined);
}

/** A create is admitted with exactly this warning, and there is no Secret. */
async function assertDeferred(manifest: Manifest, warning: RegExp): Promise<void> {
  const { name, namespace: where = '' } = manifest.metadata;
  const warnings = await recorder.create(manifest);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', warning);
  assert.equal(await cluster.find('Secret', where, name), undefined);
}

/** A create is admitted without a word, and there is no Secret. */
async function assertIgnored(manifest: Manifest): Promise<void> {
  const { name, namespace: where = '' } = manifest.metadata;
  const before = recorder.reads();
  assert.deepEqual(await recorder.create(manifest), []);
  assert.equal(await cluster.find('Secret', where, name), undefined);
  assert.equal(recorder.reads(), before);
}

describe('what is missing', () => {
  const WHERE = 'missing';
  before(() => prepare(cluster, bed.openBao, WHERE));

  const cases: readonly [what: string, spec: object, cause: RegExp, field: string][] = [
    [
      'store',
      { secretStoreRef: { name: 'absent' } },
      /"absent" not found in namespace missing$/,
      'spec.secretStoreRef.name',
    ],
    [
      'remote-secret',
      passwordOf('absent'),
      /read secret\/data\/absent: no such secret$/,
      'spec.data[0].remoteRef.key',
    ],
    [
      'property',
      { data: [{ secretKey: 'a', remoteRef: { key: 'app', property: 'absent' } }] },
      /cannot find secret data for key: "absent"$/,
      'spec.data[0].remoteRef.property',
    ],
    [
      'one-of-many',
      { data: [], dataFrom: [{ extract: { key: 'app' } }, { extract: { key: 'absent' } }] },
      /no such secret$/,
      'spec.dataFrom[1].extract.key',
    ],
  ];
  for (const [what, spec, cause, field] of cases) {
    test(`a ${what}: a warning with the cause, and with require-sync a refusal with the field`, async () => {
      await assertDeferred(externalSecret(WHERE, what, spec), cause);
      const strict = await recorder.apply(externalSecret(WHERE, `${what}-strict`, spec, REQUIRE_SYNC));
      assert.equal(strict.code, 1);
      const [first = '', ...more] = strict.stderr.trim().split('\n');
      assert.deepEqual(more, []);
      const head = `The ExternalSecret "${what}-strict" is invalid: ${field}: Secret ${WHERE}/${what}-strict cannot be made now, and ${ANNOTATION_REQUIRE_SYNC} asks for it: `;
      assert.ok(first.startsWith(head), first);
      assert.match(first, cause);
      await assertAbsent(WHERE, `${what}-strict`);
    });
  }

  test('require-sync names the field of the version that was written', async () => {
    const spec = { target: {}, data: [], dataFrom: [{ key: 'absent' }] };
    const manifest = inVersion('v1alpha1', externalSecret(WHERE, 'strict-v1alpha1', spec, REQUIRE_SYNC));
    assert.match((await recorder.apply(manifest)).stderr, / is invalid: spec\.dataFrom\[0\]\.key: Secret /);
    await assertAbsent(WHERE, 'strict-v1alpha1');
  });

  test('require-sync is no hindrance where all is well, and asks nothing of a dry run', async () => {
    assert.deepEqual(await recorder.create(externalSecret(WHERE, 'strict', {}, REQUIRE_SYNC)), []);
    assert.equal(await recorder.password(WHERE, 'strict'), SENTINEL);
    const manifest = externalSecret(WHERE, 'strict-dry', passwordOf('absent'), REQUIRE_SYNC);
    assert.equal((await recorder.apply(manifest, '--dry-run=server')).code, 0);
  });

  test('long names leave room for the cause', async () => {
    const name = 'n'.repeat(200);
    const spec = { target: { name }, ...passwordOf(`${'k'.repeat(300)}/absent`) };
    await assertDeferred(
      externalSecret(WHERE, name, spec),
      /^Secret missing\/n+\.\.\. .*: \.\.\..*no such secret$/,
    );
  });

  test('a token that OpenBao refuses is said to be refused', async () => {
    await cluster.create(tokenSecret(WHERE, 's.not-a-token-of-this-server', 'wrong-token'));
    const auth = { tokenSecretRef: { name: 'wrong-token', key: 'token' } };
    await cluster.create(
      secretStore(WHERE, 'wrong', { provider: vaultProvider(bed.openBao.address, { auth }) }),
    );
    const spec = { secretStoreRef: { name: 'wrong' } };
    await assertDeferred(externalSecret(WHERE, 'unauthenticated', spec), /permission denied/);
  });
});

describe('hazard 2.9 OpenBao does not answer', () => {
  const WHERE = 'outage';
  before(() => prepare(cluster, bed.openBao, WHERE));

  const outages: readonly [how: string, begin: () => unknown, end: () => unknown, cause: RegExp][] = [
    [
      'hangs',
      () => bed.openBao.pause(),
      () => bed.openBao.resume(),
      /out of time while reading app from SecretStore vault$/,
    ],
    ['is sealed', () => bed.openBao.seal(), () => bed.openBao.unseal(), /Vault is sealed$/],
    [
      'is stopped',
      () => bed.openBao.stop(),
      async () => {
        await bed.openBao.start();
        await bed.openBao.write('app', { password: SENTINEL });
      },
      /connection refused; nothing listens there$/,
    ],
  ];
  for (const [how, begin, end, cause] of outages) {
    const name = how.replaceAll(' ', '-');
    test(`it ${how}: the create succeeds in time with one warning; require-sync has it refused`, async () => {
      await begin();
      try {
        const [admitted, strict] = await Promise.all([
          timedApply(externalSecret(WHERE, name)),
          timedApply(externalSecret(WHERE, `${name}-strict`, {}, REQUIRE_SYNC)),
        ]);
        assert.equal(admitted.code, 0);
        const warnings = warningsIn(admitted.stderr);
        assert.equal(warnings.length, 1);
        assert.match(warnings[0] ?? '', cause);
        assert.match(warnings[0] ?? '', new RegExp(`^Secret ${WHERE}/${name} is not made yet, retrying: `));
        assert.ok((warnings[0] ?? '').length <= 120);
        assert.ok(admitted.ms < MAX_CREATE_MS, `${admitted.ms} ms`);
        assert.equal(await cluster.find('Secret', WHERE, name), undefined);

        assert.equal(strict.code, 1);
        assert.match(
          strict.stderr,
          /^Error from server \(ServiceUnavailable\): error when creating "STDIN": admission webhook "materialize\.externalsecret\.external-secrets\.io" denied the request: Secret outage\/\S+ cannot be made now, .* \(try again\)\n$/,
        );
        assert.ok(strict.ms < MAX_CREATE_MS, `${strict.ms} ms`);
        await assertAbsent(WHERE, `${name}-strict`);
      } finally {
        await end();
      }
      assert.deepEqual(await recorder.create(externalSecret(WHERE, `after-${name}`)), []);
      assert.equal(await recorder.password(WHERE, `after-${name}`), SENTINEL);
    });
  }
});

describe('a namespace', () => {
  test('labelled suspend gets its Secrets from the poller alone', async () => {
    await prepare(cluster, bed.openBao, 'suspended');
    await bed.cp.kubectlOutput(['label', 'namespace', 'suspended', `${LABEL_SUSPEND}=`]);
    await assertIgnored(externalSecret('suspended', 'app'));
    // Mistakes are refused there as anywhere.
    const { code } = await recorder.apply(externalSecret('suspended', 'bad', { refreshInterval: 'never' }));
    assert.equal(code, 1);
    await bed.cp.kubectlOutput(['label', 'namespace', 'suspended', `${LABEL_SUSPEND}-`]);
    assert.deepEqual(await recorder.create(externalSecret('suspended', 'resumed')), []);
    assert.equal(await recorder.password('suspended', 'resumed'), SENTINEL);
  });

  test('that holds the product, and kube-system, are left to the poller and to the API server', async () => {
    for (const where of [bed.product.namespace, 'kube-system']) {
      await assertIgnored(externalSecret(where, 'app', { refreshInterval: 'never' }));
    }
  });
});

describe('a ClusterSecretStore', () => {
  const auth = { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: 'stores' } };
  const through = (name: string): object => ({ secretStoreRef: { name, kind: 'ClusterSecretStore' } });

  before(async () => {
    await cluster.create(namespace('stores'));
    await cluster.create(tokenSecret('stores', bed.openBao.token));
    const conditions: Record<string, object> = {
      names: { namespaces: ['team-names'] },
      labels: { namespaceSelector: { matchLabels: { team: 'labels' } } },
      regexes: { namespaceRegexes: ['^team-reg.*$'] },
    };
    for (const [name, condition] of Object.entries(conditions)) {
      const provider = vaultProvider(bed.openBao.address, { auth });
      await cluster.create(clusterSecretStore(name, { provider, conditions: [condition] }));
      await cluster.create(namespace(`team-${name}`, { team: name }));
    }
  });

  for (const name of ['names', 'labels', 'regexes']) {
    test(`offered by ${name} serves the namespaces it names and no other`, async () => {
      assert.deepEqual(await recorder.create(externalSecret(`team-${name}`, 'app', through(name))), []);
      assert.equal(await recorder.password(`team-${name}`, 'app'), SENTINEL);
      const before = recorder.reads();
      const denied = /not allowed from namespace "stores": denied by spec.condition$/;
      await assertDeferred(externalSecret('stores', `from-${name}`, through(name)), denied);
      assert.equal(recorder.reads(), before);
    });
  }

  test('of another controller class is none of our business', async () => {
    const provider = vaultProvider(bed.openBao.address, { auth });
    await cluster.create(clusterSecretStore('foreign-class', { provider, controller: 'other' }));
    await assertIgnored(externalSecret('stores', 'foreign', through('foreign-class')));
    await assertIgnored(externalSecret('stores', 'foreign-strict', through('foreign-class'), REQUIRE_SYNC));
  });
});

test('no value stands in a log, a warning, a refusal, an event, an object or the audit log', () =>
  recorder.assertNothingLeaked());
