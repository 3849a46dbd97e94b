import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newTokens, type SharedState, trustBundle } from './authority.ts';
import { buildAuthority } from './build.ts';
import { nextStep, takeStep } from './rotation.ts';

const DAY = 86_400_000;
const start = Date.parse('2026-11-22T00:00:00Z');
const LEAF = 30 * DAY;
const first = await buildAuthority(start, 365 * DAY);
const second = await buildAuthority(start + 244 * DAY, 365 * DAY);
const begin: SharedState = {
  current: first,
  next: undefined,
  previous: [],
  switchedAt: undefined,
  tokens: newTokens(),
};
const noBuild = () => Promise.reject(new Error('nothing is to be built'));
const at = (day: number, published = false) => ({
  now: start + day * DAY,
  published,
  leafLifetimeMs: LEAF,
});

test('a whole rotation', async () => {
  assert.equal(nextStep(begin, at(1)), undefined);
  assert.equal(nextStep(begin, at(243, true)), undefined);
  assert.equal(nextStep(begin, at(244)), 'introduce');
  const introduced = await takeStep(begin, 'introduce', at(244).now, () => Promise.resolve(second));
  assert.equal(introduced.current, first);
  assert.equal(introduced.next, second);
  assert.equal(nextStep(introduced, at(300)), undefined, 'never before it is published');
  assert.equal(nextStep(introduced, at(244, true)), 'switch');
  const switched = await takeStep(introduced, 'switch', at(244).now, noBuild);
  assert.deepEqual(switched, {
    ...begin,
    current: second,
    previous: [first.cert],
    switchedAt: at(244).now,
  });
  assert.equal(trustBundle(switched), trustBundle(introduced), 'a switch is no news to API servers');
  assert.equal(nextStep(switched, at(273, true)), undefined);
  assert.equal(nextStep(switched, at(274, true)), 'drop');
  assert.deepEqual(await takeStep(switched, 'drop', at(274).now, noBuild), { ...begin, current: second });
});

test('an expired CA is replaced, by the introduced one if there is one', async () => {
  assert.equal(nextStep(begin, at(365)), 'replace');
  const fresh = await takeStep(begin, 'replace', at(365).now, () => Promise.resolve(second));
  assert.deepEqual(fresh, { ...begin, current: second });
  const introduced = { ...begin, next: second };
  assert.equal(nextStep(introduced, at(365)), 'replace');
  assert.deepEqual(await takeStep(introduced, 'replace', at(365).now, noBuild), {
    ...begin,
    current: second,
  });
});

test('a previous CA that has expired goes at once', () => {
  const state = { ...begin, current: second, previous: [first.cert], switchedAt: at(364).now };
  assert.equal(nextStep(state, at(364)), undefined);
  assert.equal(nextStep(state, at(366)), 'drop');
});

test('two switches within the life of a leaf keep both old CAs', async () => {
  const state = { ...begin, next: second, previous: [second.cert], switchedAt: at(240).now };
  const switched = await takeStep(state, 'switch', at(245).now, noBuild);
  assert.deepEqual(switched.previous, [first.cert, second.cert]);
});
