import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { selfSigned } from '../testing/self-signed.ts';
import { readKubeconfig } from './kubeconfig.ts';

const { cert, key } = selfSigned('127.0.0.1');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const config = ({
  cluster = {},
  user = { token: 't' },
  ...more
}: Record<string, object | string> = {}): string =>
  JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://api.example.com/k8s/', ...(cluster as object) } }],
    users: [{ name: 'u', user }],
    ...more,
  });

describe('a kubeconfig out of a Secret', () => {
  test('server, CA, token or certificate', () => {
    const found = readKubeconfig(config({ cluster: { 'certificate-authority-data': base64(cert) } }));
    assert.ok(typeof found === 'object');
    assert.deepEqual(
      [found.url.href, found.token, found.certificate, found.ca?.includes('BEGIN CERTIFICATE')],
      ['https://api.example.com/k8s/', 't', undefined, true],
    );
    const user = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) };
    const byCertificate = readKubeconfig(config({ user }));
    assert.ok(typeof byCertificate === 'object');
    assert.deepEqual(byCertificate.certificate, { cert, key });
  });

  for (const [what, text, message] of [
    ['no YAML', '{', /is no YAML/],
    ['a list', '[]', /is no kubeconfig/],
    ['no context', config({ 'current-context': 'other' }), /no current-context/],
    ['no user', config({ users: 'SENTINEL' }), /no user/],
    ['a program', config({ user: { exec: { command: 'SENTINEL' } } }), /uses exec/],
    ['a file of a token', config({ user: { tokenFile: '/SENTINEL' } }), /uses tokenFile/],
    [
      'a file of a CA',
      config({ cluster: { 'certificate-authority': '/SENTINEL' } }),
      /uses certificate-authority/,
    ],
    [
      'no verification',
      config({ cluster: { 'insecure-skip-tls-verify': true } }),
      /insecure-skip-tls-verify/,
    ],
    ['a password', config({ user: { username: 'SENTINEL', password: 'SENTINEL' } }), /uses username/],
    ['nobody', config({ user: {} }), /no credentials/],
    ['a server that is no URL', config({ cluster: { server: 'SENTINEL' } }), /server that cannot be used/],
    ['the metadata service', config({ cluster: { server: 'http://169.254.169.254' } }), /never contacted/],
    [
      'a CA that is none',
      config({ cluster: { 'certificate-authority-data': 'SENTINEL' } }),
      /without a certificate/,
    ],
  ] as const) {
    test(`${what} is refused, without a word of what is in it`, () => {
      const why = readKubeconfig(text);
      assert.ok(typeof why === 'string');
      assert.match(why, message);
      assert.doesNotMatch(why, /SENTINEL/);
    });
  }
});
