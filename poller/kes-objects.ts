/** ExternalSecrets of KES as the poller takes them in, and the annotations by which namespaces permit them. */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { type KesEnvironment, servesKes } from '../api/kubernetes-client/environment.ts';
import { KES_API_VERSION, qualifiedName } from '../api/kubernetes-client/names.ts';
import type { ObjectMeta } from '../api/meta.ts';
import type { KubeObject } from '../kube/objects.ts';
import { checkKes } from '../policy/check-kes.ts';
import type { KesCredentials, KesServices } from '../sync/kes/services.ts';
import type { LiveCluster } from '../sync/live.ts';

export interface KesSettings {
  readonly environment: KesEnvironment;
  readonly credentials: KesCredentials;
}

/** An object as the watch brings it. */
export type KesStored = KubeObject & { readonly spec?: unknown };

type Annotations = Readonly<Record<string, string>>;

export class KesObjects {
  readonly #environment: KesEnvironment;
  /** Of each namespace those that count, or one that says that there are others. */
  readonly #annotations = new Map<string, Annotations>();
  readonly services: KesServices;

  constructor({ environment, credentials }: KesSettings, live: LiveCluster, clock: Clock) {
    this.#environment = environment;
    this.services = {
      environment,
      credentials,
      annotations: async (namespace, signal) =>
        this.#annotations.get(namespace) ?? live.namespaceAnnotations(namespace, clock.monotonic(), signal),
    };
  }

  /** The object in the form of the hub; undefined if another instance serves it. */
  take(object: KesStored): ExternalSecret | undefined {
    return servesKes(this.#environment, object) ? checkKes(object, this.#environment).hub : undefined;
  }

  /** See `qualifiedName`. */
  nameOf(name: string | undefined): string {
    return qualifiedName({ apiVersion: KES_API_VERSION, metadata: { name } });
  }

  /** @param metadata undefined: the namespace is gone @returns true if it permits other things than before */
  namespaceChanged(name: string, metadata: ObjectMeta | undefined): boolean {
    const before = this.#annotations.get(name);
    if (metadata === undefined) {
      this.#annotations.delete(name);
      return false;
    }
    const after = this.#counting(metadata.annotations ?? {});
    this.#annotations.set(name, after);
    return before !== undefined && JSON.stringify(before) !== JSON.stringify(after);
  }

  #counting(all: Annotations): Annotations {
    const { role, naming } = this.#environment.permissions;
    const kept = Object.fromEntries(
      [role, naming].flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
    );
    // Where annotations are required it counts whether there are any.
    return Object.keys(kept).length === 0 && Object.keys(all).length > 0 ? OTHERS : kept;
  }
}

const OTHERS: Annotations = { others: '' };
