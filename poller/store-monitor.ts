/**
 * Knows every store: validates it on its own interval, reports its Ready condition in ESO's words, and tells
 * who depends on it when it changes or comes back.
 */

import type { Clock } from '../api/clock.ts';
import { parseGoDuration } from '../api/duration.ts';
import { type EsaError, toEsaError } from '../api/errors.ts';
import { ANNOTATION_REFRESH, GROUP, HUB_VERSION, type StoreKind } from '../api/external-secrets/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { patchStatus } from '../kube/objects.ts';
import type { Connection, ProviderPorts, StoreDependency } from '../providers/contract.ts';
import { sameAnnotations } from '../providers/registry.ts';
import type { Log } from '../runtime/log.ts';
import { StoreUnavailable } from '../sync/breaker.ts';
import type { Connections } from '../sync/connections.ts';
import { isTransient } from '../sync/errors.ts';
import { FreshReads } from '../sync/fresh-reads.ts';
import { phaseOf } from '../sync/phase.ts';
import type { PolicyGate } from '../sync/policies.ts';
import { bindForValidation } from '../sync/policy-gate.ts';
import { nextCondition, readyCondition, sameCondition } from '../sync/status.ts';
import { type ResolvedStore, type StoreObject, storeLabel } from '../sync/stores.ts';
import { URGENCY, WorkQueue } from './queue.ts';
import { retryDelay } from './schedule.ts';

/** ESO's --store-requeue-interval. */
const DEFAULT_INTERVAL_MS = 5 * 60_000;
const VALIDATE_TIMEOUT_MS = 10_000;
/** How far the validations are spread that a new leader makes. */
const LEAD_SPREAD_MS = 60_000;
/** When a store is looked at again that had no room for it. */
const BUSY_RETRY_MS = 10_000;
/** How far the validations are spread that a changed policy brings. */
const POLICY_SPREAD_MS = 5_000;

/** `Kind/namespace/name`, with an empty namespace for a ClusterSecretStore. */
export const storeKey = (kind: StoreKind, namespace: string | undefined, name: string): string =>
  `${kind}/${kind === 'SecretStore' ? (namespace ?? '') : ''}/${name}`;

const keyOfStore = (object: StoreObject): string =>
  storeKey(object.kind, object.metadata.namespace, object.metadata.name ?? '');

interface Entry {
  object: StoreObject;
  /** Set while the last validation failed. */
  error: EsaError | undefined;
  failures: number;
  generation: number;
}

export interface StoreMonitorOptions {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly connections: Connections;
  readonly ports: ProviderPorts;
  readonly policies: PolicyGate;
  readonly controllerClass: string;
  readonly stop: AbortSignal;
  /** True if this process tells how stores are; another one validates only what it uses, for itself. */
  readonly leads: () => boolean;
  /** False if somebody else tells how stores of this kind are. */
  readonly tells: (kind: StoreKind) => boolean;
  /** True if an object that this process syncs reads from the store. */
  readonly isUsed: (key: string) => boolean;
  /** The store is there for the first time, has changed, or works again: try what failed because of it. */
  readonly onUsable: (key: string, changed: boolean) => void;
  /** Somebody asks for a refresh of all that is read from the store. */
  readonly onRefresh: (key: string) => void;
  /** True if this namespace is on its way out; undefined is never. */
  readonly isTerminating: (namespace: string | undefined) => boolean;
  /** Something that a store reads from the cluster is of this kind: it has to be watched. */
  readonly onDependency: (kind: StoreDependency['kind']) => void;
}

export class StoreMonitor {
  readonly #options: StoreMonitorOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: WorkQueue;
  readonly #validations: FreshReads<void>;
  readonly #identities = new Map<string, Set<string>>();
  /** Dependency (`Secret/ns/name`) -> stores and identities that read it. */
  readonly #dependencies = new Map<string, Map<string, Set<string>>>();

  constructor(options: StoreMonitorOptions) {
    this.#options = options;
    this.#validations = new FreshReads({ clock: options.clock, keepMs: 0 });
    this.#queue = new WorkQueue({
      clock: options.clock,
      workers: 8,
      work: (key, due) => this.#turn(key, due),
    });
  }

  get(kind: StoreKind, namespace: string | undefined, name: string): StoreObject | undefined {
    return this.#entries.get(storeKey(kind, namespace, name))?.object;
  }

  /** What the last validation failed with; undefined if it did not, or there was none. */
  failure(key: string): EsaError | undefined {
    return this.#entries.get(key)?.error;
  }

  upsert(object: StoreObject): void {
    const key = keyOfStore(object);
    const before = this.#entries.get(key);
    const generation = object.metadata.generation ?? 0;
    if (
      before !== undefined &&
      before.object.metadata.uid === object.metadata.uid &&
      before.generation === generation &&
      sameAnnotations(object.spec.provider, before.object.metadata.annotations, object.metadata.annotations)
    ) {
      const asked = object.metadata.annotations?.[ANNOTATION_REFRESH];
      const isNew = asked !== undefined && asked !== before.object.metadata.annotations?.[ANNOTATION_REFRESH];
      before.object = object;
      if (isNew && this.#isOurs(object)) this.#options.onRefresh(key);
      return;
    }
    this.#forgetIdentities(key);
    this.#entries.set(key, { object, error: undefined, failures: 0, generation });
    if (!this.#isOurs(object)) return;
    this.#queue.add(key, this.#options.clock.monotonic(), URGENCY.now);
    this.#options.onUsable(key, before !== undefined);
  }

  delete(kind: StoreKind, namespace: string | undefined, name: string): void {
    const key = storeKey(kind, namespace, name);
    this.#entries.delete(key);
    this.#queue.remove(key);
    this.#forgetIdentities(key);
  }

  /** Remembers what a store, bound to a caller, reads from the cluster, so that a change of it is noticed. */
  register(store: ResolvedStore): void {
    const key = keyOfStore(store.object);
    let identities = this.#identities.get(key);
    if (identities === undefined) {
      identities = new Set();
      this.#identities.set(key, identities);
    }
    if (identities.has(store.identity)) return;
    identities.add(store.identity);
    for (const dependency of store.provider.dependencies(store.config, store.context)) {
      const name = dependencyKey(dependency);
      const users = this.#dependencies.get(name) ?? new Map<string, Set<string>>();
      const ids = users.get(key) ?? new Set<string>();
      this.#dependencies.set(name, users.set(key, ids.add(store.identity)));
      this.#options.onDependency(dependency.kind);
    }
  }

  /**
   * What stores read their credentials or CA from has changed or come: use the new one.
   * @param how `listed`: it is there, and may be what they have read; only who fails is tried again
   */
  dependencyChanged(dependency: StoreDependency, how: 'listed' | 'changed' = 'changed'): void {
    for (const [key, identities] of this.#dependencies.get(dependencyKey(dependency)) ?? []) {
      const entry = this.#entries.get(key);
      if (how === 'listed' && entry?.error === undefined) continue;
      for (const identity of identities) this.#options.connections.forget(identity);
      if (entry === undefined) continue;
      entry.failures = 0;
      this.#queue.add(key, this.#options.clock.monotonic(), URGENCY.now);
      this.#options.onUsable(key, false);
    }
  }

  /** What may be reached from these namespaces has changed: their stores are looked at again. */
  policiesChanged(concerns: (namespace: string) => boolean): void {
    for (const [key, { object }] of this.#entries) {
      if (object.kind !== 'SecretStore' || !this.#isOurs(object)) continue;
      if (!concerns(object.metadata.namespace ?? '')) continue;
      const spread = phaseOf(key, POLICY_SPREAD_MS);
      this.#queue.add(key, this.#options.clock.monotonic() + spread, URGENCY.refresh);
    }
  }

  /** What stores read from the cluster. */
  *dependencies(): Iterable<StoreDependency> {
    for (const key of this.#dependencies.keys()) yield dependencyOf(key);
  }

  /** An object failed with the credentials of this store: look at the store itself, once for all of them. */
  suspect(key: string): void {
    if (this.#entries.get(key)?.error === undefined)
      this.#queue.add(key, this.#options.clock.monotonic(), URGENCY.now);
  }

  /**
   * Validates now, or shares a validation that began at or after `notBefore`.
   * @throws EsaError why the store cannot be used
   */
  validate(key: string, notBefore: number): Promise<void> {
    return this.#validations.get(key, notBefore, () => this.#validate(key));
  }

  /** See WorkQueue. */
  get stalledMs(): number {
    return this.#queue.stalledMs;
  }

  /** This process tells how stores are from now on: those first of which nobody has said anything. */
  lead(): void {
    const now = this.#options.clock.monotonic();
    for (const [key, { object }] of this.#entries) {
      if (!this.#isOurs(object)) continue;
      const unknown = readyCondition(object.status) === undefined;
      this.#queue.add(key, unknown ? now : now + phaseOf(key, LEAD_SPREAD_MS), URGENCY.refresh);
    }
  }

  async stop(): Promise<void> {
    await this.#queue.stop();
  }

  #isOurs(object: StoreObject): boolean {
    const storeClass = object.spec?.controller ?? '';
    return storeClass === '' || storeClass === this.#options.controllerClass;
  }

  #tells({ kind }: StoreObject): boolean {
    return this.#options.leads() && this.#options.tells(kind);
  }

  async #turn(key: string, due: number): Promise<void> {
    const { clock, isUsed } = this.#options;
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    // It goes with its namespace; what it reads may be gone before it.
    if (this.#options.isTerminating(entry.object.metadata.namespace)) return;
    if (this.#tells(entry.object) || isUsed(key)) await this.validate(key, due).catch(() => {});
    else this.#queue.set(key, clock.monotonic() + intervalOf(entry.object), URGENCY.refresh);
  }

  async #validate(key: string): Promise<void> {
    const { clock, connections, policies, ports, stop } = this.#options;
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const { object } = entry;
    let failure: EsaError | undefined;
    let step: 'create client' | 'validate store' = 'create client';
    let capabilities: string | undefined;
    try {
      const store = await bindForValidation(object, policies, stop);
      capabilities = store.provider.capabilities;
      if (store.provider.canValidate(store.config, store.context)) {
        this.register(store);
        const signal = AbortSignal.any([stop, AbortSignal.timeout(VALIDATE_TIMEOUT_MS)]);
        const check = (connection: Connection): Promise<void> => {
          step = 'validate store';
          return connection.validate(signal);
        };
        // Not behind all the refreshes that wait: whether they may go on depends on it.
        await connections.kept(store, ports, signal, check, true);
      }
    } catch (error) {
      failure = toEsaError(error);
    }
    if (stop.aborted || this.#entries.get(key) !== entry) return;
    if (failure instanceof StoreUnavailable || failure?.code === 'STORE_BUSY') {
      // It was not asked, so nothing new is known.
      const wait = failure instanceof StoreUnavailable ? failure.retryAfterMs : BUSY_RETRY_MS;
      this.#queue.set(key, clock.monotonic() + wait, URGENCY.refresh);
      throw failure;
    }
    const recovered = entry.error !== undefined && failure === undefined;
    entry.error = failure;
    entry.failures = failure === undefined ? 0 : entry.failures + 1;
    const interval = intervalOf(entry.object);
    const wait =
      failure === undefined
        ? interval
        : retryDelay(entry.failures, { interval, synced: !isTransient(failure.code), random: Math.random() });
    this.#queue.set(key, clock.monotonic() + wait, URGENCY.refresh);
    if (this.#tells(object)) await this.#report(entry, failure, step, capabilities);
    if (recovered) this.#options.onUsable(key, false);
    if (failure !== undefined) throw failure;
  }

  async #report(
    entry: Entry,
    failure: EsaError | undefined,
    step: string,
    capabilities: string | undefined,
  ): Promise<void> {
    const { kube, clock, log, events, stop } = this.#options;
    const { object } = entry;
    const before = readyCondition(object.status);
    const condition = nextCondition(
      before,
      failure === undefined
        ? { status: 'True', reason: 'Valid', message: 'store validated' }
        : {
            status: 'False',
            reason: 'InvalidProviderConfig',
            message: `unable to ${step}: ${failure.message}`,
          },
      clock.now(),
    );
    if (
      sameCondition(before, condition) &&
      (capabilities === undefined || object.status?.capabilities === capabilities)
    )
      return;
    const { kind, metadata } = object;
    const label = storeLabel(kind, metadata.namespace, metadata.name ?? '');
    log.info(
      {
        store: label,
        ready: condition.status,
        reason: condition.reason,
        ...(failure ? { err: failure } : {}),
      },
      'store validated',
    );
    events.record(
      { apiVersion: `${GROUP}/${HUB_VERSION}`, kind, metadata },
      failure === undefined ? 'Normal' : 'Warning',
      condition.reason,
      failure?.message ?? condition.message,
    );
    try {
      const updated = await patchStatus<StoreObject>(
        kube,
        {
          group: GROUP,
          version: HUB_VERSION,
          resource: kind === 'SecretStore' ? 'secretstores' : 'clustersecretstores',
          namespace: kind === 'SecretStore' ? metadata.namespace : undefined,
          name: metadata.name ?? '',
        },
        {
          conditions: [condition],
          ...(failure === undefined && capabilities !== undefined ? { capabilities } : {}),
        },
        { fieldManager: 'external-secrets', signal: stop },
      );
      entry.object = { ...entry.object, status: updated.status };
    } catch (error) {
      // The next validation writes it; the store may be gone.
      if (!isNotFound(error)) log.warn({ store: label, err: error }, 'status of the store not written');
    }
  }

  #forgetIdentities(key: string): void {
    for (const identity of this.#identities.get(key) ?? []) this.#options.connections.forget(identity);
    this.#identities.delete(key);
    for (const [name, users] of this.#dependencies) {
      users.delete(key);
      if (users.size === 0) this.#dependencies.delete(name);
    }
  }
}

const dependencyKey = (dependency: StoreDependency): string =>
  `${dependency.kind}/${dependency.namespace}/${dependency.name}`;

function dependencyOf(key: string): StoreDependency {
  const [kind = '', namespace = '', name = ''] = key.split('/');
  return { kind: kind as StoreDependency['kind'], namespace, name };
}

/** How often a store is validated: seconds, or a Go duration; 0 or nothing = the default (eso.md 4.1). */
function intervalOf(object: StoreObject): number {
  const { refreshInterval } = object.spec;
  const ms =
    typeof refreshInterval === 'number'
      ? refreshInterval * 1000
      : (parseGoDuration(String(refreshInterval ?? '')) ?? 0);
  return ms > 0 ? ms : DEFAULT_INTERVAL_MS;
}
