/** The serving certificate: one of our own making, signed by the shared CA. */
import type { KubeLog } from '../kube/log.ts';
import type { SharedState } from './authority.ts';
import { buildLeaf } from './build.ts';
import { isValidAt, notAfter, readCertificate, renewalTime } from './x509.ts';

/** A serving certificate. */
export interface ServingCertificate {
  /** PEM, PKCS#8. */
  readonly key: string;
  /** PEM; intermediate CAs may follow. */
  readonly cert: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** Where serving certificates come from. */
export interface LeafSource {
  /** A new certificate if one is due, else undefined. `now` is milliseconds since the epoch. */
  renew(state: SharedState, now: number): Promise<ServingCertificate | undefined>;
}

/** The names by which a Service is called inside a cluster; the API server takes the third. */
export const serviceNames = (service: string, namespace: string) =>
  [
    service,
    `${service}.${namespace}`,
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.cluster.local`,
  ] as const;

interface OwnLeafOptions {
  readonly dnsNames: readonly string[];
  readonly lifetimeMs: number;
  readonly log: KubeLog;
}

/** Builds a leaf in memory when there is none, when two thirds of its life are over, and when the CA changes. */
export class OwnLeaf implements LeafSource {
  readonly #options: OwnLeafOptions;
  #last: { readonly cert: string; readonly authority: string; readonly renewAt: number } | undefined;

  constructor(options: OwnLeafOptions) {
    this.#options = options;
  }

  /** @throws EsaError CERTIFICATE */
  async renew({ current }: SharedState, now: number): Promise<ServingCertificate | undefined> {
    const { dnsNames, lifetimeMs, log } = this.#options;
    const last = this.#last;
    const inTime = last !== undefined && now < last.renewAt && isValidAt(last.cert, now);
    if (inTime && last.authority === current.cert) return undefined;
    // With such a CA nothing can be signed; the leader is about to replace it.
    if (!isValidAt(current.cert, now)) return undefined;
    const built = await buildLeaf(current, dnsNames, now, lifetimeMs);
    const certificate = readCertificate(built.cert);
    if (!certificate) return undefined;
    this.#last = { cert: built.cert, authority: current.cert, renewAt: renewalTime(certificate) };
    const end = notAfter(certificate);
    log.info({ notAfter: new Date(end).toISOString() }, 'serving certificate issued');
    return { ...built, notAfter: end };
  }
}
