/**
 * The keys that sign the pending marker, kept in one Secret of our own namespace that whoever comes first
 * makes. `current` signs; `previous` still verifies, so that a key can be replaced while Secrets are pending.
 */
import { randomBytes } from 'node:crypto';
import { EsaError } from '../api/errors.ts';
import { EVENT_SOURCE } from '../api/external-secrets/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isNotFound } from '../kube/errors.ts';
import { createSecret, getSecret } from '../kube/objects.ts';
import type { MarkerKey } from './marker.ts';

export const MARKER_SECRET = 'external-secrets-admission-marker';
/** A key id that nobody knows is looked up again at most this often. */
const RELOAD_AFTER_MS = 10_000;

export class MarkerKeys {
  readonly #kube: KubeClient;
  readonly #namespace: string;
  #keys: readonly MarkerKey[] = [];
  #loadedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;

  constructor(kube: KubeClient, namespace: string) {
    this.#kube = kube;
    this.#namespace = namespace;
  }

  /** The key that signs; undefined until load() has succeeded. */
  get current(): MarkerKey | undefined {
    return this.#keys[0];
  }

  get all(): readonly MarkerKey[] {
    return this.#keys;
  }

  /** Reads the Secret, or makes it. @throws EsaError KUBE_API, CONFIGURATION if the Secret is broken */
  async load(signal: AbortSignal): Promise<void> {
    this.#loading ??= this.#load(signal).finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  /** All keys, reloaded first if `keyId` is unknown (somebody replaced the key), but not in quick succession. */
  async forKeyId(keyId: string, signal: AbortSignal): Promise<readonly MarkerKey[]> {
    const known = this.#keys.some((key) => key.id === keyId);
    if (!known && performance.now() - this.#loadedAt > RELOAD_AFTER_MS) await this.load(signal);
    return this.#keys;
  }

  async #load(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        const secret = await getSecret(this.#kube, this.#namespace, MARKER_SECRET, { signal });
        this.#keys = readKeys(secret.data ?? {}, this.#namespace);
        this.#loadedAt = performance.now();
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      try {
        const key = { id: randomBytes(4).toString('hex'), key: randomBytes(32) };
        await createSecret(
          this.#kube,
          {
            metadata: {
              name: MARKER_SECRET,
              namespace: this.#namespace,
              labels: { 'app.kubernetes.io/part-of': 'external-secrets-admission' },
            },
            type: 'Opaque',
            data: { currentId: Buffer.from(key.id).toString('base64'), current: key.key.toString('base64') },
          },
          { signal, fieldManager: EVENT_SOURCE },
        );
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    }
    throw new EsaError(
      'KUBE_API',
      `Secret ${this.#namespace}/${MARKER_SECRET} appears and disappears; is something deleting it?`,
    );
  }
}

/** The keys that a Secret holds, the current one first. @throws EsaError CONFIGURATION if there is none */
export function readKeys(data: Readonly<Record<string, string>>, namespace: string): MarkerKey[] {
  const keys: MarkerKey[] = [];
  for (const slot of ['current', 'previous']) {
    const id = data[`${slot}Id`];
    const key = data[slot];
    if (id === undefined || key === undefined) continue;
    const bytes = Buffer.from(key, 'base64');
    const name = Buffer.from(id, 'base64').toString('utf8');
    if (bytes.length >= 32 && /^[\w-]+$/.test(name)) keys.push({ id: name, key: bytes });
    else if (slot === 'current') break;
  }
  if (keys.length === 0) {
    throw new EsaError(
      'CONFIGURATION',
      `Secret ${namespace}/${MARKER_SECRET} holds no usable key (want currentId and a current of 32 bytes); delete it and it is made anew`,
    );
  }
  return keys;
}
