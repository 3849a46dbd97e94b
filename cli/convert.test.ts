/** `esa convert`, as it is called. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { esa, type Fields, FLAGS, kes, said } from './testing/convert.ts';

const SEEDS = join(import.meta.dirname, '../test/e2e/seeds');

const directory = mkdtempSync(join(tmpdir(), 'esa-convert-'));
after(() => rmSync(directory, { recursive: true }));

describe('files', () => {
  const SEED = join(SEEDS, '../kes/seed003-kes-cool-secret.yaml');

  test('S99 the manifest of the article becomes its equivalent, with its comments', async () => {
    const { code, out } = await esa([
      SEED,
      ...[
        '--kes-env',
        'VAULT_ADDR=http://vault.vault.svc.cluster.local:8200',
        '--kes-namespace',
        'external-secretes',
      ],
      ...[
        '--kes-service-account',
        'external-secrets-kubernetes-external-secrets',
        '--vault-audience',
        'vault',
      ],
    ]);
    assert.equal(code, 0);
    assert.match(out, /key: cool\/secrets # The full path/);
    const read = (text: string): readonly Fields[] =>
      parseAllDocuments(text).map((document) => document.toJS() as Fields);
    const [store, es] = read(out) as readonly { metadata: { name: string }; spec: Fields }[];
    const [wantedStore, wanted] = read(readFileSync(join(SEEDS, 'seed003-eso-equivalent.yaml'), 'utf8'));
    assert.deepEqual(store?.spec, (wantedStore as typeof store)?.spec);
    const name = store?.metadata.name;
    // The equivalent has the annotations of the article's trigger besides.
    const { template: _trigger, ...target } = (wanted as { spec: { target: Fields } }).spec.target;
    assert.deepEqual(es?.spec, {
      ...(wanted as typeof es)?.spec,
      target,
      secretStoreRef: { kind: 'ClusterSecretStore', name },
    });
  });

  test('old versions of ESO: what is not theirs stays to the letter', async () => {
    const text = `# Two objects.
---
apiVersion: external-secrets.io/v1alpha1 # old
kind: ExternalSecret
metadata: {name: a, namespace: x}
spec:
  secretStoreRef: {name: s}
  target: {name: a}
  dataFrom:
  # all of it
  - key: one
    property: "010"
---
apiVersion: v1
kind: ConfigMap
metadata:
    name: untouched
data: {on: "yes", port: 0x10}
---
apiVersion: external-secrets.io/v1alpha1
kind: PushSecret
metadata: {name: push}
spec: {}
`;
    const { code, out, error } = await esa(['-'], text);
    assert.equal(
      out,
      text
        .replaceAll('{name: a, namespace: x}', '{ name: a, namespace: x }')
        .replaceAll(/\{(name: [as]|name: push)\}/g, '{ $1 }')
        .replace('external-secrets.io/v1alpha1 # old', 'external-secrets.io/v1 # old')
        .replace('    name: untouched', '  name: untouched')
        .replace('{on: "yes", port: 0x10}', '{ on: "yes", port: 0x10 }')
        .replace('  - key: one\n    property: "010"', '  - extract:\n      key: one\n      property: "010"'),
    );
    assert.match(error, /note: is left as it is: external-secrets-admission does not serve it/);
    assert.equal(code, 0);
  });

  test('a ClusterExternalSecret, and templates for an engine that there is no more', async () => {
    const group = 'external-secrets.io';
    const spec = {
      secretStoreRef: { name: 's' },
      target: { name: 'a' },
      dataFrom: [{ extract: { key: 'k' } }],
    };
    const objects = [
      {
        apiVersion: `${group}/v1beta1`,
        kind: 'ClusterExternalSecret',
        metadata: { name: 'a' },
        spec: { namespaceSelectors: [{ matchLabels: { a: 'b' } }], externalSecretSpec: spec },
      },
      { apiVersion: `${group}/v1alpha1`, kind: 'SecretGenerator', metadata: { name: 'a' }, spec: {} },
      {
        apiVersion: `${group}/v1alpha1`,
        kind: 'ExternalSecret',
        metadata: { name: 'a' },
        spec: {
          ...spec,
          dataFrom: [{ key: 'k' }],
          target: { name: 'a', template: { data: { a: '{{ .x }}' } } },
        },
      },
    ];
    const result = await esa(['-'], objects.map((one) => JSON.stringify(one)).join('\n---\n'));
    const versions = parseAllDocuments(result.out).map((one) => (one.toJS() as Fields)['apiVersion']);
    assert.deepEqual(versions, [`${group}/v1`, `${group}/v1alpha1`, `${group}/v1alpha1`]);
    assert.deepEqual(said(result), [
      'error: spec.target.template: not converted: its templates are for engine v1, which there is no more: port them, and set engineVersion: v2',
    ]);
  });

  test('a directory into another one, the same in every run', async () => {
    const from = join(directory, 'in');
    mkdirSync(join(from, 'deep'), { recursive: true });
    const spec = { backendType: 'vault', vaultRole: 'r', data: [{ name: 'a', key: 'kv/data/k' }] };
    writeFileSync(join(from, 'a.json'), kes(spec));
    writeFileSync(join(from, 'deep', 'b.yaml'), kes(spec, { name: 'b' }));
    writeFileSync(join(from, 'other.yaml'), 'kind: ConfigMap\napiVersion: v1\n');
    writeFileSync(join(from, 'chart.yaml'), '{{ if .Values.x }}\n');
    const before = process.cwd();
    process.chdir(from);
    try {
      for (const out of ['one', 'two']) {
        const { code, error } = await esa([
          'a.json',
          'deep',
          'other.yaml',
          '--out',
          join(directory, out),
          ...FLAGS,
        ]);
        assert.equal(code, 0, error);
        assert.match(error, /^2 objects converted, 1 store made: 0 errors, 0 warnings$/m);
      }
      const clash = await esa([
        'a.json',
        join(directory, 'one', 'a.json'),
        '--out',
        join(directory, 'three'),
        ...FLAGS,
      ]);
      assert.equal(clash.code, 2);
      assert.equal(existsSync(join(directory, 'three')), false);
    } finally {
      process.chdir(before);
    }
    const tree = (root: string): Record<string, string> =>
      Object.fromEntries(
        readdirSync(join(directory, root), { recursive: true, encoding: 'utf8' })
          .filter((file) => /\.\w+$/.test(file))
          .toSorted()
          .map((file) => [file, readFileSync(join(directory, root, file), 'utf8')]),
      );
    assert.deepEqual(tree('one'), tree('two'));
    assert.deepEqual(Object.keys(tree('one')), ['a.json', 'deep/b.yaml', 'stores.yaml']);
    assert.doesNotThrow(() => JSON.parse(tree('one')['a.json'] ?? ''));
  });

  test('an export of a cluster loses what only a cluster writes', async () => {
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          apiVersion: 'kubernetes-client.io/v1',
          kind: 'ExternalSecret',
          metadata: {
            name: 'a',
            uid: 'u',
            resourceVersion: '1',
            generation: 1,
            annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
          },
          spec: { backendType: 'vault', vaultRole: 'r', data: [{ name: 'a', key: 'kv/data/k' }] },
          status: { lastSync: 'x' },
        },
      ],
    };
    const { out } = await esa(['-', ...FLAGS], JSON.stringify(list));
    for (const word of [
      'uid',
      'resourceVersion',
      'generation',
      'last-applied',
      'lastSync',
      'kubernetes-client',
    ])
      assert.ok(!out.includes(word), word);
    assert.match(
      out,
      /^---\napiVersion: external-secrets.io\/v1\nkind: ExternalSecret\nmetadata:\n {2}name: a$/m,
    );
  });

  test('aliases, and texts that YAML would take for something else', async () => {
    const text = `apiVersion: kubernetes-client.io/v1
kind: ExternalSecret
metadata: &meta {name: "123", labels: {a: b}}
spec: &spec {backendType: vault, vaultRole: "true", data: [{name: a, key: kv/data/0x1f}]}
other: *meta
once-more: *spec
`;
    const { out } = await esa(['-', ...FLAGS], text);
    const [, es] = parseAllDocuments(out).map(
      (one) => one.toJS() as { metadata: Fields; spec: { data: readonly Fields[] } },
    );
    assert.equal(es?.metadata['name'], '123');
    assert.deepEqual(es?.spec.data, [{ secretKey: 'a', remoteRef: { key: '0x1f' } }]);
  });

  test('called wrongly', async () => {
    for (const args of [
      [],
      ['none.yaml'],
      ['-', '--kes-env', 'X'],
      ['-', '--kes-deployment', join(SEEDS, 'seed003-eso-equivalent.yaml')],
    ])
      assert.equal((await esa(args, '{}')).code, 2, args.join(' '));
  });

  test('a text that is no YAML', async () => {
    const { code, error, out } = await esa(['-'], 'a: [');
    assert.equal(code, 1);
    assert.match(error, /^<stdin>:\d+:\d+: error: no YAML/);
    assert.equal(out, '');
  });
});
