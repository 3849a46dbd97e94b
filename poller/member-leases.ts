/** The Leases of the processes that share the objects: how they look, and the requests for them. */
import type { Clock } from '../api/clock.ts';
import {
  ANNOTATION_SHARD_ROUND,
  ANNOTATION_SHARD_VIEW,
  LABEL_SHARD_MEMBER,
} from '../api/external-secrets/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import { type LeaseObject, microTime } from '../kube/lease.ts';
import { resourcePath } from '../kube/path.ts';
import type { MemberState, Publication } from './shard-view.ts';

/** Chooses them among all Leases of the namespace. */
export const MEMBERS = { labelSelector: LABEL_SHARD_MEMBER } as const;

/**
 * Part of the lease duration after which a silent member is taken for dead. What is between the own deadline and this
 * leaves time for a request on its way; the rest is for agreeing on who follows and for the first reads, so that all
 * of it takes one lease duration.
 */
const SILENCE = 0.7;
const TIMEOUT_MS = 5_000;

interface MemberLeasesOptions {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly namespace: string;
  /** Before the names of the Leases. */
  readonly prefix: string;
  /** Whole seconds. */
  readonly leaseDurationMs: number;
}

/** True if its member has left, or was found dead. */
export const isReleased = ({ spec }: LeaseObject): boolean => (spec?.holderIdentity ?? '') === '';

export class MemberLeases {
  readonly #options: MemberLeasesOptions;

  constructor(options: MemberLeasesOptions) {
    this.#options = options;
  }

  /** Of the collection, or of one member. */
  path(id?: string): string {
    const { namespace } = this.#options;
    const name = id === undefined ? undefined : this.#name(id);
    return resourcePath({ group: 'coordination.k8s.io', version: 'v1', resource: 'leases', namespace, name });
  }

  idOf(name = ''): string {
    return name.slice(this.#options.prefix.length + 1);
  }

  state(lease: LeaseObject): MemberState {
    const { metadata, spec = {} } = lease;
    const annotations = metadata.annotations ?? {};
    return {
      id: this.idOf(metadata.name),
      stamp: JSON.stringify([metadata.uid, spec]),
      silenceMs: ((spec.leaseDurationSeconds ?? 0) * 1000 || this.#options.leaseDurationMs) * SILENCE,
      released: isReleased(lease),
      round: annotations[ANNOTATION_SHARD_ROUND] ?? '',
      view: annotations[ANNOTATION_SHARD_VIEW] ?? '',
    };
  }

  /**
   * Renews the Lease of this member, in the version that is known, or makes it.
   * @param holder empty to leave @throws KubeError
   */
  renew(
    id: string,
    known: LeaseObject | undefined,
    holder: string,
    { round, view }: Publication,
    timeoutMs: number,
  ): Promise<LeaseObject> {
    const { clock, leaseDurationMs, namespace } = this.#options;
    const { metadata, spec } = known ?? { metadata: { namespace, name: this.#name(id) } };
    const now = microTime(clock.now());
    const next = {
      metadata: {
        ...metadata,
        labels: { ...metadata.labels, [LABEL_SHARD_MEMBER]: 'true' },
        annotations: {
          ...metadata.annotations,
          [ANNOTATION_SHARD_ROUND]: round,
          [ANNOTATION_SHARD_VIEW]: view,
        },
      },
      spec: {
        ...spec,
        holderIdentity: holder,
        leaseDurationSeconds: leaseDurationMs / 1000,
        acquireTime: spec?.acquireTime ?? now,
        renewTime: now,
        // Two renewals within a millisecond, or with a clock that was set back, are still two.
        leaseTransitions: ((spec?.leaseTransitions ?? 0) + 1) % 2 ** 31,
      },
    };
    return this.#write(known === undefined ? 'POST' : 'PUT', next, timeoutMs);
  }

  /** Says for everybody that a member is gone, in the version that was read: if it lives after all, this is a conflict. @throws KubeError */
  async release(lease: LeaseObject): Promise<void> {
    await this.#write('PUT', { ...lease, spec: { ...lease.spec, holderIdentity: '' } }, TIMEOUT_MS);
  }

  /** Live. @throws KubeError */
  async list(signal: AbortSignal): Promise<readonly LeaseObject[]> {
    const { items = [] } = await this.#options.kube.request<{ items?: readonly LeaseObject[] }>(
      'GET',
      this.path(),
      { query: MEMBERS, timeoutMs: TIMEOUT_MS, signal, what: 'list the Leases of members' },
    );
    return items;
  }

  /** Live; undefined = there is none. @throws KubeError */
  async read(id: string, signal: AbortSignal): Promise<LeaseObject | undefined> {
    try {
      return await this.#options.kube.request<LeaseObject>('GET', this.path(id), {
        timeoutMs: TIMEOUT_MS,
        signal,
        what: `read Lease ${this.#name(id)}`,
      });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Deletes the Lease in the version that was read. @throws KubeError */
  async delete({ metadata }: LeaseObject): Promise<void> {
    const { uid, resourceVersion, name } = metadata;
    try {
      await this.#options.kube.request('DELETE', this.path(this.idOf(name)), {
        body: { preconditions: { uid, resourceVersion } },
        timeoutMs: TIMEOUT_MS,
        what: `delete Lease ${name ?? ''}`,
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #name(id: string): string {
    return `${this.#options.prefix}-${id}`;
  }

  #write(method: 'POST' | 'PUT', lease: LeaseObject, timeoutMs: number): Promise<LeaseObject> {
    const { name = '' } = lease.metadata;
    const path = method === 'POST' ? this.path() : this.path(this.idOf(name));
    return this.#options.kube.request<LeaseObject>(method, path, {
      body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...lease },
      timeoutMs,
      what: `write Lease ${name}`,
    });
  }
}
