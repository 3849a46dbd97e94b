import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LeaseRecord } from '../api/external-secrets/v1/index.ts';
import type { Generator } from '../providers/generators/contract.ts';
import { MemoryCluster } from '../providers/testing/cluster.ts';
import { accountOf, type IssuedLease, LeaseBook, leasesDue } from './leases.ts';
import { NO_POLICIES } from './policies.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const at = (minutes: number): number => NOW + minutes * 60_000;
const ref = (name: string) => ({ kind: 'VaultDynamicSecret', name }) as const;
const issued = (id: string, name = 'db', minutes = 60): IssuedLease => ({
  ref: ref(name),
  id,
  renewAt: at((minutes * 2) / 3),
  expiresAt: at(minutes),
});
const record = (id: string, minutes: number, name = 'db'): LeaseRecord => ({
  generator: ref(name),
  id,
  renewTime: new Date(at(minutes / 2)).toISOString(),
  expireTime: new Date(at(minutes)).toISOString(),
});
const es = (...leases: LeaseRecord[]) => ({ status: { leases } });

describe('the account of leases', () => {
  test('new ones come first, those before them run out by themselves', () => {
    const { records, superfluous } = accountOf(
      es(record('old', 10), record('over', -1)),
      [issued('new')],
      NOW,
    );
    assert.deepEqual(
      records?.map(({ id }) => id),
      ['new', 'old'],
    );
    assert.deepEqual(records?.[0], {
      generator: ref('db'),
      id: 'new',
      renewTime: '2026-01-01T00:40:00Z',
      expireTime: '2026-01-01T01:00:00Z',
    });
    assert.deepEqual(superfluous, []);
  });

  test('no more than eight are kept, and the oldest given back', () => {
    const before = Array.from({ length: 8 }, (_, i) => record(`l${i}`, 100));
    const { records, superfluous } = accountOf(es(...before), [issued('new')], NOW);
    assert.deepEqual(
      records?.map(({ id }) => id),
      ['new', 'l0', 'l1', 'l2', 'l3', 'l4', 'l5', 'l6'],
    );
    assert.deepEqual(
      superfluous.map(({ id }) => id),
      ['l7'],
    );
  });

  test('when nothing is leased any more they are given back, and an object without leases stays without', () => {
    const { records, superfluous } = accountOf(es(record('old', 10)), [], NOW);
    assert.deepEqual([records, superfluous.map(({ id }) => id)], [[], ['old']]);
    assert.deepEqual(accountOf({ status: {} }, [], NOW), { records: undefined, superfluous: [] });
  });

  test('a lease without an end can be written', () => {
    const endless = { ...issued('x'), expiresAt: Number.POSITIVE_INFINITY };
    assert.equal(accountOf(es(), [endless], NOW).records?.[0]?.expireTime, '9999-12-31T00:00:00Z');
  });

  test('due is who ends first of those in use', () => {
    assert.equal(leasesDue({}), undefined);
    assert.equal(leasesDue(es(record('new', 60), record('old', 10))), at(30));
    assert.equal(leasesDue(es(record('a', 60), record('b', 20, 'other'))), at(10));
  });
});

describe('giving leases back', () => {
  function bed(failures: number) {
    const revoked: string[] = [];
    const failed: string[] = [];
    let left = failures;
    const generator: Generator<unknown> = {
      ...({} as Generator<unknown>),
      revoke: async (_spec, lease, { store }) => {
        if (left-- > 0) throw new Error('down');
        revoked.push(`${store.name} ${lease}`);
      },
    };
    const book = new LeaseBook({
      clock: { now: Date.now, monotonic: () => performance.now() },
      generators: { ports: new MemoryCluster().ports, generator: async () => undefined },
      policies: async () => NO_POLICIES,
      controllerClass: 'default',
      onFailure: (namespace, { generator: { name } }) => failed.push(`${namespace}/${name}`),
      sleep: async () => undefined,
      stop: new AbortController().signal,
    });
    return {
      revoked,
      failed,
      book,
      remember: () =>
        book.remember('ns', ref('db'), {
          ok: true,
          generator,
          spec: {},
          label: 'ns/db',
          namespaced: true,
          metadata: {},
        }),
    };
  }

  test('is tried again, also where the generator is gone meanwhile', async () => {
    const { book, revoked, failed, remember } = bed(2);
    remember();
    await book.giveBack('ns', [record('a', 1), record('b', 1)]);
    assert.deepEqual([revoked, failed], [['ns/db a', 'ns/db b'], []]);
  });

  test('is given up after some tries, and where nobody knows how', async () => {
    const one = bed(3);
    one.remember();
    await one.book.giveBack('ns', [record('a', 1), record('b', 1)]);
    assert.deepEqual([one.revoked, one.failed], [['ns/db b'], ['ns/db']]);
    const unknown = bed(0);
    await unknown.book.giveBack('ns', [record('a', 1)]);
    assert.deepEqual([unknown.revoked, unknown.failed], [[], ['ns/db']]);
  });
});
