/** The part of the conformance kit in which the kit itself is the server: redirects, failures, TLS. */
import assert from 'node:assert/strict';
import { createServer as createPlain, type RequestListener, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecretValue } from '../../api/secret-value.ts';
import type { ProviderError, ProviderErrorCode } from '../../providers/contract.ts';
import { selfSigned } from '../../providers/testing/self-signed.ts';
import type { Column } from './provider-table.ts';

/** What the kit lends. */
interface WireKit {
  readonly shows: (column: Column, title: string, run: () => Promise<string>) => void;
  /** The error of what must fail, checked for what holds for all. */
  readonly failure: (work: () => unknown) => Promise<ProviderError>;
  /** True if any content of an answer is a value. */
  readonly raw: () => boolean;
  /** The fixture's `at`; undefined for a provider without a server. */
  readonly at: () => ((url: string, ca: string | undefined) => unknown) | undefined;
  /** Connects to the store of this block and reads one secret. */
  readonly readAt: (block: unknown) => Promise<SecretValue>;
}

interface Listening extends AsyncDisposable {
  readonly url: string;
  readonly asked: string[];
}

async function listen(answer: RequestListener, tls?: { key: string; cert: string }): Promise<Listening> {
  const asked: string[] = [];
  const handle: RequestListener = (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    answer(request, response);
  };
  const server: Server = tls === undefined ? createPlain(handle) : createSecure(tls, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Status of the answer, its headers, and the codes that it may become. */
const FAILURES: readonly [status: number, headers: Record<string, string>, codes: ProviderErrorCode[]][] = [
  [401, {}, ['PROVIDER_UNAUTHENTICATED', 'PROVIDER_DENIED']],
  [403, {}, ['PROVIDER_UNAUTHENTICATED', 'PROVIDER_DENIED']],
  [429, { 'retry-after': '3' }, ['PROVIDER_THROTTLED']],
  [500, {}, ['PROVIDER_UNREACHABLE']],
  [502, {}, ['PROVIDER_UNREACHABLE']],
  [503, { 'retry-after': '3' }, ['PROVIDER_UNREACHABLE']],
  [504, {}, ['PROVIDER_UNREACHABLE']],
];

export function wireCases({ shows, failure, raw, at, readAt }: WireKit): void {
  shows('failures', 'a server that refuses, fails, breaks off, or never ends its answer', async () => {
    const block = at();
    if (block === undefined) return '-';
    for (const [status, headers, codes] of FAILURES) {
      await using server = await listen((_, response) => {
        response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end('no');
      });
      const error = await failure(() => readAt(block(server.url, undefined)));
      assert.ok(codes.includes(error.code), `${status}: ${error.code}: ${error.message}`);
      if (status === 429) assert.equal(error.retryAfterMs, 3_000);
      assert.ok(server.asked.length > 0);
    }
    const big = Buffer.alloc(1024 * 1024, 32);
    for (const [what, code, answer] of [
      ['no such secret', 'PROVIDER_INVALID_RESPONSE', (response) => response.end('<html>Hello</html>')],
      ['a reset', 'PROVIDER_UNREACHABLE', (response) => response.destroy()],
      [
        'half an answer',
        'PROVIDER_UNREACHABLE',
        (response) => response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy()),
      ],
      [
        'an answer without end',
        'PROVIDER_INVALID_RESPONSE',
        (response) => {
          const more = (): void => {
            while (response.writable && response.write(big));
            response.once('drain', more);
          };
          more();
        },
      ],
    ] satisfies [string, ProviderErrorCode, (response: Parameters<RequestListener>[1]) => unknown][]) {
      if (raw() && what === 'no such secret') continue;
      await using server = await listen((_, response) => void answer(response));
      const error = await failure(() => readAt(block(server.url, undefined)));
      assert.equal(error.code, code, `${what}: ${error.message}`);
    }
    return 'yes';
  });

  shows('redirect', 'no redirect is followed with credentials', async () => {
    const block = at();
    if (block === undefined) return '-';
    await using elsewhere = await listen((_, response) => response.end('{"value":"stolen"}'));
    for (const status of [301, 302, 303, 307, 308]) {
      await using server = await listen((_, response) => {
        response.writeHead(status, { location: `${elsewhere.url}/x` }).end();
      });
      const error = await failure(() => readAt(block(server.url, undefined)));
      assert.match(error.code, /^PROVIDER_INVALID_(RESPONSE|CONFIG)$/, error.message);
      assert.match(error.message, /redirect/i);
    }
    assert.deepEqual(elsewhere.asked, []);
    return 'yes';
  });

  shows('TLS', 'a server is trusted by the CA of the store, and by that only', async () => {
    const block = at();
    if (block === undefined) return '-';
    const [mine, other] = [selfSigned('127.0.0.1'), selfSigned('127.0.0.1')];
    await using server = await listen((_, response) => response.writeHead(500).end(), mine);
    const hasCa = block(server.url, mine.cert) !== undefined;
    for (const ca of hasCa ? [undefined, other.cert] : [undefined]) {
      const error = await failure(() => readAt(block(server.url, ca)));
      assert.equal(error.code, 'PROVIDER_UNREACHABLE');
      assert.match(error.message, /TLS|certificate/);
    }
    assert.deepEqual(server.asked, []);
    if (!hasCa) return 'CAs of the system';
    await failure(() => readAt(block(server.url, mine.cert)));
    assert.ok(server.asked.length > 0, 'the CA of the store was not used');
    return 'yes';
  });
}
