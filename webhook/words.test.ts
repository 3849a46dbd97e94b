import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldAndCause, notMadeYet } from './words.ts';

const PATH = 'spec.provider.vault.auth.kubernetes.serviceAccountRef.name';

test('a field and a cause that fit stand there whole', () => {
  assert.equal(fieldAndCause(PATH, 'ServiceAccount a/b not found'), `${PATH}: ServiceAccount a/b not found`);
});

test('the path gives way first, then the beginning of the cause', () => {
  const cause = 'ServiceAccount external-secrets-system/external-secrets-vault not found';
  assert.equal(fieldAndCause(PATH, cause), `...auth.kubernetes.serviceAccountRef.name: ${cause}`);
  const long = fieldAndCause(PATH, `${'x'.repeat(100)} a Secret of this name not found`);
  assert.equal(long, '...serviceAccountRef.name: ...a Secret of this name not found');
  assert.equal(fieldAndCause('spec.secretStoreRef.name', `${'y '.repeat(90)}end`).length <= 120, true);
  assert.match(
    fieldAndCause('spec.secretStoreRef.name', 'y '.repeat(90)),
    /^spec\.secretStoreRef\.name: \.\.\.y/,
  );
});

test('the name of a Secret gives way to the cause', () => {
  const text = notMadeYet(`shop/${'n'.repeat(200)}`, 'no such secret');
  assert.match(text, /^Secret shop\/n+\.\.\. is not made yet, retrying: no such secret$/);
});
