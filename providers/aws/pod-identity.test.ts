import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { closeOutbound, configureOutbound } from '../http.ts';
import { askPodIdentity } from './pod-identity.ts';

// The agent itself runs on nodes of EKS only; this is what its documentation says that it answers.
const CREDENTIALS = {
  AccessKeyId: 'ASIAPOD',
  SecretAccessKey: 'SENTINEL-key',
  Token: 'SENTINEL-session',
  AccountId: '111122223333',
  Expiration: '2030-01-01T00:00:00Z',
};

let directory: string;
let path: string;
let url: URL;
const asked: (string | undefined)[] = [];
const answer = { status: 200, body: JSON.stringify(CREDENTIALS) };
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
  response.writeHead(answer.status).end(answer.body);
});

before(async () => {
  // The agent is at an address that no store may name, so it may be asked where loopback is refused, too.
  configureOutbound({ allowLoopback: false });
  directory = mkdtempSync(join(tmpdir(), 'pod-identity-'));
  path = join(directory, 'token');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/credentials`);
});
after(async () => {
  await closeOutbound();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

const ask = () => askPodIdentity({ url, path }, 'us-west-2', AbortSignal.timeout(5_000));

test('the agent is asked with the token of the file as it is now, and brings credentials that expire', async () => {
  await assert.rejects(
    ask(),
    /AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE of this program, .*token, cannot be read \(ENOENT\)/,
  );
  for (const token of ['one', 'two']) {
    writeFileSync(path, `${token}\n`);
    const { accessKeyId, secretAccessKey, sessionToken, expiresAt } = await ask();
    assert.deepEqual(
      [accessKeyId, secretAccessKey.revealText(), sessionToken?.revealText(), expiresAt],
      ['ASIAPOD', 'SENTINEL-key', 'SENTINEL-session', Date.UTC(2030, 0, 1)],
    );
    assert.equal(asked.at(-1), `GET /v1/credentials ${token}`);
  }
});

test('what the agent refuses, and what makes no sense, without a credential in the words', async () => {
  writeFileSync(path, 'SENTINEL-token');
  for (const [status, body, code, message] of [
    [400, '[]', 'PROVIDER_UNAUTHENTICATED', /pod identity association/],
    [429, '', 'PROVIDER_THROTTLED', /too many/],
    [500, 'SENTINEL', 'PROVIDER_UNREACHABLE', /status 500/],
    [200, 'SENTINEL', 'PROVIDER_INVALID_RESPONSE', /no credentials/],
    [200, 'null', 'PROVIDER_INVALID_RESPONSE', /no credentials/],
    [
      200,
      JSON.stringify({ ...CREDENTIALS, Expiration: 'soon' }),
      'PROVIDER_INVALID_RESPONSE',
      /no credentials/,
    ],
  ] as const) {
    Object.assign(answer, { status, body });
    await assert.rejects(ask(), (error: Error) => {
      assert.equal((error as { code?: unknown }).code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(inspect(error, { depth: 12, showHidden: true }), /SENTINEL/);
      return true;
    });
  }
});
