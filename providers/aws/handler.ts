/** The SDK's transport: our own HTTP, with its address guard, pool, proxies, limits and cancellation. */
import type { SecretsManagerClientConfig } from '@aws-sdk/client-secrets-manager';
import { LRUCache } from 'lru-cache';
import { ProviderError, type ServerGuard } from '../contract.ts';
import { type HttpTarget, httpRequest } from '../http.ts';

type RequestHandler = Extract<
  NonNullable<SecretsManagerClientConfig['requestHandler']>,
  { handle: unknown; destroy?: unknown }
>;

/** What the SDK hands to a transport, as far as its JSON and query protocols use it. */
interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** One object a server and guard, so that its description is made once. */
const targets = new LRUCache<string, HttpTarget>({ max: 256 });

function targetOf({ protocol, hostname, port }: SdkRequest, guard: ServerGuard | undefined): HttpTarget {
  const { origin } = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
  const key = `${origin} ${guard?.id ?? ''}`;
  const known = targets.get(key);
  if (known !== undefined) return known;
  const target = { origin, guard };
  targets.set(key, target);
  return target;
}

function pathOf({ path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((one) => [name, one]),
  );
  const search = new URLSearchParams(pairs).toString();
  return search === '' ? path : `${path}?${search}`;
}

function bodyOf(body: unknown): string | undefined {
  if (body === undefined || body === null || body === '') return undefined;
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) {
    // By its memory: the SDK's kind of bytes complains when it is converted.
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  }
  throw new TypeError('the SDK sends a body of an unknown kind');
}

const flatten = (headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );

async function handle(
  guard: ServerGuard | undefined,
  request: SdkRequest,
  options: { abortSignal?: unknown } = {},
) {
  const target = targetOf(request, guard);
  const { abortSignal } = options;
  const answer = await httpRequest(target, {
    method: request.method,
    path: pathOf(request),
    headers: request.headers,
    body: bodyOf(request.body),
    // All that is asked of AWS here only reads, or makes short-lived credentials.
    repeatable: true,
    signal: abortSignal instanceof AbortSignal ? abortSignal : undefined,
    label: target.origin,
  });
  if (answer.status >= 300 && answer.status < 400) {
    throw new ProviderError(
      'PROVIDER_INVALID_RESPONSE',
      `${target.origin} answers with a redirect (status ${answer.status}), which is not followed; does the endpoint lead to AWS?`,
    );
  }
  return {
    response: {
      statusCode: answer.status,
      headers: flatten(answer.headers),
      body: new Uint8Array(answer.body),
    },
  };
}

/** A transport under a guard. It holds nothing that would have to be closed. */
export const handlerFor = (guard: ServerGuard | undefined): RequestHandler => ({
  metadata: { handlerProtocol: 'http/1.1' },
  handle: (request: SdkRequest, options?: { abortSignal?: unknown }) => handle(guard, request, options),
  destroy: () => undefined,
  updateHttpClientConfig: () => undefined,
  httpHandlerConfigs: () => ({}),
});
