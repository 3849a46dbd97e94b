import { OUR_GROUP } from '../api/external-secrets/names.ts';
import type { CallOptions, KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { createSecret, getSecret, replaceSecret, type SecretObject } from '../kube/objects.ts';
import { decodeState, encodeState, type SharedState, stateSecret } from './authority.ts';

interface Stored {
  readonly secret: SecretObject;
  readonly state: SharedState;
}

const MAX_TRIES = 5;

/** The Secret with what replicas share. Whoever writes first wins; the others take what they find. */
export class SharedStateStore {
  readonly #kube: KubeClient;
  readonly #namespace: string;
  readonly #name: string;
  #stored: Stored | undefined;

  constructor(kube: KubeClient, namespace: string, name: string) {
    this.#kube = kube;
    this.#namespace = namespace;
    this.#name = name;
  }

  /** What was read or written last. */
  get state(): SharedState | undefined {
    return this.#stored?.state;
  }

  get resourceVersion(): string | undefined {
    return this.#stored?.secret.metadata.resourceVersion;
  }

  /**
   * Reads the Secret; makes it if it is absent or empty. A Secret that was deleted comes back as it was,
   * so that nobody has to trust anything new.
   * @throws EsaError CERTIFICATE if its content is not ours; KubeError
   */
  async load(initial: () => Promise<SharedState>, options: CallOptions): Promise<SharedState> {
    for (let tries = 1; ; tries++) {
      const found = await this.#read(options);
      const state = found && decodeState(found);
      if (state) return this.#keep(found, state);
      try {
        const wanted = this.#stored?.state ?? (await initial());
        return this.#keep(await this.#write(wanted, found, options), wanted);
      } catch (error) {
        // Another replica was faster.
        if (!(isAlreadyExists(error) || isConflict(error)) || tries === MAX_TRIES) throw error;
      }
    }
  }

  /** Writes over what was read last; false if somebody else has written since. @throws KubeError */
  async write(state: SharedState, options: CallOptions): Promise<boolean> {
    try {
      this.#keep(await this.#write(state, this.#stored?.secret, options), state);
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  }

  #keep(secret: SecretObject, state: SharedState): SharedState {
    this.#stored = { secret, state };
    return state;
  }

  async #read(options: CallOptions): Promise<SecretObject | undefined> {
    try {
      return await getSecret(this.#kube, this.#namespace, this.#name, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #write(state: SharedState, over: SecretObject | undefined, options: CallOptions): Promise<SecretObject> {
    const write = { ...options, fieldManager: OUR_GROUP };
    if (over === undefined) {
      return createSecret(this.#kube, stateSecret(this.#namespace, this.#name, state), write);
    }
    return replaceSecret(this.#kube, { ...over, data: encodeState(state) }, write);
  }
}
