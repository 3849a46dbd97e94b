import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMachineTraces } from './machine-traces.ts';

const folder = (name: string, rest: string): string => `/${name}/${rest}`;

test('finds folders of a person and hosts of a registry, with their lines', () => {
  const host = ['registry', 'npmjs', 'org'].join('.');
  const text = `first\nsee ${folder('root', 'notes.txt')}\n"https://${host}/x"\n(${folder('home', 'me/x')})`;
  assert.deepEqual(findMachineTraces(text), [
    { line: 2, trace: folder('root', 'notes.txt') },
    { line: 3, trace: host },
    { line: 4, trace: folder('home', 'me/x') },
  ]);
});

test('leaves alone what only looks like it', () => {
  for (const text of [
    `/api/v1/namespaces${folder('work', 'secrets')}`,
    'https://kubernetes.io/docs/home/',
    '/root',
  ]) {
    assert.deepEqual(findMachineTraces(text), [], text);
  }
});
