/** What is told of a ClusterExternalSecret: its status, events and metrics. Nothing is told twice. */
import { GROUP, HUB_VERSION } from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ClusterExternalSecretStatus } from '../api/external-secrets/v1/index.ts';
import { type KubeClient, PATCH } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { resourcePath } from '../kube/path.ts';
import type { Log } from '../runtime/log.ts';
import type { ClusterExternalSecretMetrics } from '../runtime/metrics.ts';
import {
  clusterStatus,
  externalSecretName,
  invalidStatus,
  type NamespaceOutcome,
  statusPatch,
} from '../sync/cluster-external-secret.ts';

interface ClusterReporterOptions {
  readonly kube: KubeClient;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly metrics: ClusterExternalSecretMetrics;
  readonly stop: AbortSignal;
}

/** How things stand in the namespaces; or why nothing is done, and where something was made before. */
export type ClusterState =
  | { readonly outcomes: ReadonlyMap<string, NamespaceOutcome> }
  | { readonly invalid: string; readonly made: readonly string[] };

/** More names than this help nobody in a message. */
const SHOWN = 5;

export class ClusterReporter {
  readonly #options: ClusterReporterOptions;

  constructor(options: ClusterReporterOptions) {
    this.#options = options;
  }

  /**
   * @param milliseconds that the work took since the last report
   * @returns the status as it stands now; undefined if nothing had to be written
   * @throws KubeError
   */
  async report(
    ces: ClusterExternalSecret,
    state: ClusterState,
    milliseconds: number,
  ): Promise<ClusterExternalSecretStatus | undefined> {
    const status =
      'invalid' in state ? invalidStatus(ces, state.made, state.invalid) : clusterStatus(ces, state.outcomes);
    this.#measure(ces, status, milliseconds);
    const patch = statusPatch(ces.status, status);
    if (patch === undefined) return undefined;
    const { kube, stop } = this.#options;
    const { name = '', uid } = ces.metadata;
    const resource = 'clusterexternalsecrets';
    try {
      const updated = await kube.request<ClusterExternalSecret>(
        'PATCH',
        resourcePath({ group: GROUP, version: HUB_VERSION, resource, name, subresource: 'status' }),
        {
          contentType: PATCH.merge,
          body: { metadata: { uid }, status: patch },
          query: { fieldManager: 'external-secrets' },
          signal: stop,
          what: `write the status of ClusterExternalSecret ${name}`,
        },
      );
      this.#tell(ces, ces.status, status);
      return updated.status;
    } catch (error) {
      // One that is gone, or was made anew, needs no status.
      if (isNotFound(error) || isConflict(error)) return undefined;
      throw error;
    }
  }

  /** The object is gone, and so are its series. */
  forget(name: string): void {
    const { condition, duration } = this.#options.metrics;
    duration.remove({ name });
    for (const status of ['True', 'False']) condition.remove({ name, condition: 'Ready', status });
  }

  #measure(ces: ClusterExternalSecret, status: ClusterExternalSecretStatus, milliseconds: number): void {
    const { condition, duration } = this.#options.metrics;
    const { name = '' } = ces.metadata;
    const ready = status.conditions?.[0]?.status === 'True';
    duration.set({ name }, Math.round(milliseconds * 1e6));
    condition.set({ name, condition: 'Ready', status: 'True' }, ready ? 1 : 0);
    condition.set({ name, condition: 'Ready', status: 'False' }, ready ? 0 : 1);
  }

  #tell(
    ces: ClusterExternalSecret,
    before: ClusterExternalSecretStatus | undefined,
    after: ClusterExternalSecretStatus,
  ): void {
    const { events, log } = this.#options;
    const object = {
      apiVersion: `${GROUP}/${HUB_VERSION}`,
      kind: 'ClusterExternalSecret',
      metadata: ces.metadata,
    };
    const { provisionedNamespaces: were = [], failedNamespaces: failing = [] } = before ?? {};
    const { provisionedNamespaces: are = [], failedNamespaces: failed = [] } = after;
    const added = without(are, were);
    const removed = without(were, are);
    const known = new Set(failing.map(({ namespace, reason }) => `${namespace} ${reason}`));
    const fresh = failed.filter(({ namespace, reason }) => !known.has(`${namespace} ${reason}`));
    const es = `ExternalSecret ${externalSecretName(ces)}`;
    if (added.length > 0) events.record(object, 'Normal', 'Provisioned', `${es} is in ${list(added)}`);
    if (removed.length > 0)
      events.record(object, 'Normal', 'Withdrawn', `${es} is no longer in ${list(removed)}`);
    if (fresh.length > 0) {
      const [first] = fresh;
      const names = list(fresh.map(({ namespace }) => namespace));
      events.record(object, 'Warning', 'NamespacesFailed', `${names}: ${first?.reason ?? ''}`);
    }
    log.info(
      {
        clusterExternalSecret: ces.metadata.name,
        provisioned: are.length,
        added: added.length,
        removed: removed.length,
        failed: failed.length,
      },
      'status written',
    );
  }
}

function without(all: readonly string[], some: readonly string[]): readonly string[] {
  const known = new Set(some);
  return all.filter((one) => !known.has(one));
}

function list(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return `${names.length === 1 ? 'namespace' : 'namespaces'} ${names.slice(0, SHOWN).join(', ')}${more}`;
}
