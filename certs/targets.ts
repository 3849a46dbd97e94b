/**
 * The objects that tell API servers how to call us: our two webhook configurations and our CRDs. Watches
 * (metadata only) say which of them exist and changed; only those are read whole, checked, and by the
 * leader patched.
 */
import { OUR_GROUP } from '../api/external-secrets/names.ts';
import { type KubeClient, PATCH } from '../kube/client.ts';
import { isInvalid, isNotFound } from '../kube/errors.ts';
import type { KubeLog } from '../kube/log.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import {
  callsUs,
  injectionPatch,
  isInjectedByOthers,
  type Reach,
  reachOf,
  type TargetObject,
  type Wanted,
} from './injection.ts';

interface Kind {
  readonly kind: string;
  readonly collection: string;
  readonly names: readonly string[];
}

interface Target {
  readonly kind: string;
  readonly name: string;
  readonly path: string;
  /** What the watch saw last; undefined while the object does not exist. */
  seen: string | undefined;
  /** Version and wishes that `result` is about. */
  checked: string;
  result: Result;
  /** The wish that the object was seen to fulfil; a patch for the same one repairs a damage. */
  fulfilled: string | undefined;
  reportedMissing: boolean;
}

interface Result extends Reach {
  readonly exact: boolean;
  /** Changes with every write of the object's spec, whoever makes it. */
  readonly generation: string;
}

/** How things stand with every object that exists. */
export interface Check {
  /** All of them reach us and trust the certificate that is served. */
  readonly served: boolean;
  /** None of them trusts it; somebody else's CAs are in all of them. */
  readonly distrusted: boolean;
  /** All of them hold exactly the bundle and the paths wanted. */
  readonly exact: boolean;
  /** Stays the same while nobody writes to any of them. */
  readonly generations: string;
}

/** Why an object was patched: it was new or the wish was, or somebody else had changed what is ours. */
export type Cause = 'change' | 'damage';

interface TargetsOptions {
  readonly kube: KubeClient;
  readonly validatingConfiguration: string;
  readonly mutatingConfiguration: string;
  readonly crdNames: readonly string[];
  readonly log: KubeLog;
  /** Something changed: check again. */
  readonly onChange: () => void;
  readonly onInjected: (kind: string, cause: Cause) => void;
}

const NOT_CHECKED: Result = { served: false, distrusted: false, exact: false, generation: '' };
const GONE: Result = { served: true, distrusted: false, exact: true, generation: '' };
// Somebody else may write between our read and our patch; after so many times the next turn goes on.
const MAX_TRIES = 3;
const ADMISSION = { group: 'admissionregistration.k8s.io', version: 'v1' };

export class Targets {
  readonly #options: TargetsOptions;
  readonly #targets: Target[] = [];
  readonly #reflectors: Reflector<KubeObject>[] = [];

  constructor(options: TargetsOptions) {
    this.#options = options;
    const kinds: Kind[] = [
      {
        kind: 'ValidatingWebhookConfiguration',
        collection: resourcePath({ ...ADMISSION, resource: 'validatingwebhookconfigurations' }),
        names: [options.validatingConfiguration],
      },
      {
        kind: 'MutatingWebhookConfiguration',
        collection: resourcePath({ ...ADMISSION, resource: 'mutatingwebhookconfigurations' }),
        names: [options.mutatingConfiguration],
      },
      {
        kind: 'CustomResourceDefinition',
        collection: resourcePath({
          group: 'apiextensions.k8s.io',
          version: 'v1',
          resource: 'customresourcedefinitions',
        }),
        names: options.crdNames,
      },
    ];
    for (const kind of kinds) if (kind.names.length > 0) this.#follow(kind);
  }

  /** Begins to watch. */
  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
  }

  /** True once every watch has told what exists. False if stopped before. */
  async synced(): Promise<boolean> {
    const all = await Promise.all(this.#reflectors.map((reflector) => reflector.synced));
    return all.every(Boolean);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  /**
   * Checks what changed since it was checked last; with `confirm`, patches what is not as wanted and reads
   * it back, if confirm(), asked once before the first patch, says yes. One object that fails does not keep
   * the others from theirs. `chain` is what we serve, PEM.
   * @throws KubeError the first failure, when all have had their turn
   */
  async check(
    wanted: Wanted & { chain: string },
    confirm: (() => Promise<boolean>) | undefined,
    signal: AbortSignal,
  ): Promise<Check> {
    let confirmed: Promise<boolean> | undefined;
    const mayWrite = confirm && (() => (confirmed ??= confirm()));
    const wish = JSON.stringify(wanted);
    const results: Result[] = [];
    const failures: unknown[] = [];
    for (const target of this.#targets) {
      if (target.seen === undefined) {
        this.#reportMissing(target);
        continue;
      }
      target.reportedMissing = false;
      const upToDate = target.checked === `${target.seen} ${wish}` && (target.result.exact || !confirm);
      if (!upToDate) {
        try {
          await this.#checkOne(target, wanted, wish, mayWrite, signal);
        } catch (error) {
          target.checked = '';
          target.result = NOT_CHECKED;
          failures.push(error);
        }
      }
      results.push(target.result);
    }
    if (failures.length > 0) throw failures[0];
    const calling = results.filter(({ generation }) => generation !== '');
    return {
      served: results.every(({ served }) => served),
      distrusted: calling.length > 0 && calling.every(({ distrusted }) => distrusted),
      exact: results.every(({ exact }) => exact),
      generations: results.map(({ generation }) => generation).join(),
    };
  }

  #follow({ kind, collection, names }: Kind): void {
    const { kube, log, onChange } = this.#options;
    const byName = new Map<string, Target>();
    for (const name of names) {
      const target: Target = {
        kind,
        name,
        path: `${collection}/${name}`,
        seen: undefined,
        checked: '',
        result: NOT_CHECKED,
        fulfilled: undefined,
        reportedMissing: false,
      };
      byName.set(name, target);
      this.#targets.push(target);
    }
    const saw = (name: string | undefined, version: string | undefined): void => {
      const target = byName.get(name ?? '');
      if (!target || target.seen === version) return;
      target.seen = version;
      onChange();
    };
    this.#reflectors.push(
      new Reflector<KubeObject>({
        kube,
        log,
        path: collection,
        metadataOnly: true,
        // With one name, rights on that one object are enough.
        query: names.length === 1 ? { fieldSelector: `metadata.name=${names[0]}` } : {},
        relistMs: 600_000,
        handlers: {
          onUpsert: ({ metadata }) => saw(metadata.name, metadata.resourceVersion),
          onDelete: ({ name }) => saw(name, undefined),
        },
      }),
    );
  }

  async #checkOne(
    target: Target,
    wanted: Wanted & { chain: string },
    wish: string,
    mayWrite: (() => Promise<boolean>) | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const object = await this.#read(target, signal);
      if (object === undefined) {
        // Deleted a moment ago; the watch is about to say so.
        target.result = GONE;
        target.checked = '';
        return;
      }
      const patch = injectionPatch(object, wanted);
      const { uid, generation, resourceVersion } = object.metadata;
      target.checked = `${resourceVersion} ${wish}`;
      target.result = {
        ...reachOf(object, wanted.chain, wanted.paths),
        exact: patch.length === 0,
        // What calls nobody of ours has no say.
        generation: callsUs(object) ? `${uid} ${generation}` : '',
      };
      const sameWish = JSON.stringify([wanted.bundle, wanted.paths, uid]);
      if (patch.length === 0) {
        target.fulfilled = sameWish;
        return;
      }
      if (!(await mayWrite?.())) return;
      const cause = target.fulfilled === sameWish ? 'damage' : 'change';
      if (await this.#patch(target, patch, cause, signal)) target.fulfilled = undefined;
    }
  }

  async #read(target: Target, signal: AbortSignal): Promise<TargetObject | undefined> {
    const { kube, log } = this.#options;
    try {
      const object = await kube.request<TargetObject>('GET', target.path, {
        signal,
        what: `read ${target.kind} ${target.name}`,
      });
      if (target.checked === '' && !callsUs(object)) {
        log.info({ kind: target.kind, name: target.name }, 'does not call this webhook, left alone');
      }
      if (target.checked === '' && isInjectedByOthers(object)) {
        log.info({ kind: target.kind, name: target.name }, 'caBundle is left to cert-manager');
      }
      return object;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #patch(
    target: Target,
    patch: readonly unknown[],
    cause: Cause,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { kube, log, onInjected } = this.#options;
    try {
      await kube.request('PATCH', target.path, {
        signal,
        query: { fieldManager: OUR_GROUP },
        body: patch,
        contentType: PATCH.json,
        // The paths are secret: an answer that quotes the patch must not reach a log.
        sensitive: true,
        what: `inject the CA into ${target.kind} ${target.name}`,
      });
      const what = { kind: target.kind, name: target.name, cause };
      if (cause === 'damage') log.warn(what, 'somebody changed CA bundle or path, injected again');
      else log.info(what, 'CA bundle and path injected');
      onInjected(target.kind, cause);
      return true;
    } catch (error) {
      // A test of the patch did not hold: the object changed since it was read. Or it is gone.
      if (!isInvalid(error) && !isNotFound(error)) throw error;
      return false;
    }
  }

  #reportMissing(target: Target): void {
    if (target.reportedMissing) return;
    target.reportedMissing = true;
    target.checked = '';
    target.result = NOT_CHECKED;
    this.#options.log.info(
      { kind: target.kind, name: target.name },
      'does not exist; it is served as soon as it does',
    );
  }
}
