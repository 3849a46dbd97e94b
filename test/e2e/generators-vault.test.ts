/** VaultDynamicSecret against a real OpenBao; how its leases are kept is in generators.test.ts and leases.test.ts. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { formatProblem } from '../../api/problem.ts';
import type { GeneratorUse, Lease } from '../../providers/generators/contract.ts';
import { generatorOf } from '../../providers/generators/registry.ts';
import { closeOutbound } from '../../providers/http.ts';
import { soon, startVaultBed, type VaultBed } from '../conformance/vault-bed.ts';
import { enableLogins, type Logins } from '../conformance/vault-logins.ts';

const MAKER = `
path "pki/issue/*" { capabilities = ["update"] }
path "auth/token/create" { capabilities = ["update"] }
path "secret/*" { capabilities = ["read", "list", "delete"] }
path "cubbyhole/*" { capabilities = ["create", "update", "read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "auth/token/revoke-accessor" { capabilities = ["update"] }`;

describe('VaultDynamicSecret', () => {
  let bed: VaultBed;
  let logins: Logins;
  let leases: Lease[] = [];

  const choose = (spec: object) => {
    const provider = bed.block({ auth: { appRole: appRole() } });
    const choice = generatorOf('VaultDynamicSecret', { provider, ...spec });
    assert.ok(choice.ok, choice.ok ? '' : choice.problems.map(formatProblem).join());
    return choice;
  };
  const use = (): GeneratorUse => ({
    store: {
      kind: 'SecretStore',
      name: 'VaultDynamicSecret team/db',
      namespace: 'team',
      uid: '',
      generation: 1,
      callerNamespace: 'team',
    },
    ports: bed.cluster.ports,
    leased: (lease) => leases.push(lease),
  });
  const ask = async (spec: object): Promise<Record<string, string>> => {
    const { generator, spec: parsed } = choose(spec);
    const values = await generator.generate(parsed, use(), soon());
    return Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()]));
  };
  const appRole = () => ({ roleId: logins.roleId, secretRef: { name: 'role', key: 'secret' } });
  const certificate = { path: 'pki/issue/app', method: 'POST', parameters: { common_name: 'a.example.com' } };
  const count = (operation: string): number => bed.bao.auditCounts()[operation] ?? 0;

  before(async () => {
    bed = await startVaultBed({ audit: true });
    logins = await enableLogins(bed.bao);
    await bed.admin('PUT', 'sys/policies/acl/app', { policy: MAKER });
    bed.cluster.set('Secret', 'team/role', { secret: await logins.secretId() });
    await bed.admin('POST', 'sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '24h' } });
    await bed.admin('POST', 'pki/root/generate/internal', { common_name: 'ca', key_type: 'ec', ttl: '20h' });
    const role = { allow_any_name: true, key_type: 'ec', generate_lease: true, ttl: '30m' };
    await bed.admin('POST', 'pki/roles/app', role);
    await bed.bao.write('app', { k: 'v', n: 12, nested: { a: [1] } });
  });
  after(async () => {
    await bed.bao.stop();
    await closeOutbound();
  });
  afterEach(() => {
    leases = [];
  });

  test('what Vault leases comes with its lease, for as long as the token of the login lives', async () => {
    const revoked = count('update auth/token/revoke-self');
    const values = await ask(certificate);
    assert.match(values['certificate'] ?? '', /^-----BEGIN CERTIFICATE/);
    assert.match(values['private_key'] ?? '', /PRIVATE KEY/);
    const [lease] = leases;
    assert.ok(lease);
    assert.match(lease.id, /^pki\/issue\/app\//);
    const life = lease.expiresAt - Date.now();
    assert.ok(life > 29 * 60_000 && life <= 30 * 60_000, `${life} ms`);
    assert.ok(Math.abs(lease.renewAt - Date.now() - 20 * 60_000) < 10_000);
    // Its token stays: the certificate would go with it.
    assert.equal(count('update auth/token/revoke-self'), revoked);
    await bed.admin('PUT', 'sys/leases/lookup', { lease_id: lease.id });

    await bed.admin('POST', 'auth/approle/role/app', { token_policies: ['app'], token_ttl: '10m' });
    await ask(certificate);
    assert.ok((leases[1]?.expiresAt ?? 0) - Date.now() <= 10 * 60_000, 'it ends with the token');
    await bed.admin('POST', 'auth/approle/role/app', { token_policies: ['app'], token_ttl: '1h' });
  });

  test('a lease is given back, once or again', async () => {
    await ask(certificate);
    const [lease] = leases;
    assert.ok(lease);
    const { generator, spec } = choose(certificate);
    await generator.revoke?.(spec, lease.id, use(), soon());
    const { status } = await bed.bao.request('PUT', 'sys/leases/lookup', { lease_id: lease.id });
    assert.equal(status, 400);
    await generator.revoke?.(spec, lease.id, use(), soon());
  });

  test('resultType Auth: a token, which is known by its accessor', async () => {
    const spec = {
      path: 'auth/token/create',
      method: 'POST',
      resultType: 'Auth',
      parameters: { ttl: '5m', policies: ['app'], meta: { who: 'test' } },
    };
    const { client_token: token = '', accessor = '', metadata, renewable } = await ask(spec);
    assert.deepEqual([metadata, renewable], ['{"who":"test"}', 'true']);
    assert.equal(leases[0]?.id, `accessor:${accessor}`);
    assert.ok(!JSON.stringify(leases).includes(token));
    const { generator, spec: parsed } = choose(spec);
    await generator.revoke?.(parsed, leases[0]?.id ?? '', use(), soon());
    const { status } = await bed.bao.request('GET', 'auth/token/lookup-self', undefined, {
      'x-vault-token': token,
    });
    assert.equal(status, 403);
    await generator.revoke?.(parsed, leases[0]?.id ?? '', use(), soon());
  });

  test('what is not leased is read, and its login given back', async () => {
    const revoked = count('update auth/token/revoke-self');
    assert.deepEqual(await ask({ path: 'secret/data/app', getParameters: { version: ['1'] } }), {
      data: '{"k":"v","n":12,"nested":{"a":[1]}}',
      metadata: (await ask({ path: '/secret/data/app/' }))['metadata'],
    });
    assert.deepEqual((await ask({ path: 'secret/metadata', method: 'LIST' }))['keys'], '["app"]');
    assert.deepEqual(leases, []);
    assert.equal(count('update auth/token/revoke-self'), revoked + 3);
    const raw = await ask({ path: 'secret/data/app', resultType: 'Raw' });
    assert.equal(raw['renewable'], 'false');
    assert.equal(raw['auth'], undefined);
  });

  test('an empty answer', async () => {
    const nothing = { path: 'cubbyhole/x', method: 'PUT', parameters: { a: 'b' } };
    const empty = /^Vault http:.*: PUT cubbyhole\/x: empty response from Vault/;
    await assert.rejects(ask(nothing), { code: 'PROVIDER_INVALID_RESPONSE', message: empty });
    assert.deepEqual(await ask({ ...nothing, allowEmptyResponse: true }), {});
    await assert.rejects(ask({ path: 'cubbyhole/none' }), { code: 'PROVIDER_INVALID_RESPONSE' });
    await assert.rejects(ask({ path: 'secret/data/app', resultType: 'Auth' }), /it has no auth/);
  });

  test('what Vault refuses, with its words', async () => {
    await assert.rejects(ask({ path: 'sys/mounts' }), {
      code: 'PROVIDER_DENIED',
      message: /GET sys\/mounts: denied/,
    });
    const { generator, spec } = choose({
      path: 'secret/data/app',
      provider: bed.block({
        auth: { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: 'other' } },
      }),
    });
    await assert.rejects(async () => generator.generate(spec, use(), soon()), {
      code: 'REFERENCE_FORBIDDEN',
    });
  });

  test('retrySettings: a server that is sealed for a moment', async () => {
    await bed.bao.seal();
    const retrySettings = { maxRetries: 5, retryInterval: '300ms' };
    // The login is not repeated: with a token there is none.
    const provider = bed.block();
    await assert.rejects(ask({ path: 'secret/data/app', provider }), { code: 'PROVIDER_UNREACHABLE' });
    const later = ask({ path: 'secret/data/app', provider, retrySettings });
    await bed.bao.unseal();
    assert.ok((await later)['data']);
  });
});
