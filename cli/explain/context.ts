/** What all explanations ask of a cluster. */
import type { Clock } from '../../api/clock.ts';
import { type EsaError, toEsaError } from '../../api/errors.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { LiveCluster } from '../../sync/live.ts';
import type { PolicyDefault } from '../../sync/policies.ts';
import type { Cluster } from '../cluster/access.ts';
import { eventsOf } from '../cluster/events.ts';
import { type PollerState, pollerState } from '../cluster/poller-lease.ts';
import { formatAge } from '../cluster/words.ts';
import { type Cause, causeOf, type Fact, type Told } from './explanation.ts';

export interface ExplainContext {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Where webhook and poller run. */
  readonly systemNamespace: string;
  /** As webhook and poller were started. */
  readonly controllerClass: string;
  readonly policyDefault: PolicyDefault;
}

export const liveOf = ({ cluster, clock }: ExplainContext): LiveCluster =>
  new LiveCluster(cluster.kube, clock);

/** Events, or nothing with a fact that says why. */
export async function toldOf(
  { cluster }: ExplainContext,
  object: KubeObject,
  unread: (error: EsaError) => void,
): Promise<readonly Told[]> {
  try {
    return await eventsOf(cluster, object);
  } catch (error) {
    unread(toEsaError(error));
    return [];
  }
}

export const pollerOf = ({ cluster, systemNamespace, clock }: ExplainContext): Promise<PollerState> =>
  pollerState(cluster, systemNamespace, clock.now());

/** @returns a cause if nobody is at work */
export function pollerFacts(
  state: PollerState,
  { systemNamespace }: ExplainContext,
): { readonly fact: Fact; readonly cause?: Cause } {
  const about = 'poller';
  if (state.state === 'working') {
    const text = `at work: ${state.holder} renewed its Lease ${formatAge(state.renewedMsAgo)} ago`;
    return { fact: { about, state: 'ok', text } };
  }
  if (state.state === 'unknown') return { fact: { about, state: 'unknown', text: state.why } };
  const text =
    state.state === 'silent'
      ? `no poller is at work: ${state.holder} has not renewed its Lease in namespace ${systemNamespace} for ${formatAge(state.renewedMsAgo)}`
      : `no poller is at work: nobody holds its Lease in namespace ${systemNamespace}`;
  const remedy = `Start it, or see why it does not run: kubectl -n ${systemNamespace} get pods. If it runs in another namespace, name that with --system-namespace.`;
  return { fact: { about, state: 'wrong', text }, cause: { ...causeOf(undefined, text, 'now'), remedy } };
}
