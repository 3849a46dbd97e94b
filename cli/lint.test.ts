import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { run } from './run.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'esa-lint-'));
});
after(() => rm(root, { recursive: true }));

let count = 0;
/** A directory with these files; of a document that is an object its JSON. */
async function directory(files: Readonly<Record<string, string | object>>): Promise<string> {
  const path = join(root, `d${count++}`);
  await mkdir(path);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return path;
}

interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function esa(
  args: readonly string[],
  input: string | Uint8Array = '',
  colours = false,
): Promise<Result> {
  let out = '';
  let error = '';
  const code = await run(args, {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    colours,
    readInput: async () => Buffer.from(input),
  });
  return { code, out, error };
}

const lint = (input: string, ...more: string[]): Promise<Result> => esa(['lint', '-', ...more], input);
/** Of files: what is printed, with the directory left out. */
async function lintFiles(
  files: Readonly<Record<string, string | object>>,
  ...more: string[]
): Promise<Result> {
  const path = await directory(files);
  const result = await esa(['lint', path, ...more]);
  return { ...result, out: result.out.replaceAll(`${path}/`, '') };
}
const linesOf = ({ out }: Result): string[] => out.split('\n').filter((line) => line !== '');

const es = (name: string, spec: object = {}, metadata: object = {}): object => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name, ...metadata },
  spec: {
    secretStoreRef: { name: 'vault' },
    data: [{ secretKey: 'a', remoteRef: { key: 'k' } }],
    ...spec,
  },
});
const expressStore = (name: string, spec: object = {}, kind = 'SecretStore'): object => ({
  apiVersion: 'external-secrets.io/v1',
  kind,
  metadata: { name },
  spec: { provider: { express: { host: 'http://express' } }, ...spec },
});
const namespace = (name: string, labels: object): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});
const documents = (...objects: readonly object[]): string =>
  objects.map((object) => JSON.stringify(object)).join('\n---\n');

const APP = `# A comment.
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app}
spec:
  refreshInterval: soon
  secretStoreRef: {name: vault, kid: SecretStore}
  data:
  - secretKey: a
    remoteRef: {key: k}
  - secretKey: my key
    remoteRef:
      key: k
`;

describe('positions', () => {
  test('the field, or the nearest one above it that is there', async () => {
    assert.deepEqual(linesOf(await lint(APP)), [
      '<stdin>:7:33: error: spec.secretStoreRef.kid: no such field (did you mean kind?); remove it or correct its name [schema-unknown-field]',
      '<stdin>:11:5: error: spec.data[1].secretKey: must match ^[-._a-zA-Z0-9]+$ [schema-format]',
    ]);
    const sound = APP.replace(', kid: SecretStore', '').replace('my key', 'b');
    assert.deepEqual(linesOf(await lint(sound)), [
      '<stdin>:6:3: error: spec.refreshInterval: "soon" is not a duration; write it like 30s, 5m or 1h30m (0 fetches once) [es-refresh-interval]',
    ]);
    assert.deepEqual(linesOf(await lint(sound.replace('soon', '1h').replace('{name: vault}', '{}'))), [
      '<stdin>:7:3: error: spec.secretStoreRef.name: no store is named; set it to the SecretStore or ClusterSecretStore to read from [es-store]',
    ]);
  });

  test('in the version that was written', async () => {
    const text = `apiVersion: external-secrets.io/v1alpha1
kind: ExternalSecret
metadata: {name: app}
spec:
  secretStoreRef: {name: vault}
  target: {}
  dataFrom:
  - key: ""
  - extract: {key: k}
`;
    assert.deepEqual(linesOf(await lint(text)), [
      '<stdin>:9:5: error: spec.dataFrom[1].extract: no such field; remove it or correct its name [schema-unknown-field]',
    ]);
    assert.deepEqual(linesOf(await lint(text.replace('  - extract: {key: k}\n', ''))), [
      '<stdin>:8:5: error: spec.dataFrom[0].key: the key is empty; name the remote secret [es-remote-key]',
    ]);
  });

  test('items of a List, and later documents', async () => {
    const text = `kind: Other\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: external-secrets.io/v1\n  kind: ExternalSecret\n  metadata: {name: App}\n  spec: {secretStoreRef: {name: v}, data: [{secretKey: a, remoteRef: {key: k}}]}\n`;
    assert.match((await lint(text)).out, /^<stdin>:8:14: error: metadata\.name: /);
  });

  test('a field that stands there twice, the second time; the last one counts', async () => {
    const { out, code } = await lint(
      APP.replace(', kid: SecretStore', ', name: Vault').replace('my key', 'b'),
    );
    assert.equal(code, 1);
    assert.deepEqual(out.split('\n').slice(0, 1), [
      '<stdin>:7:33: error: spec.secretStoreRef.name: the field is there twice; remove one of them',
    ]);
    assert.match(out, /<stdin>:7:33: error: spec\.secretStoreRef\.name: must match/);
  });

  test('JSON', async () => {
    const text = JSON.stringify(es('app', { refreshInterval: 'soon' }), null, 2);
    assert.match((await lint(text)).out, /^<stdin>:19:5: error: spec\.refreshInterval: /);
  });
});

describe('texts that are no manifests', () => {
  test('YAML that cannot be read, with its place; the other documents are judged', async () => {
    const { out, code } = await lint(`a: [1\n---\n${APP}`);
    assert.equal(code, 1);
    assert.match(out, /^<stdin>:2:1: error: no YAML: .*\n<stdin>:9:33: error: spec\.secretStoreRef\.kid: /);
  });

  test('templates of a Helm chart', async () => {
    const HELM =
      'this is a template of a Helm chart, which is no YAML before it is rendered; use what `helm template` prints';
    const head = 'apiVersion: external-secrets.io/v1\nkind: ExternalSecret\n';
    assert.deepEqual(linesOf(await lint(`${head}metadata:\n  name: {{ .Values.name }}\n`)), [
      `<stdin>:4:9: error: ${HELM}`,
    ]);
    const { out } = await lint(`{{- if .Values.on }}\n${head}{{- end }}\n`);
    assert.match(out, /error: this is a template of a Helm chart/);
  });

  test('a template of a Secret without quotes', async () => {
    const text = APP.replace('kid: SecretStore', 'name: {{ .password }}');
    assert.deepEqual(linesOf(await lint(text)), [
      '<stdin>:7:39: error: a value that begins with "{{" has to be put in quotes',
    ]);
  });

  test('in a directory only those that could be ours', async () => {
    const files = { 'values.yaml': 'a: [', 'list.yaml': '- 1\n', 'x.json': '{"a": }', 'note.txt': 'a: [' };
    assert.equal((await lintFiles(files)).code, 0);
    const { code, out } = await lintFiles({
      ...files,
      'es.yaml': `apiVersion: external-secrets.io/v1\na: [`,
    });
    assert.equal(code, 1);
    assert.match(out, /^es\.yaml:2:5: error: no YAML: [^\n]*\n$/);
    const path = await directory(files);
    assert.equal((await esa(['lint', join(path, 'values.yaml')])).code, 1);
  });
});

describe('kinds', () => {
  test('of others are passed over, and counted', async () => {
    const { code, out } = await lint(
      documents({ kind: 'Pod' }, { apiVersion: 'v1' }, es('app')),
      '-o',
      'json',
    );
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), {
      files: 1,
      objects: 1,
      ignored: 2,
      errors: 0,
      warnings: 0,
      notes: 0,
      findings: [],
    });
  });

  test('of External Secrets Operator that are left to it get a note', async () => {
    const { code, out } = await lint(
      'apiVersion: external-secrets.io/v1alpha1\nkind: PushSecret\nmetadata: {name: a}\n',
    );
    assert.equal(code, 0);
    assert.equal(
      out,
      '<stdin>:2:1: note: kind: PushSecret is left to External Secrets Operator and its CRDs; it is not judged here\n',
    );
  });

  test('and versions that nothing serves are errors, as for kubectl', async () => {
    const text = documents(
      { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecrets' },
      { apiVersion: 'external-secrets.io/v2', kind: 'ExternalSecret' },
      { apiVersion: 'generators.external-secrets.io/v1', kind: 'Password' },
    );
    const { code, out } = await lint(text);
    assert.equal(code, 1);
    assert.deepEqual(
      linesOf({ code, out, error: '' }).map((line) => line.replace(/^\S+ /, '')),
      [
        'error: kind: nothing serves kind "ExternalSecrets" of external-secrets.io',
        'error: apiVersion: external-secrets.io has no version "v2" of ExternalSecret; it is served as v1, v1beta1, v1alpha1',
        'error: apiVersion: generators.external-secrets.io has no version "v1" of Password; it is served as v1alpha1',
      ],
    );
  });

  test('all of ours are judged', async () => {
    const text = documents(
      expressStore('s', { refreshInterval: 'x' }),
      expressStore('c', { refreshInterval: 'x' }, 'ClusterSecretStore'),
      {
        apiVersion: 'generators.external-secrets.io/v1alpha1',
        kind: 'Password',
        metadata: { name: 'p' },
        spec: { length: 'x' },
      },
      {
        apiVersion: 'external-secrets-admission.io/v1alpha1',
        kind: 'ClusterSecretPolicy',
        metadata: { name: 'p' },
        spec: { keys: [{ glob: '{' }] },
      },
    );
    const { findings } = JSON.parse((await lint(text, '-o', 'json')).out) as {
      findings: { object: string; path: string }[];
    };
    assert.deepEqual(
      findings.map(({ object, path }) => `${object}: ${path}`),
      [
        'SecretStore s: spec.refreshInterval',
        'ClusterSecretStore c: spec.refreshInterval',
        'Password p: spec.length',
        'ClusterSecretPolicy p: spec.keys[0].glob',
      ],
    );
  });
});

test('what is missing where something is misspelt is not said as well', async () => {
  const text = documents({ ...es('app'), spec: { secretStoreReff: { name: 'v' }, dta: [] } });
  assert.deepEqual(
    linesOf(await lint(text)).map((line) => /spec\S*/.exec(line)?.[0]),
    ['spec.secretStoreReff:', 'spec.dta:'],
  );
});

describe('output', () => {
  const BROKEN = documents(
    es('app', { target: { template: { data: { 'a:b,c%': '{{ .a |' } } } }),
    expressStore('s', {
      provider: {
        aws: {
          service: 'SecretsManager',
          region: 'eu-central-1',
          auth: {
            secretRef: {
              accessKeyIDSecretRef: { name: 'a', key: 'b' },
              secretAccessKeySecretRef: { name: 'a', key: 'b' },
            },
          },
          secretsManager: {},
        },
      },
    }),
  );

  test('text: position, severity, path, message; further lines follow', async () => {
    const { out, error } = await lint(BROKEN);
    assert.match(
      out,
      /^<stdin>:1:\d+: error: spec\.target\.template\.data\[a:b,c%\]: line 1, column 8: unclosed action \[template-syntax\]\n {4}\{\{ \.a \|\n +\^\n<stdin>:3:\d+: warning: spec\.provider\.aws\.secretsManager: .*\n$/,
    );
    assert.equal(error, '2 objects in 1 file: 1 error, 1 warning\n');
  });

  test('colours only where they are seen', async () => {
    assert.equal((await lint(BROKEN)).out.includes('\u001b'), false);
    const { out } = await esa(['lint', '-'], BROKEN, true);
    assert.ok(out.includes('\u001b[31merror:\u001b[39m spec'), out);
    assert.ok(out.includes('\u001b[33mwarning:'), out);
  });

  test('github: workflow commands, escaped', async () => {
    const [first, second] = linesOf(await lint(BROKEN, '-o', 'github'));
    assert.match(
      first ?? '',
      /^::error file=<stdin>,line=1,col=\d+,title=ExternalSecret app \[template-syntax\]::spec\.target\.template\.data\[a:b,c%25\]: line 1, column 8: unclosed action%0A {4}\{\{ \.a \|%0A +\^$/,
    );
    assert.match(
      second ?? '',
      /^::warning file=<stdin>,line=3,col=\d+,title=SecretStore s \[aws-push-only\]::spec\./,
    );
    const path = await directory({ 'a,b:c.yaml': es('App') });
    assert.match(
      (await esa(['lint', path, '-o', 'github'])).out,
      /^::error file=\S+a%2Cb%3Ac\.yaml,line=1,col=\d+,title=ExternalSecret App \[schema-format\]::metadata\.name: /,
    );
  });

  test('json: all of it', async () => {
    const { code, out } = await lint(BROKEN, '-o', 'json');
    assert.equal(code, 1);
    const { findings, ...counts } = JSON.parse(out) as { findings: Record<string, unknown>[] };
    assert.deepEqual(counts, { files: 1, objects: 2, ignored: 0, errors: 1, warnings: 1, notes: 0 });
    const { line, column, message, ...rest } = findings[0] ?? {};
    assert.deepEqual(rest, {
      severity: 'error',
      file: '<stdin>',
      object: 'ExternalSecret app',
      path: 'spec.target.template.data[a:b,c%]',
      rule: 'template-syntax',
    });
    assert.equal(line, 1);
    assert.equal(typeof column, 'number');
    assert.match(String(message), /^line 1/);
  });

  test('no value of a secret', async () => {
    const store = expressStore('s', {
      provider: { fake: { data: [{ key: 'k', value: 5, valueMap: 'hunter2' }] } },
    });
    for (const format of ['text', 'json', 'github'])
      assert.doesNotMatch((await lint(documents(store), '-o', format)).out, /hunter2/);
  });
});

describe('what is read', () => {
  test('directories with all that is in them, but not what tools keep there; each file once', async () => {
    const broken = es('App');
    const path = await directory({
      'a.yaml': broken,
      'sub/b.yml': broken,
      'sub/c.json': broken,
      'sub/d.txt': broken,
      '.git/e.yaml': broken,
      'node_modules/f.yaml': broken,
    });
    await symlink(join(path, 'sub'), join(path, 'loop'));
    await symlink(join(path, 'sub/d.txt'), join(path, 'z.yaml'));
    const { out } = await esa(['lint', path, join(path, 'a.yaml'), '-o', 'json']);
    const { findings } = JSON.parse(out) as { findings: { file: string }[] };
    assert.deepEqual(
      findings.map(({ file }) => file.slice(path.length + 1)),
      ['a.yaml', 'sub/b.yml', 'sub/c.json', 'z.yaml'],
    );
  });

  test('several files and standard input', async () => {
    const path = await directory({ 'a.yaml': es('A'), 'b.yaml': es('B') });
    const { out } = await esa(['lint', join(path, 'b.yaml'), '-', join(path, 'a.yaml')], documents(es('C')));
    assert.deepEqual(out.match(/^\S+?:/gm), [`${path}/b.yaml:`, '<stdin>:', `${path}/a.yaml:`]);
  });

  test('what cannot be read ends with 2 and says which', async () => {
    const { code, error } = await esa(['lint', join(root, 'nowhere.yaml')]);
    assert.equal(code, 2);
    assert.match(error, /^error: cannot read .*nowhere\.yaml \(ENOENT\)\n$/);
    assert.deepEqual(await esa(['lint', '-'], Buffer.from([0xff, 0xfe])), {
      code: 2,
      out: '',
      error: 'error: <stdin> is no text (UTF-8)\n',
    });
    assert.equal((await esa(['lint'])).code, 2);
    assert.equal((await esa(['lint', '-', '-o', 'xml'])).code, 2);
  });
});

test('--strict makes warnings count, not notes', async () => {
  const twice = documents(es('app'), es('app'));
  assert.equal((await lint(twice)).code, 0);
  assert.equal((await lint(twice, '--strict')).code, 1);
  const note = 'apiVersion: external-secrets.io/v1alpha1\nkind: PushSecret\nmetadata: {name: a}\n';
  assert.equal((await lint(note, '--strict')).code, 0);
});

test('-n is the namespace of what names none', async () => {
  const store = expressStore('s', {
    provider: {
      vault: {
        server: 'https://vault.example.com',
        auth: { tokenSecretRef: { name: 't', key: 't', namespace: 'shop' } },
      },
    },
  });
  assert.equal((await lint(documents(store))).code, 1);
  assert.equal((await lint(documents(store), '-n', 'shop')).code, 0);
});

describe('objects against each other', () => {
  const said = (result: Result): string[] => {
    assert.equal(result.code, 0);
    return linesOf(result).map((line) => line.replace(/:\d+:\d+: warning/, ''));
  };

  test('an object that stands there twice in one directory', async () => {
    const path = await directory({ 'a.yaml': es('app'), 'b.yaml': es('app') });
    assert.deepEqual(said(await esa(['lint', path])), [
      `${path}/b.yaml: metadata.name: ExternalSecret app stands in ${path}/a.yaml:1, too; the one that is applied last counts`,
    ]);
    assert.deepEqual(said(await lintFiles({ 'dev/a.yaml': es('app'), 'prod/a.yaml': es('app') })), []);
    assert.deepEqual(said(await lint(documents(es('app'), es('app', {}, { namespace: 'other' })))), []);
  });

  test('two that make one Secret', async () => {
    const target = (creationPolicy?: string): object => ({ target: { name: 't', creationPolicy } });
    const warned = async (a?: string, b?: string): Promise<boolean> =>
      said(await lint(documents(es('a', target(a)), es('b', target(b))))).length > 0;
    assert.deepEqual(said(await lint(documents(es('a', target()), es('b', target())))), [
      '<stdin>: spec.target.name: ExternalSecret a (<stdin>:1) makes the Secret "t", too; give each its own, or merge with creationPolicy Merge',
    ]);
    assert.equal(await warned('Owner', 'Orphan'), true);
    assert.equal(await warned('Owner', 'Merge'), false);
    assert.equal(await warned('Merge', 'Merge'), false);
    assert.equal(await warned('None', 'Owner'), false);
    assert.deepEqual(said(await lint(documents(es('t'), es('b', target())))).length, 1);
  });

  const cluster = (conditions: object[]): object =>
    expressStore('vault', { conditions }, 'ClusterSecretStore');
  const uses = es(
    'app',
    { secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault' } },
    { namespace: 'shop' },
  );
  const DENIED =
    '<stdin>: spec.secretStoreRef.name: using cluster store "vault" is not allowed from namespace "shop": denied by spec.condition';

  test('a store whose conditions leave the namespace out', async () => {
    assert.deepEqual(said(await lint(documents(cluster([{ namespaces: ['hr'] }]), uses))), [DENIED]);
    assert.deepEqual(said(await lint(documents(cluster([{ namespaces: ['shop'] }]), uses))), []);
  });

  test('by labels only where they are known', async () => {
    const store = cluster([{ namespaceSelector: { matchLabels: { tenant: 'a' } } }]);
    assert.deepEqual(said(await lint(documents(store, uses))), []);
    assert.deepEqual(said(await lint(documents(store, uses, namespace('shop', { tenant: 'b' })))), [DENIED]);
    assert.deepEqual(said(await lint(documents(store, uses, namespace('shop', { tenant: 'a' })))), []);
    assert.deepEqual(said(await lint(documents(store, uses), '--namespace-labels', 'shop=tenant=b')), [
      DENIED,
    ]);
    assert.deepEqual(said(await lint(documents(store, uses), '--namespace-labels', 'shop=x=y,tenant=a')), []);
    // Namespaces of two clusters.
    const both = [namespace('shop', { tenant: 'b' }), namespace('shop', { tenant: 'c' })];
    assert.deepEqual(said(await lint(documents(store, uses, ...both))), []);
  });

  test('a store of another controller class', async () => {
    const text = documents(expressStore('vault', { controller: 'other' }), es('app'));
    assert.deepEqual(said(await lint(text)), [
      '<stdin>: spec.secretStoreRef.name: SecretStore default/vault belongs to controller class "other"',
    ]);
    assert.deepEqual(said(await lint(text, '--controller-class', 'other')), []);
  });

  test('a store elsewhere counts if there is only one', async () => {
    const denying = cluster([{ namespaces: ['hr'] }]);
    const files = { 'app/es.json': uses, 'base/store.json': denying };
    assert.equal(said(await lintFiles(files)).length, 1);
    assert.equal(said(await lintFiles({ ...files, 'prod/store.json': denying })).length, 0);
    assert.equal(
      said(await lintFiles({ ...files, 'prod/store.json': denying, 'app/store.json': denying })).length,
      1,
    );
  });

  test('a key that the ConfigMap of templateFrom does not have', async () => {
    const from = es('app', {
      target: {
        template: { templateFrom: [{ configMap: { name: 'cm', items: [{ key: 'a' }, { key: 'b' }] } }] },
      },
    });
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm' }, data: { a: '{{ .a }}' } };
    assert.deepEqual(said(await lint(documents(from, map))), [
      '<stdin>: spec.target.template.templateFrom[0].configMap.items[1].key: ConfigMap "cm" has no key "b"',
    ]);
    assert.deepEqual(said(await lint(documents(from))), []);
  });

  test('nothing is said about what is not in the files', async () => {
    assert.deepEqual(said(await lint(documents(es('app')))), []);
  });
});

describe('--policy', () => {
  const policy = (effect: string): object => ({
    apiVersion: 'external-secrets-admission.io/v1alpha1',
    kind: 'ClusterSecretPolicy',
    metadata: { name: 'teams' },
    spec: { effect, namespaceSelector: { matchLabels: { tenant: 'a' } }, requiredLabels: [{ key: 'team' }] },
  });
  const severity = async (effect: string, ...more: string[]): Promise<string[]> => {
    const path = await directory({ 'policy.json': policy(effect) });
    const { out } = await lint(documents(es('app')), '--policy', path, ...more);
    return linesOf({ code: 0, out, error: '' }).map((line) => line.replace(/^\S+ /, ''));
  };
  const SAID = 'metadata.labels.team: the label is missing; set it (policy "teams", rule requiredLabels)';

  test('each effect has its severity, in the words of the webhook', async () => {
    const labels = ['--namespace-labels', 'default=tenant=a'];
    assert.deepEqual(await severity('Deny', ...labels), [`error: ${SAID}`]);
    assert.deepEqual(await severity('Warn', ...labels), [`warning: ${SAID}`]);
    assert.deepEqual(await severity('Audit', ...labels), [`note: ${SAID}`]);
  });

  test('labels that are not known are noted', async () => {
    const [only, ...more] = await severity('Deny');
    assert.match(only ?? '', /^note: metadata\.namespace: the labels of namespace "default" are not known/);
    assert.deepEqual(more, []);
  });

  test('a malformed policy is an error', async () => {
    const path = await directory({
      'policy.json': { ...policy('Deny'), spec: { forbiddenTemplateFunctions: ['nope'] } },
    });
    const { code, out } = await lint(documents(es('app')), '--policy', path);
    assert.equal(code, 1);
    assert.match(out, /policy\.json:1:\d+: error: spec\.forbiddenTemplateFunctions\[0\]: /);
  });

  test('--policy-default=deny needs a policy', async () => {
    const { code, out } = await lint(documents(es('app')), '--policy-default', 'deny');
    assert.equal(code, 1);
    assert.match(out, /error: metadata\.namespace: no ClusterSecretPolicy is about namespace "default"/);
  });
});

test('the program itself: exit codes, streams, no colours in a pipe', async () => {
  const path = await directory({ 'bad.yaml': APP, 'good.json': es('app') });
  const main = join(import.meta.dirname, 'main.mjs');
  const env = { ...process.env, FORCE_COLOR: '1' };
  const spawn = (...args: string[]) =>
    promisify(execFile)(process.execPath, [main, 'lint', ...args], { cwd: path, env });
  const { stdout, stderr } = await spawn('good.json');
  assert.equal(stdout, '');
  assert.equal(stderr, '1 object in 1 file: 0 errors, 0 warnings\n');
  await assert.rejects(spawn('.'), (error: Error & { code: number; stdout: string }) => {
    assert.equal(error.code, 1);
    assert.match(error.stdout, /^bad\.yaml:7:33: error: spec\.secretStoreRef\.kid: /);
    return true;
  });
});
