/**
 * Follows one collection: a paged list, then a watch, for ever. A list is the truth and a watch a hint;
 * whatever breaks (reset, 410, silence, an API server that restarts) leads back to one of the two.
 * client-node's informer is not used because a single reset ends it and a handler's exception ends the
 * process.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, systemClock } from '../api/clock.ts';
import { parseObject } from '../api/json.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { Backoff, pause } from './backoff.ts';
import { type KubeClient, METADATA_ONLY, type Query } from './client.ts';
import { isGone, KubeError, responseError, toKubeError } from './errors.ts';
import { type Interest, KnownHashes, KnownNames, type KnownObjects } from './known-objects.ts';
import { LineSplitter } from './lines.ts';
import type { KubeLog } from './log.ts';
import type { KubeObject } from './objects.ts';

/** What is known of an object that is gone. */
export interface DeletedObject {
  readonly namespace: string | undefined;
  readonly name: string;
  /** Undefined where names were not kept, and a list has shown that the object is gone. */
  readonly uid: string | undefined;
}

/**
 * Called synchronously, in the order of events. An exception is logged and the object is delivered again
 * by the next list.
 */
export interface ReflectorHandlers<T extends KubeObject> {
  /**
   * The object is new, or its resourceVersion changed.
   * @param key `namespace/name`; who keeps it shares the reflector's own string
   */
  onUpsert(object: T, key: string): void;
  /** The object is gone. Also called before onUpsert if a new object took its name, unless there are `interests`. */
  onDelete(object: DeletedObject): void;
  /** The first list is complete and delivered. */
  onSynced?(): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly kube: KubeClient;
  /** The collection, e.g. `/apis/external-secrets.io/v1/externalsecrets`. */
  readonly path: string;
  readonly handlers: ReflectorHandlers<T>;
  readonly log: KubeLog;
  /** labelSelector, fieldSelector. */
  readonly query?: Query | undefined;
  /** Objects hold apiVersion, kind and metadata only. */
  readonly metadataOnly?: boolean | undefined;
  /** 500 if absent. */
  readonly pageSize?: number | undefined;
  /**
   * For a collection of which most objects matter to nobody: no names are kept, only a number for each name and
   * version. The names that matter are asked for after each list, which tells of those that it lacks; what a watch
   * shows to be deleted is told of whoever it was.
   */
  readonly interests?: (() => Iterable<Interest>) | undefined;
  /** List again after so long even though the watch seems well; absent: never. */
  readonly relistMs?: number | undefined;
  /** How long one watch lasts, before jitter; 300 s if absent. */
  readonly watchMs?: number | undefined;
  /** Silence after which a watch counts as dead; bookmarks come about each minute. 150 s if absent. */
  readonly silenceMs?: number | undefined;
  readonly backoffMs?: { readonly min: number; readonly max: number } | undefined;
  readonly clock?: Clock | undefined;
}

interface ListPage<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[];
}

/** So many objects are handled in one turn of the event loop. */
const CHUNK = 64;
const PAGE_TIMEOUT_MS = 60_000;
const MAX_LINE_BYTES = 64 * 1024 * 1024;
// After an outage changes are seen within the shortest refresh interval in common use.
const LONGEST_PAUSE_MS = 10_000;
// A watch that ended so soon without an event was not one; without a pause we would spin.
const SHORT_WATCH_MS = 1000;

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  readonly #known: KnownObjects;
  readonly #synced = Promise.withResolvers<boolean>();
  #running: Promise<void> | undefined;
  #isSynced = false;
  #resourceVersion: string | undefined;
  #listedAt = 0;
  #brokenSince: number | undefined;
  /** Why the last try failed, while none has worked since. */
  #failure: string | undefined;
  /** When something was last tried or came; undefined before the start. */
  #movedAt: number | undefined;
  /** Aborts the watch, or the pause after a failure. */
  #interrupt = new AbortController();
  #redeliver = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#known = options.interests === undefined ? new KnownNames() : new KnownHashes();
    this.#backoff = new Backoff(options.backoffMs?.min ?? 500, options.backoffMs?.max ?? LONGEST_PAUSE_MS);
  }

  /** Resolves true after the first complete list, false if stopped before. */
  get synced(): Promise<boolean> {
    return this.#synced.promise;
  }

  /** Objects known at present. */
  get size(): number {
    return this.#known.size;
  }

  /** Milliseconds since which neither a list nor a watch has worked; 0 while all is well. */
  get brokenMs(): number {
    return this.#brokenSince === undefined ? 0 : this.#clock.monotonic() - this.#brokenSince;
  }

  /** Why neither a list nor a watch works, in words that may be shown; undefined while all is well. */
  get failure(): string | undefined {
    return this.#brokenSince === undefined ? undefined : this.#failure;
  }

  /** For how long nothing was tried and nothing came, milliseconds: more than the longest silence is a defect. */
  get stalledMs(): number {
    return this.#movedAt === undefined ? 0 : this.#clock.monotonic() - this.#movedAt;
  }

  /** Begins to list and watch; returns at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Lists again at once and delivers every object, also those that were delivered before. */
  redeliver(): void {
    this.#redeliver = true;
    this.#interrupt.abort();
  }

  /** Ends the watch; no handler is called any more. Resolves when everything has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#synced.resolve(false);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#movedAt = this.#clock.monotonic();
      try {
        // Before the list: what is asked for while it runs takes another one.
        if (this.#interrupt.signal.aborted) this.#interrupt = new AbortController();
        if (this.#resourceVersion === undefined || this.#relistDue() || this.#redeliver) await this.#list();
        await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#interrupt.signal.aborted) await this.#recover(error);
      }
    }
  }

  async #recover(error: unknown): Promise<void> {
    const { log, path } = this.#options;
    this.#brokenSince ??= this.#clock.monotonic();
    const problem = toKubeError(error, `watch ${path}`);
    this.#failure = problem.message;
    if (needsList(error)) this.#resourceVersion = undefined;
    if (isGone(error)) log.info({ path }, 'resource version is too old, listing again');
    else log.warn({ path, err: problem }, 'list or watch failed, trying again');
    const retryAfterMs = error instanceof KubeError ? error.retryAfterMs : undefined;
    const wake = AbortSignal.any([this.#stop.signal, this.#interrupt.signal]);
    await pause(this.#backoff.next(retryAfterMs), wake);
  }

  #untilRelist(): number {
    const { relistMs } = this.#options;
    if (relistMs === undefined) return Number.POSITIVE_INFINITY;
    return this.#listedAt + relistMs - this.#clock.monotonic();
  }

  #relistDue(): boolean {
    return this.#untilRelist() <= 0;
  }

  async #list(): Promise<void> {
    const { kube, path, query, metadataOnly, pageSize, handlers } = this.#options;
    if (this.#redeliver) {
      this.#known.forgetVersions();
      // If this list fails, there has to be another.
      this.#resourceVersion = undefined;
      this.#redeliver = false;
    }
    this.#known.beginList();
    let token: string | undefined;
    let resourceVersion: string | undefined;
    do {
      const page: ListPage<T> = await kube.request('GET', path, {
        query: { ...query, limit: pageSize ?? 500, continue: token },
        accept: metadataOnly ? METADATA_ONLY.list : undefined,
        signal: this.#stop.signal,
        timeoutMs: PAGE_TIMEOUT_MS,
        what: `list ${path}`,
      });
      this.#movedAt = this.#clock.monotonic();
      // Parsing a page and handling it are two turns of the event loop.
      await nextTurn();
      for (const [index, object] of (page.items ?? []).entries()) {
        if (index % CHUNK === CHUNK - 1) await nextTurn();
        this.#upsert(object);
      }
      token = page.metadata?.continue || undefined;
      resourceVersion = page.metadata?.resourceVersion;
      await nextTurn();
      if (this.#stop.signal.aborted) return;
    } while (token !== undefined);
    if (!resourceVersion) {
      throw new KubeError(`list ${path}: the answer is not a list`, { status: 0, reason: 'InvalidResponse' });
    }
    await this.#endList(resourceVersion);
    this.#resourceVersion = resourceVersion;
    this.#listedAt = this.#clock.monotonic();
    this.#brokenSince = undefined;
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#guard(() => handlers.onSynced?.());
    this.#synced.resolve(true);
  }

  /** Tells of what the list lacks. */
  async #endList(resourceVersion: string): Promise<void> {
    const { interests } = this.#options;
    let count = 0;
    for (const missing of this.#known.missing(interests?.() ?? [], resourceVersion)) {
      if (missing !== undefined) {
        const [key, uid] = missing;
        this.#delete(key, uid);
        count += 1;
      }
      if (missing === undefined || count % CHUNK === 0) await nextTurn();
    }
    this.#known.endList();
  }

  async #watch(): Promise<void> {
    const { kube, path, query, metadataOnly, watchMs } = this.#options;
    // Jitter: the watches of all replicas and kinds would otherwise reconnect together.
    const lastsMs = Math.min((watchMs ?? 300_000) * (1 + Math.random() / 5), this.#untilRelist());
    const timeoutSeconds = Math.max(1, Math.round(lastsMs / 1000));
    const startedAt = this.#clock.monotonic();
    const body = await kube.stream(path, {
      query: {
        ...query,
        watch: 1,
        allowWatchBookmarks: true,
        resourceVersion: this.#resourceVersion,
        timeoutSeconds,
      },
      accept: metadataOnly ? METADATA_ONLY.object : undefined,
      signal: AbortSignal.any([this.#stop.signal, this.#interrupt.signal]),
      what: `watch ${path}`,
    });
    const silenceMs = this.#options.silenceMs ?? 150_000;
    const silence = setTimeout(() => {
      // Half-open, or from a version that does not exist yet: kube-apiserver 1.36 accepts such a watch,
      // after etcd was restored from a backup, and says nothing. Only a list finds out.
      this.#resourceVersion = undefined;
      const error = new KubeError(`watch ${path}: silent for ${silenceMs} ms`, {
        status: 0,
        reason: 'Timeout',
      });
      body.destroy(error);
    }, silenceMs);
    const lines = new LineSplitter(MAX_LINE_BYTES);
    let events = 0;
    try {
      for await (const chunk of body) {
        silence.refresh();
        this.#movedAt = this.#clock.monotonic();
        this.#brokenSince = undefined;
        for (const line of lines.push(chunk)) {
          if (this.#stop.signal.aborted) return;
          this.#event(line);
          events++;
        }
        if (events > 0) this.#backoff.reset();
      }
    } finally {
      clearTimeout(silence);
      body.destroy();
    }
    if (events === 0 && this.#clock.monotonic() - startedAt < SHORT_WATCH_MS) {
      throw new KubeError(`watch ${path}: ended at once`, { status: 0, reason: 'ShortWatch' });
    }
    this.#brokenSince = undefined;
    this.#backoff.reset();
  }

  #event(line: string): void {
    const event = parseObject(line) as { type?: string; object?: T };
    const { type, object } = event;
    if (type === 'ERROR') {
      this.#resourceVersion = undefined;
      const status = (object as { code?: unknown } | undefined)?.code;
      throw responseError(`watch ${this.#options.path}`, {
        status: typeof status === 'number' ? status : 500,
        text: JSON.stringify(object),
        sensitive: false,
      });
    }
    if (object?.metadata === undefined) return;
    if (type === 'ADDED' || type === 'MODIFIED') {
      this.#upsert(object);
    } else if (type === 'DELETED') {
      const key = keyOf(object.metadata);
      if (this.#known.mayBeKnown(key)) this.#delete(key, object.metadata.uid);
    }
    // A BOOKMARK has nothing but this.
    if (object.metadata.resourceVersion) this.#resourceVersion = object.metadata.resourceVersion;
  }

  #upsert(object: T): void {
    if (this.#stop.signal.aborted) return;
    const key = keyOf(object.metadata);
    const { uid = '', resourceVersion = '' } = object.metadata;
    const seen = this.#known.see(key, uid, resourceVersion);
    if (seen.isSame) return;
    if (seen.replaced !== undefined && !this.#delete(key, seen.replaced)) return;
    const delivered = this.#guard(() => this.#options.handlers.onUpsert(object, key));
    // After an exception no version is remembered, so that the next list brings the object again.
    this.#known.set(key, uid, delivered ? resourceVersion : '');
  }

  #delete(key: string, uid: string | undefined): boolean {
    if (this.#stop.signal.aborted) return false;
    const slash = key.indexOf('/');
    const gone: DeletedObject = {
      namespace: slash === 0 ? undefined : key.slice(0, slash),
      name: key.slice(slash + 1),
      uid,
    };
    const delivered = this.#guard(() => this.#options.handlers.onDelete(gone));
    if (delivered) this.#known.delete(key);
    return delivered;
  }

  #guard(handler: () => void): boolean {
    try {
      handler();
      return true;
    } catch (error) {
      this.#options.log.error({ path: this.#options.path, err: error }, 'a handler of the reflector failed');
      return false;
    }
  }
}

/**
 * True if going on from the known resourceVersion cannot work: it is too old, or what came after it cannot
 * be read. (In-stream errors and silence forget the version where they arise.)
 */
const needsList = (error: unknown): boolean =>
  error instanceof SyntaxError || error instanceof RangeError || isGone(error);

/** Joined, so that it is one flat string and not a tree of its parts for as long as it is kept. */
const keyOf = ({ namespace = '', name = '' }: ObjectMeta): string => [namespace, name].join('/');
