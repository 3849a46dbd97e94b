import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { FindRequest, ProviderError } from '../../providers/contract.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { providers } from '../../providers/registry.ts';
import { forgetVaultSessions, vaultProvider } from '../../providers/vault/provider.ts';
import { providerConformance } from '../conformance/provider-kit.ts';
import { soon, startVaultBed, store, type VaultBed } from '../conformance/vault-bed.ts';

const KV1 = { type: 'kv', options: { version: '1' } };
const KV2 = { type: 'kv', options: { version: '2' } };

const fails =
  (code: string, message: RegExp, sentinels: readonly string[] = []) =>
  (error: ProviderError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    const printed = `${inspect(error, { depth: 12, showHidden: true })}${JSON.stringify(error)}`;
    for (const sentinel of sentinels) assert.ok(!printed.includes(sentinel));
    return true;
  };

/** Of each provider: what its block has less than that of vault, and whether the server has TLS. */
for (const [name, tls] of [
  ['vault', false],
  ['vault', true],
  ['openBao', true],
] as const) {
  providerConformance(name, async () => {
    const bed = await startVaultBed({ tls });
    const token = await bed.tokenFor(
      'path "secret/*" { capabilities = ["read", "list"] } path "auth/token/lookup-self" { capabilities = ["read"] }',
    );
    bed.useToken(token);
    const provider = providers.get(name);
    assert.ok(provider);
    const pathOf = (key: string): string => key.split('/').map(encodeURIComponent).join('/');
    return {
      provider,
      store,
      ports: bed.cluster.ports,
      traits: { find: ['name', 'tags', 'path'], metadata: { team: 'team' } },
      async tag(key, tags) {
        await bed.admin('PUT', `secret/metadata/${pathOf(key)}`, { custom_metadata: tags });
      },
      at: (url, ca) => {
        const { caBundle: _own, ...block } = bed.block({ server: url });
        return ca === undefined ? block : { ...block, caBundle: ca };
      },
      async prepare(secrets) {
        for (const [key, text] of Object.entries(secrets)) {
          // As text: the digits of numbers have to arrive as they are.
          await bed.admin('PUT', `secret/data/${pathOf(key)}`, `{"data":${text}}`, {
            'content-type': 'application/json',
          });
        }
        return bed.block();
      },
      refused: [
        {
          block: bed.block({ auth: { appRole: { secretRef: { name: 'x', key: 'y' } } } }),
          path: ['auth', 'appRole'],
        },
        { block: bed.block({ server: 'vault' }), path: ['server'] },
        {
          block: bed.block({ auth: { tokenSecretRef: { name: 'x', key: 'y', namespace: 'other' } } }),
          path: ['auth', 'tokenSecretRef', 'namespace'],
        },
      ],
      missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
      hang: () => {
        bed.bao.pause();
        return () => bed.bao.resume();
      },
      sentinels: [token],
      close: () => bed.bao.stop(),
    };
  });
}

describe('vault on a real server', () => {
  let bed: VaultBed;
  before(async () => {
    bed = await startVaultBed({ tls: true, audit: true });
    await bed.admin('POST', 'sys/mounts/kv1', KV1);
    await bed.admin('POST', 'sys/mounts/squad/kv', KV2);
    await bed.admin('PUT', 'kv1/app', { k: 'one', n: 1 });
    await bed.bao.write('app', { k: 'two' });
    await bed.bao.write('data', { k: 'named data' });
  });
  after(async () => {
    await bed.bao.stop();
    await closeOutbound();
  });
  afterEach(() => {
    bed.useToken(bed.bao.token);
    forgetVaultSessions();
    configureOutbound({ responseTimeoutMs: 10_000 });
  });

  describe('what each kind of 404 means', () => {
    const absent = fails('PROVIDER_NOT_FOUND', /secret\/data\/none: no such secret$/);

    test('a key that never existed', async () => {
      await assert.rejects(bed.read({ key: 'none' }), absent);
      await assert.rejects(
        bed.read({ key: 'none' }, { path: 'kv1', version: 'v1' }),
        fails('PROVIDER_NOT_FOUND', /kv1\/none/),
      );
      await assert.rejects(bed.read({ key: 'secret/none' }, { path: undefined }), absent);
    });

    test('a version that never existed', async () => {
      assert.equal(await bed.read({ key: 'app', version: '1' }), '{"k":"two"}');
      await assert.rejects(
        bed.read({ key: 'app', version: '99' }),
        fails('PROVIDER_NOT_FOUND', /not this version/),
      );
    });

    test('deleted and destroyed versions, until they are brought back', async () => {
      await bed.bao.write('gone', { k: '1' });
      await bed.bao.write('gone', { k: '2' });
      await bed.admin('DELETE', 'secret/data/gone');
      await assert.rejects(
        bed.read({ key: 'gone' }),
        fails('PROVIDER_NOT_FOUND', /its latest version is deleted/),
      );
      await assert.rejects(
        bed.read({ key: 'gone', version: '2' }),
        fails('PROVIDER_NOT_FOUND', /version 2 is deleted/),
      );
      assert.equal(await bed.read({ key: 'gone', version: '1' }), '{"k":"1"}');
      await bed.admin('PUT', 'secret/undelete/gone', { versions: [2] });
      assert.equal(await bed.read({ key: 'gone' }), '{"k":"2"}');
      await bed.admin('PUT', 'secret/destroy/gone', { versions: [2] });
      await assert.rejects(bed.read({ key: 'gone' }), fails('PROVIDER_NOT_FOUND', /is destroyed/));
    });

    test('the store says v1, the mount is v2 (S51)', async () => {
      const message = /secret\/app: mount secret is KV version 2, the store says v1$/;
      await assert.rejects(
        bed.read({ key: 'app' }, { version: 'v1' }),
        fails('PROVIDER_INVALID_CONFIG', message),
      );
    });

    test('the store says v2, the mount is v1 (S51)', async () => {
      const message = /kv1\/data\/app: mount kv1 is KV version 1, the store says v2$/;
      for (const more of [{ path: 'kv1' }, { path: undefined }]) {
        await assert.rejects(bed.read({ key: 'kv1/app' }, more), fails('PROVIDER_INVALID_CONFIG', message));
      }
      await bed.admin('PUT', 'kv1/data/shadow', { k: 'v' });
      await assert.rejects(
        bed.read({ key: 'shadow' }, { path: 'kv1' }),
        fails('PROVIDER_INVALID_CONFIG', /mount kv1 is KV version 1/),
      );
    });

    test('a mount that does not exist, or is no KV engine', async () => {
      await assert.rejects(
        bed.read({ key: 'app' }, { path: 'nope' }),
        fails('PROVIDER_INVALID_CONFIG', /no engine is mounted at nope/),
      );
      await bed.admin('POST', 'sys/mounts/transit', { type: 'transit' });
      await assert.rejects(
        bed.read({ key: 'app' }, { path: 'transit' }),
        fails('PROVIDER_INVALID_CONFIG', /transit\/data\/app/),
      );
    });

    test('a Vault namespace that does not exist', async () => {
      await assert.rejects(
        bed.read({ key: 'app' }, { namespace: 'nope' }),
        fails('PROVIDER_INVALID_CONFIG', /namespace not found/),
      );
    });

    test('the mount is asked for once, not for each missing secret', async () => {
      const connection = await bed.connect();
      const count = (): number => bed.bao.auditCounts()['read sys/internal/ui/mounts/secret/data/x1'] ?? 0;
      for (const key of ['x1', 'x1', 'x1']) {
        await assert.rejects(connection.read({ key }, soon()), { code: 'PROVIDER_NOT_FOUND' });
      }
      assert.equal(count(), 1);
    });
  });

  describe('engines, mounts and namespaces', () => {
    test('KV version 1 keeps every digit (the server itself rounds those of version 2)', async () => {
      await bed.admin('PUT', 'kv1/digits', '{"n":12345678901234567890,"f":1.50}');
      const secret = await (await bed.connect({ path: 'kv1', version: 'v1' })).read(
        { key: 'digits' },
        soon(),
      );
      assert.equal(secret.get(undefined).revealText(), '{"f":1.50,"n":12345678901234567890}');
      assert.equal(secret.get('n').revealText(), '12345678901234567890');
      const members = secret.getMap(undefined);
      assert.equal(members.get('n')?.revealText(), '12345678901234567890');
      // As ESO's client writes what is no integer.
      assert.equal(members.get('f')?.revealText(), '1.5');
    });

    test('KV version 1, and a mount of two segments', async () => {
      assert.equal(await bed.read({ key: 'app' }, { path: 'kv1', version: 'v1' }), '{"k":"one","n":1}');
      await bed.admin('PUT', 'squad/kv/data/app', { data: { k: 'deep' } });
      assert.equal(await bed.read({ key: 'app' }, { path: 'squad/kv' }), '{"k":"deep"}');
      assert.equal(await bed.read({ key: 'squad/kv/data/app' }, { path: undefined }), '{"k":"deep"}');
    });

    test('a namespace in the header or in the path is the same place, with the same name', async () => {
      await bed.admin('POST', 'sys/namespaces/team', {});
      await bed.admin('POST', 'sys/mounts/secret', KV2, { 'x-vault-namespace': 'team' });
      await bed.admin(
        'PUT',
        'secret/data/app',
        { data: { k: 'of the team' } },
        { 'x-vault-namespace': 'team' },
      );
      const blocks = [{ namespace: 'team' }, { namespace: '/team/' }, { path: 'team/secret' }];
      for (const more of blocks) assert.equal(await bed.read({ key: 'app' }, more), '{"k":"of the team"}');
      const names = blocks.map((more) =>
        vaultProvider.canonicalKey(vaultProvider.schema.parse(bed.block(more)), { key: 'app' }),
      );
      assert.deepEqual(new Set(names), new Set(['team/secret/data/app']));
    });

    test('metadataPolicy Fetch: three facts and the custom metadata', async () => {
      await bed.bao.write('described', { k: 'v' });
      const path = 'secret/metadata/described';
      await bed.admin('PUT', path, {
        custom_metadata: { owner: 'me', current_version: 'mine' },
        delete_version_after: '30m',
      });
      const secret = await (await bed.connect()).read({ key: 'described', metadata: true }, soon());
      const map = Object.fromEntries(
        [...secret.getMap(undefined)].map(([name, value]) => [name, value.revealText()]),
      );
      const { created_time: created, ...rest } = map;
      assert.ok(Number.isFinite(Date.parse(created ?? '')));
      assert.deepEqual(rest, { owner: 'me', current_version: 'mine', delete_version_after: '30m0s' });
      assert.equal(secret.get('owner').revealText(), 'me');
      await assert.rejects((await bed.connect()).read({ key: 'none', metadata: true }, soon()), {
        code: 'PROVIDER_NOT_FOUND',
      });
    });
  });

  describe('find', () => {
    const find = async (request: FindRequest, more: object = {}) =>
      (await (await bed.connect(more)).find(request, soon())).map(({ key, canonicalKey, object }) => [
        key,
        canonicalKey,
        object.get(undefined).revealText(),
      ]);
    before(async () => {
      for (const [path, tags] of [
        ['find/one', { team: 'a', env: 'prod' }],
        ['find/sub folder/two', { team: 'a' }],
        ['find/sub folder/déjà?#/three', undefined],
        ['find/gone', { team: 'a' }],
      ] as const) {
        await bed.bao.write(encodeURI(path).replace('?#', '%3F%23'), { k: path });
        if (tags === undefined) continue;
        await bed.admin('POST', `secret/metadata/${encodeURI(path)}`, { custom_metadata: tags });
      }
      await bed.admin('DELETE', 'secret/data/find/gone');
      await bed.admin('PUT', 'kv1/find/a', { k: '1' });
      await bed.admin('PUT', 'kv1/find/b/c', { k: '2' });
    });

    test('by path and name, folder by folder; what is deleted is left out', async () => {
      assert.deepEqual(await find({ path: 'find', nameRegexp: '.*' }), [
        ['find/one', 'secret/data/find/one', '{"k":"find/one"}'],
        [
          'find/sub folder/déjà?#/three',
          'secret/data/find/sub folder/déjà?#/three',
          '{"k":"find/sub folder/déjà?#/three"}',
        ],
        ['find/sub folder/two', 'secret/data/find/sub folder/two', '{"k":"find/sub folder/two"}'],
      ]);
      assert.deepEqual(
        (await find({ nameRegexp: '^(app|find/one)$' })).map(([key]) => key),
        ['app', 'find/one'],
      );
    });

    test('by tags', async () => {
      const keys = async (tags: Record<string, string>): Promise<unknown[]> =>
        (await find({ path: 'find', tags })).map(([key]) => key);
      assert.deepEqual(await keys({ team: 'a' }), ['find/one', 'find/sub folder/two']);
      assert.deepEqual(await keys({ team: 'a', env: 'prod' }), ['find/one']);
      assert.deepEqual(await keys({ team: 'b' }), []);
    });

    test('KV version 1, and a store without a mount', async () => {
      const kv1 = { path: 'kv1', version: 'v1' };
      assert.deepEqual(await find({ path: 'find', nameRegexp: '.' }, kv1), [
        ['find/a', 'kv1/find/a', '{"k":"1"}'],
        ['find/b/c', 'kv1/find/b/c', '{"k":"2"}'],
      ]);
      await assert.rejects(
        find({ tags: { a: 'b' } }, kv1),
        fails('PROVIDER_INVALID_CONFIG', /kv version v1/),
      );
      const [[key] = []] = await find({ path: 'secret/data/find', nameRegexp: 'one$' }, { path: undefined });
      assert.equal(key, 'secret/data/find/one');
    });

    test('a path without secrets is not there; a mount of the other version is said', async () => {
      await assert.rejects(find({ path: 'nope', nameRegexp: '.' }), fails('PROVIDER_NOT_FOUND', /nope/));
      await assert.rejects(
        find({ nameRegexp: '.' }, { path: 'kv1' }),
        fails('PROVIDER_INVALID_CONFIG', /mount kv1 is KV version 1/),
      );
    });

    test('a token that may not list', async () => {
      bed.useToken(await bed.tokenFor('path "secret/data/*" { capabilities = ["read"] }'));
      await assert.rejects(
        find({ nameRegexp: '.' }),
        fails('PROVIDER_DENIED', /list secret\/metadata: .*permission denied/),
      );
    });
  });

  describe('refusals', () => {
    test('a policy that denies', async () => {
      const token = await bed.tokenFor('path "secret/data/app" { capabilities = ["read"] }');
      bed.useToken(token);
      assert.equal(await bed.read({ key: 'app' }), '{"k":"two"}');
      await assert.rejects(
        bed.read({ key: 'other' }),
        fails('PROVIDER_DENIED', /secret\/data\/other: denied \(403\): permission denied$/, [token]),
      );
    });

    test('a token that is revoked, unknown or expired (S46), and recovery with a new one (S45)', async () => {
      const policy =
        'path "secret/data/*" { capabilities = ["read"] } path "auth/token/lookup-self" { capabilities = ["read"] }';
      const token = await bed.tokenFor(policy);
      bed.useToken(token);
      const connection = await bed.connect();
      await connection.validate(soon());
      await bed.admin('POST', 'auth/token/revoke', { token });
      await assert.rejects(
        connection.read({ key: 'app' }, soon()),
        fails('PROVIDER_DENIED', /permission denied/, [token]),
      );
      await assert.rejects(
        connection.validate(soon()),
        fails('PROVIDER_UNAUTHENTICATED', /look up the token: .*permission denied/, [token]),
      );
      bed.useToken('s.nosuchtoken');
      await assert.rejects(
        (await bed.connect()).validate(soon()),
        fails('PROVIDER_UNAUTHENTICATED', /refused/, ['s.nosuchtoken']),
      );
      bed.useToken(await bed.tokenFor(policy));
      assert.equal(await bed.read({ key: 'app' }), '{"k":"two"}');
    });

    test('a rate limit', async () => {
      await bed.admin('POST', 'sys/quotas/rate-limit/tight', { rate: 1, path: 'secret/', interval: '60s' });
      try {
        const connection = await bed.connect();
        const outcomes = await Promise.allSettled(
          Array.from({ length: 5 }, () => connection.read({ key: 'app' }, soon())),
        );
        const codes = outcomes.map((one) =>
          one.status === 'fulfilled' ? 'ok' : (one.reason as ProviderError).code,
        );
        assert.ok(codes.includes('PROVIDER_THROTTLED'), codes.join());
        assert.deepEqual(new Set(codes.filter((code) => code !== 'ok')), new Set(['PROVIDER_THROTTLED']));
      } finally {
        await bed.admin('DELETE', 'sys/quotas/rate-limit/tight');
      }
    });
  });

  describe('trust', () => {
    test('without the CA the error names certificate trust (S50)', async () => {
      const message =
        /^Vault https:\/\/127\.0\.0\.1:\d+: read secret\/data\/app: TLS: .*not trusted.*caBundle or caProvider/;
      await assert.rejects(
        bed.read({ key: 'app' }, { caBundle: undefined }),
        fails('PROVIDER_UNREACHABLE', message),
      );
    });

    test('with it in caBundle (base64) or caProvider it works (S50)', async () => {
      const ca = bed.bao.ca ?? '';
      assert.equal(
        await bed.read({ key: 'app' }, { caBundle: Buffer.from(ca).toString('base64') }),
        '{"k":"two"}',
      );
      bed.cluster.set('ConfigMap', 'team/ca', { 'ca.crt': ca });
      const caProvider = { type: 'ConfigMap', name: 'ca', key: 'ca.crt' };
      assert.equal(await bed.read({ key: 'app' }, { caBundle: undefined, caProvider }), '{"k":"two"}');
    });
  });

  describe('load', () => {
    test('1,000 reads, 64 at a time, take at most two connections over HTTP/2', async () => {
      const connection = await bed.connect();
      const before = bed.bao.auditLines().length;
      await Promise.all(
        Array.from({ length: 64 }, async (_, worker) => {
          for (let i = worker; i < 1000; i += 64) await connection.read({ key: 'app' }, soon());
        }),
      );
      const lines = bed.bao.auditLines().slice(before);
      const reads = lines.filter(
        ({ type, request }) => type === 'response' && request.path === 'secret/data/app',
      );
      assert.equal(reads.length, 1000);
      const ports = new Set(reads.map(({ request }) => request.remote_port));
      assert.ok(ports.size <= 2, `${ports.size} connections`);
    });
  });

  // Last: they take the server down.
  describe('faults', () => {
    test('sealed', async () => {
      const connection = await bed.connect();
      await bed.bao.seal();
      try {
        await assert.rejects(
          connection.read({ key: 'app' }, soon()),
          fails('PROVIDER_UNREACHABLE', /Vault is sealed$/),
        );
        await assert.rejects(connection.validate(soon()), fails('PROVIDER_UNREACHABLE', /Vault is sealed$/));
      } finally {
        await bed.bao.unseal();
      }
    });

    test('a server that hangs, then goes on', async () => {
      configureOutbound({ responseTimeoutMs: 400 });
      const connection = await bed.connect();
      await connection.read({ key: 'app' }, soon());
      bed.bao.pause();
      try {
        await assert.rejects(
          connection.read({ key: 'app' }, soon()),
          fails('PROVIDER_TIMEOUT', /no answer within 400 ms/),
        );
      } finally {
        bed.bao.resume();
      }
      assert.equal((await connection.read({ key: 'app' }, soon())).get('k').revealText(), 'two');
    });

    test('a server that is gone, and comes back empty (S10)', async () => {
      const connection = await bed.connect();
      await connection.read({ key: 'app' }, soon());
      await bed.bao.stop();
      await assert.rejects(
        connection.read({ key: 'app' }, soon()),
        fails('PROVIDER_UNREACHABLE', /connection refused/),
      );
      await bed.bao.start();
      const again = await bed.connect();
      await assert.rejects(
        again.read({ key: 'app' }, soon()),
        fails('PROVIDER_NOT_FOUND', /secret\/data\/app/),
      );
      await bed.bao.write('app', { k: 'back' });
      assert.equal((await again.read({ key: 'app' }, soon())).get('k').revealText(), 'back');
    });
  });
});
