/**
 * Token, CA and client certificate of a ClusterConfig, read again from their files each minute: kubelet
 * renews ServiceAccount tokens and the CA bundle in place, and a program that read them once dies with them.
 */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import type { ClusterConfig, Source } from './config.ts';

/** What a connection and a request need to be accepted. Compare `tls` by identity: new means changed. */
export interface Material {
  readonly authorization: string | undefined;
  readonly tls: TlsMaterial;
}

export interface TlsMaterial {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

const REREAD_MS = 60_000;

const isFile = (source: Source | undefined): boolean => source !== undefined && 'file' in source;

async function read(source: Source | undefined): Promise<string | undefined> {
  if (source === undefined) return undefined;
  return 'file' in source ? await readFile(source.file, 'utf8') : source.value;
}

export class Credentials {
  readonly #config: ClusterConfig;
  readonly #clock: Clock;
  readonly #constant: boolean;
  #material: Material | undefined;
  #readAt = 0;
  #expiresAt = Number.POSITIVE_INFINITY;
  #reading: Promise<Material> | undefined;

  constructor(config: ClusterConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const { ca, token, clientCertificate, login } = config;
    this.#constant =
      login === undefined && ![ca, token, clientCertificate?.cert, clientCertificate?.key].some(isFile);
  }

  /**
   * The current material. While files cannot be read again, what was read before goes on.
   * @throws EsaError CONFIGURATION if a file cannot be read the first time
   */
  current(): Material | Promise<Material> {
    const known = this.#material;
    if (known && (this.#constant || !this.#isOld())) return known;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** After a 401: the next request reads the files again. */
  invalidate(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  #isOld(): boolean {
    // A login asks a program, perhaps a person: as rarely as can be.
    if (this.#config.login !== undefined && this.#readAt !== Number.NEGATIVE_INFINITY)
      return this.#clock.now() >= this.#expiresAt;
    return this.#clock.monotonic() - this.#readAt >= REREAD_MS;
  }

  async #read(): Promise<Material> {
    const { ca, token, clientCertificate } = this.#config;
    const login = await this.#config.login?.();
    this.#expiresAt = login?.expiresAt ?? Number.POSITIVE_INFINITY;
    try {
      const [caText, tokenText, cert, key] = await Promise.all([
        read(ca),
        login?.token ?? read(token),
        login?.clientCertificate?.cert ?? read(clientCertificate?.cert),
        login?.clientCertificate?.key ?? read(clientCertificate?.key),
      ]);
      const old = this.#material?.tls;
      const same = old !== undefined && old.ca === caText && old.cert === cert && old.key === key;
      this.#material = {
        authorization: tokenText === undefined ? undefined : `Bearer ${tokenText.trim()}`,
        tls: same ? old : { ca: caText, cert, key },
      };
    } catch (error) {
      if (this.#material === undefined) {
        // The path of the file is in the error; its content is not.
        const why = error instanceof Error ? error.message : 'unknown';
        throw new EsaError('CONFIGURATION', `credentials for the API server cannot be read: ${why}`);
      }
    }
    this.#readAt = this.#clock.monotonic();
    return this.#material;
  }
}
