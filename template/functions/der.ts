/** DER over node-forge's asn1: its values are strings of one character a byte, as Go strings are here. */
import forge from 'node-forge';

export type Asn1 = forge.asn1.Asn1;

const { asn1 } = forge;
const UNIVERSAL = asn1.Class.UNIVERSAL;
const CONTEXT = asn1.Class.CONTEXT_SPECIFIC;

/** Reads one value that takes up all the bytes; undefined if they are no DER. */
export function parseDer(bytes: string): Asn1 | undefined {
  try {
    return asn1.fromDer(forge.util.createBuffer(bytes), true);
  } catch {
    return undefined;
  }
}

export const derOf = (value: Asn1): string => asn1.toDer(value).getBytes();

/** The elements of a constructed value; none of a primitive one. */
export const childrenOf = (value: Asn1 | undefined): readonly Asn1[] =>
  value !== undefined && Array.isArray(value.value) ? value.value : [];

/** The content of a primitive value; of a string in pieces, the pieces together. */
export function contentOf(value: Asn1 | undefined): string {
  if (value === undefined) return '';
  return typeof value.value === 'string' ? value.value : value.value.map(contentOf).join('');
}

export const isTagged = (value: Asn1 | undefined, tag: number): value is Asn1 =>
  value !== undefined && value.tagClass === CONTEXT && value.type === tag;

export const isUniversal = (value: Asn1 | undefined, type: number): value is Asn1 =>
  value !== undefined && value.tagClass === UNIVERSAL && value.type === type;

/** A dotted object identifier; empty if the value is none. */
export const oidOf = (value: Asn1 | undefined): string =>
  isUniversal(value, asn1.Type.OID) ? asn1.derToOid(contentOf(value)) : '';

/** A small positive INTEGER; undefined if it is missing or does not fit. */
export function intOf(value: Asn1 | undefined): number | undefined {
  const bytes = contentOf(value);
  if (!isUniversal(value, asn1.Type.INTEGER) || bytes.length === 0 || bytes.length > 6) return undefined;
  const number = Number.parseInt(Buffer.from(bytes, 'latin1').toString('hex'), 16);
  return bytes.charCodeAt(0) >= 0x80 ? undefined : number;
}

const universal = (type: number, constructed: boolean, value: string | Asn1[]): Asn1 =>
  asn1.create(UNIVERSAL, type, constructed, value);

export const sequence = (...values: Asn1[]): Asn1 => universal(asn1.Type.SEQUENCE, true, values);
export const set = (...values: Asn1[]): Asn1 => universal(asn1.Type.SET, true, values);
export const oid = (dotted: string): Asn1 =>
  universal(asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes());
export const octets = (bytes: string): Asn1 => universal(asn1.Type.OCTETSTRING, false, bytes);
export const nil = (): Asn1 => universal(asn1.Type.NULL, false, '');
export const bool = (value: boolean): Asn1 => universal(asn1.Type.BOOLEAN, false, value ? '\xff' : '\0');
/** @param unused bits at the end that do not count */
export const bits = (bytes: string, unused = 0): Asn1 =>
  universal(asn1.Type.BITSTRING, false, String.fromCharCode(unused) + bytes);
/** A value of a primitive universal type by its number. */
export const primitive = (type: number, content: string): Asn1 => universal(type, false, content);

/** A non-negative integer. */
export function integer(value: bigint | number): Asn1 {
  const hex = BigInt(value).toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('latin1');
  return universal(asn1.Type.INTEGER, false, bytes.charCodeAt(0) >= 0x80 ? `\0${bytes}` : bytes);
}

/** `[tag]` around values (explicit). */
export const explicit = (tag: number, ...values: Asn1[]): Asn1 => asn1.create(CONTEXT, tag, true, values);
/** `[tag]` in place of a primitive type (implicit). */
export const implicit = (tag: number, content: string): Asn1 => asn1.create(CONTEXT, tag, false, content);
