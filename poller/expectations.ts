/**
 * Whether admission should have made the Secret of an object, so that one which the poller makes is late. Nobody tells
 * the poller what admission did; it concludes it from what is registered and from what admission leaves to it.
 */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { isKes } from '../api/kubernetes-client/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { type LabelSelector, matchesSelector } from '../policy/store-conditions.ts';
import { leftToPoller } from '../sync/plan.ts';

/** A configuration is registered once, and looked at only when something seems to be late. */
const KEEP_MS = 30_000;
const WEBHOOK = 'materialize.externalsecret.external-secrets.io';

interface Configuration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig?: { readonly caBundle?: string };
    readonly namespaceSelector?: LabelSelector;
  }[];
}

interface Registered {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly namespaces: LabelSelector;
}

export interface ExpectationsOptions {
  readonly kube: KubeClient;
  readonly clock: Clock;
  /** Of the validating configuration; that of the mutating one has `zz-` before it. */
  readonly configurationName: string;
  readonly labels: (namespace: string, signal: AbortSignal) => Promise<Readonly<Record<string, string>>>;
}

export class Expectations {
  readonly #options: ExpectationsOptions;
  #known: { readonly at: number; readonly registered: Registered | undefined } | undefined;

  constructor(options: ExpectationsOptions) {
    this.#options = options;
  }

  /**
   * True if the create of this object should have returned with its Secret: the hook was registered before, chooses
   * the namespace (not the suspended ones), and does this kind of work. If it cannot be told: false.
   */
  async of(es: ExternalSecret, signal: AbortSignal): Promise<boolean> {
    // Whether KES is served at admission is the webhook's to know.
    if (isKes(es)) return false;
    // The name that the API server makes up is not known yet when the hook is called.
    if (leftToPoller(es.spec) || es.metadata.generateName !== undefined) return false;
    try {
      const registered = await this.#registered(signal);
      if (registered === undefined) return false;
      // Timestamps have whole seconds.
      if (registered.since >= Date.parse(es.metadata.creationTimestamp ?? '')) return false;
      return matchesSelector(
        registered.namespaces,
        await this.#options.labels(es.metadata.namespace ?? '', signal),
      );
    } catch {
      // No right to read it, no API server: nothing is claimed.
      return false;
    }
  }

  async #registered(signal: AbortSignal): Promise<Registered | undefined> {
    const now = this.#options.clock.monotonic();
    if (this.#known !== undefined && now - this.#known.at < KEEP_MS) return this.#known.registered;
    const { configurationName } = this.#options;
    // By the phase in which Secrets are made (`--materialise-in`).
    const registered =
      (await this.#registeredIn('mutatingwebhookconfigurations', `zz-${configurationName}`, signal)) ??
      (await this.#registeredIn('validatingwebhookconfigurations', configurationName, signal));
    this.#known = { at: now, registered };
    return registered;
  }

  async #registeredIn(resource: string, name: string, signal: AbortSignal): Promise<Registered | undefined> {
    const path = resourcePath({ group: 'admissionregistration.k8s.io', version: 'v1', resource, name });
    try {
      const { metadata, webhooks } = await this.#options.kube.request<Configuration>('GET', path, { signal });
      const hook = webhooks?.find(({ name }) => name === WEBHOOK);
      if ((hook?.clientConfig?.caBundle ?? '') === '') return undefined;
      return {
        since: Date.parse(metadata.creationTimestamp ?? ''),
        namespaces: hook?.namespaceSelector ?? {},
      };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}
