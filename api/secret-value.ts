import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * A value of a secret on its way from a provider to a Secret. However it is printed (template
 * literal, JSON, console, inspect, pino) it shows `[redacted]`; the bytes leave only by the two
 * named methods, so that `grep reveal` lists every place where a value is in the open.
 */
export class SecretValue {
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  static fromBytes(bytes: Uint8Array): SecretValue {
    return new SecretValue(Buffer.from(bytes));
  }

  /** `text` is stored as its UTF-8 bytes. */
  static fromText(text: string): SecretValue {
    return new SecretValue(Buffer.from(text, 'utf8'));
  }

  /** The raw bytes; a copy is not made, do not change them. */
  revealBytes(): Buffer {
    return this.#bytes;
  }

  /** The bytes read as UTF-8. */
  revealText(): string {
    return this.#bytes.toString('utf8');
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  equals(other: SecretValue): boolean {
    return this.#bytes.equals(other.#bytes);
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }
}
