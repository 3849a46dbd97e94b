/**
 * The wire to Vault. node-vault issues every request; only its transport is ours (its stock one follows
 * redirects with the token, has no timeouts, opens a connection a request and puts the token into its
 * errors). Tokens and namespaces are given with each request and never kept in node-vault's client.
 */
import nodeVault from 'node-vault';
import { parseKeepingNumbers } from '../../api/json.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import type { ProviderPorts } from '../contract.ts';
import { type HttpRequest, type HttpTarget, httpRequest } from '../http.ts';
import { member, type VaultAnswer } from './answer.ts';
import { labelOf } from './errors.ts';

export interface VaultRequest {
  /** For messages: `read secret/data/app`. */
  readonly what: string;
  readonly method: 'GET' | 'LIST' | 'POST' | 'PUT' | 'DELETE';
  /** Below /v1, not encoded. */
  readonly segments: readonly string[];
  readonly query?: Readonly<Record<string, string>> | readonly (readonly [string, string])[] | undefined;
  readonly token?: SecretValue | undefined;
  readonly namespace?: string | undefined;
  /** True: of numbers in the answer only those inside `data.data` have to keep their digits. */
  readonly secretOnly?: boolean | undefined;
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  readonly signal: AbortSignal;
}

/** What node-vault hands to its transport. */
interface TransportOptions {
  readonly method: HttpRequest['method'];
  readonly uri: string;
  readonly headers: Record<string, string>;
  readonly json?: unknown;
  readonly secretOnly: boolean;
  readonly signal: AbortSignal;
  readonly label: string;
}

function parseBody(body: Buffer, secretOnly: boolean): Pick<VaultAnswer, 'isJson' | 'body'> {
  if (body.byteLength === 0) return { isJson: true, body: undefined };
  try {
    const text = body.toString('utf8');
    if (!secretOnly) return { isJson: true, body: parseKeepingNumbers(text) };
    const plain: unknown = JSON.parse(text);
    // Where a secret is texts alone, as most are, nothing can be lost, and much time is saved.
    const isLossy = hasNumbers(member(member(plain, 'data'), 'data'));
    return { isJson: true, body: isLossy ? parseKeepingNumbers(text) : plain };
  } catch {
    return { isJson: false, body: undefined };
  }
}

/** @throws RangeError for what nests too deeply */
function hasNumbers(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'number';
  return Object.values(value).some(hasNumbers);
}

function transport(target: HttpTarget) {
  return async (options: TransportOptions) => {
    const json = typeof options.json === 'object' ? JSON.stringify(options.json) : undefined;
    const { status, headers, body } = await httpRequest(target, {
      method: options.method,
      path: options.uri.slice(target.origin.length),
      headers: { ...options.headers, ...(json === undefined ? {} : { 'content-type': 'application/json' }) },
      body: json,
      signal: options.signal,
      label: options.label,
    });
    const parsed = parseBody(body, options.secretOnly);
    const errors = member(parsed.body, 'errors');
    const answer: VaultAnswer = {
      status,
      headers,
      ...parsed,
      errors: Array.isArray(errors) ? errors.filter((error) => typeof error === 'string') : undefined,
    };
    // The whole answer travels as the body: node-vault keeps nothing but status and body of a refusal.
    return { statusCode: status, body: answer, request: { path: '' } };
  };
}

/** The state of replication that an answer stood for; see readYourWrites in the block. */
export interface Consistency {
  /** The newest X-Vault-Index seen; shared by all clients of a session. */
  index: string | undefined;
}

export interface ClientOptions {
  /** The URL of the server without a slash at its end; starts with the target's origin. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** With it, no node may answer from a state older than the last one seen. */
  readonly consistency?: Consistency | undefined;
  /** See ProviderPorts. */
  readonly pace?: ProviderPorts['pace'];
  /** A node that lags behind passes the request on to the active one. */
  readonly forwardInconsistent?: boolean | undefined;
}

/** Requests to one server. Holds no credentials; safe for concurrent use. */
export class VaultClient {
  readonly #client: nodeVault.client;
  readonly #options: ClientOptions;

  constructor(target: HttpTarget, options: ClientOptions) {
    const { endpoint } = options;
    this.#options = options;
    this.#client = nodeVault({
      endpoint,
      'request-promise': { defaults: () => transport(target) },
      // Its debug output holds bodies, its commands build paths from templates: neither is used.
      debug: () => undefined,
      commands: {},
    });
    // What it took from the environment.
    Object.assign(this.#client, { token: '', namespace: undefined, pathPrefix: '' });
  }

  /** @throws ProviderError only if there was no answer; EsaError STORE_BUSY if it was never sent */
  async request(request: VaultRequest): Promise<VaultAnswer> {
    const turn = this.#options.pace?.(request.signal);
    if (turn !== undefined) await turn;
    const answer = await this.#issue(request);
    const index = answer.headers['x-vault-index'];
    const { consistency } = this.#options;
    if (consistency !== undefined && typeof index === 'string') consistency.index = index;
    return answer;
  }

  #consistencyHeaders(): Record<string, string> {
    const { consistency, forwardInconsistent } = this.#options;
    if (consistency?.index === undefined) return {};
    const forward = forwardInconsistent === true ? { 'X-Vault-Inconsistent': 'forward-active-node' } : {};
    return { 'X-Vault-Index': consistency.index, ...forward };
  }

  async #issue(request: VaultRequest): Promise<VaultAnswer> {
    const path = request.segments.map(encodeURIComponent).join('/');
    const { query: pairs = {} } = request;
    const query = new URLSearchParams(Array.isArray(pairs) ? pairs : Object.entries(pairs)).toString();
    try {
      return (await this.#client.request({
        method: request.method,
        path: `/${path}${query === '' ? '' : `?${query}`}`,
        headers: {
          ...this.#options.headers,
          ...this.#consistencyHeaders(),
          'X-Vault-Request': 'true',
          ...(request.namespace === undefined ? {} : { 'X-Vault-Namespace': request.namespace }),
          ...(request.token === undefined ? {} : { 'X-Vault-Token': request.token.revealText() }),
        },
        ...(request.body === undefined ? {} : { json: request.body }),
        secretOnly: request.secretOnly === true,
        signal: request.signal,
        label: labelOf({ server: this.#options.endpoint, what: request.what }),
      })) as VaultAnswer;
    } catch (error) {
      const answer = member(member(error, 'response'), 'body');
      if (answer === undefined) throw error;
      return answer as VaultAnswer;
    }
  }
}

/**
 * Removes every VAULT_* and BAO_* variable of this process. node-vault and others read them, and an ambient
 * VAULT_TOKEN or VAULT_SKIP_VERIFY must never stand in for what a store says. Programs call it at start.
 */
export function scrubVaultEnvironment(environment: NodeJS.ProcessEnv = process.env): void {
  for (const name of Object.keys(environment)) {
    if (/^(VAULT|BAO)_/i.test(name)) delete environment[name];
  }
}
