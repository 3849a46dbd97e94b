/** Sprig's digests, symmetric encryption and password functions. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  scryptSync,
} from 'node:crypto';
import bcrypt from 'bcryptjs';
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { validUtf8 } from '../utf8.ts';
import { T, toUtf8 } from '../value.ts';
import { intAt, ofStrings, stringAt, textToText } from './arguments.ts';
import { decodeBase64 } from './base64.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

const digest = (algorithm: string): GoFunction =>
  textToText((text) => createHash(algorithm).update(bytesOf(text)).digest('hex'));

/** The checksum of zlib, in decimal. */
function adler32(text: string): string {
  let a = 1;
  let b = 0;
  for (let index = 0; index < text.length; index++) {
    a = (a + text.charCodeAt(index)) % 65521;
    b = (b + a) % 65521;
  }
  return String(b * 65536 + a);
}

/** Cost of golang.org/x/crypto/bcrypt.DefaultCost, and the most bytes that it takes. */
const BCRYPT_COST = 10;
const BCRYPT_MAX_BYTES = 72;

/** A `$2a$` hash of the bytes; what is too long becomes an error text as value, as in sprig. */
function hashBcrypt(password: string): string {
  if (password.length > BCRYPT_MAX_BYTES) {
    return 'failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes';
  }
  // The library takes text only and hashes its UTF-8.
  if (!validUtf8(password)) return 'failed to encrypt string with bcrypt: password is not UTF-8';
  // It writes the prefix 2b; both name the same algorithm, and Go writes 2a.
  return bcrypt.hashSync(toUtf8(password), bcrypt.genSaltSync(BCRYPT_COST).replace(/^\$2b/, '$2a'));
}

function htpasswd(user: string, password: string, algorithm: string): string {
  if (user.includes(':')) return `invalid username: ${user}`;
  if (algorithm !== 'sha') return `${user}:${hashBcrypt(password)}`;
  return `${user}:{SHA}${createHash('sha1').update(bytesOf(password)).digest('base64')}`;
}

function randBytes(count: number, call: Call): string {
  if (count < 0) throw new GoError('runtime error: makeslice: len out of range');
  call.spend(count);
  call.allocate(count * 2);
  return randomBytes(count).toString('base64');
}

/** AES-256 takes 32 bytes: the password, cut or filled with zeros. */
function aesKey(password: string): Buffer {
  const key = Buffer.alloc(32);
  bytesOf(password).copy(key);
  return key;
}

/** AES-256-CBC with PKCS#7 padding and a random vector in front, base64. */
function encryptAes(password: string, plaintext: string): string {
  if (plaintext === '') return '';
  const vector = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', aesKey(password), vector);
  return Buffer.concat([vector, cipher.update(bytesOf(plaintext)), cipher.final()]).toString('base64');
}

/** The inverse of `encryptAES`. As sprig it believes the last byte about the padding and checks nothing. */
function decryptAes(password: string, text: string): string {
  if (text === '') return '';
  const decoded = decodeBase64(text);
  if ('error' in decoded) throw new GoError(decoded.error);
  const input = bytesOf(decoded.bytes);
  if (input.length < 16) {
    throw new GoError(`runtime error: slice bounds out of range [:16] with capacity ${base64Capacity(text)}`);
  }
  if (input.length % 16 !== 0) throw new GoError('crypto/cipher: input not full blocks');
  const decipher = createDecipheriv('aes-256-cbc', aesKey(password), input.subarray(0, 16));
  decipher.setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(input.subarray(16)), decipher.final()]);
  const padding = plain.at(-1);
  if (padding === undefined) throw new GoError('runtime error: index out of range [-1]');
  const length = plain.length - padding;
  if (length < 0) throw new GoError(`runtime error: slice bounds out of range [:${length}]`);
  return plain.toString('latin1', 0, length);
}

/** Go decodes into a buffer of the size that the text could fill at most. */
const base64Capacity = (text: string): number => Math.floor(text.length / 4) * 3;

/** Spectre (formerly Master Password) v3: which classes of characters make up a password of each type. */
const PASSWORD_TEMPLATES: ReadonlyMap<string, readonly string[]> = new Map([
  ['maximum', ['anoxxxxxxxxxxxxxxxxx', 'axxxxxxxxxxxxxxxxxno']],
  [
    'long',
    (
      'CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno ' +
      'CvcvnoCvccCvcv CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno ' +
      'CvccnoCvccCvcv CvccCvccnoCvcv CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno ' +
      'CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno'
    ).split(' '),
  ],
  ['medium', ['CvcnoCvc', 'CvcCvcno']],
  ['short', ['Cvcn']],
  ['basic', ['aaanaaan', 'aannaaan', 'aaannaaa']],
  ['pin', ['nnnn']],
]);

const VOWELS = 'AEIOU';
const CONSONANTS = 'BCDFGHJKLMNPQRSTVWXYZ';
const LETTERS = VOWELS + VOWELS.toLowerCase() + CONSONANTS + CONSONANTS.toLowerCase();

const PASSWORD_CHARACTERS: ReadonlyMap<string, string> = new Map([
  ['V', VOWELS],
  ['C', CONSONANTS],
  ['v', VOWELS.toLowerCase()],
  ['c', CONSONANTS.toLowerCase()],
  ['A', VOWELS + CONSONANTS],
  ['a', LETTERS],
  ['n', '0123456789'],
  ['o', "@&%?,=[]_:-+*$#!'^~;()/."],
  ['x', `${LETTERS}0123456789!@#$%^&*()`],
]);

const PASSWORD_SCOPE = 'com.lyndir.masterpassword';

/** The site password of Master Password's algorithm: scrypt for the key, HMAC-SHA-256 for the choice of characters. */
const derivePassword: GoFunction['call'] = (args) => {
  const counter = intAt(args, 0);
  const type = stringAt(args, 1);
  const templates = PASSWORD_TEMPLATES.get(type);
  if (templates === undefined) return `cannot find password template ${type}`;
  const user = bytesOf(stringAt(args, 3));
  const site = bytesOf(stringAt(args, 4));
  const salt = Buffer.concat([bytesOf(PASSWORD_SCOPE), uint32(user.length), user]);
  const key = scryptSync(bytesOf(stringAt(args, 2)), salt, 64, { N: 32768, r: 8, p: 2, maxmem: 2 ** 26 });
  const message = Buffer.concat([bytesOf(PASSWORD_SCOPE), uint32(site.length), site, uint32(counter)]);
  const seed = createHmac('sha256', key).update(message).digest();
  const template = templates[(seed[0] ?? 0) % templates.length] ?? '';
  return Array.from(template, (kind, index) => {
    const characters = PASSWORD_CHARACTERS.get(kind) ?? '';
    return characters[(seed[index + 1] ?? 0) % characters.length];
  }).join('');
};

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export const CRYPTO: FunctionMap = new Map<string, GoFunction>([
  ['sha1sum', digest('sha1')],
  ['sha256sum', digest('sha256')],
  ['sha512sum', digest('sha512')],
  ['adler32sum', textToText(adler32)],
  ['bcrypt', { ...textToText(hashBcrypt), slow: true }],
  [
    'htpasswd',
    {
      // The third is the algorithm: sprig 3.3 has none, ESO's copy of sprig wants one.
      params: [T.string, T.string, T.string],
      variadic: true,
      result: T.string,
      slow: true,
      call: (args) =>
        htpasswd(stringAt(args, 0), stringAt(args, 1), args[2] === undefined ? '' : stringAt(args, 2)),
    },
  ],
  [
    'derivePassword',
    {
      params: [T.uint32, T.string, T.string, T.string, T.string],
      result: T.string,
      slow: true,
      call: derivePassword,
    },
  ],
  ['randBytes', { params: [T.int], result: T.string, call: (args, call) => randBytes(intAt(args, 0), call) }],
  ['encryptAES', ofStrings(2, T.string, ([password, text]) => encryptAes(password, text))],
  ['decryptAES', ofStrings(2, T.string, ([password, text]) => decryptAes(password, text))],
]);
