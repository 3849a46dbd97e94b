import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { createdByHash } from '../api/go-hash.ts';
import { run } from './run.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'esa-render-'));
});
after(() => rm(directory, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function esa(args: readonly string[], input = ''): Promise<Result> {
  let out = '';
  let error = '';
  const code = await run(args, {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    readInput: async () => Buffer.from(input),
  });
  return { code, out, error };
}

const render = (text: string, values: string, ...more: string[]): Promise<Result> =>
  esa(['render', '-f', '-', '--values', values, ...more], text);

/** Of an object in JSON on standard output: its data as text. */
function dataOf({ out }: Result): Record<string, string> {
  const { data } = JSON.parse(out) as { data: Record<string, string> };
  return Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
  );
}

const es = (spec: string, version = 'v1'): string => `apiVersion: external-secrets.io/${version}
kind: ExternalSecret
metadata:
  name: app
  namespace: shop
  labels: {team: a}
spec:
  secretStoreRef: {name: vault}
${spec}`;

const DATA = `  data:
    - {secretKey: user, remoteRef: {key: app, property: user}}
    - {secretKey: password, remoteRef: {key: app, property: password}}
`;
const VALUES = '{"user": "ann", "password": "p@ss", "other": "x"}';

test('without a template: the keys of data, labels copied, markers as the engine writes them', async () => {
  const { code, out, error } = await render(es(DATA), VALUES);
  assert.equal(error, '');
  assert.equal(code, 0);
  assert.equal(
    out,
    `apiVersion: v1
data:
  password: cEBzcw==
  user: YW5u
kind: Secret
metadata:
  annotations:
    reconcile.external-secrets.io/data-hash: ${/data-hash: (\w+)/.exec(out)?.[1]}
  labels:
    reconcile.external-secrets.io/created-by: ${createdByHash('shop', 'app')}
    reconcile.external-secrets.io/managed: "true"
    team: a
  name: app
  namespace: shop
type: Opaque
`,
  );
});

const TEMPLATE = `  target:
    name: made
    creationPolicy: Orphan
    template:
      type: kubernetes.io/basic-auth
      metadata:
        labels: {user: '{{ .user }}'}
      data:
        url: 'pg://{{ .user }}:{{ .password | urlquery }}@db'
`;

test('templates render as in the engine; -o json prints the same object', async () => {
  const result = await render(es(DATA + TEMPLATE), VALUES, '-o', 'json');
  assert.equal(result.error, '');
  const { metadata, type } = JSON.parse(result.out);
  assert.deepEqual(dataOf(result), { url: 'pg://ann:p%40ss@db' });
  assert.equal(type, 'kubernetes.io/basic-auth');
  assert.equal(metadata.name, 'made');
  assert.deepEqual(metadata.labels, { 'reconcile.external-secrets.io/managed': 'true', user: 'ann' });
  assert.equal(metadata.ownerReferences, undefined);
});

test('older versions render to the same Secret', async () => {
  const v1 = await render(es(DATA + TEMPLATE), VALUES);
  const v1beta1 = await render(es(DATA + TEMPLATE, 'v1beta1'), VALUES);
  const v1alpha1 = await render(
    es(DATA + TEMPLATE.replace('template:', 'template:\n      engineVersion: v2'), 'v1alpha1'),
    VALUES,
  );
  assert.equal(v1beta1.out, v1.out);
  assert.equal(v1alpha1.out, v1.out);
});

test('with dataFrom all values are keys; namespace of objects that name none', async () => {
  const text = es('  dataFrom: [{extract: {key: app}}]\n').replace('  namespace: shop\n', '');
  const result = await render(text, '{"a": "1", "b": {"c": [true]}}', '-o', 'json', '-n', 'prod');
  assert.deepEqual(dataOf(result), { a: '1', b: '{"c":[true]}' });
  const { metadata } = JSON.parse(result.out);
  assert.equal(metadata.namespace, 'prod');
  assert.equal(metadata.labels['reconcile.external-secrets.io/created-by'], createdByHash('prod', 'app'));
});

const FROM = `  target:
    template:
      templateFrom:
        - configMap: {name: texts, items: [{key: app.ini}]}
        - secret: {name: hidden, items: [{key: more, templateAs: KeysAndValues}]}
`;
const TEXTS =
  'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: texts, namespace: shop}\ndata:\n  app.ini: user={{ .user }}\n';
const HIDDEN = `apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\ndata: {more: ${Buffer.from('x: y').toString('base64')}}\nstringData: {more: 'second: {{ .password }}'}\n`;

test('templateFrom is read from the file itself and from --template-from', async () => {
  const hidden = await file('hidden.yaml', HIDDEN);
  const result = await render(
    `${TEXTS}---\n${es(DATA + FROM)}`,
    VALUES,
    '--template-from',
    hidden,
    '-o',
    'json',
  );
  assert.equal(result.error, '');
  assert.deepEqual(dataOf(result), { 'app.ini': 'user=ann', second: 'p@ss' });
});

test('templateFrom that is nowhere: ESO says the same, with a word on where to put it', async () => {
  const { code, error } = await render(es(DATA + FROM), VALUES);
  assert.equal(code, 1);
  assert.match(error, /configmaps "texts" not found in namespace "shop" \(offline: give the file/);
  const other = TEXTS.replace('shop', 'elsewhere');
  assert.match(
    (await render(`${other}---\n${es(DATA + FROM)}`, VALUES)).error,
    /not found in namespace "shop"/,
  );
});

test('what is wrong is said as at admission, with the line of the file', async () => {
  const { code, out, error } = await render(es(DATA + TEMPLATE.replace('urlquery', 'urlqery')), VALUES);
  assert.equal(code, 1);
  assert.equal(out, '');
  assert.equal(
    error,
    `<stdin>:20: error: INVALID_OBJECT: spec.target.template.data.url: line 1, column 33: function "urlqery" not defined
    pg://{{ .user }}:{{ .password | urlqery }}@db
                                    ^^^^^^^
`,
  );
});

test('paths are those of the version that the file is written in', async () => {
  const { error } = await render(es('  dataFrom: [{key: app, version: 3}]\n', 'v1alpha1'), VALUES);
  assert.match(error, /<stdin>:9: error: INVALID_OBJECT: spec\.dataFrom\[0\]\.version: /);
});

test('a template that fails names its place and no value', async () => {
  const { code, error } = await render(es(DATA + TEMPLATE.replace('urlquery', 'fail')), VALUES);
  assert.equal(code, 1);
  assert.match(
    error,
    /TEMPLATE_EXEC: spec\.target\.template\.data\.url: unable to execute template at key url: /,
  );
  assert.doesNotMatch(error, /p@ss/);
});

test('one object that is wrong does not keep the others from being printed', async () => {
  const bad = es(DATA.replace('user}}', 'user}, sourceRef: {}}'));
  const { code, out, error } = await render(`${bad}---\n${es(DATA)}---\nkind: Pod\n`, VALUES);
  assert.equal(code, 1);
  assert.match(error, /INVALID_OBJECT: spec\.data\[0\]\.sourceRef/);
  assert.match(error, /note: Pod is passed over/);
  assert.match(out, /password: cEBzcw==/);
});

test('a value that data reads and --values lacks', async () => {
  const lacking = await render(es(DATA), '{"user": "ann"}');
  assert.equal(lacking.code, 1);
  assert.match(lacking.error, /PROVIDER_NOT_FOUND: --values has no "password"/);
  const deleting = await render(
    es(`${DATA}  target: {deletionPolicy: Delete}\n`),
    '{"user": "ann"}',
    '-o',
    'json',
  );
  assert.equal(deleting.code, 0);
  assert.match(deleting.error, /note: --values has no "password"/);
  assert.deepEqual(dataOf(deleting), { user: 'ann' });
});

test('metadata that the API server would refuse', async () => {
  const { error } = await render(
    es(DATA).replace('team: a', 'live: yes').replace('  name: app\n', '  generateName: a-\n'),
    VALUES,
  );
  assert.match(error, /metadata\.name: a name is needed/);
  assert.match(error, /:6: error: INVALID_OBJECT: metadata\.labels\.live: the value has to be a string/);
  assert.match(
    (await render(es(DATA, 'v3'), VALUES)).error,
    /INVALID_OBJECT: cannot convert apiVersion "external-secrets\.io\/v3"/,
  );
});

test('several ExternalSecrets give a document each', async () => {
  const two = `${es(DATA)}---\n${es(DATA).replace('name: app', 'name: other')}`;
  assert.equal((await render(two, VALUES)).out.split('---\n').length, 2);
});

test('a file without an ExternalSecret', async () => {
  const { code, error } = await render('kind: ExternalSecret\napiVersion: kubernetes-client.io/v1\n', VALUES);
  assert.equal(code, 1);
  assert.match(error, /there is no ExternalSecret of external-secrets\.io/);
});

test('calls that cannot be served end with 2, help with 0', async () => {
  const path = await file('es.yaml', es(DATA));
  for (const args of [
    ['render'],
    ['render', '-f', path],
    ['render', '-f', join(directory, 'none.yaml'), '--values', '{}'],
    ['render', '-f', path, '--values', '{'],
    ['render', '-f', path, '--values', '{}', '-o', 'xml'],
    ['render', '-f', path, '--values', '{}', '--nonsense'],
    ['nonsense'],
  ]) {
    const { code, error } = await esa(args);
    assert.equal(code, 2, args.join(' '));
    assert.match(error, /^error: /);
  }
  const help = await esa(['render', '--help']);
  assert.equal(help.code, 0);
  assert.match(help.out, /--template-from/);
  assert.equal((await esa(['--version'])).code, 0);
});

const execute = promisify(execFile);
const MAIN = join(import.meta.dirname, 'main.mjs');

test('the program itself: files, values from a file, exit codes', async () => {
  const path = await file('es.yaml', es(DATA));
  const values = await file('values.json', VALUES);
  const { stdout, stderr } = await execute(process.execPath, [
    MAIN,
    'render',
    '-f',
    path,
    '--values',
    `@${values}`,
  ]);
  assert.match(stdout, /^apiVersion: v1\ndata:\n {2}password: cEBzcw==\n/);
  assert.equal(stderr, '');
  await assert.rejects(execute(process.execPath, [MAIN, 'render', '-f', path, '--values', '{}']), {
    code: 1,
  });
  await assert.rejects(execute(process.execPath, [MAIN, 'render']), { code: 2 });
});

test('slow functions render in their thread', async () => {
  const template = TEMPLATE.replace('| urlquery', '| bcrypt');
  const result = await render(es(DATA + template), VALUES, '-o', 'json');
  assert.match(dataOf(result)['url'] ?? '', /^pg:\/\/ann:\$2a\$10\$.{53}@db$/);
});
