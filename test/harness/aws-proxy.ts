/**
 * A proxy before a stand-in for AWS: writes down every call, makes the faults that no stand-in makes, and
 * turns those answers into AWS's form that the stand-ins get wrong.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';

/** One request as it arrived; what it was answered is not in it. */
export interface AwsCall {
  /** `GetSecretValue`, `AssumeRoleWithWebIdentity`, ... */
  readonly action: string;
  /** Of the signature; undefined for a request that is not signed. */
  readonly accessKeyId: string | undefined;
  readonly region: string | undefined;
  /** As signatures name it: `secretsmanager`, `ssm`. */
  readonly service: string | undefined;
  readonly hasSessionToken: boolean;
  /** The parameters of the call. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Claims of the token, with AssumeRoleWithWebIdentity. */
  readonly claims: Readonly<Record<string, unknown>> | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export type AwsFault =
  /** Answers with this error, in the form of the service; `status` is 400 by default. */
  | {
      readonly kind: 'error';
      readonly code: string;
      readonly message?: string;
      readonly status?: number;
      readonly retryAfterSeconds?: number;
    }
  /** Answers with this body as it is. */
  | { readonly kind: 'raw'; readonly status: number; readonly body: string }
  /** Closes the connection without an answer. */
  | { readonly kind: 'reset' }
  /** Passes the request on, later. */
  | { readonly kind: 'delay'; readonly ms: number };

export interface AwsProxy {
  readonly endpoint: string;
  readonly calls: readonly AwsCall[];
  /** How many calls of this action there were so far, on this secret if one is named. */
  count(action: string, secretId?: string): number;
  /** What to do with a call; undefined passes it on. Asked once a call, until it is replaced. */
  fault: ((call: AwsCall) => AwsFault | undefined) | undefined;
  /** Origin of another stand-in that gets this call; undefined for the usual one. */
  route: ((call: AwsCall) => string | undefined) | undefined;
  stop(): Promise<void>;
}

const JSON_TYPE = 'application/x-amz-json-1.1';

function claimsOf(token: unknown): Record<string, unknown> | undefined {
  if (typeof token !== 'string') return undefined;
  const [, payload = ''] = token.split('.');
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const isJsonService = (request: IncomingMessage): boolean => request.headers['x-amz-target'] !== undefined;

function describe(request: IncomingMessage, body: string): AwsCall {
  const target = request.headers['x-amz-target'];
  const [, accessKeyId, region, service] =
    /Credential=([^/]+)\/\d+\/([^/]+)\/([^/]+)/.exec(request.headers.authorization ?? '') ?? [];
  const form = new URLSearchParams(body);
  const parameters: Readonly<Record<string, unknown>> =
    target === undefined ? Object.fromEntries(form) : JSON.parse(body || '{}');
  const name = target === undefined ? form.get('Action') : [target].flat().join();
  return {
    action: (name ?? '?').replace(/^.*\./, ''),
    accessKeyId,
    region,
    service,
    hasSessionToken: request.headers['x-amz-security-token'] !== undefined,
    parameters,
    claims: claimsOf(parameters['WebIdentityToken']),
    at: Date.now(),
  };
}

function answerError(
  request: IncomingMessage,
  response: ServerResponse,
  fault: Extract<AwsFault, { kind: 'error' }>,
): void {
  const { code, status = 400, message = code, retryAfterSeconds } = fault;
  const json = isJsonService(request);
  response.writeHead(status, {
    'content-type': json ? JSON_TYPE : 'text/xml',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  });
  response.end(
    json
      ? JSON.stringify({ __type: code, message })
      : `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>`,
  );
}

/** moto refuses JSON calls in XML, by names of the query protocol, and with statuses that AWS does not use. */
function asAws(status: number, body: Buffer): { status: number; body: Buffer } {
  const text = body.toString('utf8');
  const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1];
  const names: Readonly<Record<string, string>> = {
    AccessDenied: 'AccessDeniedException',
    InvalidClientTokenId: 'UnrecognizedClientException',
  };
  return {
    status: status === 403 || status === 404 ? 400 : status,
    body:
      code === undefined
        ? body
        : Buffer.from(
            JSON.stringify({
              __type: names[code] ?? code,
              message: /<Message>([^<]+)<\/Message>/.exec(text)?.[1] ?? '',
            }),
          ),
  };
}

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Passes the request on with its Host, which is part of the signature. */
function forward(target: string, request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const upstream = httpRequest(
    new URL(request.url ?? '/', target),
    { method: request.method, headers: request.headers },
    (answer) => {
      const pass = async (): Promise<void> => {
        let content = await bodyOf(answer);
        let status = answer.statusCode ?? 502;
        const { 'transfer-encoding': _, ...headers } = answer.headers;
        if (isJsonService(request) && status >= 400) {
          ({ status, body: content } = asAws(status, content));
          headers['content-type'] = JSON_TYPE;
        }
        response.writeHead(status, { ...headers, 'content-length': String(content.byteLength) });
        response.end(content);
      };
      pass().catch(() => response.destroy());
    },
  );
  upstream.once('error', () => response.destroy());
  response.once('close', () => upstream.destroy());
  upstream.end(body);
}

/** Listens on a free port of 127.0.0.1. @param target origin of the stand-in */
export async function startAwsProxy(target: string): Promise<AwsProxy> {
  const calls: AwsCall[] = [];
  const server = createServer((request, response) => {
    const serve = async (): Promise<void> => {
      const body = await bodyOf(request);
      const call = describe(request, body.toString('utf8'));
      calls.push(call);
      const fault = proxy.fault?.(call);
      if (fault?.kind === 'reset') request.socket.resetAndDestroy();
      else if (fault?.kind === 'error') answerError(request, response, fault);
      else if (fault?.kind === 'raw') response.writeHead(fault.status).end(fault.body);
      else {
        const to = proxy.route?.(call) ?? target;
        setTimeout(() => forward(to, request, body, response), fault?.ms ?? 0);
      }
    };
    serve().catch(() => response.destroy());
  });
  const endpoint = await new Promise<string>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no port was assigned'));
      else resolve(`http://127.0.0.1:${address.port}`);
    });
  });
  const proxy: AwsProxy = {
    endpoint,
    calls,
    count: (action, secretId) =>
      calls.filter(
        (call) =>
          call.action === action && (secretId === undefined || call.parameters['SecretId'] === secretId),
      ).length,
    fault: undefined,
    route: undefined,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
