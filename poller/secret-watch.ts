/** The one watch of Secrets: targets, what stores and templates read, and what admission has left to be adopted. */
import { ANNOTATION_PENDING } from '../api/external-secrets/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import type { Log } from '../runtime/log.ts';
import type { Controller } from './controller.ts';
import type { Dependents, Source } from './dependents.ts';
import type { PolicyWatch } from './policy-watch.ts';
import type { Change } from './source-watches.ts';
import type { StoreMonitor } from './store-monitor.ts';
import type { Sweeper } from './sweeper.ts';

export interface SecretWatchOptions {
  readonly kube: KubeClient;
  readonly log: Log;
  readonly relistMs: number;
  /** The one namespace that is served; undefined: all of them. */
  readonly namespace: string | undefined;
  readonly controller: Controller;
  readonly stores: StoreMonitor;
  readonly sweeper: Sweeper;
  readonly policies: PolicyWatch;
  readonly dependents: Dependents;
  readonly sourceChanged: (source: Source, how: Change) => void;
}

/** Metadata of all Secrets that are served; what no ExternalSecret, no store and no marker names is let go at once. */
export function secretReflector(options: SecretWatchOptions): Reflector<KubeObject> {
  const { kube, log, relistMs, controller, stores, sweeper, policies, dependents, sourceChanged } = options;
  let listed = false;
  return new Reflector<KubeObject>({
    kube,
    log,
    path: resourcePath({ version: 'v1', resource: 'secrets', namespace: options.namespace }),
    metadataOnly: true,
    relistMs,
    interests: function* () {
      yield* controller.targets();
      for (const { namespace, name } of sweeper.pending())
        yield { namespace, name, resourceVersion: undefined };
      for (const { kind, namespace, name } of stores.dependencies())
        if (kind === 'Secret') yield { namespace, name, resourceVersion: undefined };
      for (const { namespace, name } of dependents.of('Secret'))
        yield { namespace, name, resourceVersion: undefined };
    },
    handlers: {
      onUpsert: ({ metadata }) => {
        const { namespace = '', name = '', uid = '', resourceVersion = '' } = metadata;
        const pending = metadata.annotations?.[ANNOTATION_PENDING];
        if (pending === undefined) sweeper.untrack(namespace, name);
        else sweeper.track(namespace, name, uid, pending);
        if (controller.isTarget(namespace, name)) controller.targetChanged(namespace, name, resourceVersion);
        const how = listed ? 'changed' : 'listed';
        stores.dependencyChanged({ kind: 'Secret', namespace, name }, how);
        sourceChanged({ kind: 'Secret', namespace, name }, how);
      },
      onDelete: ({ namespace = '', name }) => {
        sweeper.untrack(namespace, name);
        stores.dependencyChanged({ kind: 'Secret', namespace, name });
        // A namespace on its way out takes its objects along: nothing to repair, nothing to say.
        if (policies.isTerminating(namespace)) return;
        controller.targetDeleted(namespace, name);
        sourceChanged({ kind: 'Secret', namespace, name }, 'changed');
      },
      onSynced: () => {
        listed = true;
      },
    },
  });
}
