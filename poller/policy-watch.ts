/** What the poller knows of policies and of the labels that they choose namespaces by, from two watches. */

import type { ObjectMeta } from '../api/meta.ts';
import {
  type ClusterSecretPolicy,
  POLICY_GROUP,
  POLICY_PLURAL,
  POLICY_VERSION,
} from '../api/policy/cluster-secret-policy.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import { selects } from '../policy/cluster-policy.ts';
import type { Log } from '../runtime/log.ts';
import { PolicyBook, type PolicyDefault, type PolicyGate } from '../sync/policies.ts';

type Labels = Readonly<Record<string, string>>;

export interface PolicyWatchOptions {
  readonly kube: KubeClient;
  readonly log: Log;
  readonly policyDefault: PolicyDefault;
  readonly relistMs: number;
  /** The one namespace that is served; undefined: all of them. A right on that one object is enough to watch it. */
  readonly namespace: string | undefined;
  /** Reads the labels of a namespace that the watch has not brought yet. */
  readonly liveLabels: (namespace: string, signal: AbortSignal) => Promise<Labels>;
  /** Other things than before are allowed in the namespaces of which `concerns` is true. */
  readonly onChange: (concerns: (namespace: string) => boolean) => void;
  /** A namespace is new or its metadata changed; undefined: it is gone. */
  readonly onNamespace?: (name: string, metadata: ObjectMeta | undefined) => void;
}

export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  readonly #book: PolicyBook;
  readonly #labels = new Map<string, Labels>();
  readonly #terminating = new Set<string>();
  readonly #policies: Reflector<ClusterSecretPolicy>;
  readonly #namespaces: Reflector<KubeObject>;

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
    this.#book = new PolicyBook(options.policyDefault);
    const { kube, log, relistMs } = options;
    this.#policies = new Reflector<ClusterSecretPolicy>({
      kube,
      log,
      relistMs,
      path: resourcePath({ group: POLICY_GROUP, version: POLICY_VERSION, resource: POLICY_PLURAL }),
      handlers: {
        onUpsert: (policy) => this.#changed(this.#book.upsert(policy), policy),
        onDelete: ({ name }) => this.#changed(this.#book.delete(name), undefined),
      },
    });
    this.#namespaces = new Reflector<KubeObject>({
      kube,
      log,
      relistMs,
      path: resourcePath({ version: 'v1', resource: 'namespaces' }),
      query: options.namespace === undefined ? {} : { fieldSelector: `metadata.name=${options.namespace}` },
      metadataOnly: true,
      handlers: {
        onUpsert: ({ metadata }) => {
          const { name = '', labels = {} } = metadata;
          if (metadata.deletionTimestamp !== undefined) this.#terminating.add(name);
          else this.#terminating.delete(name);
          this.#relabelled(name, labels);
          options.onNamespace?.(name, metadata);
        },
        onDelete: ({ name }) => {
          this.#labels.delete(name);
          this.#terminating.delete(name);
          options.onNamespace?.(name, undefined);
        },
      },
    });
  }

  /** Begins to list and watch. @returns true once everything that exists was seen, false if stopped before */
  async start(): Promise<boolean> {
    const both = [this.#policies, this.#namespaces];
    for (const reflector of both) reflector.start();
    return (await Promise.all(both.map(({ synced }) => synced))).every(Boolean);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#policies.stop(), this.#namespaces.stop()]);
  }

  /** For how long the policies could not be followed, milliseconds. */
  get brokenMs(): number {
    return this.#policies.brokenMs;
  }

  /** See Reflector; of the first that fails. */
  get failure(): string | undefined {
    return this.#policies.failure ?? this.#namespaces.failure;
  }

  /** See Reflector; the longer of the two. */
  get stalledMs(): number {
    return Math.max(this.#policies.stalledMs, this.#namespaces.stalledMs);
  }

  /** True if the namespace was seen to be on its way out: what goes from it is not missed. */
  isTerminating(namespace: string): boolean {
    return this.#terminating.has(namespace);
  }

  readonly gate: PolicyGate = (namespace, signal) =>
    this.#book.of(namespace, () => this.labels(namespace, signal));

  async labels(namespace: string, signal: AbortSignal): Promise<Labels> {
    return this.#labels.get(namespace) ?? this.#options.liveLabels(namespace, signal);
  }

  #changed(before: ClusterSecretPolicy | undefined, after: ClusterSecretPolicy | undefined): void {
    if (JSON.stringify(before?.spec) === JSON.stringify(after?.spec)) return;
    const concerned = [before, after].filter((policy) => policy !== undefined);
    this.#options.onChange((namespace) => {
      const labels = this.#labels.get(namespace);
      // Of a namespace that is not known yet nothing can be excluded.
      return labels === undefined || concerned.some((policy) => selects(policy, labels));
    });
  }

  #relabelled(name: string, labels: Labels): void {
    const before = this.#labels.get(name);
    this.#labels.set(name, labels);
    if (before === undefined || !this.#book.needsLabels) return;
    if (JSON.stringify(before) === JSON.stringify(labels)) return;
    this.#options.onChange((namespace) => namespace === name);
  }
}
