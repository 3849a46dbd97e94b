/**
 * A stand-in for Google Cloud over the wire, since none can be had: Secret Manager (REST v1), the token endpoint for
 * keys (it checks the signature), the Security Token Service, impersonation, and the metadata service. It answers what
 * Google's documentation says, and keeps what it was asked.
 */
import { verify } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readBody, startListening } from '../harness/fake-server.ts';

interface Version {
  readonly data: Buffer;
  state: 'ENABLED' | 'DISABLED' | 'DESTROYED';
}

interface Stored {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  readonly versions: Version[];
}

export interface GcpCall {
  readonly method: string;
  /** Decoded path. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
  readonly body: string;
}

export interface GcpFault {
  readonly code: number;
  readonly status?: string;
  readonly message?: string;
  readonly retryAfter?: number;
  /** In place of JSON. */
  readonly text?: string;
  readonly location?: string;
}

const NUMBER = '123456789';

export class GcpFake {
  readonly secrets = new Map<string, Stored>();
  readonly calls: GcpCall[] = [];
  /** PEM of the public key that signatures of service accounts are checked with. */
  publicKey = '';
  fault: ((call: GcpCall) => GcpFault | undefined) | undefined;
  /** Seconds that tokens live. */
  lifeSeconds = 3_600;
  /** Tokens that are refused from now on. */
  readonly revoked = new Set<string>();
  #tokens = 0;
  #held: (() => void)[] | undefined;
  #close: () => Promise<void> = async () => undefined;
  url = '';

  static async start(): Promise<GcpFake> {
    const fake = new GcpFake();
    const server = createServer((request, response) => void fake.#serve(request, response));
    const { port, close } = await startListening(server);
    fake.url = `http://127.0.0.1:${port}`;
    fake.#close = close;
    return fake;
  }

  stop(): Promise<void> {
    this.resume();
    return this.#close();
  }

  /** Adds a version. @param parent `projects/p`, with a location for a regional secret */
  put(parent: string, key: string, data: string | Uint8Array): Stored {
    const name = `${parent}/secrets/${key}`;
    const stored = this.secrets.get(name) ?? { labels: {}, annotations: {}, versions: [] };
    stored.versions.push({ data: Buffer.from(data), state: 'ENABLED' });
    this.secrets.set(name, stored);
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
    const call: GcpCall = {
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
    if (url.pathname.startsWith('/computeMetadata/')) {
      return request.headers['metadata-flavor'] === 'Google'
        ? json(response, 200, this.#token('metadata'))
        : failed(response, 403, 'PERMISSION_DENIED', 'Missing Metadata-Flavor:Google header.');
    }
    if (call.path === '/token') return this.#tokenForKey(call, response);
    if (call.path === '/v1/token') return this.#exchange(call, response);
    if (call.path.endsWith(':generateAccessToken')) return this.#impersonate(call, response);
    if (call.token === undefined || this.revoked.has(call.token)) {
      return failed(response, 401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    }
    return this.#secret(call, url.pathname, response);
  }

  #token(whose: string) {
    this.#tokens += 1;
    return {
      access_token: `ya29.${whose}-${this.#tokens}`,
      expires_in: this.lifeSeconds,
      token_type: 'Bearer',
    };
  }

  #tokenForKey({ body }: GcpCall, response: ServerResponse): ServerResponse {
    const [head = '', claims = '', signature = ''] = (new URLSearchParams(body).get('assertion') ?? '').split(
      '.',
    );
    const signed = Buffer.from(`${head}.${claims}`);
    if (!verify('RSA-SHA256', signed, this.publicKey, Buffer.from(signature, 'base64url'))) {
      return json(response, 400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' });
    }
    return json(response, 200, this.#token('key'));
  }

  #exchange({ body }: GcpCall, response: ServerResponse): ServerResponse {
    const form = new URLSearchParams(body);
    const subject = form.get('subject_token') ?? '';
    if (subject === '' || subject === 'refused') {
      const text = `The subject token ${subject} is rejected by the attribute condition.`;
      return json(response, 400, { error: 'invalid_grant', error_description: text });
    }
    return json(response, 200, {
      ...this.#token('federated'),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
  }

  #impersonate({ path, token }: GcpCall, response: ServerResponse): ServerResponse {
    if (token?.startsWith('ya29.federated') !== true || path.includes('forbidden@')) {
      return failed(
        response,
        403,
        'PERMISSION_DENIED',
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
      );
    }
    const { access_token: accessToken } = this.#token('impersonated');
    return json(response, 200, {
      accessToken,
      expireTime: new Date(Date.now() + this.lifeSeconds * 1_000).toISOString(),
    });
  }

  #secret(call: GcpCall, pathname: string, response: ServerResponse): ServerResponse {
    // By the path as it was sent: names may hold what stands between them.
    const [, encodedParent = '', id, version, verb] =
      /^\/v1\/(projects\/[^/]+(?:\/locations\/[^/]+)?)\/secrets(?:\/([^/:]+))?(?:\/versions(?:\/([^/:]+)(?::(\w+))?)?)?$/.exec(
        pathname,
      ) ?? [];
    const parent = decodeURIComponent(encodedParent);
    if (parent === '') return failed(response, 404, 'NOT_FOUND', 'Requested entity was not found.');
    if (id === undefined) return this.#list(call, parent, response);
    const name = `${parent}/secrets/${decodeURIComponent(id)}`;
    const named = name.replace(/^projects\/[^/]+/, `projects/${NUMBER}`);
    const stored = this.secrets.get(name);
    const none = `Secret [${named}] not found or has no versions.`;
    if (stored === undefined) return failed(response, 404, 'NOT_FOUND', none);
    if (verb === 'access') return access(stored, version ?? '', named, none, response);
    if (pathname.endsWith('/versions')) return this.#versions(stored, call, named, response);
    const { labels, annotations } = stored;
    return json(response, 200, { name: named, labels, annotations, replication: { automatic: {} } });
  }

  #versions(stored: Stored, { query }: GcpCall, named: string, response: ServerResponse): ServerResponse {
    const only = /^state:(\w+)$/.exec(query.get('filter') ?? '')?.[1];
    const versions = stored.versions
      .map(({ state }, index) => ({ name: `${named}/versions/${index + 1}`, state }))
      .filter(({ state }) => only === undefined || state === only)
      .reverse();
    return json(response, 200, page('versions', versions, query));
  }

  #list({ query }: GcpCall, parent: string, response: ServerResponse): ServerResponse {
    const terms = (query.get('filter') ?? '').split(' AND ').filter((term) => term !== '');
    const secrets = [...this.secrets]
      .filter(([name]) => name.startsWith(`${parent}/secrets/`))
      .map(([name, { labels }]) => ({ id: name.slice(parent.length + '/secrets/'.length), labels }))
      .filter(({ id, labels }) => terms.every((term) => matches(term, id, labels)))
      .map(({ id, labels }) => ({
        name: `${parent.replace(/^projects\/[^/]+/, `projects/${NUMBER}`)}/secrets/${id}`,
        labels,
      }));
    return json(response, 200, page('secrets', secrets, query));
  }
}

/** As Google filters: parts of a name, exact values of labels. */
function matches(term: string, id: string, labels: Record<string, string>): boolean {
  const label = /^labels\.([^=]+)=(.*)$/.exec(term);
  if (label !== null) return labels[label[1] ?? ''] === (label[2] === '""' ? '' : label[2]);
  const name = /^name:(.+)$/.exec(term)?.[1];
  return name === undefined || id.includes(name);
}

function page(member: string, items: readonly unknown[], query: URLSearchParams): object {
  const from = Number(query.get('pageToken') ?? 0);
  // Google gives fewer than were asked for when it likes.
  const size = Math.min(Number(query.get('pageSize') ?? 25_000), 20);
  const next = from + size < items.length ? { nextPageToken: String(from + size) } : {};
  return { [member]: items.slice(from, from + size), ...next, totalSize: items.length };
}

function access(
  stored: Stored,
  which: string,
  named: string,
  none: string,
  response: ServerResponse,
): ServerResponse {
  const number = which === 'latest' ? stored.versions.length : Number(which);
  if (stored.versions.length === 0) return failed(response, 404, 'NOT_FOUND', none);
  const version = stored.versions[number - 1];
  const name = `${named}/versions/${number}`;
  if (version === undefined) return failed(response, 404, 'NOT_FOUND', `Secret Version [${name}] not found.`);
  if (version.state !== 'ENABLED') {
    const text = `Secret Version [${name}] is in ${version.state} state.`;
    return failed(response, 400, 'FAILED_PRECONDITION', text);
  }
  return json(response, 200, { name, payload: { data: version.data.toString('base64') } });
}

function json(response: ServerResponse, code: number, body: object): ServerResponse {
  return response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const failed = (response: ServerResponse, code: number, status: string, message: string): ServerResponse =>
  json(response, code, { error: { code, status, message } });

function answerFault(
  response: ServerResponse,
  { code, status, message, retryAfter, text, location }: GcpFault,
): ServerResponse {
  const error = { code, status: status ?? '', message: message ?? status ?? '' };
  return response
    .writeHead(code, {
      'content-type': 'application/json',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...(location === undefined ? {} : { location }),
    })
    .end(text ?? JSON.stringify({ error }));
}
