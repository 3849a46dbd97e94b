/**
 * Every way in which a provider can be away or talk nonsense, with objects that are in sync already: Secrets stay as
 * they were (with deletionPolicy Delete, too), the condition says why, the provider is not hammered, and everything is
 * fresh again soon after it is back. And a wall clock that jumps. Stores and creates are the business of stress.test.ts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { issue } from '../../certs/issue.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { readyCondition } from '../../sync/status.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import {
  type Fault,
  type FaultProxy,
  type ServerCertificate,
  startFaultProxy,
} from '../harness/fault-proxy.ts';
import { httpRequest } from '../harness/http.ts';
import { createWorld, type World } from '../harness/world.ts';
import { Cluster, valuesOf } from './support/cluster.ts';
import {
  externalSecret,
  namespace,
  passwordOf,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

const INTERVAL_MS = 1_000;
/** How long a fault lasts after it was noticed. */
const DOWN_MS = 3 * INTERVAL_MS;
/** What a busy machine takes beside an interval and the time that a store is left alone. */
const SOON_MS = INTERVAL_MS + 20_000;
const HOUR_MS = 3_600_000;
/** Requests to one store at a time (poller.ts). */
const IN_FLIGHT_LIMIT = 32;
const CAREFUL = 'careful';

let bed: Bed;
let cluster: Cluster;
let world: World;
const proxies: FaultProxy[] = [];

before(async () => {
  world = createWorld();
  bed = await startBed({ product: { env: world.env } });
  cluster = new Cluster(bed.cp);
});
after(async () => {
  await bed.stop();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
});

/** A namespace with a store behind a proxy and objects in sync, each of a remote object of its own. */
class Place {
  readonly where: string;
  readonly proxy: FaultProxy;
  readonly names: readonly string[];

  constructor(where: string, proxy: FaultProxy, objects: number) {
    this.where = where;
    this.proxy = proxy;
    this.names = [...Array.from({ length: objects }, (_, index) => `app-${index}`), CAREFUL];
  }

  async prepare(server: string = this.proxy.address, block: object = {}): Promise<void> {
    const { where, names } = this;
    await cluster.create(namespace(where));
    await cluster.create(tokenSecret(where, bed.openBao.token));
    await this.rotate('first');
    await cluster.create(secretStore(where, 'vault', { provider: vaultProvider(server, block) }));
    await Promise.all(
      names.map((name) => {
        const target = name === CAREFUL ? { target: { deletionPolicy: 'Delete' } } : {};
        const spec = { refreshInterval: `${INTERVAL_MS}ms`, ...passwordOf(`${where}/${name}`), ...target };
        return cluster.create(externalSecret(where, name, spec));
      }),
    );
    await this.fresh('first', 60_000);
  }

  /** The provider has other values from now on. */
  async rotate(password: string): Promise<void> {
    await Promise.all(this.names.map((name) => bed.openBao.write(`${this.where}/${name}`, { password })));
  }

  /** The Secrets by name. */
  async secrets(): Promise<ReadonlyMap<string, SecretObject>> {
    const { body } = await bed.cp.request<{ items: SecretObject[] }>(
      'GET',
      `/api/v1/namespaces/${this.where}/secrets?labelSelector=${LABEL_MANAGED}%3Dtrue`,
    );
    return new Map(body.items.map((secret) => [secret.metadata.name ?? '', secret]));
  }

  async snapshot(): Promise<readonly unknown[]> {
    const secrets = await this.secrets();
    return this.names.map((name) => {
      const { metadata, data } = secrets.get(name) ?? {};
      return [name, metadata?.uid, metadata?.resourceVersion, data];
    });
  }

  async #conditions(): Promise<readonly string[]> {
    const path = `/apis/external-secrets.io/v1/namespaces/${this.where}/externalsecrets`;
    const { body } = await bed.cp.request<{ items: ExternalSecret[] }>('GET', path);
    return body.items.map(({ status }) => {
      const ready = readyCondition(status);
      return `${ready?.status ?? ''} ${ready?.message ?? ''}`;
    });
  }

  /** All of them say why they cannot be read. */
  async failing(why: RegExp, timeout = 60_000): Promise<void> {
    await eventually(
      async () => {
        const other = (await this.#conditions()).filter((one) => !one.startsWith('False') || !why.test(one));
        assert.deepEqual(other, []);
        return true;
      },
      { timeout, interval: 250, what: `${this.where} failing with ${why}` },
    );
  }

  async fresh(password: string, timeout = SOON_MS): Promise<void> {
    await eventually(
      async () => {
        const secrets = await this.secrets();
        const old = this.names.filter((name) => {
          const secret = secrets.get(name);
          return secret === undefined || valuesOf(secret)['password'] !== password;
        });
        assert.deepEqual(old, []);
        assert.ok((await this.#conditions()).every((one) => one.startsWith('True')));
        return true;
      },
      { timeout, interval: 250, what: `${this.where} fresh` },
    );
  }

  readsSince(since: number): number {
    return this.proxy.calls.filter(({ url, at }) => at >= since && url.startsWith('/v1/secret/data/')).length;
  }

  /** Nobody reads for it any more. */
  async remove(): Promise<void> {
    const path = `/apis/external-secrets.io/v1/namespaces/${this.where}/externalsecrets`;
    await bed.cp.request('DELETE', path);
  }
}

async function placeBehindProxy(where: string, objects = 3): Promise<Place> {
  const proxy = await startFaultProxy(bed.openBao.address);
  proxies.push(proxy);
  return new Place(where, proxy, objects);
}

const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Fault => ({
  kind: 'answer',
  status,
  headers,
  body: JSON.stringify(body),
});
const html = (status: number): Fault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'text/html' },
  body: '<html><body>Sign in to the network</body></html>',
});

/** What the provider does, how the condition words it, and whether it may be asked again and again meanwhile. */
const FAULTS: readonly (readonly [name: string, fault: Fault | 'refuse', why: RegExp])[] = [
  ['refuses', 'refuse', /connection refused/],
  ['resets', { kind: 'reset' }, /the connection was (reset|closed)/],
  ['hangs', { kind: 'hang' }, /no answer/],
  ['drips', { kind: 'drip', everyMs: 200 }, /no answer/],
  ['says-401', json(401, { errors: ['missing client token'] }), /401/],
  ['says-403', json(403, { errors: ['permission denied'] }), /(denied|refused) \(403\)/],
  ['says-404-of-its-own', json(404, { errors: ['no handler for route'] }), /404|no handler/],
  ['says-404-html', html(404), /not JSON|404/],
  ['says-429', json(429, { errors: ['slow down'] }), /too many requests/],
  ['says-429-wait', json(429, { errors: ['slow down'] }, { 'retry-after': '3' }), /too many requests/],
  ['says-500', json(500, { errors: ['internal error'] }), /the server failed \(status 500\)|internal error/],
  ['says-503', json(503, { errors: ['Vault is sealed'] }), /Vault is sealed/],
  ['says-503-html', html(503), /cannot serve now/],
  ['talks-html', html(200), /not JSON/],
  ['talks-nonsense', { kind: 'answer', status: 200, body: '{"data":{"data":{' }, /not JSON/],
  [
    'truncates',
    { kind: 'truncate', body: '{"data":{"data":{"password":"hal' },
    /closed before|was closed|other side/,
  ],
  ['has-no-data', json(200, { data: null }), /not what Vault says/],
  ['has-null-data', json(200, { data: { data: null, metadata: { version: 1 } } }), /not what Vault says/],
  ['is-empty', { kind: 'answer', status: 204, body: '' }, /not what Vault says/],
];

// Some at a time: each waits more than it works.
describe('a provider that', { concurrency: 7 }, () => {
  for (const [name, fault, why] of FAULTS) {
    test(`${name}: Secrets stay, it is not hammered, all are fresh again soon after`, async () => {
      const place = await placeBehindProxy(name);
      const { proxy } = place;
      await place.prepare();
      const before = await place.snapshot();
      if (fault === 'refuse') await proxy.refuse();
      else proxy.fault = () => fault;
      await place.failing(why);
      await place.rotate('second');
      const since = performance.now();
      await always(async () => assert.deepEqual(await place.snapshot(), before), {
        duration: DOWN_MS,
        interval: 500,
      });
      const turns = Math.ceil((performance.now() - since) / INTERVAL_MS) + 1;
      const reads = place.readsSince(since);
      assert.ok(reads <= turns * place.names.length, `${reads} reads in ${turns} turns`);
      if (fault === 'refuse') await proxy.listen();
      else proxy.fault = undefined;
      // What hangs when the fault ends goes on to hang until its time is over.
      const late = fault !== 'refuse' && (fault.kind === 'hang' || fault.kind === 'drip') ? 15_000 : 5_000;
      await place.fresh('second', SOON_MS + late);
      await place.remove();
    });
  }

  test('is back after an outage of many objects: in flight are no more than the limit, and each is read about once', async () => {
    const OBJECTS = 60;
    const place = await placeBehindProxy('many', OBJECTS);
    const { proxy } = place;
    await place.prepare();
    proxy.fault = () => json(503, { errors: ['Vault is sealed'] });
    await place.failing(/Vault is sealed/);
    const down = performance.now();
    await sleep(DOWN_MS);
    const turns = (performance.now() - down) / INTERVAL_MS + 1;
    const asked = proxy.calls.filter(({ at }) => at >= down).length;
    // The breaker leaves one or two requests a second, whatever the number of objects.
    assert.ok(asked <= (turns * OBJECTS) / 2, `${asked} requests in ${turns} turns of ${OBJECTS} objects`);
    await place.rotate('second');
    proxy.mostInFlight = 0;
    // Slow enough that requests pile up if nothing holds them back.
    proxy.fault = () => ({ kind: 'delay', ms: 100 });
    const back = performance.now();
    await place.fresh('second', SOON_MS + 10_000);
    assert.ok(proxy.mostInFlight <= IN_FLIGHT_LIMIT, `${proxy.mostInFlight} at a time`);
    const after = (performance.now() - back) / INTERVAL_MS + 1;
    assert.ok(place.readsSince(back) <= after * place.names.length, `${place.readsSince(back)} reads`);
    await place.remove();
  });
});

test('a provider that is back after an outage is read by those, too, whose own next try is minutes away', async () => {
  const place = await placeBehindProxy('patient');
  const { where, proxy } = place;
  await place.prepare();
  const key = `${where}/slow`;
  await bed.openBao.write(key, { password: 'first' });
  await cluster.create(externalSecret(where, 'slow', { refreshInterval: '1h', ...passwordOf(key) }));
  await cluster.synced(where, 'slow');
  proxy.fault = () => json(503, { errors: ['Vault is sealed'] });
  // Eight failures in a row: its next try is some two minutes away (poller/schedule.ts), and time alone brings none for an hour.
  const failures = (): Promise<number> =>
    bed.product.poller.metric('externalsecret_sync_calls_error', { namespace: where, name: 'slow' });
  for (let failure = await failures(); failure < 8; failure = await failures()) {
    await cluster.patch('ExternalSecret', where, 'slow', {
      metadata: { annotations: { 'force-sync': `${failure}` } },
    });
    await eventually(async () => (await failures()) > failure, { timeout: 30_000, what: 'one more failure' });
  }
  await bed.openBao.write(key, { password: 'second' });
  proxy.fault = undefined;
  await cluster.holds(where, 'slow', { password: 'second' }, 60_000);
  await place.remove();
});

describe('the certificate of a provider', () => {
  const authority = (commonName: string) =>
    issue({ kind: 'authority', commonName, notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS });
  const leafOf = async (ca: ServerCertificate, lastsMs = HOUR_MS): Promise<ServerCertificate> =>
    issue({
      kind: 'leaf',
      authority: ca,
      dnsNames: ['localhost'],
      notBefore: Date.now() - 2 * HOUR_MS,
      notAfter: Date.now() + lastsMs,
    });

  test('is replaced: of the same CA nobody notices; expired or of another CA it is named, the Secret stays, a new CA in the cluster heals', async () => {
    const [known, unknown] = [await authority('known'), await authority('unknown')];
    const proxy = await startFaultProxy(bed.openBao.address, undefined, await leafOf(known));
    proxies.push(proxy);
    const place = new Place('certificate', proxy, 1);
    const caProvider = { type: 'Secret', name: 'ca', key: 'ca.crt' };
    const prepared = place.prepare(proxy.address, { caProvider });
    await eventually(() => cluster.find('Namespace', undefined, place.where));
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'ca', namespace: place.where },
      stringData: { 'ca.crt': known.cert },
    });
    await prepared;
    const transition = (await cluster.ready('ExternalSecret', place.where, 'app-0'))?.lastTransitionTime;

    proxy.replaceCertificate(await leafOf(known));
    await place.rotate('second');
    await place.fresh('second');
    assert.equal(
      (await cluster.ready('ExternalSecret', place.where, 'app-0'))?.lastTransitionTime,
      transition,
    );

    const before = await place.snapshot();
    proxy.replaceCertificate(await leafOf(known, -1_000));
    await place.failing(/TLS: the certificate of the server has expired/);
    proxy.replaceCertificate(await leafOf(known));
    await place.fresh('second');
    proxy.replaceCertificate(await leafOf(unknown));
    await place.rotate('third');
    await place.failing(/TLS: the certificate of the server is not trusted .*caBundle or caProvider/);
    assert.deepEqual(await place.snapshot(), before);
    await cluster.patch('Secret', place.where, 'ca', { stringData: { 'ca.crt': unknown.cert } });
    await place.fresh('third');
    await place.remove();
  });
});

describe('the name of a provider', () => {
  test('does not resolve any more, or DNS is silent: the Secret stays, and all goes on when it resolves again', async () => {
    const programs = [bed.product.poller, bed.product.webhook];
    const name = 'vault.faults.test';
    world.set({ names: { [name]: '127.0.0.1' } }, programs);
    const place = await placeBehindProxy('dns', 1);
    const { proxy } = place;
    await place.prepare(proxy.address.replace('127.0.0.1', name));
    const before = await place.snapshot();
    for (const [code, why] of [
      ['ENOTFOUND', /the name of the server cannot be resolved(?! now)/],
      ['EAI_AGAIN', /cannot be resolved now \(DNS gave no answer\)/],
    ] as const) {
      world.set({ names: { [name]: code } }, programs);
      // Connections that are open need no name.
      proxy.cut();
      await place.failing(why);
      assert.deepEqual(await place.snapshot(), before);
      world.set({ names: { [name]: '127.0.0.1' } }, programs);
      await place.fresh('first');
    }
    await place.rotate('second');
    await place.fresh('second');
    // A name that the system itself cannot resolve.
    await cluster.create(
      secretStore('dns', 'nowhere', { provider: vaultProvider('http://nowhere.invalid:8200') }),
    );
    await cluster.attempt(externalSecret('dns', 'nowhere', { secretStoreRef: { name: 'nowhere' } }));
    await cluster.failing('dns', 'nowhere', /the name of the server cannot be resolved/, 30_000);
    await place.remove();
  });
});

describe('the wall clock', () => {
  const OBJECTS = 11;
  const WATCHED_MS = 4 * INTERVAL_MS;
  let place: Place;
  const leadershipLost = (): boolean =>
    readFileSync(bed.product.poller.log, 'utf8').includes('is not the leader any more');
  const authorityOf = async (): Promise<unknown> =>
    (await cluster.get('Secret', bed.product.namespace, 'external-secrets-admission-ca')).data;

  before(async () => {
    place = await placeBehindProxy('clock', OBJECTS);
    await place.prepare();
  });
  after(() => place.remove());

  for (const [what, clockMs] of [
    ['an hour forward', HOUR_MS],
    ['two hours back', -HOUR_MS],
    ['back to what it was', 0],
  ] as const) {
    test(`jumps ${what}: each object is read once an interval as before, the lease is kept, creates get their Secret`, async () => {
      const { poller, webhook } = bed.product;
      const certificates = await authorityOf();
      const count = place.names.length;
      world.set({ clockMs }, [poller, webhook]);
      const since = performance.now();
      await sleep(WATCHED_MS);
      const turns = (performance.now() - since) / INTERVAL_MS;
      const reads = place.proxy.calls.filter(
        ({ url, at }) => at >= since && url.startsWith('/v1/secret/data/'),
      );
      // One more for those that the new slots bring early, one for where the time of watching begins and ends.
      assert.ok(
        reads.length <= (turns + 2) * count,
        `${reads.length} reads of ${count} objects in ${turns} turns`,
      );
      for (const name of place.names) {
        const own = reads.filter(({ url }) => url.endsWith(`/${name}`));
        assert.ok(own.length >= 2, `${name}: ${own.length} reads in ${turns} turns`);
      }
      const password = `clock at ${clockMs}`;
      await place.rotate(password);
      await place.fresh(password);
      const spec = { refreshInterval: '1h', ...passwordOf(`clock/${CAREFUL}`) };
      const { status, warnings } = await cluster.attempt(externalSecret('clock', `new${clockMs}`, spec));
      assert.deepEqual({ status, warnings }, { status: 201, warnings: [] });
      assert.deepEqual(await cluster.values('clock', `new${clockMs}`), { password });
      assert.equal(leadershipLost(), false);
      assert.deepEqual(await authorityOf(), certificates);
      for (const { metricsUrl } of [poller, webhook]) {
        const { status: ready } = await httpRequest('GET', metricsUrl.replace(/metrics$/, 'readyz'));
        assert.equal(ready, 200);
      }
      // By whatever clock: what stands in the status is not ahead of it.
      await eventually(
        async () => {
          for (const name of place.names) {
            const { status: now } = await cluster.get('ExternalSecret', place.where, name);
            const ahead = Date.parse(now?.refreshTime ?? '') - (Date.now() + clockMs);
            assert.ok(ahead < 60_000, `${name} was refreshed in ${ahead} ms`);
          }
          return true;
        },
        { timeout: SOON_MS, what: 'a refreshTime that is over' },
      );
    });
  }
});
