/**
 * What is refused, word for word as kubectl prints it: one golden file a malformed manifest, and one for all
 * of them in one apply. UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ANNOTATION_CONVERSION, FINALIZER_ESO } from '../../api/external-secrets/names.ts';
import { isKes } from '../../api/kubernetes-client/names.ts';
import { formatFieldPath } from '../../api/problem.ts';
import { ObjectJudge } from '../../cli/judge-object.ts';
import { Random } from '../fuzz/random.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import type { CommandResult } from '../harness/command.ts';
import { eventually } from '../harness/eventually.ts';
import { readTables } from '../rules/tables.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { kubectlIn, warningsIn } from './support/kubectl.ts';
import { mutate } from './support/mutations.ts';
import { TABLES_NAMESPACE, testRuleTables } from './support/rule-tables.ts';
import { externalSecret, namespace, prepare } from './support/vault.ts';

const DIRECTORY = join(import.meta.dirname, 'refusals');
const NAMESPACE = 'refusals';
const MAX_WARNING = 120;
const V1ALPHA1 = 'externalsecrets.v1alpha1.external-secrets.io';
const VALIDATING =
  '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/external-secrets-admission';

const manifests = readdirSync(DIRECTORY).filter((file) => file.endsWith('.yaml'));
let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({ product: { poller: false } });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, NAMESPACE);
});
after(() => bed.stop());

const kubectl = (...args: string[]): Promise<CommandResult> =>
  kubectlIn(bed.cp, DIRECTORY, ['-n', NAMESPACE, ...args]);

/** Nothing of it is random: no port, no path, no time. */
async function compareWithGolden(name: string, args: readonly string[]): Promise<CommandResult> {
  const result = await kubectl(...args);
  const text = `$ kubectl ${args.join(' ')}\n${result.stdout}${result.stderr}exit code ${result.code}\n`;
  const file = join(DIRECTORY, `${name}.golden.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
  return result;
}

describe('a malformed manifest is refused in these words', () => {
  for (const file of manifests) {
    const name = file.replace(/\.yaml$/, '');
    test(name.replaceAll('-', ' '), async () => {
      const { code, stdout } = await compareWithGolden(name, ['apply', '-f', file]);
      assert.equal(code, 1);
      assert.equal(stdout, '');
    });
  }

  test('all of them in one apply', async () => {
    const { stdout, stderr } = await compareWithGolden('all', ['apply', '-f', '.']);
    assert.equal(stdout, '');
    const refused = stderr.match(/^Error from server \(\w+\): error when creating "[^"]+"/gm) ?? [];
    assert.equal(refused.length, manifests.length);
  });

  test('nothing of it was stored, and no Secret made', async () => {
    const { stdout } = await kubectl('get', 'externalsecrets,clustersecretstores', '-o', 'name');
    assert.equal(stdout, '');
    assert.equal((await kubectl('get', 'secretstores', '-o', 'name')).stdout.trim().split('\n').length, 1);
    assert.equal((await kubectl('get', 'secrets', '-o', 'name')).stdout, 'secret/vault-token\n');
  });

  const file = 'no-store.yaml';
  for (const command of [
    ['create', '-f', file],
    ['apply', '--server-side', '-f', file],
    ['apply', '--dry-run=server', '-f', file],
  ]) {
    test(`kubectl ${command.slice(0, -2).join(' ')} prints the same`, async () => {
      const golden = readFileSync(join(DIRECTORY, 'no-store.golden.txt'), 'utf8');
      const { code, stderr } = await kubectl(...command);
      assert.equal(code, 1);
      assert.ok(golden.includes(stderr), stderr);
    });
  }

  test('without strict validation a misspelt provider is a warning, and what is left is refused', async () => {
    const { code, stderr } = await kubectl(
      ...['apply', '--validate=warn', '-f', 'S83-store-unknown-provider.yaml'],
    );
    assert.equal(code, 1);
    assert.deepEqual(warningsIn(stderr), ['unknown field "spec.provider.vaullt"']);
    assert.match(stderr, /spec\.provider: /);
  });

  test('a field that does nothing here is admitted with a word about it', async () => {
    const metadata = { name: 'aws', namespace: NAMESPACE };
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: { id: 'a', secret: 'b' },
    });
    const key = (name: string): object => ({ name: 'aws', key: name });
    const store = {
      apiVersion: 'external-secrets.io/v1',
      kind: 'SecretStore',
      metadata: { name: 'pushes', namespace: NAMESPACE },
      spec: {
        provider: {
          aws: {
            service: 'SecretsManager',
            region: 'eu-central-1',
            auth: { secretRef: { accessKeyIDSecretRef: key('id'), secretAccessKeySecretRef: key('secret') } },
            secretsManager: { recoveryWindowInDays: 7 },
          },
        },
      },
    };
    const { code, stderr } = await bed.cp.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(store) });
    assert.equal(code, 0, stderr);
    assert.deepEqual(warningsIn(stderr), [
      'spec.provider.aws.secretsManager: only pushing secrets uses this, which is not done here; it changes nothing',
    ]);
  });

  test('a sound object in the same apply is stored', async () => {
    const items = [
      externalSecret(NAMESPACE, 'unsound', { refreshInterval: 'often' }),
      externalSecret(NAMESPACE, 'sound'),
    ];
    const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    const { code, stdout, stderr } = await bed.cp.kubectl(['apply', '-f', '-'], { stdin });
    assert.equal(code, 1);
    assert.equal(stdout, 'externalsecret.external-secrets.io/sound created\n');
    assert.match(stderr, /^The ExternalSecret "unsound" is invalid: spec\.refreshInterval: /);
    assert.deepEqual(await cluster.values(NAMESPACE, 'sound'), { password: 'hunter2' });
  });
});

describe('the tables of rules (test/rules) on the real API server', () => {
  // What else the tables ask needs policies or another caller (policies.test.ts, admission-deferred.test.ts) or --kes
  // (kes.test.ts).
  const cases = readTables().filter(({ judge, manifest }) => judge === 'object' && !isKes(manifest));
  before(() => cluster.create(namespace(TABLES_NAMESPACE)));
  testRuleTables(() => cluster, cases);
});

/** Puts an object there that today's rules refuse, as an earlier version of the rules may have left it. */
async function createUnvalidated(...objects: readonly ReturnType<typeof externalSecret>[]): Promise<void> {
  interface Configuration {
    metadata: { name: string };
    webhooks: { clientConfig: { caBundle?: string; service: { path?: string } } }[];
  }
  const { body } = await bed.cp.request<Configuration>('GET', VALIDATING);
  await bed.cp.request('DELETE', VALIDATING);
  for (const object of objects) {
    // The API server learns by a watch that the configuration is gone.
    await eventually(async () => (await cluster.attempt(object)).status === 201);
  }
  // As the manifest has it: what the webhook injects, it has to inject again.
  for (const { clientConfig } of body.webhooks) {
    delete clientConfig.caBundle;
    delete clientConfig.service.path;
  }
  const { status } = await bed.cp.request('POST', VALIDATING.slice(0, VALIDATING.lastIndexOf('/')), {
    ...body,
    metadata: { name: body.metadata.name },
  });
  assert.equal(status, 201);
  const probe = externalSecret(NAMESPACE, 'probe', { refreshInterval: 'never' });
  await eventually(async () => (await cluster.attempt(probe)).status === 422, {
    timeout: 30_000,
    what: 'the validating hook in force again',
  });
}

const reviews = (): Promise<number> =>
  bed.product.webhook.metric('esa_admission_reviews_total', { hook: 'validate' });

describe("an object that today's rules refuse", () => {
  const bad = { refreshInterval: 'old' };

  before(async () => {
    const finalizers = [FINALIZER_ESO, 'example.com/hold'];
    await createUnvalidated(
      externalSecret(NAMESPACE, 'old-spec', bad),
      externalSecret(NAMESPACE, 'old-metadata', bad, { finalizers }),
    );
  });

  test('keeps its old problem as a warning when something else changes', async () => {
    const change = JSON.stringify({ spec: { data: [{ secretKey: 'other', remoteRef: { key: 'app' } }] } });
    const { code, stdout, stderr } = await kubectl('patch', 'es', 'old-spec', '--type=merge', '-p', change);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'externalsecret.external-secrets.io/old-spec patched\n');
    assert.deepEqual(warningsIn(stderr), [
      'spec.refreshInterval: "old" is not a duration; write it like 30s, 5m or 1h30m (0 fetches once)',
    ]);
  });

  test('is refused a new problem, and only that is named', async () => {
    const change = JSON.stringify({
      spec: { target: { manifest: { apiVersion: 'v1', kind: 'ConfigMap' } } },
    });
    const { code, stderr } = await kubectl('patch', 'es', 'old-spec', '--type=merge', '-p', change);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      'The ExternalSecret "old-spec" is invalid: spec.target.manifest: a target other than a Secret is not supported; leave manifest out\n',
    );
  });

  test('is refused another form of the old problem', async () => {
    const { code, stderr } = await kubectl(
      ...['patch', 'es', 'old-spec', '--type=merge', '-p', '{"spec":{"refreshInterval":"older"}}'],
    );
    assert.equal(code, 1);
    assert.match(stderr, /spec\.refreshInterval: "older" is not a duration/);
  });

  test('is mended without a warning', async () => {
    const { code, stderr } = await kubectl(
      ...['patch', 'es', 'old-spec', '--type=merge', '-p', '{"spec":{"refreshInterval":"1h"}}'],
    );
    assert.equal(code, 0);
    assert.equal(stderr, '');
  });

  test('can be labelled, annotated, given a status, released and deleted, and the hook is asked about labels alone', async () => {
    const quietly = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await kubectl(...args);
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
      assert.equal(stderr, '');
    };
    const merge = (patch: object): string[] => ['--type=merge', '-p', JSON.stringify(patch)];
    // Policies may be about labels.
    const before = await reviews();
    await quietly('label', 'es', 'old-metadata', 'team=shop');
    const asked = await reviews();
    assert.equal(asked, before + 1);
    await quietly('annotate', 'es', 'old-metadata', 'force-sync=1');
    await quietly('annotate', `${V1ALPHA1}/old-metadata`, 'force-sync=2', '--overwrite');
    const status = { conditions: [{ type: 'Ready', status: 'False', reason: 'SecretSyncedError' }] };
    await quietly('patch', 'es', 'old-metadata', '--subresource=status', ...merge({ status }));
    await quietly(
      'patch',
      'es',
      'old-metadata',
      ...merge({ metadata: { finalizers: ['example.com/hold'] } }),
    );
    await quietly('delete', 'es', 'old-metadata', '--wait=false');
    // On its way out nobody has to mend it.
    await quietly('patch', 'es', 'old-metadata', ...merge({ spec: { refreshInterval: 'older' } }));
    await quietly('patch', 'es', 'old-metadata', ...merge({ metadata: { finalizers: null } }));
    assert.equal(await cluster.find('ExternalSecret', NAMESPACE, 'old-metadata'), undefined);
    assert.equal(await reviews(), asked);
  });

  test('many old problems are many warnings of one short line each', async () => {
    const long = 'a'.repeat(200);
    await createUnvalidated(
      externalSecret(NAMESPACE, 'old-many', {
        refreshInterval: long,
        data: [1, 2, 3].map(() => ({ secretKey: long, remoteRef: { key: '' } })),
      }),
    );
    const { code, stderr } = await kubectl(
      ...['patch', 'es', 'old-many', '--type=merge', '-p', '{"spec":{"refreshPolicy":"Periodic"}}'],
    );
    assert.equal(code, 0);
    const warnings = warningsIn(stderr);
    assert.equal(warnings.length, 6);
    for (const warning of warnings) {
      assert.ok(warning.length <= MAX_WARNING, warning);
      assert.match(warning, /^spec\.\S+: /);
    }
  });
});

describe('what an older version parks in its annotation', () => {
  const NAME = 'parked';
  const annotate = (facts: object): Promise<CommandResult> =>
    kubectl(
      ...['annotate', `${V1ALPHA1}/${NAME}`, '--overwrite'],
      `${ANNOTATION_CONVERSION}=${JSON.stringify(facts)}`,
    );
  const policy = async (): Promise<string | undefined> =>
    (await cluster.get('ExternalSecret', NAMESPACE, NAME)).spec.refreshPolicy;

  before(async () => {
    await cluster.create(externalSecret(NAMESPACE, NAME, { refreshPolicy: 'Periodic' }));
  });

  test('is judged when it is edited there', async () => {
    const windows = [{ schedule: '@daily', duration: 'always' }];
    const { code, stderr } = await annotate({
      refreshPolicy: 'OnChange',
      syncWindows: { kind: 'deny', windows },
    });
    assert.equal(code, 1);
    const said = `The ExternalSecret "${NAME}" is invalid: metadata.annotations[${ANNOTATION_CONVERSION}]: "always" is not`;
    assert.equal(stderr.slice(0, said.length), said);
    assert.equal(await policy(), 'Periodic');
  });

  test('is judged by the schema of the newest version, too', async () => {
    const { code, stderr } = await annotate({ refreshPolicy: 'Sometimes' });
    assert.equal(code, 1);
    assert.match(stderr, /is invalid: /);
    assert.equal(await policy(), 'Periodic');
  });

  test('may be taken away', async () => {
    const { code, stderr } = await kubectl('annotate', `${V1ALPHA1}/${NAME}`, `${ANNOTATION_CONVERSION}-`);
    assert.equal(code, 0, stderr);
    assert.equal(await policy(), undefined);
  });

  test('means nothing on the newest version', async () => {
    const { code, stderr } = await kubectl(
      'annotate',
      'es',
      NAME,
      `${ANNOTATION_CONVERSION}={"refreshPolicy":"OnChange"}`,
    );
    assert.equal(code, 0, stderr);
    assert.equal(await policy(), undefined);
    assert.equal((await kubectl('get', `${V1ALPHA1}/${NAME}`, '-o', 'name')).code, 0);
  });
});

describe('esa lint', () => {
  const CASES = 240;
  const AT_ONCE = 8;
  const judge = new ObjectJudge(NAMESPACE);
  const random = new Random(6);
  const readAll = (file: string): Manifest[] =>
    parseAllDocuments(readFileSync(join(import.meta.dirname, file), 'utf8')).map(
      (document) => document.toJS() as Manifest,
    );
  const seeds = readdirSync(join(import.meta.dirname, 'seeds')).flatMap((file) => readAll(`seeds/${file}`));
  const rich = readAll('support/rich-manifests.yaml');

  const judged = (object: object) =>
    judge.judge({
      object: object as Record<string, unknown>,
      place: () => ({ file: '', line: 1, column: 1 }),
      repeated: () => [],
    });
  const bases = [...seeds, ...rich, ...rich].filter((object) => judged(object)?.problems.length === 0);

  /** Without brackets, dots and quotes, about which the layers of the API server do not agree. */
  const plain = (path: string): string => path.replaceAll(/[[\].]+/g, ' ').trim();

  /** How the two verdicts differ; undefined if they agree. */
  async function difference(object: Manifest): Promise<string | undefined> {
    // A hook that was too slow for the API server has no verdict.
    const { status, body } = await eventually(
      async () => {
        const answer = await cluster.attempt(object, { dryRun: 'All', fieldValidation: 'Strict' });
        return answer.status < 500 ? answer : undefined;
      },
      { timeout: 60_000, what: 'a verdict of the API server' },
    );
    assert.ok([201, 400, 422].includes(status), `${status} ${body.message}`);
    const problems = judged(object)?.problems ?? [];
    const fields = (body.details?.causes ?? []).map(({ field = '' }) => plain(field));
    const paths = problems.map(({ path }) => plain(formatFieldPath(path)));
    const isSaid = (field: string): boolean =>
      paths.some((path) => field.startsWith(path) || path.startsWith(field));
    const agree = problems.length > 0 === (status !== 201) && (fields.length === 0 || fields.some(isSaid));
    const said = problems.map(({ path, message }) => `${formatFieldPath(path)}: ${message}`).join('; ');
    return agree
      ? undefined
      : `${JSON.stringify(object)}\n  server: ${status} ${body.message}\n  lint: ${said}`;
  }

  test('agrees with the API server and the webhook on objects that are changed in one place', async () => {
    const differences: (string | undefined)[] = [];
    for (let done = 0; done < CASES; done += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, () => {
        const object = mutate(random.pick(bases), random) as Manifest;
        const { namespace: _own, ...metadata } = object.metadata;
        const isCluster = object.kind.startsWith('Cluster');
        return {
          ...object,
          metadata: { ...metadata, name: 'probe', ...(isCluster ? {} : { namespace: NAMESPACE }) },
        };
      });
      differences.push(...(await Promise.all(some.map(difference))));
    }
    assert.deepEqual(
      differences.filter((one) => one !== undefined),
      [],
    );
  });
});
