/** Certificates on a real API server: it calls real HTTPS servers, which show what CertificateManager gives. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildAuthority } from '../../certs/build.ts';
import type { CertificateManager } from '../../certs/manager.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import {
  type Calls,
  CertificateBed,
  CONFIGURATIONS,
  CRD,
  DEFINITIONS,
  issuerOf,
  JumpingClock,
  MUTATING,
  SECRET,
  VALIDATING,
} from './support/certs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let bed: CertificateBed;

before(async () => {
  const began = performance.now();
  const cp = await startControlPlane({ controllerManager: false });
  bed = new CertificateBed(cp, performance.now() - began);
  await bed.applyCrd();
});
after(async () => {
  await bed.close();
  await bed.cp.stop();
});

function assertNoneFailed({ count, failures }: Calls): void {
  assert.deepEqual(failures, []);
  assert.ok(count > 0);
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('certificates', { concurrency: false }, () => {
  afterEach(() => bed.end());

  test('9.3 #55 from nothing to a served call; foreign hooks untouched; damage repaired', async () => {
    const namespace = await bed.newNamespace();
    const [log, events]: [string[], string[]] = [[], []];
    const manager = await bed.startManager(namespace, 'a', { log, events });
    const port = await bed.serve(manager);
    await eventually(() => manager.ready(), { what: 'ready without configurations' });
    assert.equal(log.filter((line) => line.startsWith('does not exist')).length, 3, log.join('\n'));
    await bed.applyConfigurations(namespace, port);
    await eventually(() => bed.call(namespace), { what: 'a served call' });
    assert.equal(await bed.bundle(0), '');

    const hook = `${CONFIGURATIONS}/validatingwebhookconfigurations/${VALIDATING}`;
    const mutating = `${CONFIGURATIONS}/mutatingwebhookconfigurations/${MUTATING}`;
    const conversion = '/spec/conversion/webhook/clientConfig';
    const other = await buildAuthority(Date.now(), HOUR);
    // What Argo CD, a helm upgrade or a person make of it.
    const damages: [string, object][] = [
      [hook, [{ op: 'remove', path: '/webhooks/1/clientConfig/caBundle' }]],
      [hook, [{ op: 'replace', path: '/webhooks/1/clientConfig/caBundle', value: base64(other.cert) }]],
      [hook, [{ op: 'replace', path: '/webhooks/1/clientConfig/service/path', value: '/elsewhere' }]],
      [mutating, [{ op: 'remove', path: '/webhooks/0/clientConfig/service/path' }]],
      [`${DEFINITIONS}/${CRD}`, [{ op: 'remove', path: `${conversion}/caBundle` }]],
      [`${DEFINITIONS}/${CRD}`, [{ op: 'replace', path: `${conversion}/service/path`, value: '/x' }]],
    ];
    events.length = 0;
    for (const [path, patch] of damages) {
      const repairs = events.filter((event) => event.endsWith('damage')).length;
      await bed.patch(path, patch);
      assert.equal(manager.ready(), true, 'the other hooks can still be served');
      await eventually(() => events.filter((event) => event.endsWith('damage')).length > repairs, {
        what: `a repair of ${JSON.stringify(patch).slice(0, 80)}`,
      });
      await eventually(() => bed.call(namespace), { what: 'a served call after the damage' });
    }
    assert.deepEqual(
      events.filter((event) => event.endsWith('damage')),
      ['Validating', 'Validating', 'Validating', 'Mutating']
        .map((kind) => `injected ${kind}WebhookConfiguration damage`)
        .concat(Array(2).fill('injected CustomResourceDefinition damage')),
    );

    await bed.removeConfigurations();
    await bed.applyConfigurations(namespace, port);
    await eventually(() => bed.call(namespace), { what: 'a served call after a new installation' });
    assert.deepEqual(
      log.filter((line) => line.includes('trying again')),
      [],
    );
  });

  test('replicas that start together agree on one CA; any is trusted; another takes over', async () => {
    const namespace = await bed.newNamespace();
    const names = ['a', 'b', 'c', 'd'];
    const managers = await Promise.all(names.map((name) => bed.startManager(namespace, name)));
    const [one] = managers;
    assert.ok(one);
    for (const manager of managers) {
      assert.deepEqual(manager.paths(), one.paths());
      await eventually(() => issuerOf(manager) === issuerOf(one), { what: 'one CA' });
    }
    assert.equal(new Set(managers.map((manager) => manager.current()?.cert)).size, 4);
    const ports = await Promise.all(managers.map((manager) => bed.serve(manager)));
    for (const [index, port] of ports.entries()) {
      // Whoever leads injects; it ends one after the other.
      if (index > 0) await managers[index - 1]?.stop();
      await bed.removeConfigurations();
      await bed.applyConfigurations(namespace, port);
      await eventually(() => bed.call(namespace), { what: `a call served by ${names[index]}` });
    }
  });

  test('damage is repaired while the Lease is held by a replica that does nothing', async () => {
    const namespace = await bed.newNamespace();
    const proxy = await bed.newProxy();
    const times = { leaseDurationMs: 60_000, leaseRenewDeadlineMs: 50_000 };
    const leader = await bed.startManager(namespace, 'a', { proxy, times });
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/esa-certificates`;
    await eventually(() => bed.kube.request('GET', lease), { what: 'a leader' });
    const manager = await bed.startManager(namespace, 'b');
    proxy.cut();
    await bed.applyConfigurations(namespace, await bed.serve(manager));
    await eventually(() => bed.call(namespace), { what: 'a served call' });
    assert.equal(issuerOf(manager), issuerOf(leader));
  });

  test('rotations on demand without a failed call: one leader, and two that both believe to be it', async () => {
    const namespace = await bed.newNamespace();
    const events: [string[], string[]] = [[], []];
    const managers = await Promise.all([
      bed.startManager(namespace, 'a', { events: events[0] }),
      bed.startManager(namespace, 'b', { events: events[1], leaseName: 'another-lease' }),
    ]);
    await bed.applyConfigurations(namespace, await bed.serve(managers[1]));
    await eventually(() => bed.call(namespace), { what: 'the first served call' });
    const issuers = new Set<string>();
    const calls = await bed.during(namespace, async () => {
      for (let rotation = 0; rotation < 2; rotation++) {
        await bed.rotate(namespace, managers);
        issuers.add(issuerOf(managers[1]));
      }
    });
    assertNoneFailed(calls);
    assert.equal(issuers.size, 2);
    const steps = events.flat().filter((event) => event.startsWith('step'));
    for (const step of ['introduce', 'switch', 'drop']) {
      assert.equal(steps.filter((one) => one === `step ${step}`).length, 2, steps.join());
    }
    const { data } = await bed.secret(namespace);
    assert.deepEqual(
      Object.keys(data ?? {}).filter((key) => /^(next|previous)-/.test(key)),
      [],
    );
  });

  test('leaders die one after the other, each after its first write: the rotation is completed', async () => {
    const namespace = await bed.newNamespace();
    // It serves, and never gets the Lease.
    const manager = await bed.startManager(namespace, 'server', { leaseName: 'another-lease' });
    const first = await bed.startManager(namespace, 'first');
    await bed.applyConfigurations(namespace, await bed.serve(manager));
    await eventually(() => bed.call(namespace), { what: 'the first served call' });
    await first.stop();
    const old = await bed.bundle();
    const serverLease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/another-lease`;
    await bed.patch(serverLease, {
      spec: { holderIdentity: 'nobody', leaseDurationSeconds: 3600, renewTime: null },
    });
    const generation = async (): Promise<number> => {
      const { data } = await bed.secret(namespace);
      return Number(Buffer.from(data?.['generation'] ?? '', 'base64').toString());
    };
    const before = await generation();
    const writes: string[] = [];
    const calls = await bed.during(namespace, async () => {
      const annotations = { 'external-secrets-admission.io/rotate': 'now' };
      await bed.patch(`/api/v1/namespaces/${namespace}/secrets/${SECRET}`, { metadata: { annotations } });
      const isOver = async (): Promise<boolean> => {
        const bundle = await bed.bundle();
        return bundle !== old && bundle.split('BEGIN CERTIFICATE').length === 2;
      };
      for (let leader = 0; !(await isOver()); leader++) {
        assert.ok(leader < 20, `no end after ${writes.join()}`);
        const proxy = await bed.newProxy(1);
        const dying = await bed.startManager(namespace, `leader-${leader}`, { proxy });
        await eventually(async () => proxy.writes.length > 0 || (await isOver()), {
          timeout: 60_000,
          what: `a write of leader ${leader} after ${writes.join()}`,
        });
        writes.push(...proxy.writes);
        await dying.stop();
      }
      await bed.startManager(namespace, 'last');
      await bed.rotated([manager], old);
    });
    assertNoneFailed(calls);
    const secretWrites = writes.filter((write) => write === `PUT ${SECRET}`).length;
    // A write that ends the last turn may be answered after it; the Secret has counted all of them.
    assert.ok(secretWrites <= 3, `introduce, switch and drop in ${writes.join()}`);
    assert.equal((await generation()) - before, 3, 'introduce, switch and drop, each once');
  });

  test('a leader that hangs through a whole rotation of the next one does no harm when it goes on', async () => {
    const namespace = await bed.newNamespace();
    const proxy = await bed.newProxy();
    const manager = await bed.startManager(namespace, 'b');
    await bed.applyConfigurations(namespace, await bed.serve(manager));
    await eventually(() => bed.call(namespace), { what: 'the first served call' });
    // It goes on believing that it leads: its Lease is another one.
    const hanging = await bed.startManager(namespace, 'a', { proxy, leaseName: 'another-lease' });
    await eventually(() => hanging.ready(), { what: 'both ready' });
    const calls = await bed.during(namespace, async () => {
      proxy.hold();
      await bed.rotate(namespace, [manager]);
      assert.notEqual(issuerOf(hanging), issuerOf(manager));
      const bundle = await bed.bundle();
      proxy.release();
      await eventually(() => issuerOf(hanging) === issuerOf(manager), {
        timeout: 20_000,
        what: 'the one that hung has caught up',
      });
      assert.equal(await bed.bundle(), bundle);
    });
    assertNoneFailed(calls);
    assert.deepEqual(
      proxy.writes.filter((write) => !write.startsWith('POST')),
      [],
      'it wrote nothing',
    );
  });
});

describe('clocks', { concurrency: false }, () => {
  afterEach(() => bed.end());

  test('a jump by an hour, both ways: what is due is done, and no call fails', async () => {
    const namespace = await bed.newNamespace();
    const clock = new JumpingClock();
    const events: string[] = [];
    // Due after 53 and 47 minutes.
    const times = { authorityMs: 80 * MINUTE, leafMs: 70 * MINUTE };
    const options = { clock, times };
    const managers = [
      await bed.startManager(namespace, 'a', { ...options, events }),
      await bed.startManager(namespace, 'b', options),
    ];
    const [, served] = managers;
    assert.ok(served);
    await bed.applyConfigurations(namespace, await bed.serve(served));
    await eventually(() => bed.call(namespace), { what: 'the first served call' });
    const [old, leaf] = [await bed.bundle(), served.current()?.cert];
    const calls = await bed.during(namespace, async () => {
      clock.offset = HOUR;
      await bed.rotated(managers, old);
      assert.notEqual(served.current()?.cert, leaf);
      const [bundle, next] = [await bed.bundle(), served.current()?.cert];
      for (const offset of [0, -HOUR / 2]) {
        clock.offset = offset;
        await sleep(500);
        assert.deepEqual([await bed.bundle(), served.current()?.cert], [bundle, next], 'nothing is due');
        assert.ok(managers.every((manager) => manager.ready()));
      }
      await bed.rotate(namespace, managers);
    });
    assertNoneFailed(calls);
    assert.deepEqual(
      events.filter((event) => event.startsWith('step')),
      ['step introduce', 'step switch', 'step drop', 'step introduce', 'step switch', 'step drop'],
    );
  });

  test('a leader that is an hour ahead takes the CA for expired: it is replaced, and no call fails', async () => {
    const namespace = await bed.newNamespace();
    const clock = new JumpingClock();
    const times = { authorityMs: 50 * MINUTE, leafMs: 30 * MINUTE };
    const leader = await bed.startManager(namespace, 'a', { clock, times });
    const manager = await bed.startManager(namespace, 'b', { times });
    await bed.applyConfigurations(namespace, await bed.serve(manager));
    await eventually(() => leader.ready() && bed.call(namespace), { what: 'the first served call' });
    const old = await bed.bundle();
    const calls = await bed.during(namespace, async () => {
      clock.offset = HOUR;
      assert.equal(leader.ready(), false, 'a leaf that has ended is not to be called');
      await bed.rotated([leader, manager], old);
    });
    assertNoneFailed(calls);
    await eventually(() => leader.ready(), { what: 'the leader is ready again' });
  });

  test('9.3 #55 a CA that expired while nobody ran is replaced', async () => {
    const namespace = await bed.newNamespace();
    const clock = new JumpingClock();
    const first = await bed.startManager(namespace, 'a', { clock });
    const old = issuerOf(first);
    await first.stop();
    clock.offset = 366 * 24 * HOUR;
    const second = bed.newManager(namespace, 'b', { clock });
    const stopping = new AbortController();
    await second.start(stopping.signal);
    assert.notEqual(issuerOf(second), old);
    // The signal and a call of stop() are the same end: both wait for the lease to be given back.
    stopping.abort();
    await second.stop();
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/esa-certificates`;
    const { spec } = await bed.kube.request<{ spec: { holderIdentity: string } }>('GET', lease);
    assert.equal(spec.holderIdentity, '');
    assert.ok(second.current(), 'what is served goes on being served');
    // After its clock was put right, the CA is from the future.
    clock.offset = 0;
    const third = await bed.startManager(namespace, 'c', { clock });
    assert.notEqual(issuerOf(third), issuerOf(second));
  });
});

describe('the Secret of the CA', { concurrency: false }, () => {
  afterEach(() => bed.end());
  const path = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets/${SECRET}`;

  test('deleted, emptied, damaged or rolled back by hand: restored, and no call fails', async () => {
    const namespace = await bed.newNamespace();
    const events: string[] = [];
    const managers: CertificateManager[] = [
      await bed.startManager(namespace, 'a', { events }),
      await bed.startManager(namespace, 'b', { events }),
    ];
    const [, served] = managers;
    assert.ok(served);
    await bed.applyConfigurations(namespace, await bed.serve(served));
    await eventually(() => bed.call(namespace), { what: 'the first served call' });
    const backup = (await bed.secret(namespace)).data;
    const other = await buildAuthority(Date.now(), HOUR);
    const expired = await buildAuthority(Date.now() - 2 * HOUR, HOUR);
    const pair = ({ cert, key }: { cert: string; key: string }) => ({
      'ca.crt': base64(cert),
      'ca.key': base64(key),
    });
    const calls = await bed.during(namespace, async () => {
      await bed.rotate(namespace, managers);
      const { data } = await bed.secret(namespace);
      const restored = async (damage: string): Promise<void> => {
        await eventually(
          async () => assert.deepEqual((await bed.secret(namespace)).data, data) === undefined,
          {
            what: `the Secret is as it was (${damage})`,
          },
        );
      };
      const nothing = Object.fromEntries(Object.keys(data ?? {}).map((key) => [key, null]));
      const damages: Record<string, object> = {
        garbage: { data: { 'ca.crt': base64('garbage') } },
        'the key of another': { data: { 'ca.key': base64(other.key) } },
        'another CA': { data: pair(other) },
        'an expired CA': { data: pair(expired) },
        'another token': { data: { 'validate-token': base64('0'.repeat(64)) } },
        empty: { data: null },
        'an old backup': { data: { ...nothing, ...backup } },
      };
      for (const [damage, patch] of Object.entries(damages)) {
        await bed.patch(path(namespace), patch);
        await restored(damage);
      }
      await bed.kube.request('DELETE', path(namespace));
      await restored('deleted');
      // A replica that knows nothing has been quicker.
      await bed.kube.request('DELETE', path(namespace));
      const newcomer = bed.newManager(namespace, `c-${randomUUID()}`);
      await newcomer.start(new AbortController().signal);
      await restored('made anew');
      await eventually(() => issuerOf(newcomer) === issuerOf(served), { what: 'the newcomer agrees' });
    });
    assertNoneFailed(calls);
    const repairs = new Set(events.filter((event) => event.startsWith('repair')));
    assert.deepEqual([...repairs].toSorted(), ['repair damaged', 'repair deleted', 'repair rolled-back']);
  });

  test('damaged while nobody ran: what is left is used; without a trace of us it is left alone', async () => {
    const namespace = await bed.newNamespace();
    const first = await bed.startManager(namespace, 'a');
    const paths = first.paths();
    await first.stop();
    await bed.patch(path(namespace), { data: { 'ca.key': base64('garbage') } });
    const events: string[] = [];
    const second = await bed.startManager(namespace, 'b', { events });
    assert.notEqual(issuerOf(second), issuerOf(first));
    assert.deepEqual(second.paths(), paths);
    assert.deepEqual(events.slice(0, 1), ['repair damaged']);
    await bed.applyConfigurations(namespace, await bed.serve(second));
    await eventually(() => bed.call(namespace), { what: 'a served call' });
    await second.stop();

    const foreign = base64('not a certificate');
    const labels = { 'app.kubernetes.io/managed-by': 'somebody' };
    await bed.patch(path(namespace), { metadata: { labels }, data: { 'ca.crt': foreign } });
    const third = bed.newManager(namespace, 'c');
    await assert.rejects(third.start(new AbortController().signal), {
      code: 'CERTIFICATE',
      message: /ca\.crt is not a certificate.*delete it/,
    });
    assert.equal(third.current(), undefined);
    assert.equal(third.ready(), false);
    const { data } = await bed.secret(namespace);
    assert.equal(data?.['ca.crt'], foreign);
  });
});
