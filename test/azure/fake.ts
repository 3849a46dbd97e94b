/**
 * A stand-in for Azure over the wire, since none can be had: the data plane of Key Vault, Entra's token endpoint (it
 * checks client secrets, signatures of certificates and federated tokens), and the metadata service. It answers what
 * Microsoft's documentation says, and keeps what it was asked.
 */
import { createPublicKey, randomUUID, verify, type X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readBody, startListening } from '../harness/fake-server.ts';

export const TENANT = '11111111-2222-3333-4444-555555555555';

interface Version {
  readonly id: string;
  /** The members of the answer that hold the object: `value`, `cer` or `key`. */
  readonly body: Readonly<Record<string, unknown>>;
}

interface Stored {
  readonly versions: Version[];
  tags: Record<string, string>;
  attributes: Record<string, unknown>;
}

export interface AzureCall {
  readonly method: string;
  /** Decoded path. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
  readonly body: string;
}

export interface AzureFault {
  readonly code: number;
  readonly error?: string;
  readonly inner?: string;
  readonly message?: string;
  readonly headers?: Record<string, string>;
  /** In place of JSON. */
  readonly text?: string;
}

type Collection = 'secrets' | 'certificates' | 'keys';

const NOT_FOUND = { secrets: 'SecretNotFound', certificates: 'CertificateNotFound', keys: 'KeyNotFound' };

export class AzureFake {
  /** By `secrets/name`. */
  readonly objects = new Map<string, Stored>();
  readonly calls: AzureCall[] = [];
  /** The client secret that is right. */
  secret = 'client-secret';
  /** The certificate that is registered with the application. */
  certificate: X509Certificate | undefined;
  /** Tokens of other issuers that have a federated credential. */
  readonly federated = new Set<string>();
  /** The same by their claims; nobody looks at the signature. */
  federates: ((claims: Readonly<Record<string, unknown>>) => boolean) | undefined;
  fault: ((call: AzureCall) => AzureFault | undefined) | undefined;
  readonly revoked = new Set<string>();
  /** Where the next page of a list is said to be. */
  nextPages = '';
  #tokens = 0;
  #ids = 0;
  #held: (() => void)[] | undefined;
  #close: () => Promise<void> = async () => undefined;
  url = '';

  static async start(): Promise<AzureFake> {
    const fake = new AzureFake();
    const server = createServer((request, response) => void fake.#serve(request, response));
    const { port, close } = await startListening(server);
    fake.url = `http://127.0.0.1:${port}`;
    fake.nextPages = fake.url;
    fake.#close = close;
    return fake;
  }

  stop(): Promise<void> {
    this.resume();
    return this.#close();
  }

  /** Adds a version. @returns its id */
  put(name: string, body: string | object, collection: Collection = 'secrets'): string {
    const stored = this.objects.get(`${collection}/${name}`) ?? {
      versions: [],
      tags: {},
      attributes: { enabled: true, created: 1_767_225_600, updated: 1_767_225_601 },
    };
    this.#ids += 1;
    const id = this.#ids.toString(16).padStart(32, '0');
    stored.versions.push({ id, body: typeof body === 'string' ? { value: body } : { ...body } });
    this.objects.set(`${collection}/${name}`, stored);
    return id;
  }

  stored(name: string, collection: Collection = 'secrets'): Stored {
    const stored = this.objects.get(`${collection}/${name}`);
    if (stored === undefined) throw new Error(`no ${collection}/${name}`);
    return stored;
  }

  /** Answers wait until `resume`. */
  pause(): void {
    this.#held ??= [];
  }

  resume(): void {
    for (const go of this.#held ?? []) go();
    this.#held = undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<ServerResponse> {
    const body = await readBody(request);
    const url = new URL(request.url ?? '/', 'http://fake');
    const call: AzureCall = {
      method: request.method ?? 'GET',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      token: request.headers.authorization?.replace(/^Bearer /, ''),
      body,
    };
    this.calls.push(call);
    if (this.#held !== undefined) await new Promise<void>((go) => this.#held?.push(go));
    const fault = this.fault?.(call);
    if (fault !== undefined) return answerFault(response, fault);
    if (call.path === '/metadata/identity/oauth2/token') {
      if (request.headers['metadata'] !== 'true') return oauthError(response, 'invalid_request', 'no header');
      const id = call.query.get('client_id') ?? 'node';
      if (id === 'unknown') return oauthError(response, 'invalid_request', 'Identity not found');
      const expires = Math.floor(Date.now() / 1_000) + 3_600;
      return json(response, 200, { ...this.#token(`node-${id}`), expires_on: String(expires) });
    }
    if (call.path.endsWith('/oauth2/v2.0/token')) return this.#login(call, response);
    if (call.token === undefined || this.revoked.has(call.token)) return this.#challenge(response);
    return this.#object(call, response);
  }

  #token(whose: string) {
    this.#tokens += 1;
    const claims = Buffer.from(JSON.stringify({ sub: whose, jti: this.#tokens })).toString('base64url');
    const token = `eyJ${whose.replaceAll(/[^\w-]/g, '')}.${claims}.sig`;
    return {
      access_token: token,
      expires_in: 3_599,
      token_type: 'Bearer',
      resource: 'https://vault.azure.net',
    };
  }

  /** As a vault answers that does not like a token. */
  #challenge(response: ServerResponse): ServerResponse {
    const headers = {
      'www-authenticate': `Bearer authorization="https://login.windows.net/${TENANT}", resource="https://vault.azure.net"`,
    };
    const error = { code: 'Unauthorized', message: '[BearerReadAccessTokenFailed] Error validating token' };
    return json(response, 401, { error }, headers);
  }

  #login({ path, body }: AzureCall, response: ServerResponse): ServerResponse {
    if (path.split('/')[1] !== TENANT) {
      return oauthError(
        response,
        'invalid_request',
        `AADSTS90002: Tenant '${path.split('/')[1]}' not found.`,
      );
    }
    const form = new URLSearchParams(body);
    const assertion = form.get('client_assertion');
    if (assertion === null) {
      return form.get('client_secret') === this.secret
        ? json(response, 200, this.#token('secret'))
        : oauthError(response, 'invalid_client', 'AADSTS7000215: Invalid client secret provided.', 401);
    }
    const [head = '', claims = '', signature = ''] = assertion.split('.');
    if (this.federated.has(assertion) || this.federates?.(parse(claims)) === true)
      return json(response, 200, this.#token('federated'));
    const { 'x5t#S256': thumbprint } = parse(head);
    if (this.certificate === undefined || thumbprint === undefined) {
      const text = `AADSTS70021: No matching federated identity record found for presented assertion ${assertion}.`;
      return oauthError(response, 'invalid_client', text, 401);
    }
    const key = createPublicKey(this.certificate.publicKey.export({ type: 'spki', format: 'pem' }));
    const isOurs =
      thumbprint ===
        Buffer.from(this.certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url') &&
      verify(
        'sha256',
        Buffer.from(`${head}.${claims}`),
        { key, padding: 6, saltLength: 32 },
        Buffer.from(signature, 'base64url'),
      );
    return isOurs
      ? json(response, 200, this.#token('certificate'))
      : oauthError(response, 'invalid_client', 'AADSTS700027: The certificate is not registered.', 401);
  }

  #object({ path, query }: AzureCall, response: ServerResponse): ServerResponse {
    const [, collection = '', name, version] =
      /^\/(secrets|certificates|keys)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path) ?? [];
    if (!/^7\.\d$/.test(query.get('api-version') ?? ''))
      return failed(response, 400, 'BadParameter', 'The request URI contains an invalid api-version.');
    if (collection === '') return failed(response, 404, 'NotFound', path);
    if (name === undefined) return this.#list(query, response);
    const kind = collection as Collection;
    const stored = this.objects.get(`${kind}/${name}`);
    const none = `A ${kind.slice(0, -1)} with (name/id) ${name} was not found in this key vault. If you recently deleted this you may be able to recover it.`;
    const found =
      version === undefined ? stored?.versions.at(-1) : stored?.versions.find(({ id }) => id === version);
    if (stored === undefined || found === undefined) return failed(response, 404, NOT_FOUND[kind], none);
    const { tags, attributes } = stored;
    if (attributes['enabled'] !== true)
      return failed(
        response,
        403,
        'Forbidden',
        'Operation get is not allowed on a disabled secret.',
        'SecretDisabled',
      );
    const id = `${this.url}/${kind}/${name}/${found.id}`;
    return json(response, 200, { id, ...found.body, tags, attributes });
  }

  #list(query: URLSearchParams, response: ServerResponse): ServerResponse {
    const all = [...this.objects].filter(([key]) => key.startsWith('secrets/'));
    const from = Number(query.get('$skiptoken') ?? 0);
    const size = Number(query.get('maxresults') ?? 25);
    if (size > 25) return failed(response, 400, 'BadParameter', 'maxresults is too large');
    const value = all
      .slice(from, from + size)
      .map(([key, { tags, attributes }]) => ({ id: `${this.url}/${key}`, tags, attributes }));
    const next = `${this.nextPages}/secrets?api-version=7.4&$skiptoken=${from + size}&maxresults=${size}`;
    return json(response, 200, { value, nextLink: from + size < all.length ? next : null });
  }
}

function parse(part: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function json(
  response: ServerResponse,
  code: number,
  body: object,
  headers: Record<string, string> = {},
): ServerResponse {
  return response
    .writeHead(code, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(body));
}

function failed(
  response: ServerResponse,
  code: number,
  error: string,
  message: string,
  inner?: string,
): ServerResponse {
  const innererror = inner === undefined ? {} : { innererror: { code: inner } };
  return json(response, code, { error: { code: error, message, ...innererror } });
}

/** As Entra says it, with what differs each time. */
const oauthError = (response: ServerResponse, error: string, text: string, code = 400): ServerResponse =>
  json(response, code, {
    error,
    error_description: `${text} Trace ID: ${randomUUID()} Correlation ID: ${randomUUID()} Timestamp: 2026-11-22 10:00:00Z`,
    error_codes: [1],
  });

function answerFault(response: ServerResponse, fault: AzureFault): ServerResponse {
  const { code, error = '', message = error, inner, headers = {}, text } = fault;
  if (text !== undefined) return response.writeHead(code, headers).end(text);
  const innererror = inner === undefined ? {} : { innererror: { code: inner } };
  return json(response, code, { error: { code: error, message, ...innererror } }, headers);
}
