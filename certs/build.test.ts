import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import { buildAuthority, buildLeaf } from './build.ts';
import { isAuthority, joinBundle, leafProblem, readPrivateKey, renewalTime, splitBundle } from './x509.ts';

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
    assert.equal(leafProblem(leaf, authority.cert, NAMES), undefined);
    assert.deepEqual(end.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(end.ca, false);
    assert.equal(end.subjectAltName, NAMES.map((name) => `DNS:${name}`).join(', '));
    assert.equal(end.validFromDate.getTime(), Math.floor(now / 1000) * 1000 - 3_600_000);
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
    assert.equal(leafProblem(leaf, other.cert, NAMES), 'its CA did not sign it');
    assert.equal(leafProblem({ ...leaf, key: other.key }, authority.cert, NAMES), 'its key does not fit');
    assert.equal(leafProblem(leaf, authority.cert, ['x']), 'it is not valid for x');
    assert.equal(leafProblem({ key: '', cert: 'x' }, authority.cert, []), 'it cannot be read');
    assert.equal(leafProblem(authority, authority.cert, []), 'it is a CA');
  });

  test('a bundle is split into what it was made of', () => {
    assert.deepEqual(
      splitBundle(joinBundle([authority.cert, other.cert])).map((pem) => `${pem}\n`),
      [authority.cert, other.cert],
    );
    assert.deepEqual(splitBundle('nothing'), []);
  });
});

test('building does not block the event loop', async () => {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await buildLeaf(await buildAuthority(now, DAY), NAMES, now, DAY);
  delay.disable();
  assert.ok(delay.max / 1e6 < 60, `blocked for ${Math.round(delay.max / 1e6)} ms`);
});

test('a build that fails is a CERTIFICATE error', async () => {
  await assert.rejects(buildLeaf({ key: 'x', cert: 'y' }, NAMES, now, DAY), { code: 'CERTIFICATE' });
  await assert.rejects(buildLeaf(authority, [], now, DAY), { code: 'CERTIFICATE' });
});
