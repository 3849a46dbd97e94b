import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GENERATOR_KINDS, type GeneratorRefKind } from '../../api/generators/names.ts';
import { formatProblem } from '../../api/problem.ts';
import type { StoreContext } from '../contract.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { generatorClass, generatorOf, supportsGenerator } from './registry.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 'generator',
  namespace: 'team',
  uid: '',
  generation: 1,
  callerNamespace: 'team',
};
const valuesOf = async (kind: GeneratorRefKind, spec: unknown): Promise<Record<string, string>> => {
  const choice = generatorOf(kind, spec);
  assert.ok(choice.ok);
  const { ports } = new MemoryCluster();
  const values = await choice.generator.generate(choice.spec, { store, ports }, AbortSignal.timeout(5_000));
  return Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()]));
};
const problemsOf = (kind: GeneratorRefKind, spec: unknown): string[] => {
  const choice = generatorOf(kind, spec);
  return choice.ok ? [] : choice.problems.map(formatProblem);
};
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('values', () => {
  test('Fake gives what stands in it', async () => {
    assert.deepEqual(await valuesOf('Fake', { data: { a: 'b', c: 'ü' } }), { a: 'b', c: 'ü' });
    assert.deepEqual(await valuesOf('Fake', {}), {});
  });

  test('UUID gives another one each time, from a spec or none', async () => {
    const [one, other] = [await valuesOf('UUID', {}), await valuesOf('UUID', undefined)];
    assert.deepEqual([Object.keys(one), Object.keys(other)], [['uuid'], ['uuid']]);
    assert.match(one['uuid'] ?? '', UUID);
    assert.match(other['uuid'] ?? '', UUID);
    assert.notEqual(one['uuid'], other['uuid']);
  });

  test('ClusterGenerator and SecretGenerator give what they hold, with its defaults', async () => {
    const cluster = await valuesOf('ClusterGenerator', { kind: 'Password', generator: { passwordSpec: {} } });
    assert.equal(cluster['password']?.length, 24);
    assert.deepEqual(
      await valuesOf('ClusterGenerator', { kind: 'Fake', generator: { fakeSpec: { data: { a: 'b' } } } }),
      {
        a: 'b',
      },
    );
    // S36: as the article prints it.
    const spec = { kind: 'Password', spec: { length: 32, digits: 5, symbols: 5 } };
    assert.equal((await valuesOf('SecretGenerator', spec))['password']?.length, 32);
    assert.match((await valuesOf('SecretGenerator', { kind: 'UUID' }))['uuid'] ?? '', UUID);
  });
});

describe('problems', () => {
  test('stand where the user wrote it', () => {
    assert.deepEqual(problemsOf('Fake', { data: { a: 1 } }), ['data.a: must be of type string']);
    assert.deepEqual(problemsOf('SecretGenerator', { kind: 'Password', spec: { digits: 30 } }), [
      'spec.length: number of digits and symbols must be less than total length: 24 characters cannot hold 30 digits and 6 symbols',
      'spec.digits: number of digits exceeds available digits and repeats are not allowed: 30 of 10; set allowRepeat, or ask for less',
    ]);
    assert.deepEqual(
      problemsOf('ClusterGenerator', {
        kind: 'Password',
        generator: { passwordSpec: { secretKeys: ['a', ''] } },
      }),
      ['generator.passwordSpec.secretKeys[1]: secretKeys must be non-empty and unique; name each key once'],
    );
  });

  test('a ClusterGenerator holds one spec, that of its kind', () => {
    assert.deepEqual(problemsOf('ClusterGenerator', { kind: 'Password', generator: { fakeSpec: {} } }), [
      'generator.passwordSpec: when kind is Password, passwordSpec must be set',
    ]);
    assert.deepEqual(problemsOf('ClusterGenerator', { kind: 'UUID', generator: {} }), [
      'generator: exactly one member must be set',
    ]);
    assert.deepEqual(problemsOf('ClusterGenerator', undefined), [
      'kind: set this field (one of the supported values)',
      'generator: set this field (object)',
    ]);
  });

  test('a kind that is not supported is told from one that is wrong', () => {
    for (const [kind, spec] of [
      ['QuayAccessToken', { any: 'thing' }],
      ['ClusterGenerator', { kind: 'QuayAccessToken', generator: { quayAccessTokenSpec: { any: 'thing' } } }],
      ['SecretGenerator', { kind: 'QuayAccessToken' }],
    ] as const) {
      const choice = generatorOf(kind, spec);
      assert.ok(!choice.ok && choice.unsupported);
      assert.match(
        choice.problems.map(formatProblem).join(),
        /generator kind QuayAccessToken is not supported yet/,
      );
    }
    const wrong = generatorOf('Password', { length: 'long' });
    assert.ok(!wrong.ok && !wrong.unsupported);
  });
});

test('the controller class of what a wrapper holds counts', () => {
  assert.equal(generatorClass('Fake', { controller: 'x' }), 'x');
  assert.equal(generatorClass('Fake', {}), '');
  assert.equal(generatorClass('Fake', undefined), '');
  assert.equal(
    generatorClass('ClusterGenerator', { kind: 'Fake', generator: { fakeSpec: { controller: 'x' } } }),
    'x',
  );
  assert.equal(generatorClass('SecretGenerator', { kind: 'Fake', spec: { controller: 'x' } }), 'x');
  // Also where the kind itself cannot be served.
  assert.equal(generatorClass('Grafana', { controller: 'x' }), 'x');
});

test('what an ExternalSecret may refer to', () => {
  const supported = [...GENERATOR_KINDS.filter(supportsGenerator), 'ClusterGenerator'].toSorted();
  assert.equal(
    supported.join(', '),
    'ClusterGenerator, ECRAuthorizationToken, Fake, GithubAccessToken, MFA, Password, SSHKey, STSSessionToken, UUID, VaultDynamicSecret, Webhook',
  );
  assert.ok(supportsGenerator('ClusterGenerator') && supportsGenerator('SecretGenerator'));
});
