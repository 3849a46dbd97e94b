import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CASES } from './cases.ts';
import { findTests, namesIn, registerFaults, renderRegister, testsByCase } from './register.ts';

test('names of tests are found wherever they are written', () => {
  // Put together, so that this file is no evidence.
  const [one, two] = ['S'.concat('1'), 'K'.concat('22')];
  const source = [
    `  test('${one} what it is', () => {`,
    `  // test('${one} not yet')`,
    `  { name: "it's ${two} in the middle", x: '${one}' },`,
    `  test(\`\${x} (${one})\`, f);`,
    "  'SS1 none', 'S1000 none', 's1 none',",
  ].join('\n');
  assert.deepEqual(namesIn(source), [`${one} what it is`, `it's ${two} in the middle`, `\${x} (${one})`]);
});

test('a case without a test or a reason is a fault, and so is one with both', () => {
  const every = Object.keys(CASES).map((name) => ({ file: 'a.test.ts', name: `${name} x` }));
  const faults = registerFaults(testsByCase(every));
  assert.ok(faults.every((fault) => fault.includes('has a test now')));
  const none = registerFaults(testsByCase([]));
  assert.ok(none.length > 50);
  assert.ok(none.every((fault) => fault.includes('neither')));
});

test('every case of this tree has a test or a reason', () => {
  assert.deepEqual(registerFaults(testsByCase(findTests())), []);
});

test('a name may be about several cases', () => {
  const [from, to] = ['K'.concat('13'), 'K'.concat('16')];
  const found = testsByCase([{ file: 'a.test.ts', name: `${from}-${to} x` }]);
  assert.deepEqual(
    (['K12', 'K13', 'K14', 'K15', 'K16', 'K17'] as const).map((number) => found.get(number)?.length),
    [0, 1, 1, 1, 1, 0],
  );
});

test('the page names file and test', () => {
  const first = 'S'.concat('1');
  const page = renderRegister(testsByCase([{ file: 'a.test.ts', name: `${first} a | b` }]));
  assert.ok(page.includes(`| ${first} | ${CASES.S1} | [a.test.ts](../a.test.ts): "${first} a \\| b" |`));
});
