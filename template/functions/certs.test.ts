/** What is random: keys and certificates, judged by OpenSSL's command and by node:crypto. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseTemplate } from '../engine.ts';
import { GoMap, mapOf, T } from '../value.ts';
import { FUNCTIONS } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'template-certs-'));
after(() => rmSync(directory, { recursive: true }));

function render(template: string, data: Readonly<Record<string, string>> = {}): string {
  const root = new GoMap(mapOf(T.string), new Map(Object.entries(data)));
  return parseTemplate('k', template, FUNCTIONS).execute(root);
}

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content, 'latin1');
  return path;
}

const OPENSSL = 'openssl';

const openssl = (...args: string[]): string =>
  execFileSync(OPENSSL, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** The templates of a pair print it so; keys and certificates hold no percent sign. */
const pair = (rendered: string): [string, string] => {
  const [cert = '', key = ''] = rendered.split('%');
  return [cert, key];
};

test('an authority, a certificate that it signs, and what both say', () => {
  const [ca, caKey, cert, key] = render(
    '{{ $ca := genCA "Test CA" 365 }}{{ $c := genSignedCert "a.example" (list "10.0.0.1" "2001:db8::1") (list "a.example" "*.b.example") 30 $ca }}' +
      '{{ $ca.Cert }}%{{ $ca.Key }}%{{ $c.Cert }}%{{ $c.Key }}',
  ).split('%');
  assert.ok(ca !== undefined && caKey !== undefined && cert !== undefined && key !== undefined);
  assert.match(openssl('verify', '-x509_strict', '-CAfile', file('ca.crt', ca), file('a.crt', cert)), /OK/);
  const authority = new X509Certificate(ca);
  const leaf = new X509Certificate(cert);
  assert.equal(authority.ca, true);
  assert.equal(leaf.ca, false);
  assert.equal(leaf.subject, 'CN=a.example');
  assert.equal(leaf.issuer, 'CN=Test CA');
  assert.ok(leaf.checkIssued(authority) && leaf.verify(authority.publicKey));
  assert.ok(
    leaf.checkPrivateKey(createPrivateKey(key)) && authority.checkPrivateKey(createPrivateKey(caKey)),
  );
  assert.equal(
    leaf.subjectAltName,
    'DNS:a.example, DNS:*.b.example, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1',
  );
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  assert.equal(Date.parse(leaf.validTo) - Date.parse(leaf.validFrom), 30 * 86_400_000);
  const text = openssl('x509', '-in', file('ca.crt', ca), '-noout', '-text');
  assert.match(text, /Digital Signature, Key Encipherment, Certificate Sign/);
  assert.match(text, /X509v3 Subject Key Identifier/);
});

test('a certificate signed by its own key, for every kind of key that Go signs with', () => {
  for (const [algorithm, ...options] of [
    ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
    ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    ['EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
    ['EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
    ['ED25519'],
  ]) {
    const key = openssl('genpkey', '-algorithm', algorithm ?? '', ...options);
    const [cert, ownKey] = pair(
      render('{{ $c := genSelfSignedCertWithKey "x" nil (list "x") 1 .key }}{{ $c.Cert }}%{{ $c.Key }}', {
        key,
      }),
    );
    const path = file('self.crt', cert);
    assert.match(openssl('verify', '-CAfile', path, path), /OK/, options.join(' '));
    assert.ok(new X509Certificate(cert).checkPrivateKey(createPrivateKey(ownKey)));
  }
});

test('a certificate may outlive 2049, and a subject may be empty', () => {
  const [cert] = pair(render('{{ (genSelfSignedCert "" nil (list "x") 40000).Cert }}'));
  const certificate = new X509Certificate(cert);
  assert.ok(new Date(certificate.validTo).getUTCFullYear() > 2100);
  assert.match(
    openssl('x509', '-in', file('empty.crt', cert), '-noout', '-text'),
    /Alternative Name: critical/,
  );
});

test('a DSA key signs no certificate', () => {
  const key = render('{{ genPrivateKey "dsa" }}');
  assert.match(key, /^-----BEGIN DSA PRIVATE KEY-----/);
  assert.equal(createPublicKey(key).asymmetricKeyType, 'dsa');
  assert.throws(() => render('{{ genCAWithKey "x" 1 .key }}', { key }), /does not implement crypto.Signer/);
});

test('private keys have the form of their kind', () => {
  const kinds = { '': 'rsa', rsa: 'rsa', ecdsa: 'ec', ed25519: 'ed25519' };
  for (const [kind, type] of Object.entries(kinds)) {
    const key = createPrivateKey(render(`{{ genPrivateKey "${kind}" }}`));
    assert.equal(key.asymmetricKeyType, type);
    if (type === 'rsa') assert.equal(key.asymmetricKeyDetails?.modulusLength, 4096);
  }
});

test('functions that take milliseconds say so', () => {
  for (const name of [
    'genCA',
    'genPrivateKey',
    'bcrypt',
    'htpasswd',
    'derivePassword',
    'pkcs12key',
    'pemToPkcs12',
  ]) {
    assert.equal(FUNCTIONS.get(name)?.slow, true, name);
  }
});

test('a file of a key and certificates is read by OpenSSL', () => {
  const rendered = render(
    '{{ $ca := genCA "Test CA" 1 }}{{ $c := genSignedCert "leaf" nil nil 1 $ca }}{{ $c.Cert }}%{{ $c.Key }}%' +
      '{{ fullPemToPkcs12Pass (print $c.Cert $ca.Cert) $c.Key "pässwörd" | b64dec }}',
  );
  const [cert = '', key = '', ...rest] = rendered.split('%');
  const path = file('store.p12', rest.join('%'));
  // The command takes its password as bytes, as a template does.
  const pass = ['-passin', 'pass:pässwörd', '-nodes'];
  assert.ok(openssl('pkcs12', '-in', path, '-clcerts', '-nokeys', ...pass).includes(cert));
  const read = createPrivateKey(openssl('pkcs12', '-in', path, '-nocerts', ...pass));
  assert.ok(read.equals(createPrivateKey(key)));
  assert.match(openssl('pkcs12', '-in', path, '-cacerts', '-nokeys', ...pass), /Test CA/);
});

test('a trust store names its certificates by their subjects', () => {
  const pem = openssl(
    ...[
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      '/dev/null',
    ],
    ...['-subj', '/C=DE/O=Example, Inc./CN=Röt/emailAddress=a@b.c', '-utf8', '-days', '1'],
  );
  const store = render('{{ pemTruststoreToPKCS12Pass .pem "changeit" | b64dec }}', {
    pem: Buffer.from(pem).toString('latin1'),
  });
  const path = file('trust.p12', store);
  // The command prints a character beyond ASCII as Latin-1.
  const shown = openssl('pkcs12', '-in', path, '-nokeys', '-passin', 'pass:changeit');
  assert.match(
    shown,
    /friendlyName: CN=R.+t,O=Example\\, Inc\.,C=DE,1\.2\.840\.113549\.1\.9\.1=#0c056140622e63/,
  );
  assert.match(shown, /2\.16\.840\.1\.113894\.746875\.1\.1|Trusted key usage \(Oracle\)/);
});
