import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { parseCaBundle } from './ca-bundle.ts';

const [first = '', second = ''] = rootCertificates;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('PEM, PEM in base64 (wrapped too), and that in base64 again', () => {
  for (const bundle of [
    first,
    base64(first),
    base64(base64(first)),
    base64(first).replace(/.{76}/g, '$&\n'),
  ]) {
    assert.equal(parseCaBundle(bundle)?.trim(), first.trim());
  }
});

test('several certificates with comments around them', () => {
  const parsed = parseCaBundle(`# one\n${first}\n# two\n${second}\n`);
  assert.equal(parsed?.match(/BEGIN CERTIFICATE/g)?.length, 2);
  assert.doesNotMatch(parsed ?? '', /#/);
});

test('anything else is refused', () => {
  const broken = first.replace(/[A-Za-z]{20}/, 'AAAAAAAAAAAAAAAAAAAA');
  for (const bundle of [
    '',
    'x',
    base64('x'),
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
    `${first}\n${broken}`,
  ]) {
    assert.equal(parseCaBundle(bundle), undefined, bundle.slice(0, 40));
  }
});
