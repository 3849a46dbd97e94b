/**
 * Keeps the ExternalSecrets of every ClusterExternalSecret: one turn for each pair of a ClusterExternalSecret and a
 * namespace, brought by whatever happened to either, or to the ExternalSecret between them. What is as it should be
 * costs no request.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../api/clock.ts';
import { parseGoDuration } from '../api/duration.ts';
import { toEsaError } from '../api/errors.ts';
import { ANNOTATION_FORCE_SYNC } from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { formatProblem } from '../api/problem.ts';
import type { KubeClient } from '../kube/client.ts';
import { isForbidden, KubeError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { checkClusterExternalSecret } from '../policy/check-object.ts';
import type { Log } from '../runtime/log.ts';
import type { ClusterExternalSecretMetrics } from '../runtime/metrics.ts';
import { externalSecretName, type NamespaceOutcome } from '../sync/cluster-external-secret.ts';
import { provision, withdraw } from '../sync/provision.ts';
import { ClusterReporter } from './cluster-report.ts';
import {
  hasEsoClusterFinalizer,
  removeEsoClusterFinalizer,
  removeEsoNamespaceFinalizers,
} from './finalizer.ts';
import { Namespaces } from './namespaces.ts';
import { OwnedObjects } from './owned-objects.ts';
import { URGENCY, type Urgency, WorkQueue } from './queue.ts';
import { retryDelay } from './schedule.ts';

export interface ClusterExternalSecretsOptions {
  /** With connections of its own: creates that wait for a slow provider must not hold up anything else. */
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly metrics: ClusterExternalSecretMetrics;
  /** The ExternalSecret of that name as the watch has shown it, or as it is. */
  readonly find: (
    namespace: string,
    name: string,
  ) => ExternalSecret | undefined | Promise<ExternalSecret | undefined>;
  readonly stop: AbortSignal;
}

interface Entry {
  ces: ClusterExternalSecret;
  /** What decided about the ExternalSecrets when all namespaces were last looked at. */
  handled: string | undefined;
  /** Why nothing can be done with the object as it stands. */
  invalid: string | undefined;
  readonly outcomes: Map<string, NamespaceOutcome>;
  /** Failures in a row, by namespace. */
  readonly failures: Map<string, number>;
  /** Namespaces whose turn has come. */
  readonly due: Set<string>;
  /** Turns and passes under way. */
  running: number;
  /** When the work that is not told of yet began (monotonic milliseconds). */
  startedAt: number | undefined;
  statusAt: number;
}

const WORKERS = 32;
/** Of them for work that comes in bulk, so that single namespaces do not wait behind thousands. */
const BULK = 24;
const DEFAULT_INTERVAL_MS = 3_600_000;
const SHORTEST_INTERVAL_MS = 10_000;
/** A status lists all namespaces: it is not written for each of them. */
const STATUS_PACE_MS = 1_000;
const STATUS_RETRY_MS = 5_000;
/** A right that is missing is not asked for all the time. */
const FORBIDDEN_RETRY_MS = 300_000;
/** Policies reach the webhook by a watch of its own. */
const POLICY_DELAY_MS = 1_000;
/** So many namespaces are looked at in one turn of the event loop. */
const CHUNK = 64;

export class ClusterExternalSecrets {
  readonly #options: ClusterExternalSecretsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #namespaces = new Namespaces();
  readonly #owned = new OwnedObjects();
  readonly #queue: WorkQueue;
  readonly #reporter: ClusterReporter;
  #leads = false;
  #started = false;

  constructor(options: ClusterExternalSecretsOptions) {
    this.#options = options;
    this.#reporter = new ClusterReporter(options);
    this.#queue = new WorkQueue({
      clock: options.clock,
      workers: WORKERS,
      limits: { [URGENCY.refresh]: BULK },
      work: (key) => this.#work(key),
    });
  }

  /** This process carries them out from now on: first whatever ESO's finalizers hold up. */
  lead(): void {
    this.#leads = true;
    for (const [name, { ces }] of this.#entries) {
      if (ces.metadata.deletionTimestamp !== undefined && hasEsoClusterFinalizer(ces))
        this.#add(`release:${name}`);
    }
    for (const name of this.#namespaces.names())
      if (this.#namespaces.held(name) !== undefined) this.#add(`namespace:${name}`);
  }

  /** Everything that exists was seen: begin. */
  start(): void {
    this.#started = true;
    for (const name of this.#entries.keys()) this.#passNow(name);
  }

  /** Another process carries them out; what was found is its to find. Resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#leads = false;
    this.#started = false;
    await this.#queue.clear();
    for (const [name, entry] of this.#entries) {
      entry.outcomes.clear();
      entry.failures.clear();
      entry.due.clear();
      entry.startedAt = undefined;
      this.#reporter.forget(name);
    }
  }

  /** See WorkQueue. */
  get stalledMs(): number {
    return this.#queue.stalledMs;
  }

  async stop(): Promise<void> {
    await this.#queue.stop();
  }

  upsert(object: ClusterExternalSecret): void {
    const { managedFields: _, ...metadata } = object.metadata;
    const ces: ClusterExternalSecret = { ...object, metadata };
    const { name = '' } = metadata;
    const entry = this.#entries.get(name) ?? newEntry(ces);
    this.#entries.set(name, entry);
    entry.ces = ces;
    if (metadata.deletionTimestamp !== undefined) {
      if (this.#leads && hasEsoClusterFinalizer(ces)) this.#add(`release:${name}`);
      return;
    }
    const handled = JSON.stringify([ces.spec, metadata.annotations?.[ANNOTATION_FORCE_SYNC]]);
    if (handled === entry.handled) return;
    entry.handled = handled;
    const { problems } = checkClusterExternalSecret(ces);
    entry.invalid = problems.length === 0 ? undefined : problems.map(formatProblem).join('; ');
    entry.failures.clear();
    if (this.#started) this.#passNow(name);
  }

  /** What it made goes by its ownerReferences. */
  delete(name: string): void {
    this.#entries.delete(name);
    this.#queue.remove(`pass:${name}`);
    this.#reporter.forget(name);
  }

  namespaceChanged(metadata: ObjectMeta): void {
    const { name = '' } = metadata;
    const changed = this.#namespaces.observe(metadata);
    if (this.#leads && this.#namespaces.held(name) !== undefined) this.#add(`namespace:${name}`);
    if (changed) this.#look(name);
  }

  namespaceDeleted(name: string): void {
    this.#namespaces.forget(name);
    this.#look(name);
  }

  externalSecretChanged(es: ExternalSecret): void {
    const { namespace = '', name = '' } = es.metadata;
    const owners = this.#owned.observe(es);
    this.#touched(namespace, name, owners);
  }

  externalSecretDeleted(namespace: string, name: string): void {
    this.#touched(namespace, name, this.#owned.forget(namespace, name));
  }

  /** What is allowed in these namespaces has changed: what was refused there is tried again. */
  policiesChanged(concerns: (namespace: string) => boolean): void {
    if (!this.#started) return;
    const soon = this.#now() + POLICY_DELAY_MS;
    for (const [name, { outcomes, failures }] of this.#entries) {
      for (const [namespace, { ok }] of outcomes) {
        if (ok || !concerns(namespace)) continue;
        failures.delete(namespace);
        this.#queue.add(`one:${name}/${namespace}`, soon, URGENCY.refresh);
      }
    }
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }

  /** The ExternalSecret is, was, or is in the place of one of these. */
  #touched(namespace: string, name: string, owners: readonly string[]): void {
    if (!this.#started) return;
    for (const [owner, entry] of this.#entries) {
      if (owners.includes(owner) || externalSecretName(entry.ces) === name)
        this.#lookAt(owner, entry, namespace, URGENCY.now);
    }
  }

  /** Every ClusterExternalSecret that has to do with the namespace. */
  #look(namespace: string): void {
    if (!this.#started) return;
    for (const [name, entry] of this.#entries) this.#lookAt(name, entry, namespace, URGENCY.now);
  }

  #lookAt(name: string, entry: Entry, namespace: string, urgency: Urgency): void {
    const concerned =
      this.#selects(entry, namespace) ||
      entry.outcomes.has(namespace) ||
      this.#owned.names(name, namespace).length > 0;
    if (!concerned) return;
    entry.due.add(namespace);
    entry.startedAt ??= this.#now();
    this.#queue.add(`one:${name}/${namespace}`, this.#now(), urgency);
  }

  /** False also where nothing can be made any more. */
  #selects({ ces, invalid }: Entry, namespace: string): boolean {
    return invalid === undefined && this.#namespaces.selects(ces.spec, namespace);
  }

  #add(key: string): void {
    this.#queue.add(key, this.#now(), URGENCY.now);
  }

  #passNow(name: string): void {
    this.#add(`pass:${name}`);
  }

  async #work(key: string): Promise<void> {
    // What is in order is known without waiting for anything; thousands of those must leave room for others.
    await nextTurn();
    if (!this.#leads) return;
    const [kind, rest = ''] = split(key, ':');
    const [name, namespace = ''] = split(rest, '/');
    try {
      if (kind === 'namespace') return await this.#freeNamespace(name);
      const entry = this.#entries.get(name);
      if (entry === undefined) return;
      if (kind === 'release')
        return await removeEsoClusterFinalizer(this.#options.kube, entry.ces, this.#options.stop);
      if (kind === 'status') return await this.#status(name, entry);
      entry.running += 1;
      try {
        if (kind === 'pass') await this.#pass(name, entry);
        else await this.#one(name, entry, namespace);
      } finally {
        entry.running -= 1;
      }
      this.#settle(name, entry);
    } catch (error) {
      if (this.#options.stop.aborted) return;
      const what = kind === 'namespace' ? { namespace: name } : { clusterExternalSecret: name };
      this.#options.log.warn({ ...what, err: toEsaError(error) }, `${kind} not finished, trying again`);
      const wait = isForbidden(error) ? FORBIDDEN_RETRY_MS : STATUS_RETRY_MS;
      this.#queue.add(key, this.#now() + wait, URGENCY.now);
    }
  }

  /** Looks at every namespace, now and after each interval. */
  async #pass(name: string, entry: Entry): Promise<void> {
    if (entry.ces.metadata.deletionTimestamp !== undefined) return;
    entry.startedAt ??= this.#now();
    const all = new Set([
      ...this.#namespaces.names(),
      ...entry.outcomes.keys(),
      ...this.#owned.namespaces(name),
    ]);
    let count = 0;
    for (const namespace of all) {
      this.#lookAt(name, entry, namespace, URGENCY.refresh);
      count += 1;
      if (count % CHUNK === 0) await nextTurn();
    }
    if (this.#entries.get(name) === entry)
      this.#queue.add(`pass:${name}`, this.#now() + intervalOf(entry.ces), URGENCY.check);
  }

  async #one(name: string, entry: Entry, namespace: string): Promise<void> {
    entry.due.delete(namespace);
    const { ces, invalid } = entry;
    // Of one that goes, all goes; of one that makes no sense, nothing is taken away.
    if (ces.metadata.deletionTimestamp !== undefined || invalid !== undefined) return;
    const { find, kube, stop } = this.#options;
    const deps = { kube, signal: stop };
    const wanted = externalSecretName(ces);
    const selected = this.#selects(entry, namespace);
    try {
      if (selected) {
        const done = await provision(ces, namespace, await find(namespace, wanted), deps);
        if (done.result === 'gone') entry.outcomes.delete(namespace);
        else if (done.result === 'refused') entry.outcomes.set(namespace, { ok: false, reason: done.reason });
        else entry.outcomes.set(namespace, { ok: true });
      } else entry.outcomes.delete(namespace);
      // Under another name it goes when the new one is there; a namespace on its way out takes it along.
      const keep = selected
        ? entry.outcomes.get(namespace)?.ok !== true
        : this.#namespaces.isGoing(namespace);
      for (const other of keep ? [] : this.#owned.names(name, namespace)) {
        const es = selected && other === wanted ? undefined : await find(namespace, other);
        if (es !== undefined) await withdraw(ces, es, deps);
      }
      entry.failures.delete(namespace);
    } catch (error) {
      if (stop.aborted) return;
      this.#failed(name, entry, namespace, selected, error);
    }
  }

  #failed(name: string, entry: Entry, namespace: string, selected: boolean, error: unknown): void {
    const { code, message } = toEsaError(error);
    const failures = (entry.failures.get(namespace) ?? 0) + 1;
    entry.failures.set(namespace, failures);
    const reason = selected
      ? `could not create or update ExternalSecret: ${message}`
      : `external secret in non matching namespace could not be deleted: ${message}`;
    entry.outcomes.set(namespace, { ok: false, reason });
    if (failures === 1)
      this.#options.log.warn({ clusterExternalSecret: name, namespace, code, reason }, 'namespace failed');
    const retryAfterMs = error instanceof KubeError ? error.retryAfterMs : undefined;
    const delay = retryDelay(failures, { interval: 0, synced: false, retryAfterMs, random: Math.random() });
    // An event that came meanwhile has its turn at once.
    this.#queue.add(`one:${name}/${namespace}`, this.#now() + delay, URGENCY.refresh);
  }

  /** When nothing is under way any more, it is told how things stand. */
  #settle(name: string, entry: Entry): void {
    if (entry.running > 0 || entry.due.size > 0 || this.#entries.get(name) !== entry) return;
    this.#queue.add(`status:${name}`, Math.max(this.#now(), entry.statusAt + STATUS_PACE_MS), URGENCY.now);
  }

  async #status(name: string, entry: Entry): Promise<void> {
    if (entry.ces.metadata.deletionTimestamp !== undefined) return;
    const { startedAt = this.#now() } = entry;
    entry.startedAt = undefined;
    entry.statusAt = this.#now();
    const state =
      entry.invalid === undefined
        ? { outcomes: entry.outcomes }
        : { invalid: entry.invalid, made: [...this.#owned.namespaces(name)].sort() };
    const status = await this.#reporter.report(entry.ces, state, this.#now() - startedAt);
    // The watch will say so too, but the next turn may begin before.
    if (status !== undefined) entry.ces = { ...entry.ces, status };
  }

  async #freeNamespace(name: string): Promise<void> {
    const { kube, events, stop } = this.#options;
    const held = this.#namespaces.held(name);
    if (held === undefined) return;
    try {
      await removeEsoNamespaceFinalizers(kube, held, stop);
    } catch (error) {
      if (isForbidden(error)) {
        events.record(
          { apiVersion: 'v1', kind: 'Namespace', metadata: held },
          'Warning',
          'FinalizerNotRemoved',
          'a finalizer of External Secrets Operator holds this namespace, and the poller may not remove it; apply deploy/moving/namespace-finalizers.yaml',
        );
      }
      throw error;
    }
  }
}

const newEntry = (ces: ClusterExternalSecret): Entry => ({
  ces,
  handled: undefined,
  invalid: undefined,
  outcomes: new Map(),
  failures: new Map(),
  due: new Set(),
  running: 0,
  startedAt: undefined,
  statusAt: Number.NEGATIVE_INFINITY,
});

/** At the first separator. */
function split(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** How often all namespaces are looked at though nothing was seen to change, milliseconds. */
function intervalOf({ spec }: ClusterExternalSecret): number {
  const ms = parseGoDuration(spec.refreshTime ?? '') ?? 0;
  return ms > 0 ? Math.max(ms, SHORTEST_INTERVAL_MS) : DEFAULT_INTERVAL_MS;
}
