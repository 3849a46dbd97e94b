import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TemplateSpec } from '../api/external-secrets/v1/index.ts';
import { passesKey } from './passed-keys.ts';

const cases: [string, TemplateSpec | undefined, boolean][] = [
  ['no template', undefined, true],
  ['a template of metadata alone', { metadata: { labels: { a: '{{ .password }}' } } }, true],
  ['the plain value', { data: { password: '{{ .password }}' } }, true],
  ['the plain value, tightly', { data: { password: ' {{-.password-}}\n' } }, true],
  ['the plain value of another key', { data: { password: '{{ .other }}' } }, false],
  ['the value changed', { data: { password: '{{ .password | b64enc }}' } }, false],
  ['the value with something before it', { data: { password: 'x{{ .password }}' } }, false],
  ['a constant', { mergePolicy: 'Merge', data: { password: 'constant' } }, false],
  ['another key, replacing', { data: { line: '{{ .password }}' } }, false],
  ['another key, merging', { mergePolicy: 'Merge', data: { line: '{{ .password }}' } }, true],
  ['keys that only rendering tells', { mergePolicy: 'Merge', templateFrom: [{ literal: 'a: b' }] }, false],
  [
    'the plain value over keys that only rendering tells',
    { templateFrom: [{ literal: 'a: b' }], data: { password: '{{ .password }}' } },
    true,
  ],
];
for (const [name, template, expected] of cases) {
  test(`${name}: ${expected ? 'passed' : 'not passed'}`, () => {
    assert.equal(passesKey({ target: template === undefined ? {} : { template } }, 'password'), expected);
  });
}
