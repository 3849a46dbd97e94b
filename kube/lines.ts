const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines. Bytes are joined before they are decoded, so a character that was split
 * between two chunks survives; a line of megabytes is copied once.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #size = 0;

  /** Lines longer than `maxBytes` throw a RangeError: such a stream is not what we think it is. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Gives the lines that `chunk` completes, without their newline; empty lines are left out. */
  *push(chunk: Buffer): Generator<string> {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      const line = this.#take(chunk.subarray(from, at));
      from = at + 1;
      if (line !== '') yield line;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > this.#maxBytes) throw new RangeError(`a line of more than ${this.#maxBytes} bytes`);
    this.#parts.push(part);
  }

  #take(last: Buffer): string {
    if (this.#parts.length === 0) return last.toString('utf8');
    this.#keep(last);
    const line = Buffer.concat(this.#parts, this.#size).toString('utf8');
    this.#parts = [];
    this.#size = 0;
    return line;
  }
}
