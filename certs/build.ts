/** Orders certificates from the worker thread and verifies what comes back. */
import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { EsaError } from '../api/errors.ts';
import type { KeyAndCertificate, Order } from './issue.ts';
import {
  CLOCK_SKEW_MS,
  isAuthority,
  isValidAt,
  leafProblem,
  notAfter,
  readCertificate,
  readPrivateKey,
} from './x509.ts';

export type { KeyAndCertificate };

// A thread an order: they are needed a few times a month, and forge's heap goes with the thread.
function order(what: Order): Promise<KeyAndCertificate> {
  const { promise, resolve, reject } = Promise.withResolvers<KeyAndCertificate>();
  const worker = new Worker(new URL('./build-worker.ts', import.meta.url), {
    workerData: what,
    name: `build ${what.kind} certificate`,
  });
  const fail = (cause: unknown): void =>
    reject(new EsaError('CERTIFICATE', `the ${what.kind} certificate could not be built`, { cause }));
  worker.once('message', resolve);
  worker.once('error', fail);
  worker.once('exit', (code) => fail(new Error(`the worker ended with ${code}`)));
  return promise.finally(() => {
    void worker.terminate();
  });
}

/**
 * A new CA. Each has its own subject, so that old and new are told apart while both are trusted.
 * @throws EsaError CERTIFICATE
 */
export async function buildAuthority(now: number, lifetimeMs: number): Promise<KeyAndCertificate> {
  const built = await order({
    kind: 'authority',
    commonName: `external-secrets-admission-ca-${randomBytes(4).toString('hex')}`,
    notBefore: now - CLOCK_SKEW_MS,
    notAfter: now + lifetimeMs,
  });
  const certificate = readCertificate(built.cert);
  const key = readPrivateKey(built.key);
  if (!certificate || !key || !isAuthority(certificate, key) || !isValidAt(built.cert, now)) {
    throw new EsaError('CERTIFICATE', 'the CA certificate that was built does not verify');
  }
  return built;
}

/**
 * A serving certificate for these names; it never outlives its CA.
 * @throws EsaError CERTIFICATE
 */
export async function buildLeaf(
  authority: KeyAndCertificate,
  dnsNames: readonly string[],
  now: number,
  lifetimeMs: number,
): Promise<KeyAndCertificate> {
  const authorityCertificate = readCertificate(authority.cert);
  const authorityEnd = authorityCertificate === undefined ? 0 : notAfter(authorityCertificate);
  const built = await order({
    kind: 'leaf',
    authority,
    dnsNames,
    notBefore: now - CLOCK_SKEW_MS,
    notAfter: Math.min(now + lifetimeMs, authorityEnd),
  });
  const problem = leafProblem(built, authority.cert, dnsNames, now);
  if (problem !== undefined) {
    throw new EsaError('CERTIFICATE', `the serving certificate that was built does not verify: ${problem}`);
  }
  return built;
}
