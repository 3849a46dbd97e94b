/** What a caller may do, asked of the API server; a yes is kept for a short time, a no never. */
import { LRUCache } from 'lru-cache';
import type { KubeClient } from '../kube/client.ts';
import { type AccessQuestion, reviewAccess, type UserInfo } from '../kube/objects.ts';
import { orAbort } from './abort.ts';

/** A burst of creates by one caller asks once; a right that was taken away is gone after this time. */
const YES_MS = 10_000;
const MAX_KEPT = 1_000;

export class AccessReviews {
  readonly #kube: KubeClient;
  readonly #yes = new LRUCache<string, true>({ max: MAX_KEPT, ttl: YES_MS });
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(kube: KubeClient) {
    this.#kube = kube;
  }

  /** May this user create such an object? @throws KubeError */
  async mayCreate(
    user: UserInfo,
    object: Omit<AccessQuestion, 'verb'>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const key = JSON.stringify([
      user.username,
      user.uid,
      user.groups,
      user.extra,
      object.group,
      object.resource,
      object.namespace,
    ]);
    if (this.#yes.has(key)) return true;
    let answer = this.#asking.get(key);
    if (answer === undefined) {
      answer = reviewAccess(this.#kube, user, { verb: 'create', ...object }, { timeoutMs: 5_000 })
        .then((allowed) => {
          if (allowed) this.#yes.set(key, true);
          return allowed;
        })
        .finally(() => this.#asking.delete(key));
      this.#asking.set(key, answer);
    }
    return orAbort(answer, signal, 'asking for the rights of the caller');
  }
}
