import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Credentials } from './credentials.ts';

const directory = mkdtempSync(join(tmpdir(), 'esa-credentials-'));
after(() => rmSync(directory, { recursive: true }));
const token = join(directory, 'token');
const ca = join(directory, 'ca.crt');

const heldClock = () => {
  let at = 0;
  return {
    now: () => at,
    monotonic: () => at,
    advance: (ms: number) => {
      at += ms;
    },
  };
};

test('files are read again each minute, and after a 401 at once', async () => {
  writeFileSync(token, 'one\n');
  writeFileSync(ca, 'CA1');
  const clock = heldClock();
  const credentials = new Credentials(
    { server: 'https://x', token: { file: token }, ca: { file: ca } },
    clock,
  );
  const first = await credentials.current();
  assert.equal(first.authorization, 'Bearer one');
  writeFileSync(token, 'two');
  clock.advance(59_000);
  assert.equal(await credentials.current(), first);
  clock.advance(2000);
  const second = await credentials.current();
  assert.equal(second.authorization, 'Bearer two');
  assert.equal(second.tls, first.tls, 'the same TLS material keeps its connections');
  writeFileSync(token, 'three');
  writeFileSync(ca, 'CA2');
  credentials.invalidate();
  const third = await credentials.current();
  assert.equal(third.authorization, 'Bearer three');
  assert.notEqual(third.tls, first.tls);
  rmSync(token);
  clock.advance(61_000);
  assert.equal(
    (await credentials.current()).authorization,
    'Bearer three',
    'an unreadable file changes nothing',
  );
});

test('a file that was never readable is named', async () => {
  const credentials = new Credentials(
    { server: 'https://x', token: { file: '/nowhere/token' } },
    heldClock(),
  );
  await assert.rejects(async () => credentials.current(), {
    code: 'CONFIGURATION',
    message: /\/nowhere\/token/,
  });
});

test('without files nothing is read twice', async () => {
  const clock = heldClock();
  const credentials = new Credentials({ server: 'https://x', token: { value: ' t ' } }, clock);
  const first = await credentials.current();
  assert.equal(first.authorization, 'Bearer t');
  clock.advance(1e9);
  assert.equal(credentials.current(), first);
});
