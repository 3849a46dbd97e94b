/** Where faults are made: the bed, and requests of its administrator. */
import assert from 'node:assert/strict';
import type { FindingId } from '../../../cli/doctor/catalogue.ts';
import type { Bed } from '../../harness/bed.ts';
import type { Cluster } from '../support/cluster.ts';
import type { Workplace } from '../support/doctor.ts';

export const WHERE = 'shop';
export const SYSTEM = 'external-secrets-system';
export const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
export const VALIDATING = `${ADMISSION}/validatingwebhookconfigurations/external-secrets-admission`;
export const MUTATING = `${ADMISSION}/mutatingwebhookconfigurations/zz-external-secrets-admission`;
export const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases/external-secrets-admission-poller`;
export const CA = `/api/v1/namespaces/${SYSTEM}/secrets/external-secrets-admission-ca`;
export const MARKER = `/api/v1/namespaces/${SYSTEM}/secrets/external-secrets-admission-marker`;
export const WITHIN_MS = 120_000;
export const DEPLOYMENTS = (namespace: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments`;

export class Place {
  readonly bed: Bed;
  readonly cluster: Cluster;
  readonly workplace: Workplace;

  constructor(bed: Bed, cluster: Cluster, workplace: Workplace) {
    this.bed = bed;
    this.cluster = cluster;
    this.workplace = workplace;
  }

  async #send(method: string, path: string, body?: unknown, contentType?: string): Promise<void> {
    const headers = contentType === undefined ? {} : { 'content-type': contentType };
    const answer = await this.bed.cp.request<{ message?: string }>(method, path, body, headers);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body?.message ?? ''}`);
  }

  merge(path: string, body: object): Promise<void> {
    return this.#send('PATCH', path, body, 'application/merge-patch+json');
  }

  change(path: string, ...operations: object[]): Promise<void> {
    return this.#send('PATCH', path, operations, 'application/json-patch+json');
  }

  remove(path: string): Promise<void> {
    return this.#send('DELETE', path);
  }

  create(path: string, body: object): Promise<void> {
    return this.#send('POST', path, body);
  }
}

/** Something that is wrong, and what doctor has to say of it. */
export interface Fault {
  /** What is done to the cluster. */
  readonly name: string;
  readonly id: FindingId;
  readonly prepare: (at: Place) => Promise<unknown>;
  readonly where: RegExp;
  readonly what: RegExp;
  /** What else follows from it. */
  readonly also?: readonly FindingId[];
  /** The remedy, where it is no command: words that it has to have, and how it is done. */
  readonly cure?: { readonly words: RegExp; readonly act: (at: Place) => Promise<unknown> };
  /** For its commands. */
  readonly stdin?: (at: Place) => string;
  /** How the cluster comes back to what it was, where the remedy leaves something. */
  readonly after?: (at: Place) => Promise<unknown>;
  /** Found, but it makes nobody ill. */
  readonly isNote?: true;
}
