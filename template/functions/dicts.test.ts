import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal, render } from '../../test/harness/template.ts';

test('keys and values come in the order of the keys, whatever the order of their making', () => {
  const made = '{{ $d := dict "b" 1 "é" 2 "a" 3 "B" 4 }}';
  assert.equal(render(`${made}{{ keys $d }}`), '[B a b é]');
  assert.equal(render(`${made}{{ values $d }}`), '[4 3 1 2]');
  assert.equal(render('{{ keys (dict "z" 1 "y" 1) (dict "b" 1 "a" 1) }}'), '[y z a b]');
});

test('names of JavaScript are keys like any other', () => {
  for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    assert.equal(render(`{{ get (dict) "${name}" }}|{{ hasKey (dict) "${name}" }}`), '|false');
    assert.equal(
      render(`{{ $d := dict }}{{ $_ := set $d "${name}" (dict "x" "y") }}{{ $d }}`),
      `map[${name}:map[x:y]]`,
    );
    assert.equal(
      render(`{{ merge (dict) (fromJson .json) }}`, { json: `{"${name}":{"x":1}}` }),
      `map[${name}:map[x:1]]`,
    );
    assert.match(refusal(`{{ (dict).${name} }}`).goText, /map has no entry for key/);
    assert.match(refusal(`{{ "x".${name} }}`).goText, /unexpected/);
  }
  assert.match(refusal('{{ $_ := set . "__proto__" "x" }}').goText, /wrong type for value/);
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test('a dictionary that contains itself ends in a budget error, not in an overflow of the stack', () => {
  const cycle = '{{ $d := dict "n" 1 }}{{ $_ := set $d "self" $d }}';
  for (const use of [
    'deepCopy $d',
    'deepEqual $d (deepCopy $d)',
    'merge $d $d',
    'mergeOverwrite (dict "self" $d) $d',
    'toString $d',
    'quote $d',
  ]) {
    assert.equal(refusal(`${cycle}{{ ${use} }}`).code, 'TEMPLATE_BUDGET', use);
  }
});

test('values nested too deeply end in a budget error', () => {
  const nest = '{{ $d := dict }}{{ range until 2000 }}{{ $d = dict "a" $d }}{{ end }}';
  for (const use of [
    'toJson $d',
    'toPrettyJson $d',
    'deepCopy $d',
    'deepEqual $d (deepCopy $d)',
    'merge $d $d',
  ]) {
    assert.equal(refusal(`${nest}{{ ${use} }}`).code, 'TEMPLATE_BUDGET', use);
  }
  assert.equal(refusal('{{ fromJson .text }}', { text: '['.repeat(100_000) }).code, 'TEMPLATE_BUDGET');
});
