import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sshKeySpec } from '../../api/generators/v1alpha1/ssh-key.ts';
import { formatProblem } from '../../api/problem.ts';
import { temporaryDirectory } from '../../test/harness/run-directory.ts';
import { sshKeyGenerator } from './ssh-key.ts';

const generate = async (spec: object): Promise<Record<string, string>> =>
  Object.fromEntries(
    [...(await sshKeyGenerator.generate(sshKeySpec.parse(spec)))].map(([key, value]) => [
      key,
      value.revealText(),
    ]),
  );
const problemsOf = (spec: object): string[] =>
  sshKeyGenerator.validateSpec(sshKeySpec.parse(spec)).map(formatProblem);

/** A reader of SSH's binary format: strings one after the other, and numbers. */
class Reader {
  #rest: Buffer;
  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }
  take(count: number): Buffer {
    const taken = this.#rest.subarray(0, count);
    assert.equal(taken.byteLength, count, 'the file ends too early');
    this.#rest = this.#rest.subarray(count);
    return taken;
  }
  number(): number {
    return this.take(4).readUInt32BE();
  }
  bytes(): Buffer {
    return this.take(this.number());
  }
  text(): string {
    return this.bytes().toString();
  }
  get left(): Buffer {
    return this.#rest;
  }
}

const KINDS = [
  [{}, 'ssh-rsa', 6],
  [{ keyType: 'rsa', keySize: 3072 }, 'ssh-rsa', 6],
  [{ keyType: 'ecdsa' }, 'ecdsa-sha2-nistp256', 3],
  [{ keyType: 'ecdsa', keySize: 384 }, 'ecdsa-sha2-nistp384', 3],
  [{ keyType: 'ecdsa', keySize: 521 }, 'ecdsa-sha2-nistp521', 3],
  [{ keyType: 'ed25519' }, 'ssh-ed25519', 2],
  [{ keyType: 'ed25519', keySize: 4096 }, 'ssh-ed25519', 2],
] as const;

describe('a key pair', () => {
  for (const [spec, name, fields] of KINDS) {
    test(`${JSON.stringify(spec)}: both halves belong together, and the file is what OpenSSH writes`, async () => {
      const { privateKey = '', publicKey = '' } = await generate({ ...spec, comment: 'me@here' });
      const [kind, blob = '', comment, ...more] = publicKey.trimEnd().split(' ');
      assert.deepEqual([kind, comment, more, publicKey.at(-1)], [name, 'me@here', [], '\n']);
      const [, base64 = ''] =
        /^-----BEGIN OPENSSH PRIVATE KEY-----\n([\w+/=\n]+)\n-----END OPENSSH PRIVATE KEY-----\n$/.exec(
          privateKey,
        ) ?? [];
      assert.ok(base64.split('\n').every((line) => line.length <= 70));
      const file = new Reader(Buffer.from(base64, 'base64'));
      assert.equal(file.take(15).toString('latin1'), 'openssh-key-v1\0');
      assert.deepEqual([file.text(), file.text(), file.text(), file.number()], ['none', 'none', '', 1]);
      assert.equal(file.bytes().toString('base64'), blob);
      const secret = file.bytes();
      assert.equal(file.left.byteLength, 0);
      assert.equal(secret.byteLength % 8, 0);
      const inner = new Reader(secret);
      assert.equal(inner.number(), inner.number());
      assert.equal(inner.text(), name);
      for (let i = 0; i < fields; i++) assert.ok(inner.bytes().byteLength > 0);
      assert.equal(inner.text(), 'me@here');
      assert.deepEqual([...inner.left], [1, 2, 3, 4, 5, 6, 7].slice(0, inner.left.byteLength));
    });
  }

  test('ssh-keygen reads each of them, and finds the same public half', async (context) => {
    try {
      execFileSync('ssh-keygen', ['-?'], { stdio: 'ignore' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        return context.diagnostic('there is no ssh-keygen on this machine');
    }
    const directory = temporaryDirectory('ssh');
    for (const [index, [spec, name]] of KINDS.entries()) {
      const { privateKey = '', publicKey = '' } = await generate({ ...spec, comment: 'me' });
      const file = join(directory, String(index));
      writeFileSync(file, privateKey);
      chmodSync(file, 0o600);
      const read = execFileSync('ssh-keygen', ['-y', '-P', '', '-f', file], { encoding: 'utf8' });
      assert.equal(read.trim(), publicKey.trim(), name);
    }
  });

  test('another one each time; without a comment the line ends after the key', async () => {
    const [one, other] = [await generate({ keyType: 'ed25519' }), await generate({ keyType: 'ed25519' })];
    assert.notEqual(one['privateKey'], other['privateKey']);
    assert.match(one['publicKey'] ?? '', /^ssh-ed25519 [\w+/=]+\n$/);
  });
});

test('what no key can be is refused with its field', () => {
  for (const [spec, words] of [
    [{ keySize: 1024 }, 'keySize: an rsa key has 2048 to 8192 bits'],
    [{ keyType: 'ecdsa', keySize: 2048 }, 'keySize: an ecdsa key has 256, 384 or 521 bits'],
    [{ comment: 'a\nssh-rsa AAAA' }, 'comment: must be one line of at most 1000 characters'],
    [{ comment: 'x'.repeat(1_001) }, 'comment: must be one line of at most 1000 characters'],
  ] as const) {
    assert.deepEqual(problemsOf(spec), [words]);
  }
  for (const spec of [{ keySize: 8192 }, { keyType: 'ecdsa', keySize: 521 }, { comment: 'Zoë at home' }])
    assert.deepEqual(problemsOf(spec), []);
  assert.equal(sshKeySpec.safeParse({ keySize: 9000 }).success, false);
  assert.equal(sshKeySpec.safeParse({ keyType: 'dsa' }).success, false);
});
