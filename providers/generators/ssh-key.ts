/**
 * SSHKey: a new key pair, the private half as an OpenSSH file (PROTOCOL.key of OpenSSH, without a passphrase), the
 * public half as a line of authorized_keys.
 */
import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { EsaError } from '../../api/errors.ts';
import { type SshKeySpec, sshKeySpec } from '../../api/generators/v1alpha1/ssh-key.ts';
import { collector, type Problem } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import type { Generator } from './contract.ts';

/** Curves by the number of bits, as Node and as SSH call them (RFC 5656). */
const CURVES: Readonly<Record<number, { readonly curve: string; readonly ssh: string }>> = {
  256: { curve: 'P-256', ssh: 'nistp256' },
  384: { curve: 'P-384', ssh: 'nistp384' },
  521: { curve: 'P-521', ssh: 'nistp521' },
};
const RSA_BITS = { least: 2048, most: 8192 } as const;

const sizeOf = ({ keyType, keySize }: SshKeySpec): number => keySize ?? (keyType === 'rsa' ? 2048 : 256);

function validateSpec(spec: SshKeySpec): Problem[] {
  const { report, problems } = collector();
  const { keyType, comment = '' } = spec;
  const size = sizeOf(spec);
  if (keyType === 'rsa' && size < RSA_BITS.least)
    report('generator-ssh-size', ['keySize'], `an rsa key has ${RSA_BITS.least} to ${RSA_BITS.most} bits`);
  if (keyType === 'ecdsa' && CURVES[size] === undefined)
    report('generator-ssh-size', ['keySize'], 'an ecdsa key has 256, 384 or 521 bits');
  // A line end in it would be another line of authorized_keys.
  if (/\p{Cc}/u.test(comment) || comment.length > 1_000)
    report('generator-ssh-comment', ['comment'], 'must be one line of at most 1000 characters');
  return problems;
}

const generate = promisify(generateKeyPair) as (
  type: string,
  options: object,
) => Promise<{ privateKey: KeyObject }>;

function newKey(spec: SshKeySpec): Promise<{ privateKey: KeyObject }> {
  const size = sizeOf(spec);
  switch (spec.keyType) {
    case 'rsa':
      return generate('rsa', { modulusLength: size });
    case 'ecdsa':
      return generate('ec', { namedCurve: CURVES[size]?.curve ?? 'P-256' });
    case 'ed25519':
      return generate('ed25519', {});
  }
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** A string of SSH (RFC 4251): its length, and its bytes. */
const text = (value: string | Buffer): Buffer => {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return Buffer.concat([uint32(bytes.byteLength), bytes]);
};

/** A positive number of SSH (RFC 4251): without leading zeros, but for the one that keeps it positive. */
function mpint(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.byteLength && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  return text(((digits[0] ?? 0) & 0x80) === 0 ? digits : Buffer.concat([Buffer.of(0), digits]));
}

/** What the public and the private half are made of, in the order of SSH. */
interface Parts {
  readonly name: string;
  readonly public: readonly Buffer[];
  readonly private: readonly Buffer[];
}

function partsOf(spec: SshKeySpec, jwk: object): Parts {
  const part = (member: string): Buffer => {
    const value: unknown = Reflect.get(jwk, member);
    if (typeof value !== 'string') throw new EsaError('INTERNAL', `a key pair without ${member}`);
    return Buffer.from(value, 'base64url');
  };
  switch (spec.keyType) {
    case 'rsa': {
      const [n, e] = [mpint(part('n')), mpint(part('e'))];
      const others = (['d', 'qi', 'p', 'q'] as const).map((member) => mpint(part(member)));
      return { name: 'ssh-rsa', public: [e, n], private: [n, e, ...others] };
    }
    case 'ecdsa': {
      const curve = CURVES[sizeOf(spec)]?.ssh ?? '';
      // Uncompressed, both coordinates of the curve's full width, which JWK keeps.
      const point = Buffer.concat([Buffer.of(4), part('x'), part('y')]);
      const shared = [text(curve), text(point)];
      return { name: `ecdsa-sha2-${curve}`, public: shared, private: [...shared, mpint(part('d'))] };
    }
    case 'ed25519': {
      const own = part('x');
      return {
        name: 'ssh-ed25519',
        public: [text(own)],
        private: [text(own), text(Buffer.concat([part('d'), own]))],
      };
    }
  }
}

const BLOCK = 8;
const LINE = /.{1,70}/g;

function privateFile(parts: Parts, publicBlob: Buffer, comment: string): string {
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, text(parts.name), ...parts.private, text(comment)]);
  const missing = (BLOCK - (secret.byteLength % BLOCK)) % BLOCK;
  const padding = Buffer.from(Array.from({ length: missing }, (_, index) => index + 1));
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0', 'latin1'),
    text('none'),
    text('none'),
    text(''),
    uint32(1),
    text(publicBlob),
    text(Buffer.concat([secret, padding])),
  ]);
  const lines = file.toString('base64').match(LINE) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join(
    '\n',
  );
}

export const sshKeyGenerator = {
  kind: 'SSHKey',
  schema: sshKeySpec,
  validateSpec,
  async generate(spec: SshKeySpec) {
    const { privateKey } = await newKey(spec);
    const parts = partsOf(spec, privateKey.export({ format: 'jwk' }));
    const comment = spec.comment ?? '';
    const publicBlob = Buffer.concat([text(parts.name), ...parts.public]);
    const line = [parts.name, publicBlob.toString('base64'), ...(comment === '' ? [] : [comment])].join(' ');
    return new Map([
      ['privateKey', SecretValue.fromText(privateFile(parts, publicBlob, comment))],
      ['publicKey', SecretValue.fromText(`${line}\n`)],
    ]);
  },
} satisfies Generator<SshKeySpec>;
