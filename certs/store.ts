import { EsaError } from '../api/errors.ts';
import { ANNOTATION_ROTATE, OUR_GROUP } from '../api/external-secrets/names.ts';
import type { CallOptions, KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { createSecret, getSecret, replaceSecret, type SecretObject } from '../kube/objects.ts';
import { decodeState, goesBefore, isOurs, refilled, type SharedState, stateSecret } from './authority.ts';

interface Stored {
  readonly secret: SecretObject;
  readonly state: SharedState;
}

/** What was wrong with the Secret when it was written again. */
export type Damage = 'deleted' | 'damaged' | 'rolled-back';

/** What to do where nothing usable is found and nothing is known from before. */
export interface Beginnings {
  /** The first state of all. */
  readonly initial: () => Promise<SharedState>;
  /** A state from what is left of a Secret of ours; undefined: that is for another replica to do. */
  readonly salvage: (secret: SecretObject) => Promise<SharedState> | undefined;
}

interface StoreOptions {
  readonly kube: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** The Secret was not what it should be and was written again. `problem` says what was seen. */
  readonly onRepair: (damage: Damage, problem: EsaError | undefined) => void;
}

const MAX_TRIES = 5;

/** The Secret with what replicas share. Whoever writes first wins; the others take what they find. */
export class SharedStateStore {
  readonly #options: StoreOptions;
  #stored: Stored | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** What was read or written last. */
  get state(): SharedState | undefined {
    return this.#stored?.state;
  }

  get resourceVersion(): string | undefined {
    return this.#stored?.secret.metadata.resourceVersion;
  }

  /** The value of ANNOTATION_ROTATE, as it was read last. */
  get request(): string | undefined {
    return this.#stored?.secret.metadata.annotations?.[ANNOTATION_ROTATE];
  }

  /**
   * Reads the Secret; makes it if it is absent or empty. One that was deleted, damaged or taken back to an
   * older state becomes again what is known here, so that nobody has to trust anything new.
   * @returns undefined if it is damaged, nothing is known, and it is not for us to salvage
   * @throws EsaError CERTIFICATE if it is not ours and its content neither; KubeError
   */
  async load(beginnings: Beginnings, options: CallOptions): Promise<SharedState | undefined> {
    for (let tries = 1; ; tries++) {
      const secret = await this.#read(options);
      const known = this.#stored?.state;
      const [found, problem] = read(secret);
      if (secret && found && !(known && goesBefore(known, found))) return this.#keep(secret, found);
      const wanted = known ?? (await begin(secret, problem, beginnings));
      if (wanted === undefined) return undefined;
      try {
        const kept = this.#keep(await this.#write(wanted, secret, options), wanted);
        const damage = problem ? 'damaged' : found ? 'rolled-back' : 'deleted';
        if (known || problem) this.#options.onRepair(damage, problem);
        return kept;
      } catch (error) {
        // Another replica was faster.
        if (!(isAlreadyExists(error) || isConflict(error)) || tries === MAX_TRIES) throw error;
      }
    }
  }

  /** True if the Secret is still what was read or written last, by a live read. @throws KubeError */
  async isCurrent(options: CallOptions): Promise<boolean> {
    const secret = await this.#read(options);
    return secret !== undefined && secret.metadata.resourceVersion === this.resourceVersion;
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
    const { kube, namespace, name } = this.#options;
    try {
      return await getSecret(kube, namespace, name, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #write(state: SharedState, over: SecretObject | undefined, options: CallOptions): Promise<SecretObject> {
    const { kube, namespace, name } = this.#options;
    const write = { ...options, fieldManager: OUR_GROUP };
    return over === undefined
      ? createSecret(kube, stateSecret(namespace, name, state), write)
      : replaceSecret(kube, refilled(over, state), write);
  }
}

/** What the Secret holds, or what is wrong with it; neither if there is none or it is empty. */
function read(secret: SecretObject | undefined): [SharedState | undefined, EsaError | undefined] {
  try {
    return [secret && decodeState(secret), undefined];
  } catch (error) {
    if (error instanceof EsaError) return [undefined, error];
    throw error;
  }
}

function begin(
  secret: SecretObject | undefined,
  problem: EsaError | undefined,
  { initial, salvage }: Beginnings,
): Promise<SharedState> | undefined {
  if (secret === undefined || problem === undefined) return initial();
  // We do not write over what others made.
  if (!isOurs(secret)) throw problem;
  return salvage(secret);
}
