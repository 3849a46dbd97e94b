import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readManifest } from './manifest.ts';

const objectsOf = (text: string): unknown[] => readManifest('f', text).objects.map(({ object }) => object);

test('documents of YAML and JSON, items of a List, nothing for what is empty', () => {
  const text =
    '# head\n---\nkind: A\n---\n{"kind": "B", "n": [1, 1.5, null]}\n---\n# nothing\n---\nkind: List\nitems:\n- kind: C\n- kind: D\n';
  assert.deepEqual(objectsOf(text), [
    { kind: 'A' },
    { kind: 'B', n: [1, 1.5, null] },
    { kind: 'C' },
    { kind: 'D' },
  ]);
  assert.deepEqual(objectsOf(''), []);
});

test('scalars mean what they mean to Kubernetes', () => {
  const text =
    'yes: yes\noff: "off"\noctal: 0o17\nold: 017\ntime: 2020-01-02\nanchor: &a {x: 1}\nalias: *a\ntext: wörld\n';
  assert.deepEqual(objectsOf(text), [
    {
      true: true,
      false: 'off',
      octal: 15,
      old: 15,
      time: '2020-01-02',
      anchor: { x: 1 },
      alias: { x: 1 },
      text: 'wörld',
    },
  ]);
});

test('a field named like a part of Object is a field', () => {
  const [object] = objectsOf('__proto__: {kind: A}\nconstructor: b\n') as Record<string, unknown>[];
  assert.deepEqual(Object.keys(object ?? {}), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(object), Object.prototype);
});

test('the line of a field, of its nearest parent, and of an item of a List', () => {
  const { objects } = readManifest(
    'f',
    'kind: A\n---\nkind: B\nspec:\n  data:\n    - secretKey: a\n    - secretKey: b\n      remoteRef:\n        key: k\n',
  );
  const lineOf = (path: (string | number)[]): number | undefined => objects[1]?.place(path).line;
  assert.equal(lineOf([]), 3);
  assert.equal(lineOf(['spec', 'data', 1, 'remoteRef', 'key']), 9);
  assert.equal(lineOf(['spec', 'data', 1, 'sourceRef', 'storeRef']), 7);
  assert.equal(lineOf(['metadata', 'name']), 3);
  const list = readManifest('f', 'kind: List\nitems:\n- kind: C\n- kind: D\n  spec: {}\n');
  assert.deepEqual(list.objects[1]?.place(['spec']), { file: 'f', line: 5, column: 3 });
});

test('text that is no YAML and documents that are no objects are faults, each with its line', () => {
  const { objects, faults } = readManifest(
    'f',
    'kind: A\n---\na: [1\n---\n- 1\n---\nkind: List\nitems: [3]\n---\na: &x [*x]\n',
  );
  assert.equal(objects.length, 1);
  assert.deepEqual(
    faults.map(({ place }) => place.line),
    [4, 5, 8, 10],
  );
});

test('an alias bomb is refused', () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
  );
  const { objects, faults } = readManifest('f', `l0: &l0 x\n${levels.join('\n')}\n`);
  assert.equal(objects.length, 0);
  assert.match(faults[0]?.message ?? '', /alias/);
});

test('what nests too deeply is a fault', () => {
  for (const depth of [1_000, 100_000]) {
    for (const text of ['['.repeat(depth), `a: ${'['.repeat(depth)}${']'.repeat(depth)}`]) {
      const { objects, faults } = readManifest('f', `${text}\n`);
      assert.equal(objects.length, 0);
      assert.equal(faults.length, 1, `${depth}`);
    }
  }
});

test('a field that stands there twice, and where', () => {
  const { objects } = readManifest(
    'f',
    'a: {b: 1, c: 2, b: 3}\nd:\n- e: 1\n  e: 2\na: 4\n<<: {x: 1}\n<<: {y: 1}\n',
  );
  assert.deepEqual(
    objects[0]?.repeated().map(({ path, place }) => [path, place.line, place.column]),
    [
      [['a', 'b'], 1, 17],
      [['d', 0, 'e'], 4, 3],
      [['a'], 5, 1],
    ],
  );
});

test('a block scalar at the very end has the line breaks that are there', () => {
  assert.deepEqual(objectsOf('a: |\n  x'), [{ a: 'x' }]);
  assert.deepEqual(objectsOf('a: |\n  x\n---\nb: |\n  y'), [{ a: 'x\n' }, { b: 'y' }]);
});
