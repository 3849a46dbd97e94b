/** What the webhook knows of policies: a watch of them, and live reads of the labels that they choose by. */
import type { Clock } from '../api/clock.ts';
import {
  type ClusterSecretPolicy,
  POLICY_GROUP,
  POLICY_PLURAL,
  POLICY_VERSION,
} from '../api/policy/cluster-secret-policy.ts';
import type { KubeClient } from '../kube/client.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import type { Log } from '../runtime/log.ts';
import { orAbort } from '../sync/abort.ts';
import type { LiveCluster } from '../sync/live.ts';
import { PolicyBook, type PolicyDefault, type PolicyGate } from '../sync/policies.ts';

/** The watch is a hint, this list the truth. */
const RELIST_MS = 10 * 60_000;

export class Policies {
  readonly #book: PolicyBook;
  readonly #reflector: Reflector<ClusterSecretPolicy>;
  readonly gate: PolicyGate;
  #listed = false;

  constructor(options: {
    readonly kube: KubeClient;
    readonly live: LiveCluster;
    readonly clock: Clock;
    readonly log: Log;
    readonly policyDefault: PolicyDefault;
  }) {
    const { kube, live, clock, log, policyDefault } = options;
    const book = new PolicyBook(policyDefault);
    this.#book = book;
    this.#reflector = new Reflector<ClusterSecretPolicy>({
      kube,
      log,
      path: resourcePath({ group: POLICY_GROUP, version: POLICY_VERSION, resource: POLICY_PLURAL }),
      relistMs: RELIST_MS,
      handlers: {
        onUpsert: (policy) => void book.upsert(policy),
        onDelete: ({ name }) => void book.delete(name),
        onSynced: () => {
          this.#listed = true;
          log.info({ policies: this.#book.size }, 'policies listed');
        },
      },
    });
    this.gate = async (namespace, signal) => {
      // A request may come before the first list: it must not be judged by less than all policies.
      if (!this.#listed) await orAbort(this.#reflector.synced, signal, 'listing the policies');
      return book.of(namespace, () => live.reader(clock.monotonic()).namespaceLabels(namespace, signal));
    };
  }

  /** True once every policy is known. Afterwards what was known last is in force, whatever becomes of the watch. */
  get listed(): boolean {
    return this.#listed;
  }

  /** For how long the policies could not be followed, milliseconds. */
  get brokenMs(): number {
    return this.#reflector.brokenMs;
  }

  /** See Reflector. */
  get failure(): string | undefined {
    return this.#reflector.failure;
  }

  /** See Reflector. */
  get stalledMs(): number {
    return this.#reflector.stalledMs;
  }

  start(): void {
    this.#reflector.start();
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }
}
