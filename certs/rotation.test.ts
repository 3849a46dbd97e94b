import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_PREVIOUS, newState, type SharedState, trustBundle } from './authority.ts';
import { buildAuthority } from './build.ts';
import { nextStep, type Situation, takeStep } from './rotation.ts';

const DAY = 86_400_000;
const OVERLAP = 600_000;
const start = Date.parse('2026-11-22T00:00:00Z');
const first = await buildAuthority(start, 365 * DAY);
const second = await buildAuthority(start + 244 * DAY, 365 * DAY);
const begin: SharedState = await newState(() => Promise.resolve(first));
const noBuild = () => Promise.reject(new Error('nothing is to be built'));
const at = (day: number, more: Partial<Situation> = {}): Situation => ({
  now: start + day * DAY,
  publishedMs: undefined,
  heldMs: 0,
  overlapMs: OVERLAP,
  requested: false,
  ...more,
});

test('a whole rotation', async () => {
  assert.equal(nextStep(begin, at(1)), undefined);
  assert.equal(nextStep(begin, at(243, { publishedMs: DAY, heldMs: DAY })), undefined);
  assert.equal(nextStep(begin, at(244)), 'introduce');
  const introduced = await takeStep(begin, 'introduce', undefined, () => Promise.resolve(second));
  assert.deepEqual(introduced, { ...begin, next: second, generation: 2 });
  assert.equal(nextStep(introduced, at(300, { heldMs: DAY })), undefined, 'never before it is published');
  assert.equal(nextStep(introduced, at(244, { publishedMs: OVERLAP - 1 })), undefined);
  assert.equal(nextStep(introduced, at(244, { publishedMs: OVERLAP })), 'switch');
  const switched = await takeStep(introduced, 'switch', undefined, noBuild);
  assert.deepEqual(switched, { ...begin, current: second, previous: [first.cert], generation: 3 });
  assert.equal(trustBundle(switched), trustBundle(introduced), 'a switch is no news to API servers');
  assert.equal(nextStep(switched, at(244, { publishedMs: DAY, heldMs: OVERLAP - 1 })), undefined);
  assert.equal(nextStep(switched, at(300)), undefined, 'by the monotonic clock');
  assert.equal(nextStep(switched, at(244, { heldMs: OVERLAP })), 'drop');
  assert.deepEqual(await takeStep(switched, 'drop', undefined, noBuild), {
    ...begin,
    current: second,
    generation: 4,
  });
});

test('a rotation on demand: once a request, and not while another one is under way', async () => {
  assert.equal(nextStep(begin, at(1, { requested: true })), 'introduce');
  const introduced = await takeStep(begin, 'introduce', 'today', () => Promise.resolve(second));
  assert.equal(introduced.answered, 'today');
  assert.equal(nextStep(introduced, at(244, { requested: true })), undefined);
  const switched = await takeStep(introduced, 'switch', 'again', noBuild);
  assert.equal(switched.answered, 'today', 'what is asked for meanwhile is answered later');
  assert.equal(nextStep(switched, at(244, { requested: true })), undefined);
});

test('an expired CA: the next one is published, but nobody is waited for long', async () => {
  assert.equal(nextStep(begin, at(365)), 'introduce');
  const introduced = await takeStep(begin, 'introduce', undefined, () => Promise.resolve(second));
  assert.equal(nextStep(introduced, at(366)), undefined);
  assert.equal(nextStep(introduced, at(366, { publishedMs: 999 })), undefined);
  assert.equal(nextStep(introduced, at(366, { publishedMs: 1000 })), 'switch');
  assert.equal(nextStep(introduced, at(366, { heldMs: 10_000 })), 'switch', 'a caller that cannot be told');
});

test('a CA from the future, after the clock was put right: replaced like an expired one', () => {
  assert.equal(nextStep(begin, at(-1)), 'introduce');
  assert.equal(nextStep(begin, at(-1 / 24)), undefined, 'an hour is within what it allows for');
});

test('a next CA that has expired before anybody was there to publish it is replaced', () => {
  assert.equal(nextStep({ ...begin, next: second }, at(700, { publishedMs: DAY })), 'introduce');
  assert.equal(nextStep({ ...begin, current: second, next: first }, at(366)), 'introduce');
});

test('rotations that run into each other keep a few old CAs, not all', async () => {
  let state: SharedState = { ...begin, next: second, previous: ['a', 'b', 'c'] };
  state = await takeStep(state, 'switch', undefined, noBuild);
  assert.equal(state.previous.length, MAX_PREVIOUS);
  assert.equal(state.previous[0], first.cert);
});
