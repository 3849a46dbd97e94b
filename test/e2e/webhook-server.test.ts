/**
 * The webhook as a server: who may ask it, what it reads of a request, and two replicas of which one goes
 * while creates come in.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { Random } from '../fuzz/random.ts';
import { readCases } from '../fuzz/reviews/cases.ts';
import { ReviewGenerator } from '../fuzz/reviews/generator.ts';
import { Target } from '../fuzz/reviews/target.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import type { Program } from '../harness/product.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const WHERE = 'replicas';
const MUTATING =
  '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/zz-external-secrets-admission';

let bed: Bed;
let cluster: Cluster;
/** The path of the mutating hook, which only the API server is told. */
let path: string;

before(async () => {
  bed = await startBed({ product: { poller: false, balancer: true, webhookArgs: ['--lame-duck', '2s'] } });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, WHERE);
  type Configuration = { webhooks: { clientConfig: { service: { path: string } } }[] };
  const { body } = await bed.cp.request<Configuration>('GET', MUTATING);
  path = body.webhooks[0]?.clientConfig.service.path ?? '';
  assert.match(path, /^\/mutate\/[\w-]{32,}$/);
});
after(() => bed.stop());

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Undefined: the headers go out, and no byte after them. */
  readonly body?: string | Buffer;
}

/** One request to the first replica, without a client certificate, as anybody in the network could send it. */
function call({
  method = 'POST',
  path: where,
  headers = {},
  body,
}: Call): Promise<{ status: number; text: string; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: bed.product.webhook.port,
        method,
        path: where,
        headers,
        rejectUnauthorized: false,
        agent: false,
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.once('end', () => {
          resolve({ status: answer.statusCode ?? 0, text, connection: answer.headers.connection });
          sent.destroy();
        });
      },
    );
    sent.once('error', reject);
    sent.setTimeout(5_000, () => sent.destroy(new Error('no answer within 5 s')));
    if (body === undefined && method === 'POST') sent.flushHeaders();
    else sent.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const review = (object: object, user = 'admin'): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group: 'external-secrets.io', version: 'v1', kind: 'ExternalSecret' },
      operation: 'CREATE',
      namespace: WHERE,
      userInfo: { username: user, groups: ['system:authenticated'] },
      object,
    },
  });

describe('a caller that is not the API server', () => {
  test('without the token in the path gets 404 before a byte of the body is read', async () => {
    const announced = { ...json, 'content-length': 6_000_000 };
    for (const wrong of [
      '/',
      '/mutate',
      '/mutate/',
      `${path}x`,
      path.slice(0, -1),
      path.replace('mutate', 'validate'),
      path.toUpperCase(),
    ]) {
      const { status, text, connection } = await call({ path: wrong, headers: announced });
      assert.equal(status, 404, wrong);
      assert.equal(connection, 'close');
      assert.equal(text, '{"error":"not found"}');
    }
  });

  test('gets an answer to a target that is no path, and leaves no error in the log', async () => {
    for (const wrong of ['http://[::1', 'http://a:99999/x', '//', '/%', '*', `http://a${path}`])
      assert.ok((await call({ path: wrong, headers: json, body: '{}' })).status < 500, wrong);
    assert.doesNotMatch(readFileSync(bed.product.webhook.log, 'utf8'), /"level":"error"/);
  });

  test('gets 404 for another method, too', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) assert.equal((await call({ method, path })).status, 404);
  });

  test('with it is refused what is too large, compressed, or no review', async () => {
    const large = await call({ path, headers: json, body: Buffer.alloc(8 * 1024 * 1024, 'x') });
    assert.equal(large.status, 413);
    const compressed = await call({
      path,
      headers: { ...json, 'content-encoding': 'gzip' },
      body: gzipSync('{}'),
    });
    assert.equal(compressed.status, 415);
    assert.equal((await call({ path, headers: json, body: 'not JSON' })).status, 400);
    assert.equal((await call({ path, headers: json, body: '{"kind":"AdmissionReview"}' })).status, 400);
  });

  test('and a user of its choice still makes no Secret that this user could not have had', async () => {
    const { status, text } = await call({
      path,
      headers: json,
      body: review(externalSecret(WHERE, 'stolen'), 'nobody'),
    });
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(text), {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u-1', allowed: true, auditAnnotations: { outcome: 'skipped-caller-may-not-create' } },
    });
    assert.equal(await cluster.find('Secret', WHERE, 'stolen'), undefined);
  });
});

describe('reviews that no API server sends', () => {
  /** Of the generator, in each run the same. */
  const REVIEWS = 300;
  const AT_ONCE = 12;
  let target: Target;
  before(async () => {
    target = await Target.prepare(bed);
  });
  after(() => target.close());

  for (const { name, case: one } of readCases()) {
    test(`are answered as they have to be: ${name}`, async () => {
      assert.equal(await target.faultOf(one), undefined);
      assert.equal(target.damage(), undefined);
    });
  }

  test(`${REVIEWS} random and mutated ones are answered, and nothing breaks`, async () => {
    const generator = new ReviewGenerator(new Random(6));
    const reviews = Array.from({ length: REVIEWS }, () => generator.next());
    const faults: string[] = [];
    const ask = async (): Promise<void> => {
      for (let one = reviews.pop(); one !== undefined; one = reviews.pop()) {
        const fault = await target.faultOf(one);
        if (fault !== undefined) faults.push(`${fault}: ${JSON.stringify(one).slice(0, 2000)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
    assert.deepEqual(faults, []);
    assert.equal(target.damage(), undefined);
  });
});

describe('two replicas', () => {
  const CREATES = 40;
  let second: Program;

  /** @returns the names of those whose create failed, warned, or left no Secret */
  async function createAll(prefix: string, during: () => Promise<void> = async () => {}): Promise<string[]> {
    const bad: string[] = [];
    const one = async (index: number): Promise<void> => {
      const name = `${prefix}-${index}`;
      const { status, warnings, body } = await cluster.attempt(externalSecret(WHERE, name));
      const values = await cluster.values(WHERE, name);
      if (status !== 201 || warnings.length > 0 || values?.['password'] !== 'hunter2') {
        bad.push(`${name}: ${status} ${body.message ?? ''} ${warnings.join()}`);
      }
    };
    await Promise.all([...Array.from({ length: CREATES }, (_, index) => one(index)), during()]);
    return bad;
  }
  const created = (program: Program): Promise<number> =>
    program.metric('esa_materialize_total', { outcome: 'created' });

  before(async () => {
    second = await bed.product.startWebhook();
  });

  test(`${CREATES} creates at once are all materialised, by both`, async () => {
    const before = await Promise.all([created(bed.product.webhook), created(second)]);
    assert.deepEqual(await createAll('both'), []);
    const after = await Promise.all([created(bed.product.webhook), created(second)]);
    const shares = after.map((count, index) => count - (before[index] ?? 0));
    assert.equal(
      shares.reduce((sum, share) => sum + share, 0),
      CREATES,
    );
    assert.ok(
      shares.every((share) => share > 0),
      `shares ${shares.join(', ')}`,
    );
  });

  test('one is stopped while creates come in: none of them fails, all are materialised', async () => {
    // As the API server opens them ahead of need; nothing will ever be asked over it.
    const { port = 0 } = bed.product.webhook;
    const unused = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(unused, 'secureConnect');
    const began = performance.now();
    let stopped = false;
    const stopping = bed.product.webhook.stop().then(() => {
      stopped = true;
    });
    const bad: string[] = [];
    for (let wave = 0; !stopped; wave += 1) {
      bad.push(...(await createAll(`going-${wave}`)));
      await sleep(50);
    }
    await stopping;
    unused.destroy();
    assert.deepEqual(bad, []);
    assert.ok(performance.now() - began < 5_000, 'an unused connection does not hold it up');
    assert.deepEqual(await createAll('gone'), []);
  });
});
