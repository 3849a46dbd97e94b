/**
 * Base64 and base32 as Go's encoding packages read them: newlines anywhere are skipped, padding must be there, and
 * an error names the offset of the byte that was wrong. Strings hold one character a byte.
 */

/** The bytes that were decoded, or Go's text of what was wrong. */
export type Decoded = { readonly bytes: string } | { readonly error: string };

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const WELL_FORMED = /^[A-Za-z0-9+/\r\n]*=?[\r\n]*=?[\r\n]*$/;

const isNewline = (character: string | undefined): boolean => character === '\n' || character === '\r';

/** `base64.StdEncoding.EncodeToString`. */
export const encodeBase64 = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('base64');

/** `base64.StdEncoding.DecodeString`. */
export function decodeBase64(text: string): Decoded {
  const at = WELL_FORMED.test(text) ? paddingFault(text) : base64Fault(text);
  if (at !== undefined) return { error: `illegal base64 data at input byte ${at}` };
  return { bytes: Buffer.from(text, 'base64').toString('latin1') };
}

/** The usual case, right but for the number of characters: the slow walk only where the count does not fit. */
function paddingFault(text: string): number | undefined {
  const bare = text.replace(/[\r\n]+/g, '');
  return bare.length % 4 === 0 && !(bare.endsWith('=') && bare.length < 4) ? undefined : base64Fault(text);
}

/** The offset at which Go gives up; undefined if it does not. */
function base64Fault(text: string): number | undefined {
  let at = 0;
  for (;;) {
    for (let digit = 0; digit < 4; digit++) {
      while (isNewline(text[at])) at++;
      const character = text[at];
      if (character === undefined) return digit === 0 ? undefined : at - digit;
      at++;
      if (BASE64.includes(character)) continue;
      if (character !== '=' || digit < 2) return at - 1;
      while (digit === 2 && isNewline(text[at])) at++;
      if (digit === 2) {
        if (at === text.length) return at;
        if (text[at] !== '=') return at - 1;
        at++;
      }
      while (isNewline(text[at])) at++;
      return at < text.length ? at : undefined;
    }
  }
}

/** `base32.StdEncoding.EncodeToString`. */
export function encodeBase32(bytes: string): string {
  let out = '';
  let bits = 0;
  let held = 0;
  for (let index = 0; index < bytes.length; index++) {
    held = ((held << 8) | bytes.charCodeAt(index)) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BASE32[(held >> bits) & 31];
    }
  }
  if (bits > 0) out += BASE32[(held << (5 - bits)) & 31];
  return out.padEnd(Math.ceil(out.length / 8) * 8, '=');
}

/** `base32.StdEncoding.DecodeString`; offsets count without newlines. */
export function decodeBase32(text: string): Decoded {
  const source = text.replace(/[\r\n]+/g, '');
  const fault = (at: number): Decoded => ({ error: `illegal base32 data at input byte ${at}` });
  const bytes: number[] = [];
  for (let start = 0; start < source.length; start += 8) {
    const digits: number[] = [];
    for (let index = 0; index < 8; index++) {
      const at = start + index;
      const character = source[at];
      if (character === undefined) return fault(at - index);
      const left = source.length - at - 1;
      if (character === '=' && index >= 2 && left < 8) {
        if (left + index < 7) return fault(source.length);
        for (let pad = 0; pad < 7 - index; pad++) {
          if (left > pad && source[at + 1 + pad] !== '=') return fault(at + pad);
        }
        if (index === 3 || index === 6) return fault(at);
        return { bytes: Buffer.from([...bytes, ...joinDigits(digits)]).toString('latin1') };
      }
      const value = BASE32.indexOf(character);
      if (value < 0) return fault(at);
      digits.push(value);
    }
    for (const byte of joinDigits(digits)) bytes.push(byte);
  }
  return { bytes: Buffer.from(bytes).toString('latin1') };
}

/** The whole bytes in a row of groups of five bits. */
function joinDigits(digits: readonly number[]): number[] {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const digit of digits) {
    held = ((held << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  return bytes;
}
