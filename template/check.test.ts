import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTemplate } from './engine.ts';
import { FUNCTIONS } from './functions/index.ts';

const problems = (text: string): string[] =>
  parseTemplate('t', text, FUNCTIONS)
    .callProblems()
    .map(({ message, offset }) => `${offset}: ${message}`);

test('arguments are counted with what a pipe brings, wherever the call stands', () => {
  assert.deepEqual(
    problems('{{ .a | trunc 3 }}{{ printf "%s" .a }}{{ now | date "2006" }}{{ eq 1 2 3 }}'),
    [],
  );
  assert.deepEqual(problems('{{ trunc }}'), ['3: wrong number of args for trunc: want 2 got 0']);
  assert.deepEqual(problems('{{ .a | b64enc 1 }}'), ['8: wrong number of args for b64enc: want 1 got 2']);
  assert.deepEqual(problems('{{ printf }}'), ['3: wrong number of args for printf: want at least 1 got 0']);
  assert.deepEqual(problems('{{ if true }}x{{ else }}{{ range (list (upper)) }}{{ end }}{{ end }}'), [
    '40: wrong number of args for upper: want 1 got 0',
  ]);
  assert.deepEqual(problems('{{ define "d" }}{{ (len).x }}{{ end }}'), [
    '20: wrong number of args for len: want 1 got 0',
  ]);
});
