/** What the poller sees of the cluster: one reflector a kind, each of which tells the parts that it concerns. */
import { GROUP, HUB_VERSION, STORE_KINDS, type StoreKind } from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { KES_GROUP, KES_PLURAL, KES_VERSION, qualifiedName } from '../api/kubernetes-client/names.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { type DeletedObject, Reflector } from '../kube/reflector.ts';
import type { Log } from '../runtime/log.ts';
import type { Scope } from '../sync/scope.ts';
import type { StoreObject } from '../sync/stores.ts';
import type { KesStored } from './kes-objects.ts';
import { keyOf } from './object-index.ts';
import { type Parts, RELIST_MS } from './parts.ts';
import { secretReflector } from './secret-watch.ts';

/** ExternalSecrets in one page of a list: one page is parsed in one go, and 500 of them block for 20 ms and more. */
const PAGE_SIZE = 200;

export interface Reflectors {
  readonly stores: readonly Reflector<StoreObject>[];
  readonly objects: Reflector<ExternalSecret>;
  readonly secrets: Reflector<KubeObject>;
  /** These two only with the part that they are for; their CRDs may be missing. */
  readonly kes: Reflector<KesStored> | undefined;
  readonly fleet: Reflector<ClusterExternalSecret> | undefined;
}

type Handlers<T extends KubeObject> = ConstructorParameters<typeof Reflector<T>>[0]['handlers'];

/** None is started yet. `scope`: nothing else is listed or watched. */
export function reflectorsFor(parts: Parts, scope: Scope, log: Log): Reflectors {
  const { kube, owns, controller, stores, dependents, sources, fleet, kes } = parts;
  const follow = <T extends KubeObject>(path: string, handlers: Handlers<T>): Reflector<T> =>
    new Reflector<T>({ kube, log, path, handlers, pageSize: PAGE_SIZE, relistMs: RELIST_MS });
  const path = (resource: string, namespace: string | undefined): string =>
    resourcePath({ group: GROUP, version: HUB_VERSION, resource, namespace });

  const storesOf = (kind: StoreKind): Reflector<StoreObject> =>
    follow(
      kind === 'SecretStore' ? path('secretstores', scope.namespace) : path('clustersecretstores', undefined),
      {
        onUpsert: (object: StoreObject) => stores.upsert(object),
        onDelete: (gone: DeletedObject) => stores.delete(kind, gone.namespace, gone.name),
      },
    );

  return {
    stores: STORE_KINDS.filter((kind) => kind === 'SecretStore' || scope.clusterStores).map(storesOf),
    objects: follow<ExternalSecret>(path('externalsecrets', scope.namespace), {
      onUpsert: (object, key) => {
        if (owns(key)) {
          // Before anything is read of it, so that what changes from then on is noticed.
          for (const kind of dependents.observe(object)) if (kind !== 'Secret') sources.need(kind);
          controller.upsert(object, key);
        }
        fleet?.externalSecretChanged(object);
      },
      onDelete: (gone) => {
        dependents.forget(gone.namespace, gone.name);
        controller.delete(gone.namespace, gone.name);
        fleet?.externalSecretDeleted(gone.namespace ?? '', gone.name);
      },
    }),
    secrets: secretReflector({ ...parts, log, relistMs: RELIST_MS, namespace: scope.namespace }),
    kes:
      kes &&
      follow<KesStored>(
        resourcePath({
          group: KES_GROUP,
          version: KES_VERSION,
          resource: KES_PLURAL,
          namespace: scope.namespace,
        }),
        {
          onUpsert: (object) => {
            const hub = kes.take(object);
            const { namespace, name } = object.metadata;
            // Of another controller now: not ours any more.
            if (hub === undefined) controller.delete(namespace, kes.nameOf(name));
            else if (owns(keyOf(namespace, qualifiedName(hub)))) controller.upsert(hub);
          },
          onDelete: ({ namespace, name }) => controller.delete(namespace, kes.nameOf(name)),
        },
      ),
    fleet:
      fleet &&
      follow<ClusterExternalSecret>(path('clusterexternalsecrets', undefined), {
        onUpsert: (object) => fleet.upsert(object),
        onDelete: (gone) => fleet.delete(gone.name),
      }),
  };
}
