/** What a caller may do, asked of the API server; a yes is kept for a short time, a no is asked again. */
import { LRUCache } from 'lru-cache';
import type { KubeClient } from '../kube/client.ts';
import { type AccessQuestion, reviewAccess, type UserInfo } from '../kube/objects.ts';
import { orAbort } from './abort.ts';

/** A burst of creates by one caller asks once; a right that was taken away is gone after this time. */
const KEEP_MS = 10_000;
const MAX_KEPT = 1_000;
const REVIEW_TIMEOUT_MS = 5_000;

type Question = Omit<AccessQuestion, 'verb'> & { readonly namespace: string };

export class AccessReviews {
  readonly #kube: KubeClient;
  readonly #yes = new LRUCache<string, true>({ max: MAX_KEPT, ttl: KEEP_MS });
  /** Callers that may not do it in all namespaces: only saves a question, decides nothing. */
  readonly #notEverywhere = new LRUCache<string, true>({ max: MAX_KEPT, ttl: KEEP_MS });
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(kube: KubeClient) {
    this.#kube = kube;
  }

  /**
   * May this user create such an object in this namespace? Those who may in all namespaces (GitOps controllers,
   * admins) are asked for once, whatever the number of namespaces. @throws KubeError
   */
  async mayCreate(user: UserInfo, question: Question, signal: AbortSignal): Promise<boolean> {
    const who = JSON.stringify([
      user.username,
      user.uid,
      user.groups,
      user.extra,
      question.group,
      question.resource,
    ]);
    const here = `${who}/${question.namespace}`;
    if (this.#yes.has(who) || this.#yes.has(here)) return true;
    const asked = [this.#ask(here, user, question)];
    // A review without a namespace is about all of them (authorization.k8s.io/v1 ResourceAttributes).
    if (!this.#notEverywhere.has(who))
      asked.push(this.#ask(who, user, { ...question, namespace: undefined }));
    const answers = Promise.all(asked).then(([inNamespace, everywhere]) => {
      if (everywhere === false) this.#notEverywhere.set(who, true);
      return inNamespace === true || everywhere === true;
    });
    return orAbort(answers, signal, 'asking for the rights of the caller');
  }

  /** May this user do that? Asked as it is, of one object or one namespace. @throws KubeError */
  async may(user: UserInfo, question: AccessQuestion, signal: AbortSignal): Promise<boolean> {
    const key = JSON.stringify([user.username, user.uid, user.groups, user.extra, question]);
    if (this.#yes.has(key)) return true;
    return orAbort(this.#ask(key, user, question), signal, 'asking for the rights of the caller');
  }

  #ask(
    key: string,
    user: UserInfo,
    question: Omit<AccessQuestion, 'verb'> & { readonly verb?: string },
  ): Promise<boolean> {
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const answer = reviewAccess(
      this.#kube,
      user,
      { verb: 'create', ...question },
      { timeoutMs: REVIEW_TIMEOUT_MS },
    )
      .then((allowed) => {
        if (allowed) this.#yes.set(key, true);
        return allowed;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, answer);
    return answer;
  }
}
