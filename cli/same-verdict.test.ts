/**
 * `esa lint` refuses what a cluster refuses, and only that: held against what kubectl printed on a real API server
 * (the golden files of test/e2e; test/e2e/refusals.test.ts compares the two live, on thousands of broken objects).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isKes } from '../api/kubernetes-client/names.ts';
import { formatFieldPath } from '../api/problem.ts';
import { readTables } from '../test/rules/tables.ts';
import { type Judged, ObjectJudge, servedKinds } from './judge-object.ts';
import { readManifest } from './manifest.ts';

const E2E = join(import.meta.dirname, '../test/e2e');
const judge = new ObjectJudge('refusals');

const judgeFile = (path: string): readonly Judged[] =>
  readManifest(path, readFileSync(path, 'utf8')).objects.flatMap((object) => judge.judge(object) ?? []);

const problemsIn = (judged: readonly Judged[]): string[] =>
  judged.flatMap(({ problems }) =>
    problems.map(({ path, message }) => `${formatFieldPath(path)}: ${message}`),
  );

/** The fields that the API server itself complained of, as it writes them; none if the webhook spoke. */
function fieldsOfServer(golden: string): string[] {
  const unknown = [...golden.matchAll(/unknown field "([^"]+)"/g)].map(([, field = '']) => field);
  const invalid = golden.matchAll(
    /(?:invalid: |\* )(spec\S*): (?:Invalid value|Unsupported value|Required value|Forbidden|Too many|Too long)\b/g,
  );
  return [...unknown, ...[...invalid].map(([, field = '']) => field)];
}

/** What the webhook said, one problem an element. */
function problemsOfWebhook(golden: string): string[] {
  const [, text = ''] = /^The \w+ "[^"]+" is invalid: (.*)\nexit code 1\n$/ms.exec(golden) ?? [];
  return text.startsWith('\n* ') ? text.slice(3).split('\n* ') : [text];
}

describe('what is refused', () => {
  const directory = join(E2E, 'refusals');
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.yaml'))) {
    test(file.replace('.yaml', ''), () => {
      const golden = readFileSync(join(directory, file.replace('.yaml', '.golden.txt')), 'utf8');
      const judged = judgeFile(join(directory, file));
      const fields = fieldsOfServer(golden);
      if (fields.length === 0) {
        assert.deepEqual(problemsIn(judged).toSorted(), problemsOfWebhook(golden).toSorted());
        return;
      }
      // The server stops at the first layer that refuses, and lint at none, so it may say more.
      const said = judged.flatMap(({ problems }) => problems.map(({ path }) => formatFieldPath(path)));
      for (const field of fields) {
        const isSaid = said.some((path) => field === path || field.startsWith(`${path}.`));
        assert.ok(isSaid, `${field} is not among ${said.join(', ')}`);
      }
    });
  }
});

describe('the tables of the rules', () => {
  const lint = new ObjectJudge('shop');
  // What an object of KES means stands in the environment of the controller, which lint does not know.
  const cases = readTables().filter(({ judge, manifest }) => judge === 'object' && !isKes(manifest));
  for (const one of cases) {
    test(`${one.rule} ${one.verdict} ${one.number}`, () => {
      const place = { file: 'table', line: 1, column: 1 };
      const judged = lint.judge({ object: { ...one.manifest }, place: () => place, repeated: () => [] });
      const said = [...(judged?.problems ?? []), ...(judged?.warnings ?? [])];
      const fields = said.map(({ path }) => formatFieldPath(path));
      if (one.verdict === 'pass') assert.deepEqual(judged?.problems, []);
      for (const field of one.verdict === 'pass' ? [] : one.at) {
        const isSaid = fields.some((path) => field === path || field.startsWith(`${path}.`));
        assert.ok(isSaid, `${field} is not among ${fields.join(', ')}`);
      }
    });
  }
});

describe('the manifests of the articles', () => {
  const refused: Readonly<Record<string, RegExp>> = {
    'seed001-externalsecret-config.as-printed.yaml': /no store is named|no key "\w+" is fetched/,
    'seed001-externalsecret-rotating.as-printed.yaml': /either data or dataFrom should be specified/,
  };
  const directory = join(E2E, 'seeds');
  for (const file of readdirSync(directory)) {
    const cause = refused[file];
    test(`${file} is ${cause === undefined ? 'sound' : 'refused'}`, () => {
      const problems = problemsIn(judgeFile(join(directory, file)));
      if (cause === undefined) assert.deepEqual(problems, []);
      else assert.ok(problems.length > 0);
      for (const problem of problems) assert.match(problem, cause ?? /^$/);
    });
  }
});

describe('rules that the CRDs hold in CEL', () => {
  const es = (spec: object): object => ({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: 'a' },
    spec: { secretStoreRef: { name: 's' }, dataFrom: [{ extract: { key: 'k' } }], ...spec },
  });
  const generatorRef = { kind: 'Password', name: 'p' };
  /** One for each rule, by its text: what breaks it. Lint knows the rule by its twin in policy/. */
  const broken: Readonly<Record<string, object>> = {
    '(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0)': es({
      dataFrom: [],
    }),
    "!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || !has(self.creationPolicy) || !(self.creationPolicy in ['Merge', 'None', 'CreateOrMerge'])":
      es({ target: { creationPolicy: 'CreateOrMerge', deletionPolicy: 'Delete' } }),
    "!has(self.deletionPolicy) || self.deletionPolicy != 'Merge' || !has(self.creationPolicy) || self.creationPolicy != 'None'":
      es({ target: { creationPolicy: 'None', deletionPolicy: 'Merge' } }),
    "!has(self.type) || !(self.type in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'])":
      es({ target: { template: { type: 'bootstrap.kubernetes.io/token' } } }),
    '!has(self.extract) || !has(self.find)': es({
      dataFrom: [{ extract: { key: 'k' }, find: { path: 'p' } }],
    }),
    '(!has(self.extract) && !has(self.find)) || !has(self.sourceRef) || !has(self.sourceRef.generatorRef)':
      es({
        dataFrom: [{ extract: { key: 'k' }, sourceRef: { generatorRef } }],
      }),
    'has(self.extract) || has(self.find) || has(self.sourceRef)': es({ dataFrom: [{ rewrite: [] }] }),
    "!('esoNamespace' in self) && !('esoStoreName' in self) && !('esoStoreKind' in self)": {
      apiVersion: 'external-secrets.io/v1beta1',
      kind: 'ClusterSecretStore',
      metadata: { name: 'a' },
      spec: {
        provider: {
          aws: {
            service: 'SecretsManager',
            region: 'eu-central-1',
            auth: { jwt: { serviceAccountRef: { name: 'a', namespace: 'b' } } },
            sessionTagsPolicy: 'Custom',
            customSessionTags: { esoStoreName: 'x' },
          },
        },
      },
    },
  };

  test('each has a case here', () => {
    const rules = new Set<string>();
    const collect = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [key, member] of Object.entries(value)) {
        if (key === 'x-kubernetes-validations')
          for (const { rule } of member as { rule: string }[]) rules.add(rule);
        else collect(member);
      }
    };
    for (const { versions } of servedKinds().values())
      for (const schema of versions.values()) collect(schema);
    assert.deepEqual([...rules].toSorted(), Object.keys(broken).toSorted());
  });

  for (const [rule, object] of Object.entries(broken)) {
    test(rule, () => {
      const [manifest] = readManifest('f', JSON.stringify(object)).objects;
      assert.ok(manifest);
      assert.equal(judge.judge(manifest)?.problems.length, 1);
    });
  }
});

test('every kind that has a CRD is judged by its rules', () => {
  for (const [name, { versions }] of servedKinds()) {
    const [group, kind] = name.split('/');
    for (const version of versions.keys()) {
      const object = { apiVersion: `${group}/${version}`, kind, metadata: { name: 'a' }, spec: {} };
      const [manifest] = readManifest('f', JSON.stringify(object)).objects;
      assert.ok(manifest);
      assert.ok(judge.judge(manifest), name);
    }
  }
});
