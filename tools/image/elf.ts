/** What a program or a library of Linux asks for: its interpreter and the libraries beside it (System V ABI, ELF-64). */

const PROGRAM_LOAD = 1;
const PROGRAM_DYNAMIC = 2;
const PROGRAM_INTERPRETER = 3;
const DYNAMIC_NEEDED = 1;
const DYNAMIC_STRINGS = 5;

export interface ElfNeeds {
  /** Absolute path of the dynamic loader; only programs name one. */
  readonly interpreter: string | undefined;
  /** File names, e.g. `libm.so.6`. */
  readonly libraries: readonly string[];
}

const textAt = (file: Buffer, offset: number): string =>
  file.toString('latin1', offset, file.indexOf(0, offset));

/** @returns undefined for what is no 64-bit little-endian ELF file */
export function readElf(file: Buffer): ElfNeeds | undefined {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    return undefined;
  const number = (offset: number): number => Number(file.readBigUInt64LE(offset));
  const table = number(32);
  const programs = Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = table + index * file.readUInt16LE(54);
    return {
      type: file.readUInt32LE(at),
      offset: number(at + 8),
      address: number(at + 16),
      size: number(at + 32),
    };
  });
  const interpreter = programs.find(({ type }) => type === PROGRAM_INTERPRETER);
  const dynamic = programs.find(({ type }) => type === PROGRAM_DYNAMIC);
  const entries = Array.from({ length: Math.floor((dynamic?.size ?? 0) / 16) }, (_, index) => {
    const at = (dynamic?.offset ?? 0) + index * 16;
    return { tag: number(at), value: number(at + 8) };
  });
  const strings = entries.find(({ tag }) => tag === DYNAMIC_STRINGS)?.value ?? 0;
  const segment = programs.find(
    ({ type, address, size }) => type === PROGRAM_LOAD && strings >= address && strings < address + size,
  );
  const stringsOffset = strings - (segment?.address ?? 0) + (segment?.offset ?? 0);
  return {
    interpreter: interpreter === undefined ? undefined : textAt(file, interpreter.offset),
    libraries: entries
      .filter(({ tag }) => tag === DYNAMIC_NEEDED)
      .map(({ value }) => textAt(file, stringsOffset + value)),
  };
}
