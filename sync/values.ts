/** Values on their way into a Secret (eso.md 2.6: steps 5 and 6 of the pipeline). No error holds a value. */
import { EsaError } from '../api/errors.ts';
import type { DecodingStrategy } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import { compareUtf8 } from '../providers/go-json.ts';

const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]*={0,2}$/;

/**
 * Base64 by the rules of Go's StdEncoding and URLEncoding: padding is required, line ends may stand anywhere, and bits
 * that are left over in the last character do not matter.
 * @returns undefined if it is none
 */
function decodeBase64(bytes: Buffer, alphabet: RegExp): Buffer | undefined {
  const text = bytes.toString('latin1').replace(/[\r\n]/g, '');
  return text.length % 4 === 0 && alphabet.test(text)
    ? Buffer.from(text, alphabet === STANDARD ? 'base64' : 'base64url')
    : undefined;
}

/**
 * The value that the text of `value` stands for by the strategy. `Auto` takes base64, else base64 for URLs, else the
 * value as it is, so a plain text that happens to be base64 is decoded too (as in ESO).
 * @param key of the Secret, for the message
 * @throws EsaError INVALID_VALUE
 */
export function decodeValue(key: string, value: SecretValue, strategy: DecodingStrategy): SecretValue {
  if (strategy === 'None') return value;
  const bytes = value.revealBytes();
  const decoded =
    (strategy === 'Base64URL' ? undefined : decodeBase64(bytes, STANDARD)) ??
    (strategy === 'Base64' ? undefined : decodeBase64(bytes, URL_SAFE));
  if (decoded !== undefined) return SecretValue.fromBytes(decoded);
  if (strategy === 'Auto') return value;
  throw new EsaError(
    'INVALID_VALUE',
    `error applying decoding strategy: the value of key ${JSON.stringify(key)} is not base64 as decodingStrategy ${strategy} wants it (padded, ${strategy === 'Base64' ? '+ and /' : '- and _'} for the last two digits)`,
  );
}

/**
 * nullBytePolicy Fail.
 * @throws EsaError INVALID_VALUE naming the first key, in byte order, whose value has a NUL byte
 */
export function refuseNullBytes(values: ReadonlyMap<string, SecretValue>): void {
  const keys = [...values].filter(([, value]) => value.revealBytes().includes(0)).map(([key]) => key);
  const [first] = keys.sort(compareUtf8);
  if (first === undefined) return;
  throw new EsaError(
    'INVALID_VALUE',
    `the value of key ${JSON.stringify(first)} contains a null byte, which nullBytePolicy: Fail refuses`,
  );
}
