/** ESO's `jwkPublicKeyPem` and `jwkPrivateKeyPem`: a JSON Web Key as PEM. */
import { createPrivateKey, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { type FunctionMap, GoError } from '../function.ts';
import { toUtf8 } from '../value.ts';
import { textToText } from './arguments.ts';
import { pemOf } from './pem-blocks.ts';

/** What Go calls a key of the kind, and its public half. */
const GO_TYPES: ReadonlyMap<string, readonly [privateType: string, publicType: string]> = new Map([
  ['RSA', ['*rsa.PrivateKey', '*rsa.PublicKey']],
  ['EC', ['*ecdsa.PrivateKey', '*ecdsa.PublicKey']],
  ['OKP', ['ed25519.PrivateKey', 'ed25519.PublicKey']],
]);

/** The library's own types for these keys, which Go's x509 does not write. */
const X25519 = ['x25519.PrivateKey', 'x25519.PublicKey'] as const;

const invalid = (reason: string): GoError => new GoError(`failed to parse JWK: ${reason}`);

/** The members of a key that are text; nothing else is looked at. */
function parseJwk(text: string): ReadonlyMap<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(toUtf8(text));
  } catch {
    throw invalid('it is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid('it is not a JSON object');
  const members = Object.entries(parsed).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const names = members.filter(([name]) => name === 'kty' || name === 'crv');
  return new Map([...names, ...members.filter(([name]) => NUMBERS.has(name)).map(numberMember)]);
}

const NUMBERS = new Set(['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'x', 'y', 'k']);

/** Padding and the standard alphabet of base64 are taken as well. */
function numberMember([name, value]: [string, string]): [string, string] {
  const digits = value.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_');
  if (!/^[\w-]+$/.test(digits)) throw invalid(`${name} is not base64url`);
  return [name, digits];
}

const isSecret = (key: ReadonlyMap<string, string>): boolean => key.has('d');

const toNumber = (text: string): bigint => BigInt(`0x0${Buffer.from(text, 'base64url').toString('hex')}`);

/** A number in as many bytes as it needs. */
function fromNumber(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}

/** The inverse of `value` modulo a prime (Fermat). */
function inverse(value: bigint, prime: bigint): bigint {
  let [result, base] = [1n, value % prime];
  for (let exponent = prime - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % prime;
    base = (base * base) % prime;
  }
  return result;
}

/** The longest factor that is worked with, in characters: of keys of 16384 bits. */
const MAX_FACTOR = 1400;

/** A private RSA key with the members that may be left out. */
function completed(key: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [d, p, q] = [key.get('d'), key.get('p'), key.get('q')];
  if (d === undefined || p === undefined || q === undefined)
    throw invalid('a private RSA key needs d, p and q');
  if (p.length > MAX_FACTOR || q.length > MAX_FACTOR) throw invalid('the key is too long');
  if (key.has('dp') && key.has('dq') && key.has('qi')) return key;
  const [exponent, first, second] = [toNumber(d), toNumber(p), toNumber(q)];
  if (first < 3n || second < 3n) throw invalid('p and q are no primes');
  return new Map([
    ...key,
    ['dp', fromNumber(exponent % (first - 1n))],
    ['dq', fromNumber(exponent % (second - 1n))],
    ['qi', fromNumber(inverse(second, first))],
  ]);
}

function typeOf(key: ReadonlyMap<string, string>): readonly [privateType: string, publicType: string] {
  const kind = key.get('kty') ?? '';
  if (kind === 'oct') return ['[]uint8', '[]uint8'];
  const types = GO_TYPES.get(kind);
  if (types === undefined) throw invalid('kty must be RSA, EC, OKP or oct');
  return key.get('crv') === 'X25519' ? X25519 : types;
}

function imported(
  members: ReadonlyMap<string, string>,
  create: (key: webcrypto.JsonWebKey) => KeyObject,
): KeyObject {
  const { kty, crv, n, e, d, p, q, dp, dq, qi, x, y } = Object.fromEntries(members);
  const all = { kty, crv, n, e, d, p, q, dp, dq, qi, x, y };
  try {
    return create(Object.fromEntries(Object.entries(all).filter((entry) => entry[1] !== undefined)));
  } catch {
    throw invalid('its numbers are no key');
  }
}

function publicPem(text: string): string {
  const key = parseJwk(text);
  const types = typeOf(key);
  const [privateType, publicType] = types;
  if (isSecret(key) || key.get('kty') === 'oct' || types === X25519) {
    const type = isSecret(key) ? privateType : publicType;
    throw new GoError(`x509: unsupported public key type: ${type}`);
  }
  const der = imported(key, (jwk) => createPublicKey({ key: jwk, format: 'jwk' })).export({
    format: 'der',
    type: 'spki',
  });
  return pemOf('PUBLIC KEY', der.toString('latin1'));
}

function privatePem(text: string): string {
  const key = parseJwk(text);
  const types = typeOf(key);
  if (!isSecret(key) || types === X25519) {
    const type = types[isSecret(key) ? 0 : 1];
    throw new GoError(`x509: unknown key type while marshaling PKCS#8: ${type}`);
  }
  const whole = key.get('kty') === 'RSA' ? completed(key) : key;
  const der = imported(whole, (jwk) => createPrivateKey({ key: jwk, format: 'jwk' })).export({
    format: 'der',
    type: 'pkcs8',
  });
  return pemOf('PRIVATE KEY', der.toString('latin1'));
}

/** Reading a key, and completing one. */
const STEPS = 20_000;

export const JWK: FunctionMap = new Map([
  [
    'jwkPublicKeyPem',
    textToText((text, call) => {
      call.spend(STEPS);
      return publicPem(text);
    }),
  ],
  [
    'jwkPrivateKeyPem',
    textToText((text, call) => {
      call.spend(STEPS);
      return privatePem(text);
    }),
  ],
]);
