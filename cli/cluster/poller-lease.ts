/** Whether the poller is at work, as its Lease tells. */
import { EsaError } from '../../api/errors.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { LeaseObject } from '../../kube/lease.ts';
import { resourcePath } from '../../kube/path.ts';
import type { Cluster } from './access.ts';

/** Where the chart and the manifests install it. */
export const SYSTEM_NAMESPACE = 'external-secrets-system';
const LEASE = 'external-secrets-admission-poller';
/** Clocks of machines differ; the times in a Lease are the poller's. */
const SKEW_MS = 10_000;
const DEFAULT_DURATION_S = 15;

export type PollerState =
  | { readonly state: 'working'; readonly holder: string; readonly renewedMsAgo: number }
  /** It was there, and has not renewed its Lease for longer than that holds. */
  | { readonly state: 'silent'; readonly holder: string; readonly renewedMsAgo: number }
  /** Nobody holds the Lease, or there is none. */
  | { readonly state: 'absent' }
  | { readonly state: 'unknown'; readonly why: string };

/** @param now wall clock @throws EsaError only if the API server cannot be asked at all */
export async function pollerState(
  { kube, call }: Cluster,
  systemNamespace: string,
  now: number,
): Promise<PollerState> {
  const at = {
    group: 'coordination.k8s.io',
    version: 'v1',
    resource: 'leases',
    namespace: systemNamespace,
    name: LEASE,
  };
  let lease: LeaseObject;
  try {
    lease = await kube.request('GET', resourcePath(at), {
      ...call,
      what: `read Lease ${systemNamespace}/${LEASE}`,
    });
  } catch (error) {
    if (isNotFound(error)) return { state: 'absent' };
    if (error instanceof EsaError) return { state: 'unknown', why: error.message };
    throw error;
  }
  const { holderIdentity = '', renewTime = '', leaseDurationSeconds = DEFAULT_DURATION_S } = lease.spec ?? {};
  if (holderIdentity === '') return { state: 'absent' };
  const renewedMsAgo = Math.max(0, now - (Date.parse(renewTime) || 0));
  const state = renewedMsAgo > leaseDurationSeconds * 1000 + SKEW_MS ? 'silent' : 'working';
  return { state, holder: holderIdentity, renewedMsAgo };
}
