import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import type { ExternalSecretSpec, GeneratorRef } from '../api/external-secrets/v1/index.ts';
import type { GeneratorRefKind } from '../api/generators/names.ts';
import { KubeError } from '../kube/errors.ts';
import type { ProviderPorts } from '../providers/contract.ts';
import { type Answer, type FetchContext, type Fetched, fetchPlan } from './fetch.ts';
import { FreshReads } from './fresh-reads.ts';
import { type GeneratorReader, generate } from './generators.ts';
import { plan } from './plan.ts';
import { NO_POLICIES } from './policies.ts';

const { signal } = new AbortController();
const nothing = async (): Promise<never> => {
  throw new EsaError('INTERNAL', 'nothing of the cluster is needed here');
};
const ports: ProviderPorts = {
  clock: systemClock,
  secretKey: nothing,
  configMapKey: nothing,
  serviceAccountToken: nothing,
  serviceAccountAnnotations: nothing,
};

/** What stands in the cluster, by `Kind/namespace/name`; kinds of the cluster by `Kind//name`. */
const objects: Readonly<Record<string, unknown>> = {
  'Fake/ns/fake': { data: { a: 'generated', b: 'generated' } },
  'Fake/ns/foreign': { controller: 'other' },
  'Fake/ns/odd': { data: { 'no/key': 'x' } },
  'Password/ns/password': {},
  'Password/ns/wrong': { length: 1, digits: 2, symbols: 0 },
  'ClusterGenerator//fake': { kind: 'Fake', generator: { fakeSpec: { data: { c: 'of the cluster' } } } },
  'ClusterGenerator//foreign': { kind: 'Fake', generator: { fakeSpec: { controller: 'other' } } },
  'QuayAccessToken/ns/key': {},
};
const reader: GeneratorReader = {
  ports,
  generator: async ({ kind, name }, namespace) => {
    if (name === 'unreadable')
      throw new KubeError('read it: forbidden', { status: 403, reason: 'Forbidden' });
    const key = `${kind}/${kind === 'ClusterGenerator' ? '' : namespace}/${name}`;
    return Object.hasOwn(objects, key) ? { metadata: { name }, spec: objects[key] } : undefined;
  },
};

const caller = { namespace: 'ns', controllerClass: 'default', guard: undefined, timeoutMs: 1_000 };

const context: FetchContext = {
  namespace: 'ns',
  controllerClass: 'default',
  reader: {
    store: async (kind, namespace, name) => ({
      apiVersion: 'external-secrets.io/v1',
      kind,
      metadata: { name, namespace },
      spec: { provider: { fake: { data: [{ key: 'k', value: '{"a":"fetched","z":"fetched"}' }] } } },
    }),
    namespaceLabels: nothing,
  },
  generators: reader,
  policies: NO_POLICIES,
  withConnection: async (store, limit, use) =>
    use(await store.provider.connect(store.config, store.context, ports, limit)),
  reads: new FreshReads<Answer>({ clock: systemClock, keepMs: 1_000 }),
  notBefore: 0,
  urgent: false,
  waitTimeoutMs: 1_000,
  readTimeoutMs: 1_000,
  findTimeoutMs: 1_000,
};

const from = (kind: GeneratorRef['kind'], name: string) => ({ sourceRef: { generatorRef: { kind, name } } });
const fetch = (spec: ExternalSecretSpec): Promise<Fetched> =>
  fetchPlan(
    plan({ apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', metadata: { name: 'es' }, spec }),
    context,
    signal,
  );
const reveal = ({ data }: Fetched): Record<string, string> =>
  Object.fromEntries([...data].map(([key, value]) => [key, value.revealText()]));

describe('from the reference to values', () => {
  const ask = (kind: GeneratorRefKind, name: string) => generate({ kind, name }, caller, reader, signal);

  test('what is wrong is said in words that users know', async () => {
    for (const [kind, name, code, message] of [
      [
        'UUID',
        'none',
        'REFERENCE_NOT_FOUND',
        'error using generator: UUID.generators.external-secrets.io "none" not found',
      ],
      [
        'SecretGenerator',
        'none',
        'REFERENCE_NOT_FOUND',
        'error using generator: SecretGenerator.external-secrets.io "none" not found',
      ],
      ['UUID', 'unreadable', 'KUBE_API', 'error using generator: read it: forbidden'],
      [
        'Password',
        'wrong',
        'INVALID_OBJECT',
        'error using generator: Password ns/wrong: spec.length: number of digits and symbols must be less than total length: 1 characters cannot hold 2 digits and 0 symbols',
      ],
      [
        'QuayAccessToken',
        'key',
        'INVALID_OBJECT',
        'error using generator: QuayAccessToken ns/key: spec: generator kind QuayAccessToken is not supported yet; supported: ClusterGenerator, ECRAuthorizationToken, Fake, GithubAccessToken, MFA, Password, SSHKey, STSSessionToken, UUID, VaultDynamicSecret, Webhook',
      ],
      ['Fake', 'foreign', 'STORE_OTHER_CLASS', 'Fake ns/foreign belongs to controller class "other"'],
      [
        'ClusterGenerator',
        'foreign',
        'STORE_OTHER_CLASS',
        'ClusterGenerator foreign belongs to controller class "other"',
      ],
    ] as const) {
      await assert.rejects(ask(kind, name), { code, message });
    }
  });
});

describe('in a plan', () => {
  test('entries are merged in order, and what a store overwrites is no longer generated', async () => {
    const fetched = await fetch({
      secretStoreRef: { name: 'fake' },
      dataFrom: [
        from('Fake', 'fake'),
        { extract: { key: 'k' } },
        from('ClusterGenerator', 'fake'),
        { ...from('Fake', 'fake'), rewrite: [{ regexp: { source: '^', target: 'x-' } }] },
      ],
      data: [{ secretKey: 'c', remoteRef: { key: 'k', property: 'z' } }],
    });
    assert.deepEqual(reveal(fetched), {
      a: 'fetched',
      b: 'generated',
      z: 'fetched',
      c: 'fetched',
      'x-a': 'generated',
      'x-b': 'generated',
    });
    assert.deepEqual([...fetched.generated].sort(), ['b', 'x-a', 'x-b']);
    assert.equal(fetched.stores.length, 1);
  });

  test('every entry and every caller has values of his own', async () => {
    const twice = [
      from('Password', 'password'),
      { ...from('Password', 'password'), rewrite: [{ regexp: { source: '^', target: 'x-' } }] },
    ];
    const all = await Promise.all([fetch({ dataFrom: twice }), fetch({ dataFrom: twice })]);
    assert.equal(new Set(all.flatMap((one) => Object.values(reveal(one)))).size, 4);
  });

  test('the place is named as in External Secrets Operator', async () => {
    await assert.rejects(fetch({ dataFrom: [from('Fake', 'fake'), from('UUID', 'none')] }), {
      code: 'REFERENCE_NOT_FOUND',
      message:
        'error processing spec.dataFrom[1].sourceRef.generatorRef, err: error using generator: UUID.generators.external-secrets.io "none" not found',
    });
    await assert.rejects(fetch({ dataFrom: [from('Fake', 'odd')] }), { code: 'INVALID_KEYS' });
  });

  test('9.3 #21 one generator of another class, and the object is not ours, whatever else is wrong', async () => {
    const dataFrom = [from('UUID', 'none'), from('Fake', 'foreign')];
    await assert.rejects(fetch({ dataFrom }), { code: 'STORE_OTHER_CLASS' });
  });
});
