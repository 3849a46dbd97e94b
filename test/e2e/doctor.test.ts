/**
 * `esa doctor` on a real control plane: a healthy installation gives no finding, and each of the faults below, prepared on
 * it, is found, with the remedy that mends it. Remedies that are commands are run as they are printed.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { FindingId } from '../../cli/doctor/catalogue.ts';
import type { Finding } from '../../cli/doctor/finding.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { installProgram, status } from './doctor/chart-form.ts';
import { INSTALLATION_FAULTS } from './doctor/installation-faults.ts';
import { OBJECT_FAULTS } from './doctor/object-faults.ts';
import { DEPLOYMENTS, type Fault, Place, SYSTEM, WHERE, WITHIN_MS } from './doctor/place.ts';
import { Cluster } from './support/cluster.ts';
import { examine, gravities, type Report, Workplace } from './support/doctor.ts';
import { externalSecret, prepare, secretStore } from './support/vault.ts';

let at: Place;
let bed: Bed;

before(async () => {
  bed = await startBed({ product: { kes: true } });
  const cluster = new Cluster(bed.cp);
  at = new Place(bed, cluster, new Workplace(bed, bed.product.webhook.port ?? 0));
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, WHERE);
  await cluster.create(externalSecret(WHERE, 'app'));
  await cluster.synced(WHERE, 'app');
});
after(() => bed.stop());

const look = (): Promise<Report> => examine(bed.cp.kubeconfig);

/** Waits until doctor finds nothing but notes. */
const clean = (): Promise<unknown> =>
  eventually(
    async () => {
      const report = await look();
      assert.deepEqual(
        report.findings
          .filter(({ severity }) => severity !== 'note')
          .map(({ id, where, what }) => [id, where, what]),
        [],
      );
      assert.equal(report.code, 0);
      return true;
    },
    { timeout: WITHIN_MS, interval: 500, what: 'a clean bill of health' },
  );

const told: string[] = [];
/** The fault that was not mended; what comes after it would only wait for nothing. */
let left: string | undefined;

/** Finds the fault, and nothing else that is not said to follow from it. */
async function found({ id, where, what, also = [], isNote }: Fault): Promise<Finding> {
  return eventually(
    async () => {
      const report = await look();
      const known = new Set<FindingId>([id, ...also]);
      assert.deepEqual(
        gravities(report).filter((one) => !known.has(one)),
        [],
        report.text,
      );
      assert.ok(!/sentinel-of/.test(report.text), 'no value is shown');
      const one = report.findings.find(
        (each) => each.id === id && where.test(each.where) && what.test(each.what),
      );
      assert.ok(one, report.text);
      assert.equal(report.code, isNote ? 0 : 1);
      return one;
    },
    { timeout: WITHIN_MS, interval: 500, what: `the finding ${id}` },
  );
}

describe('esa doctor', { concurrency: 1 }, () => {
  test('a healthy installation has no finding', async () => {
    await clean();
    const { findings, checks } = await look();
    assert.deepEqual(
      findings.map(({ id }) => id),
      [],
    );
    // What a bed without nodes does not show is named.
    assert.deepEqual(
      checks.filter(({ unseen }) => unseen.length > 0).map(({ name }) => name),
      ['webhook reached', 'certificates and keys', 'webhook and poller'],
    );
  });

  test('whoever may see little is told what was not seen, and nothing that is not so', async () => {
    const { findings, checks, code } = await examine(bed.product.installation.kubeconfigs.poller);
    assert.deepEqual(
      findings.filter(({ severity }) => severity !== 'note'),
      [],
    );
    assert.equal(code, 0);
    const unseen = checks.flatMap((check) => check.unseen).join('\n');
    for (const what of [
      'CustomResourceDefinitions',
      'webhook configurations',
      'Deployments',
      'Services',
      'FlowSchemas',
    ])
      assert.match(unseen, new RegExp(`^${what} cannot be read: .* 403 Forbidden`, 'm'));
    assert.match(unseen, /^the rights of the programs cannot be read: /m);
  });

  test('the commands of the page', async () => {
    const page = readFileSync(join(ROOT, 'docs/doctor.md'), 'utf8');
    const [, block = ''] = /^```sh\n(.*?)^```$/ms.exec(page) ?? [];
    const commands = block.trim().split('\n');
    assert.equal(commands.length, 3);
    const [text = '', , json = ''] = await Promise.all(commands.map((command) => at.workplace.run(command)));
    assert.match(text, /^external-secrets-admission in namespace external-secrets-system\n/);
    assert.match(text, /^ok {10}CustomResourceDefinitions \(25 of ours\)$/m);
    assert.match(text, /\n0 errors, 0 warnings, 0 notes; 3 things could not be seen\n$/);
    assert.equal((JSON.parse(json) as { errors: number }).errors, 0);
  });

  for (const fault of [...INSTALLATION_FAULTS, ...OBJECT_FAULTS])
    test(`found, with its remedy: ${fault.name}`, async () => {
      const { id, cure, stdin } = fault;
      assert.equal(left, undefined, 'a fault before this one was not mended');
      left = fault.name;
      await fault.prepare(at);
      const finding = await found(fault);
      if (cure === undefined) {
        assert.ok(finding.commands.length > 0, 'the remedy is a command');
        for (const command of finding.commands) await at.workplace.run(command, stdin?.(at));
      } else {
        assert.match(finding.remedy, cure.words);
        await cure.act(at);
      }
      await fault.after?.(at);
      await clean();
      left = undefined;
      const how = cure === undefined ? finding.commands.join(' && ') : finding.remedy;
      told.push(`${fault.name} -> ${finding.severity} ${id} -> ${how}`);
    });

  test(
    'found, with its remedy: a store that is being deleted waits for a finalizer of External Secrets Operator',
    needsGarbageCollection(),
    async () => {
      const finalizer = 'secretstore.externalsecrets.io/finalizer';
      const store = secretStore(WHERE, 'stuck', { provider: { fake: { data: [] } } });
      await at.cluster.create({ ...store, metadata: { ...store.metadata, finalizers: [finalizer] } });
      await at.cluster.remove('SecretStore', WHERE, 'stuck');
      const fault: Fault = {
        name: 'a finalizer of External Secrets Operator',
        id: 'eso-finalizer',
        prepare: async () => {},
        where: /^1 SecretStore: shop\/stuck$/,
        what: /held by secretstore\.externalsecrets\.io\/finalizer/,
      };
      const { commands } = await found(fault);
      for (const command of commands) await at.workplace.run(command);
      assert.equal(await at.cluster.find('SecretStore', WHERE, 'stuck'), undefined);
      await clean();
      told.push(`${fault.name} -> warning eso-finalizer -> ${commands.join(' && ')}`);
    },
  );

  test('the form of the chart: Deployments, Pods and what their metrics say', async () => {
    assert.equal(left, undefined, 'a fault before this one was not mended');
    let notAfter = Date.now() + 20 * 86_400_000;
    const address = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
    // In place of a Pod: the API server's proxy connects to its address, which must not be that of a loopback.
    const metrics = createServer((_, response) => {
      const series = 'esa_certificate_expiry_timestamp_seconds{certificate="serving"}';
      response.end(`${series} ${notAfter / 1000}\n`);
    });
    await new Promise<void>((resolve) => metrics.listen(0, address ?? '127.0.0.1', resolve));
    const port = (metrics.address() as AddressInfo).port;
    for (const program of ['webhook', 'poller'] as const)
      await installProgram(at, program, { address, port });
    const seen = async (id: FindingId, where: RegExp, what: RegExp, remedy: RegExp): Promise<Finding> => {
      const fault: Fault = { name: id, id, prepare: async () => {}, where, what };
      const one = await found(fault);
      assert.match([one.remedy, ...one.commands].join('\n'), remedy);
      told.push(`${what.source} -> ${one.severity} ${id} -> ${one.commands.join(' && ') || one.remedy}`);
      return one;
    };
    try {
      await clean();
      const { checks } = await look();
      const unseen = checks.flatMap((check) => check.unseen);
      assert.deepEqual(
        unseen.filter((one) => !one.startsWith('the endpoints of the webhook: ')),
        address === undefined ? ['the certificates that replicas serve'] : [],
      );

      if (address !== undefined) {
        notAfter = Date.now() - 1_000;
        await seen(
          'ca-expiry',
          /^Pod external-secrets-system\/webhook-0$/,
          /The certificate that it serves was over/,
          /rollout restart deployment\/external-secrets-admission-webhook/,
        );
        notAfter = Date.now() + 20 * 86_400_000;
      }

      await status(at, 'pods', 'webhook-0', {
        conditions: [{ type: 'Ready', status: 'False' }],
        containerStatuses: [
          {
            name: 'webhook',
            image: 'x',
            imageID: '',
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } },
          },
        ],
      });
      await status(at, 'deployments', 'external-secrets-admission-webhook', {
        replicas: 2,
        readyReplicas: 1,
      });
      const unready = await seen(
        'program-not-ready',
        /-webhook$/,
        /1 of 2 Pods ready; Pod webhook-0: ImagePullBackOff \(no such image\), restarted 3 times/,
        /describe pod webhook-0/,
      );
      await at.workplace.run(unready.commands[0] ?? '');
      await status(at, 'pods', 'webhook-0', { conditions: [{ type: 'Ready', status: 'True' }] });
      await status(at, 'deployments', 'external-secrets-admission-webhook', {
        replicas: 2,
        readyReplicas: 2,
      });

      const poller = `${DEPLOYMENTS(SYSTEM)}/external-secrets-admission-poller`;
      await at.merge(poller, { spec: { replicas: 0 } });
      const scaled = await seen('program-not-ready', /-poller$/, /It is scaled to 0/, /--replicas=1$/);
      for (const command of scaled.commands) await at.workplace.run(command);
      await clean();

      const image = (tag: string) => ({
        op: 'replace',
        path: '/spec/template/spec/containers/0/image',
        value: `example.com/esa:${tag}`,
      });
      await at.change(poller, image('v0.3.1'));
      await seen(
        'program-versions',
        /-webhook$/,
        /The webhook runs example\.com\/esa:0\.1\.0, the poller example\.com\/esa:v0\.3\.1/,
        /Upgrade the older one/,
      );
      await at.change(poller, image('0.1.0'));
      await clean();
    } finally {
      metrics.close();
      metrics.closeAllConnections();
    }
  });

  test('fifteen faults and more, each found and mended', () => {
    console.log(told.join('\n'));
    assert.ok(told.length >= 15);
  });
});
