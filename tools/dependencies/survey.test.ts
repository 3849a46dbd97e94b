import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAllowed } from './licences.ts';
import { renderDependencies } from './page.ts';
import { faultsOf, survey } from './survey.ts';

const found = survey();

test('nothing is wrong with what we depend on', () => {
  assert.ok(found.direct.length > 30 && found.all.length > 200);
  assert.deepEqual(faultsOf(found), []);
});

test('a dependency without a reason, an importer, a licence, or with a script is a fault', () => {
  const [first] = found.direct;
  assert.ok(first !== undefined);
  const stranger = { ...first, name: 'stranger', path: 'node_modules/stranger', importedBy: [] };
  const faults = (change: object): readonly string[] =>
    faultsOf({ direct: [...found.direct, { ...stranger, ...change }], all: [{ ...stranger, ...change }] });
  assert.deepEqual(faults({}), ['stranger: nobody says what it is for', 'stranger: nothing imports it']);
  assert.ok(
    faults({ importedBy: ['test'] }).includes('stranger: only test import it, so it is a devDependency'),
  );
  assert.ok(faults({ licence: 'GPL-3.0-only' }).includes('node_modules/stranger: licence GPL-3.0-only'));
  assert.ok(faults({ licence: undefined }).includes('node_modules/stranger: states no licence'));
  assert.ok(faults({ hasInstallScript: true }).includes('node_modules/stranger: has an install script'));
  const fewer = { ...found, direct: found.direct.slice(1) };
  assert.deepEqual(faultsOf(fewer), [`${first.name}: has a reason but is no dependency`]);
});

test('licences are expressions', () => {
  const allowed = new Set(['A', 'B']);
  for (const [expression, expected] of [
    ['A', true],
    ['C', false],
    ['A OR C', true],
    ['(C OR B) AND A', true],
    ['A AND C', false],
    ['A B', false],
    ['(A', false],
    ['', false],
  ] as const)
    assert.equal(isAllowed(expression, allowed), expected, expression);
});

test('the page has each direct dependency with its reason', () => {
  const page = renderDependencies(found);
  for (const { name } of found.direct)
    assert.match(page, new RegExp(`^\\| \`${name}\` .* \\| .+ \\| .+ \\| \\d+ \\|$`, 'm'));
});
