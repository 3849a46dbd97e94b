/**
 * Certificates of the programs: two replicas of the webhook behind a balancer, with the rights of their service
 * account, while ExternalSecrets are created, changed and read in an old version without a pause.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { buildAuthority, buildLeaf, type KeyAndCertificate } from '../../certs/build.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { manifestText, productManifests } from '../harness/install.ts';
import type { Program } from '../harness/product.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const WHERE = 'certificates';
const SYSTEM = 'external-secrets-system';
const SERVICE = 'external-secrets-admission-webhook';
const SERVER_NAME = `${SERVICE}.${SYSTEM}.svc`;
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** All that call the webhook, as kubectl names them. */
const CALLERS = [
  'validatingwebhookconfiguration/external-secrets-admission',
  'mutatingwebhookconfiguration/zz-external-secrets-admission',
  'crd/externalsecrets.external-secrets.io',
  'crd/secretstores.external-secrets.io',
  'crd/clustersecretstores.external-secrets.io',
];

interface ClientConfig {
  caBundle?: string;
  readonly service?: { path?: string };
}
interface Caller {
  readonly metadata: {
    readonly name: string;
    readonly generation: number;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly webhooks?: readonly { readonly clientConfig: ClientConfig }[];
  readonly spec?: { readonly conversion?: { readonly webhook?: { readonly clientConfig: ClientConfig } } };
}

let bed: Bed;
let cluster: Cluster;

before(async () => {
  const began = performance.now();
  bed = await startBed({ product: { poller: false, webhooks: 0, balancer: true } });
  // What replicas are given to learn of a CA (ten minutes, as shipped) goes by the pace of the machine, which may be busy
  // with other tests: one that got no turn for 2.5 s was late, and rightly not trusted any more.
  const overlap = Math.min(20, Math.max(4, (performance.now() - began) / 2000)).toFixed(1);
  for (let i = 0; i < 2; i++) {
    await bed.product.startWebhook(['--ca-overlap', `${overlap}s`, '--leaf-lifetime', '1h']);
  }
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, WHERE);
});
after(() => bed.stop());

const pathOf = (caller: string): string => {
  const [kind = '', name = ''] = caller.split('/');
  return kind === 'crd' ? `${DEFINITIONS}/${name}` : `${CONFIGURATIONS}/${kind}s/${name}`;
};
const clientConfigs = ({ webhooks = [], spec }: Caller): ClientConfig[] => [
  ...webhooks.map(({ clientConfig }) => clientConfig),
  ...(spec?.conversion?.webhook ? [spec.conversion.webhook.clientConfig] : []),
];
const readCaller = async (caller: string): Promise<Caller> =>
  (await bed.cp.request<Caller>('GET', pathOf(caller))).body;
const text = (base64 = ''): string => Buffer.from(base64, 'base64').toString('utf8');

/** What the validating configuration trusts, PEM. */
const bundle = async (): Promise<string> =>
  text(clientConfigs(await readCaller(CALLERS[0] ?? ''))[0]?.caBundle);

/** A new connection to a replica, of a client that trusts `ca`. @returns what it was shown */
const handshake = ({ port }: Program, ca: string): Promise<X509Certificate> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: port ?? 0, ca, servername: SERVER_NAME }, () => {
      const shown = socket.getPeerX509Certificate();
      socket.destroy();
      if (shown) resolve(shown);
      else reject(new Error('no certificate'));
    });
    socket.once('error', reject);
  });

let serial = 0;

/** A create with its Secret, a change of the spec, and a read by way of the conversion. @throws what failed */
async function useOnce(): Promise<void> {
  const name = `es-${serial++}`;
  const { status, body, warnings } = await cluster.attempt(externalSecret(WHERE, name));
  assert.equal(status, 201, body.message ?? 'no message');
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    await cluster.values(WHERE, name),
    { password: 'hunter2' },
    'the Secret is there at return',
  );
  await cluster.patch('ExternalSecret', WHERE, name, { spec: { refreshInterval: '2s' } });
  const old = `/apis/external-secrets.io/v1beta1/namespaces/${WHERE}/externalsecrets/${name}`;
  assert.equal((await bed.cp.request('GET', old)).status, 200);
}

/** Uses the product all the time until `work` is done, and connects anew to each replica beside that. */
async function during(replicas: readonly Program[], work: () => Promise<unknown>) {
  const failures: string[] = [];
  let [uses, handshakes, slowest, over] = [0, 0, 0, false];
  const loop = async (once: () => Promise<void>, pauseMs: number): Promise<void> => {
    while (!over) {
      const began = performance.now();
      await once().catch((error: unknown) =>
        failures.push(error instanceof Error ? error.message : 'failed'),
      );
      slowest = Math.max(slowest, performance.now() - began);
      await sleep(pauseMs);
    }
  };
  const use = async (): Promise<void> => {
    uses++;
    await useOnce();
  };
  const connectAnew = async (): Promise<void> => {
    // In this order: what was trusted when the connection was begun has to do.
    const trusted = await bundle();
    await Promise.all(replicas.map((replica) => handshake(replica, trusted)));
    handshakes += replicas.length;
  };
  const loops = [loop(use, 10), loop(use, 10), loop(connectAnew, 50)];
  try {
    await work();
    const enough = uses + 4;
    await eventually(() => uses >= enough, { timeout: 60_000, what: 'some more uses' });
  } finally {
    over = true;
    await Promise.all(loops);
  }
  return { failures, uses, handshakes, slowest };
}

const sum = async (metric: string, labels: Record<string, string>): Promise<number> => {
  const running = bed.product.webhooks.filter((replica) => replica.isRunning());
  const values = await Promise.all(running.map((replica) => replica.metric(metric, labels)));
  return values.reduce((total, value) => total + value, 0);
};
const EXPIRY = 'esa_certificate_expiry_timestamp_seconds';

describe('certificates of our own', { concurrency: false }, () => {
  const ROTATIONS = 3;

  test(`${ROTATIONS} rotations asked for with kubectl: no call and no handshake fails`, async (t) => {
    const replicas = bed.product.webhooks;
    const steps = (step: string) => sum('esa_certificate_rotations_total', { step });
    const generations = async (): Promise<number[]> =>
      (await Promise.all(CALLERS.map(readCaller))).map(({ metadata }) => metadata.generation);
    const before = await generations();
    const issuers = new Set<string>();
    const result = await during(replicas, async () => {
      for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
        // As docs/operating.md says.
        await bed.cp.kubectlOutput([
          ...['annotate', 'secret', 'external-secrets-admission-ca', '-n', SYSTEM, '--overwrite'],
          `external-secrets-admission.io/rotate=${Date.now()}`,
        ]);
        await eventually(async () => (await steps('drop')) === rotation, {
          timeout: 120_000,
          what: `the end of rotation ${rotation}`,
        });
        // The last write is the one that takes the old CA out of the bundles.
        const single = async () => (await bundle()).split('BEGIN CERTIFICATE').length === 2;
        await eventually(single, { timeout: 20_000, what: 'a bundle of one' });
        const shown = await Promise.all(replicas.map(async (one) => handshake(one, await bundle())));
        for (const { issuer } of shown) issuers.add(issuer);
      }
    });
    assert.deepEqual(result.failures, []);
    assert.equal(issuers.size, ROTATIONS, 'both replicas were on the same CA after each');
    t.diagnostic(JSON.stringify(result));
    assert.equal(await steps('introduce'), ROTATIONS);
    assert.equal(await steps('switch'), ROTATIONS);
    // An API server rebuilds the storage of a kind when its CRD changes: that is not to happen more often.
    const expected = before.map((generation) => generation + 2 * ROTATIONS);
    const written = async () => assert.deepEqual(await generations(), expected) === undefined;
    await eventually(written, { timeout: 30_000, what: 'two writes a rotation into each caller, no more' });
    assert.equal(await sum('esa_certificate_injections_total', { cause: 'damage' }), 0);
    for (const replica of replicas) {
      const left = async (certificate: string) =>
        (await replica.metric(EXPIRY, { certificate })) - Date.now() / 1000;
      const hour = await left('serving');
      assert.ok(hour > 3000 && hour <= 3600, `--leaf-lifetime 1h, ${hour} s left`);
      assert.ok((await left('ca')) > 364 * 86_400);
    }
  });

  test('everything applied anew as the manifests have it, without CA and path: served again within 10 s', async () => {
    const manifests = productManifests({ webhookPort: bed.product.balancer?.port ?? 0 }).filter(({ kind }) =>
      /WebhookConfiguration|CustomResourceDefinition/.test(kind),
    );
    const ours = manifests.filter(
      ({ webhooks, spec }) => webhooks !== undefined || spec?.conversion?.webhook !== undefined,
    );
    assert.equal(ours.length, CALLERS.length);
    const before = await sum('esa_certificate_injections_total', { cause: 'damage' });
    for (const manifest of ours) {
      const replace = () => bed.cp.kubectlOutput(['replace', '-f', '-'], { stdin: manifestText([manifest]) });
      // The API server writes the status of CRDs; kubectl does not try a second time.
      await eventually(replace, { timeout: 30_000, what: `kubectl replace of ${manifest.metadata.name}` });
    }
    const isRepaired = async (): Promise<boolean> => {
      const callers = await Promise.all(CALLERS.map(readCaller));
      return callers.flatMap(clientConfigs).every(({ caBundle, service }) => caBundle && service?.path);
    };
    await eventually(isRepaired, { timeout: 10_000, what: 'CA and path in all of them' });
    await eventually(async () => (await useOnce()) === undefined, { what: 'a use of it all' });
    const repairs = (await sum('esa_certificate_injections_total', { cause: 'damage' })) - before;
    assert.equal(repairs, CALLERS.length);
  });
});

/** cert-manager's part, as far as it concerns the webhook: CA, certificate, Secret, and injection of its CA. */
class CertManager {
  readonly directory = temporaryDirectory('certificate');
  readonly #authority: KeyAndCertificate;
  readonly #over = new AbortController();
  #versions = 0;
  #injecting: Promise<void> | undefined;

  private constructor(authority: KeyAndCertificate) {
    this.#authority = authority;
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, join(this.directory, name));
  }

  static async start(): Promise<CertManager> {
    const manager = new CertManager(await buildAuthority(Date.now(), 86_400_000));
    await manager.renew();
    manager.#injecting = manager.#inject();
    return manager;
  }

  get flags(): string[] {
    const file = (name: string): string => join(this.directory, name);
    return ['--tls-cert-file', file('tls.crt'), '--tls-private-key-file', file('tls.key')];
  }

  /** A new certificate for the Service. @returns its serial number */
  async renew(): Promise<string> {
    const leaf = await buildLeaf(
      this.#authority,
      [`${SERVICE}.${SYSTEM}`, SERVER_NAME],
      Date.now(),
      3_600_000,
    );
    this.mount(leaf);
    return new X509Certificate(leaf.cert).serialNumber;
  }

  /** As kubelet does: files in a new directory, to which the link `..data` is turned by a rename. */
  mount({ cert, key }: KeyAndCertificate): void {
    const data = `..${this.#versions++}`;
    mkdirSync(join(this.directory, data));
    writeFileSync(join(this.directory, data, 'tls.crt'), cert);
    writeFileSync(join(this.directory, data, 'tls.key'), key);
    symlinkSync(data, join(this.directory, '..data_tmp'));
    renameSync(join(this.directory, '..data_tmp'), join(this.directory, '..data'));
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#injecting;
  }

  /** cainjector: writes the whole object, with the CA in each clientConfig, where the annotation asks for it. */
  async #inject(): Promise<void> {
    const caBundle = Buffer.from(this.#authority.cert).toString('base64');
    while (!this.#over.signal.aborted) {
      for (const caller of CALLERS) {
        const object = await readCaller(caller);
        if (!object.metadata.annotations?.['cert-manager.io/inject-ca-from']) continue;
        const stale = clientConfigs(object).filter((config) => config.caBundle !== caBundle);
        if (stale.length === 0) continue;
        for (const config of stale) config.caBundle = caBundle;
        await bed.cp.request('PUT', pathOf(caller), object);
      }
      await sleep(200);
    }
  }
}

describe('certificates of cert-manager', { concurrency: false }, () => {
  let certManager: CertManager;
  let replicas: Program[];

  before(async () => {
    await Promise.all(bed.product.webhooks.map((replica) => replica.stop()));
    // As docs/operating.md says.
    await bed.cp.kubectlOutput([
      'annotate',
      ...CALLERS,
      `cert-manager.io/inject-ca-from=${SYSTEM}/${SERVICE}`,
    ]);
    certManager = await CertManager.start();
    // Both at once are not waited for one by one: a replica is ready when the callers trust it.
    replicas = [];
    for (let i = 0; i < 2; i++) replicas.push(await bed.product.startWebhook(certManager.flags));
  });
  after(() => certManager.stop());

  test('renewals, and files that cannot be used: no call and no handshake fails', async () => {
    const unusable = () => sum('esa_certificate_files_unusable', {});
    const shown = async (): Promise<string[]> => {
      const ca = await bundle();
      return Promise.all(replicas.map(async (replica) => (await handshake(replica, ca)).serialNumber));
    };
    const result = await during(replicas, async () => {
      for (let renewal = 0; renewal < 2; renewal++) {
        const serialNumber = await certManager.renew();
        await eventually(async () => (await shown()).every((one) => one === serialNumber), {
          timeout: 30_000,
          what: 'the renewed certificate is served by both',
        });
      }
      const before = await shown();
      const other = await buildAuthority(Date.now(), 3_600_000);
      const leaf = await buildLeaf(other, [SERVER_NAME], Date.now(), 3_600_000);
      certManager.mount({ cert: leaf.cert, key: other.key });
      await eventually(async () => (await unusable()) === 2, { timeout: 30_000, what: 'an alarm of both' });
      assert.deepEqual(await shown(), before);
      const serialNumber = await certManager.renew();
      await eventually(async () => (await unusable()) === 0, { timeout: 30_000, what: 'no alarm' });
      await eventually(async () => (await shown()).every((one) => one === serialNumber));
    });
    assert.deepEqual(result.failures, []);
    assert.equal(await sum(EXPIRY, { certificate: 'ca' }), 0, 'the CA is not ours');
  });

  test('the path is still ours, the CA is not, whatever becomes of it', async () => {
    const [validating = ''] = CALLERS;
    const [config] = clientConfigs(await readCaller(validating));
    const patch = [
      { op: 'replace', path: '/webhooks/0/clientConfig/service/path', value: '/elsewhere' },
      { op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: '' },
    ];
    const headers = { 'content-type': 'application/json-patch+json' };
    assert.equal((await bed.cp.request('PATCH', pathOf(validating), patch, headers)).status, 200);
    await eventually(
      async () => {
        const [now] = clientConfigs(await readCaller(validating));
        assert.deepEqual(now, config);
        return true;
      },
      { what: 'as it was: the path by us, the CA by its injector' },
    );
    await eventually(async () => (await useOnce()) === undefined, { what: 'a use of it all' });
  });
});
