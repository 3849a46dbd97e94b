import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collector } from '../api/problem.ts';
import {
  type AdmissionRequest,
  allow,
  MAX_WARNING,
  refuseInvalid,
  reviewOf,
  shorten,
  shortenFront,
} from './admission.ts';

test('texts are shortened at the end that says less', () => {
  assert.equal(shorten('one  two\nthree', 13), 'one two three');
  assert.equal(shorten('one two three four', 13), 'one two th...');
  assert.equal(shortenFront('one two three', 13), 'one two three');
  assert.equal(shortenFront('one two three four', 13), '...three four');
  assert.equal(shortenFront('x'.repeat(20), 10), `...${'x'.repeat(7)}`);
});

test('a warning is one line of at most 120 characters', () => {
  const { warnings = [] } = allow({ warnings: [`two\nlines ${'and more '.repeat(40)}`] });
  assert.equal(warnings.length, 1);
  assert.ok(warnings.every((text) => text.length <= MAX_WARNING && !text.includes('\n')));
  assert.equal('warnings' in allow({ warnings: [] }), false);
});

const request: AdmissionRequest = {
  uid: 'u',
  kind: { group: 'external-secrets.io', version: 'v1', kind: 'ExternalSecret' },
  operation: 'CREATE',
  userInfo: {},
  object: { metadata: { generateName: 'app-' } },
};

test('a warning has no half characters and no control characters, for which the API server would drop it', () => {
  const lock = '\u{1f510}';
  const { warnings = [] } = allow({
    warnings: [`a\u0007b\u001b[31m`, '\ud800x', lock.repeat(100), `x${lock.repeat(100)}`],
  });
  assert.deepEqual(warnings.slice(0, 2), ['a b [31m', '\ufffdx']);
  for (const text of [...warnings, shortenFront(lock.repeat(100), MAX_WARNING)]) {
    assert.ok(text.isWellFormed(), text);
    assert.ok(text.length <= MAX_WARNING);
  }
});

test('message and causes of a refusal both hold every problem', () => {
  const { report, problems } = collector(['spec']);
  report('es-one-source', ['data', 0], 'bad');
  report('es-source', [], 'missing');
  const single = refuseInvalid({ ...request, name: 'app' }, problems.slice(0, 1)).status;
  assert.equal(single?.message, 'ExternalSecret "app" is invalid: spec.data[0]: bad');
  const both = refuseInvalid(request, problems).status;
  assert.equal(both?.message, 'ExternalSecret "app-" is invalid: \n* spec.data[0]: bad\n* spec: missing');
  assert.deepEqual(both.details?.causes, [
    { reason: 'FieldValueInvalid', field: 'spec.data[0]', message: 'bad' },
    { reason: 'FieldValueRequired', field: 'spec', message: 'missing' },
  ]);
});

test('a refusal tells the audit log its rules, each once, and keeps them off the wire otherwise', () => {
  const { report, problems } = collector(['spec']);
  report('es-one-source', ['data', 0], 'bad');
  report('es-source', [], 'missing');
  report('es-one-source', ['data', 1], 'bad');
  const answer = refuseInvalid(request, problems);
  assert.deepEqual(answer.refusedFor, ['es-one-source', 'es-source']);
  assert.deepEqual(answer.auditAnnotations, { rules: 'es-one-source,es-source' });
  const { refusedFor: _, ...wire } = answer;
  assert.deepEqual(reviewOf('u', answer), {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: 'u', ...wire },
  });
});
