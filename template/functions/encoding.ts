/** Sprig's encodings and ESO's `hexdec`. What cannot be decoded becomes Go's error text, as a value. */
import type { FunctionMap } from '../function.ts';
import { isPrint } from '../unicode.ts';
import { encodeRune } from '../utf8.ts';
import { textToText } from './arguments.ts';
import { type Decoded, decodeBase32, decodeBase64, encodeBase32, encodeBase64 } from './base64.ts';
import { spendRunes } from './declare.ts';

const orError = (decoded: Decoded): string => ('bytes' in decoded ? decoded.bytes : decoded.error);

export const ENCODING: FunctionMap = new Map([
  [
    'b64enc',
    textToText((text, call) => {
      call.allocate(Math.ceil(text.length / 3) * 4);
      return encodeBase64(text);
    }),
  ],
  [
    'b64dec',
    textToText((text, call) => {
      call.allocate(text.length);
      return orError(decodeBase64(text));
    }),
  ],
  [
    'b32enc',
    textToText((text, call) => {
      spendRunes(call, 2 * text.length);
      call.allocate(Math.ceil(text.length / 5) * 8);
      return encodeBase32(text);
    }),
  ],
  [
    'b32dec',
    textToText((text, call) => {
      spendRunes(call, 2 * text.length);
      call.allocate(text.length);
      return orError(decodeBase32(text));
    }),
  ],
  ['hexdec', textToText(decodeHex)],
]);

/** `hex.DecodeString`, or the text of its error. */
function decodeHex(text: string): string {
  const stranger = /[^0-9a-fA-F]/.exec(text);
  if (stranger !== null) {
    const code = stranger[0].charCodeAt(0);
    const hex = code.toString(16).toUpperCase().padStart(4, '0');
    return `encoding/hex: invalid byte: U+${hex}${isPrint(code) ? ` '${encodeRune(code)}'` : ''}`;
  }
  if (text.length % 2 === 1) return 'encoding/hex: odd length hex string';
  return Buffer.from(text, 'hex').toString('latin1');
}
