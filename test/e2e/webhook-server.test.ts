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
import { eventually } from '../harness/eventually.ts';
import type { Program } from '../harness/product.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const WHERE = 'replicas';
const MUTATING =
  '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/zz-external-secrets-admission';

const VALIDATING =
  '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/external-secrets-admission';

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
    sent.setTimeout(60_000, () => sent.destroy(new Error('no answer within 60 s')));
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

describe('hazard 2.12 a caller that is not the API server', () => {
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

describe('a review that is hostile gets a well-formed answer', () => {
  let validatePath: string;
  before(async () => {
    type Configuration = { webhooks: { clientConfig: { service: { path: string } } }[] };
    const { body } = await bed.cp.request<Configuration>('GET', VALIDATING);
    validatePath = body.webhooks[0]?.clientConfig.service.path ?? '';
    assert.match(validatePath, /^\/validate\/[\w-]{32,}$/);
  });

  interface Reviewed {
    readonly allowed: boolean;
    readonly warnings?: readonly string[];
    readonly status?: { readonly code: number; readonly message: string };
  }
  const groupOf = (kind: string): string =>
    kind === 'Grafana' ? 'generators.external-secrets.io' : 'external-secrets.io';
  const objectOf = (kind: string, spec: string): string =>
    `{"apiVersion":"${groupOf(kind)}/v1","kind":"${kind}","metadata":{"name":"a"},"spec":${spec}}`;
  /** Posts it as it stands. @param request members of the request, as JSON text */
  async function ask(kind: string, request: string): Promise<Reviewed> {
    const group = groupOf(kind);
    const body = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","namespace":"${WHERE}","kind":{"group":"${group}","version":"v1","kind":"${kind}"},${request}}}`;
    const { status, text } = await call({ path: validatePath, headers: json, body });
    assert.equal(status, 200, text);
    const { response } = JSON.parse(text) as { response: Reviewed & { uid: string } };
    assert.equal(response.uid, 'u-1');
    return response;
  }
  const creates = (kind: string, spec: string): Promise<Reviewed> =>
    ask(kind, `"operation":"CREATE","object":${objectOf(kind, spec)}`);
  const es = (more: string): string =>
    `{"secretStoreRef":{"name":"s"},"data":[{"secretKey":"a","remoteRef":{"key":"k"}}]${more}}`;
  const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

  test('nested a thousand deep is judged, in whatever field', async () => {
    const store = await creates('SecretStore', `{"provider":{"gitlab":${nested(1_000)}}}`);
    assert.match(store.status?.message ?? '', /provider gitlab is not supported yet/);
    const generator = await creates('Grafana', nested(1_000));
    assert.equal(generator.allowed, true);
    assert.match(generator.warnings?.[0] ?? '', /generator kind Grafana is not supported yet/);
    const misplaced = await creates('ExternalSecret', es(`,"refreshInterval":${nested(1_000)}`));
    assert.match(misplaced.status?.message ?? '', /spec\.refreshInterval: must be of type string/);
    assert.match((await creates('SecretStore', nested(1_000))).status?.message ?? '', /spec\.provider: /);
  });

  test('nested deeper than anybody can follow is refused, and the next one served', async () => {
    const deep = objectOf('Grafana', nested(9_900));
    const update = await ask('Grafana', `"operation":"UPDATE","object":${deep},"oldObject":${deep}`);
    assert.equal(update.status?.code, 400);
    assert.match(update.status?.message ?? '', /nests deeper than/);
    for (const body of ['['.repeat(3_000_000), nested(500_000)]) {
      const { status, text } = await call({ path: validatePath, headers: json, body });
      assert.equal(status, 400, text);
    }
    assert.equal((await creates('ExternalSecret', es(''))).allowed, true);
  });

  test('lone surrogates and NUL are characters like others', async () => {
    for (const character of ['\\ud800', '\\udfff', '\\u0000']) {
      const odd = await creates(
        'ExternalSecret',
        `{"secretStoreRef":{"name":"s"},"refreshInterval":"${character}","data":[{"secretKey":"${character}","remoteRef":{"key":"${character}"}}]}`,
      );
      assert.equal(odd.status?.code, 422);
      assert.match(odd.status?.message ?? '', /spec\.data\[0\]\.secretKey: /);
      const templates = `"target":{"template":{"data":{"${character}":"{{ ${character} }}","b":"${character}"}}}`;
      assert.equal((await creates('ExternalSecret', es(`,${templates}`))).status?.code, 422);
      const find = `"dataFrom":[{"find":{"name":{"regexp":"${character}("}}}]`;
      assert.match(
        (await creates('ExternalSecret', es(`,${find}`))).status?.message ?? '',
        /find\.name\.regexp: must be a regular expression/,
      );
      const server = await creates('SecretStore', `{"provider":{"vault":{"server":"https://${character}"}}}`);
      assert.equal(server.status?.code, 422);
    }
  });

  test('of a member that stands there twice the last one counts', async () => {
    const both = (first: string, second: string): Promise<Reviewed> =>
      creates('ExternalSecret', es(`,"refreshInterval":"${first}","refreshInterval":"${second}"`));
    assert.equal((await both('often', '1h')).allowed, true);
    assert.equal((await both('1h', 'often')).allowed, false);
  });

  test('__proto__ and constructor are members like others, and lend nothing', async () => {
    const inherited = await creates('ExternalSecret', `{"__proto__":${es('')}}`);
    assert.match(inherited.status?.message ?? '', /__proto__/);
    for (const member of ['__proto__', 'constructor', 'toString']) {
      assert.equal((await creates('ExternalSecret', es(`,"${member}":{"a":1}`))).allowed, false);
      assert.equal((await creates('SecretStore', `{"provider":{"${member}":{}}}`)).allowed, false);
      const template = await creates(
        'ExternalSecret',
        es(`,"target":{"template":{"data":{"${member}":"{{ nope }}"}}}`),
      );
      assert.equal(template.allowed, false, member);
    }
    assert.equal((await creates('constructor', '{}')).allowed, true);
  });

  test('10,000 mistakes are 100 lines and a number', async () => {
    const entries = Array.from({ length: 10_000 }, () => '{"secretKey":"a","remoteRef":{"key":""}}');
    const spec = `{"secretStoreRef":{"name":"s"},"data":[${entries.join()}]}`;
    const { status } = await creates('ExternalSecret', spec);
    assert.match(status?.message ?? '', /\n\* \.\.\. and 19899 more$/);
    assert.equal((status?.message ?? '').split('\n* ').length, 102);
    const object = objectOf('ExternalSecret', spec);
    const again = await ask(
      'ExternalSecret',
      `"operation":"UPDATE","object":${object},"oldObject":${object}`,
    );
    assert.equal(again.allowed, true);
  });
});

describe('through the API server', () => {
  const dryRun = { dryRun: 'All', fieldValidation: 'Strict' };

  test('several mistakes in one object are all said, each with its field', async () => {
    const { status, body } = await cluster.attempt(
      externalSecret(WHERE, 'mistakes', {
        refreshInterval: 'often',
        target: {
          manifest: { apiVersion: 'v1', kind: 'ConfigMap' },
          template: { data: { a: '{{ nope }}' } },
        },
        data: [
          { secretKey: 'a', remoteRef: { key: '' } },
          { secretKey: 'a', remoteRef: { key: 'k' } },
        ],
        dataFrom: [{ find: { name: { regexp: '(' } } }],
      }),
      dryRun,
    );
    assert.equal(status, 422);
    const { details } = body as { details?: { causes: readonly { field: string; message: string }[] } };
    const fields = [
      'spec.dataFrom[0].find.name.regexp',
      'spec.data[0].remoteRef.key',
      'spec.data[1].secretKey',
      'spec.refreshInterval',
      'spec.target.manifest',
      'spec.target.template.data.a',
    ];
    assert.deepEqual(details?.causes.map(({ field }) => field).toSorted(), fields);
    for (const field of fields) assert.ok(body.message?.includes(`\n* ${field}: `), field);
    assert.ok((await bed.product.webhook.metric('esa_refusals_total', { rule: 'es-manifest' })) >= 1);
  });

  test('an object of nearly 3 MiB is judged; a larger one does not reach us', async () => {
    const sized = (bytes: number) =>
      externalSecret(WHERE, 'large', { target: { template: { data: { a: 'x'.repeat(bytes) } } } });
    assert.equal((await cluster.attempt(sized(3_100_000), dryRun)).status, 201);
    const unsound = sized(3_100_000);
    const late = { ...unsound, spec: { ...(unsound['spec'] as object), refreshInterval: 'often' } };
    assert.equal((await cluster.attempt(late, dryRun)).status, 422);
    assert.equal((await cluster.attempt(sized(3_200_000), dryRun)).status, 413);
  });

  test('10,000 entries and as many templates are judged in time', async () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `key-${index}`);
    const large = (template: (name: string) => string) =>
      externalSecret(WHERE, 'many', {
        data: names.map((secretKey) => ({ secretKey, remoteRef: { key: 'app' } })),
        target: {
          template: { data: Object.fromEntries(names.map((name) => [name, template(name)])) },
        },
      });
    const sound = large((name) => `{{ index . "${name}" }}`);
    const unsound = large(() => '{{ .nope }}');
    // The API server waits for 5 s, some of which a machine may spend on other things.
    const judged = (manifest: typeof sound, status: number) =>
      eventually(
        async () => {
          const answer = await cluster.attempt(manifest, dryRun);
          return answer.status === status && answer;
        },
        { timeout: 120_000, what: `a verdict of ${status}` },
      );
    assert.deepEqual((await judged(sound, 201)).warnings, []);
    assert.match((await judged(unsound, 422)).body.message ?? '', /and 9900 more$/);
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

  test('hazard 2.11 one is stopped while creates come in: none of them fails, all are materialised', async () => {
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
