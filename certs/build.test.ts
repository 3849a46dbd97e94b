import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import type { Worker } from 'node:worker_threads';
import forge from 'node-forge';
import { buildAuthority, buildLeaf } from './build.ts';
import {
  isAuthority,
  isTrusted,
  joinBundle,
  leafProblem,
  readPrivateKey,
  renewalTime,
  servingProblem,
  splitBundle,
} from './x509.ts';

const DAY = 86_400_000;
const NAMES = ['hook', 'hook.system', 'hook.system.svc', 'hook.system.svc.cluster.local'];
const now = Date.now();
const authority = await buildAuthority(now, 365 * DAY);
const other = await buildAuthority(now, 365 * DAY);
const leaf = await buildLeaf(authority, NAMES, now, 30 * DAY);

/** Handshakes with a server that shows `leaf`, as a client that trusts `ca` and expects `servername`. */
async function handshake(ca: string, servername: string): Promise<string> {
  const server = createServer({ key: leaf.key, cert: leaf.cert });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername }, () => {
        resolve(socket.authorized ? 'trusted' : String(socket.authorizationError));
        socket.destroy();
      });
      socket.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    });
  } finally {
    server.close();
  }
}

/** A self-signed certificate such as other tools make; all have the key of `leaf`. */
function foreign(extensions: object[], commonName: string): { key: string; cert: string } {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.certificateFromPem(leaf.cert).publicKey;
  certificate.validity.notBefore = new Date(now - DAY);
  certificate.validity.notAfter = new Date(now + DAY);
  certificate.setSubject([{ name: 'commonName', value: commonName }]);
  certificate.setIssuer([{ name: 'commonName', value: commonName }]);
  certificate.setExtensions(extensions);
  certificate.sign(forge.pki.privateKeyFromPem(leaf.key), forge.md.sha256.create());
  return { key: leaf.key, cert: forge.pki.certificateToPem(certificate) };
}
const altNames = { name: 'subjectAltName', altNames: NAMES.map((value) => ({ type: 2, value })) };
const anyUse = foreign([altNames], 'x');
const forClients = foreign([altNames, { name: 'extKeyUsage', clientAuth: true }], 'x');
const subjectOnly = foreign([], 'hook');

describe('what a client sees', () => {
  for (const name of NAMES) {
    test(`${name} is trusted`, async () => assert.equal(await handshake(authority.cert, name), 'trusted'));
  }
  test('another name, another CA: refused; a bundle of both: trusted', async () => {
    assert.equal(await handshake(authority.cert, 'hook.other.svc'), 'ERR_TLS_CERT_ALTNAME_INVALID');
    assert.equal(await handshake(other.cert, 'hook.system.svc'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    assert.equal(await handshake(joinBundle([other.cert, authority.cert]), 'hook.system.svc'), 'trusted');
  });
});

describe('the certificates', () => {
  const ca = new X509Certificate(authority.cert);
  const end = new X509Certificate(leaf.cert);

  test('the CA is one, with its own subject and key identifier', () => {
    const key = readPrivateKey(authority.key);
    assert.ok(key && isAuthority(ca, key));
    assert.notEqual(ca.subject, new X509Certificate(other.cert).subject);
    assert.match(ca.toLegacyObject().serialNumber, /^[4-7][0-9A-F]{31}$/);
    assert.notEqual(ca.serialNumber, new X509Certificate(other.cert).serialNumber);
  });

  test('the leaf is for servers, signed by it, and valid since an hour ago', () => {
    assert.equal(leafProblem(leaf, authority.cert, NAMES, now), undefined);
    assert.deepEqual(end.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(end.ca, false);
    assert.equal(end.subjectAltName, NAMES.map((name) => `DNS:${name}`).join(', '));
    assert.equal(end.validFromDate.getTime(), Math.floor(now / 1000) * 1000 - 2 * 3_600_000);
    assert.equal(end.validToDate.getTime(), Math.floor(now / 1000) * 1000 + 30 * DAY);
    assert.ok(!leaf.cert.includes('\r'));
  });

  test('two thirds of the life', () => {
    assert.ok(Math.abs(renewalTime(end) - (now + 20 * DAY)) < 2000);
  });

  test('a leaf ends with its CA', async () => {
    const short = await buildAuthority(now, DAY);
    const cut = await buildLeaf(short, NAMES, now, 30 * DAY);
    assert.equal(new X509Certificate(cut.cert).validTo, new X509Certificate(short.cert).validTo);
  });

  test('what is wrong with a leaf is said', () => {
    const why = (pair: { key: string; cert: string }, names = NAMES, time = now, ca = authority.cert) =>
      leafProblem(pair, ca, names, time);
    assert.equal(why(leaf, NAMES, now, other.cert), 'its CA did not sign it');
    assert.equal(why({ ...leaf, key: other.key }), 'its key does not fit');
    assert.equal(why(leaf, ['x']), 'it is not valid for x');
    assert.equal(why({ key: '', cert: 'x' }), 'it cannot be read');
    assert.equal(why({ ...leaf, key: '' }), 'it cannot be read');
    assert.equal(why(authority), 'it is a CA');
    assert.match(why(leaf, NAMES, now + 31 * DAY) ?? '', /^it is valid from 2\S+Z to 2\S+Z only$/);
    assert.match(why(leaf, NAMES, now - DAY) ?? '', /^it is valid from/);
    assert.equal(why(leaf, NAMES, now - 3_600_000), undefined);
  });

  test('one without a use is for any, one for clients is not for servers, a name in the subject is none', () => {
    assert.equal(servingProblem(anyUse, NAMES, now), undefined);
    assert.equal(servingProblem(forClients, NAMES, now), 'it is not for servers');
    assert.equal(servingProblem(subjectOnly, ['hook'], now), 'it is not valid for hook');
  });

  test('trust is by signature, also through an intermediate CA that is served along', () => {
    assert.ok(isTrusted(leaf.cert, joinBundle([other.cert, authority.cert])));
    assert.equal(isTrusted(leaf.cert, other.cert), false);
    assert.equal(isTrusted(leaf.cert, ''), false);
    assert.equal(isTrusted(leaf.cert, 'garbage'), false);
    assert.equal(isTrusted(leaf.cert, leaf.cert), false, 'a leaf in a bundle is no CA');
    assert.ok(isTrusted(joinBundle([leaf.cert, authority.cert]), authority.cert));
  });

  test('a bundle is split into what it was made of', () => {
    assert.deepEqual(
      splitBundle(joinBundle([authority.cert, other.cert])).map((pem) => `${pem}\n`),
      [authority.cert, other.cert],
    );
    assert.deepEqual(splitBundle('nothing'), []);
  });
});

test('building is done in another thread than the one that serves, and that thread ends', async () => {
  const started: Worker[] = [];
  const onWorker = (worker: Worker): void => {
    started.push(worker);
  };
  process.on('worker', onWorker);
  try {
    await buildLeaf(authority, NAMES, now, DAY);
  } finally {
    process.off('worker', onWorker);
  }
  const [thread, ...others] = started;
  assert.ok(thread);
  assert.deepEqual(others, []);
  // It has ended, or ends now.
  if (thread.threadId !== -1) await once(thread, 'exit');
});

test('a build that fails is a CERTIFICATE error', async () => {
  await assert.rejects(buildLeaf({ key: 'x', cert: 'y' }, NAMES, now, DAY), { code: 'CERTIFICATE' });
  await assert.rejects(buildLeaf(authority, [], now, DAY), { code: 'CERTIFICATE' });
});
