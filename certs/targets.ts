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
import type { HookPaths } from './authority.ts';
import { callsUs, injectionPatch, isServed, type TargetObject } from './injection.ts';

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
  result: Check;
  reportedMissing: boolean;
}

/** How things stand with every object that exists. */
export interface Check {
  /** All of them reach us and trust the CA of our leaf. */
  readonly served: boolean;
  /** All of them hold exactly the bundle and the paths wanted. */
  readonly exact: boolean;
}

export interface Wanted {
  /** PEM of all CAs that are to be trusted. */
  readonly bundle: string;
  readonly paths: HookPaths;
  /** PEM of the CA of our own leaf. */
  readonly authority: string;
}

interface TargetsOptions {
  readonly kube: KubeClient;
  readonly validatingConfiguration: string;
  readonly mutatingConfiguration: string;
  readonly crdNames: readonly string[];
  readonly log: KubeLog;
  /** Something changed: check again. */
  readonly onChange: () => void;
}

const NOT_CHECKED: Check = { served: false, exact: false };
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
   * Checks what changed since it was checked last; with `write`, patches what is not as wanted and reads
   * it back. One object that fails does not keep the others from theirs.
   * @throws KubeError the first failure, when all have had their turn
   */
  async check(wanted: Wanted, write: boolean, signal: AbortSignal): Promise<Check> {
    const wish = JSON.stringify(wanted);
    let served = true;
    let exact = true;
    const failures: unknown[] = [];
    for (const target of this.#targets) {
      if (target.seen === undefined) {
        this.#reportMissing(target);
        continue;
      }
      target.reportedMissing = false;
      const upToDate = target.checked === `${target.seen} ${wish}` && (target.result.exact || !write);
      if (!upToDate) {
        try {
          await this.#checkOne(target, wanted, wish, write, signal);
        } catch (error) {
          target.checked = '';
          target.result = NOT_CHECKED;
          failures.push(error);
        }
      }
      served &&= target.result.served;
      exact &&= target.result.exact;
    }
    if (failures.length > 0) throw failures[0];
    return { served, exact };
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
    wanted: Wanted,
    wish: string,
    write: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const object = await this.#read(target, signal);
      if (object === undefined) {
        // Deleted a moment ago; the watch is about to say so.
        target.result = { served: true, exact: true };
        target.checked = '';
        return;
      }
      const patch = injectionPatch(object, wanted.bundle, wanted.paths);
      target.checked = `${object.metadata.resourceVersion} ${wish}`;
      target.result = {
        served: isServed(object, wanted.authority, wanted.paths),
        exact: patch.length === 0,
      };
      if (patch.length === 0 || !write) return;
      await this.#patch(target, patch, signal);
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
      return object;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #patch(target: Target, patch: readonly unknown[], signal: AbortSignal): Promise<void> {
    const { kube, log } = this.#options;
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
      log.info({ kind: target.kind, name: target.name }, 'CA bundle and path injected');
    } catch (error) {
      // A test of the patch did not hold: the object changed since it was read. Or it is gone.
      if (!isInvalid(error) && !isNotFound(error)) throw error;
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
