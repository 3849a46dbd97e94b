/** The wire to an API server that a store names. */
import { isJsonObject } from '../../api/json.ts';
import { statusError } from '../answers.ts';
import { ProviderError, type ProviderPorts } from '../contract.ts';
import { type HttpResponse, type HttpTarget, httpRequest } from '../http.ts';
import { textsOf } from '../rest.ts';
import { oneLine } from '../service-words.ts';
import type { TokenSource } from './credentials.ts';

/** Fields of a Secret, as far as they are read. */
export interface SecretObject {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string | undefined;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  /** By key, base64. */
  readonly data: Readonly<Record<string, string>>;
}

/** Names of a page at most. */
const PAGE = 500;
const MAX_WORDS = 300;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json';

interface Answer {
  readonly response: HttpResponse;
  readonly body: unknown;
}

export interface KubernetesClientOptions {
  readonly target: HttpTarget;
  /** Host of the server, for messages. */
  readonly host: string;
  /** Path before that of the API, without a slash at its end. */
  readonly base: string;
  readonly namespace: string;
  readonly tokens: TokenSource;
  readonly ports: ProviderPorts;
}

export class KubernetesClient {
  readonly #options: KubernetesClientOptions;

  constructor(options: KubernetesClientOptions) {
    this.#options = options;
  }

  /** @throws ProviderError PROVIDER_NOT_FOUND only if the API server says that there is no such Secret */
  async secret(name: string, signal: AbortSignal): Promise<SecretObject> {
    const { namespace } = this.#options;
    const label = this.#label(`get secret ${namespace}/${name}`);
    const path = `/api/v1/namespaces/${namespace}/secrets/${encodeURIComponent(name)}`;
    const answer = await this.#send('GET', path, label, signal);
    if (answer.response.status === 404) throw absent(label, answer.body);
    this.#expect(answer, 200, label);
    const { body } = answer;
    const metadata = isJsonObject(body) ? body['metadata'] : undefined;
    if (!isJsonObject(body) || body['kind'] !== 'Secret' || !isJsonObject(metadata)) {
      throw invalid(label, 'the answer is no Secret; does server.url point at an API server?');
    }
    const { resourceVersion } = metadata;
    return {
      metadata: {
        name,
        resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : undefined,
        labels: textsOf(metadata['labels']),
        annotations: textsOf(metadata['annotations']),
      },
      data: textsOf(body['data']),
    };
  }

  /** Names of the Secrets, of those only whose labels match, if a selector is given. */
  async names(
    labelSelector: string | undefined,
    signal: AbortSignal,
    count: (names: number) => void,
  ): Promise<string[]> {
    const { namespace } = this.#options;
    const label = this.#label(`list secrets of ${namespace}`);
    const names: string[] = [];
    let next = '';
    do {
      const query = new URLSearchParams({ limit: String(PAGE) });
      if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
      if (next !== '') query.set('continue', next);
      const path = `/api/v1/namespaces/${namespace}/secrets?${query.toString()}`;
      const answer = await this.#send('GET', path, label, signal, { accept: METADATA_ONLY });
      this.#expect(answer, 200, label);
      const { body } = answer;
      const isList = isJsonObject(body) && typeof body['kind'] === 'string' && body['kind'].endsWith('List');
      // A list of nothing may have null for its items.
      const items = isList ? (body['items'] ?? []) : undefined;
      if (!isJsonObject(body) || !Array.isArray(items)) throw invalid(label, 'the answer is no list');
      for (const item of items) {
        const metadata: unknown = isJsonObject(item) ? item['metadata'] : undefined;
        const name = isJsonObject(metadata) ? metadata['name'] : undefined;
        if (typeof name !== 'string') throw invalid(label, 'the answer is no list of objects');
        names.push(name);
      }
      count(names.length);
      const page = isJsonObject(body['metadata']) ? body['metadata']['continue'] : undefined;
      next = typeof page === 'string' ? page : '';
    } while (next !== '');
    return names;
  }

  /**
   * Asks the API server what these credentials may do with Secrets of the namespace.
   * @throws ProviderError PROVIDER_DENIED if they may not get any
   */
  async checkAccess(signal: AbortSignal): Promise<void> {
    const { namespace } = this.#options;
    const label = this.#label(`review access to secrets of ${namespace}`);
    const review = (kind: string, spec: object): Promise<Answer> =>
      this.#send('POST', `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`, label, signal, {
        body: JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind, spec }),
      });
    const rules = await review('SelfSubjectRulesReview', { namespace });
    if (rules.response.status === 201 && mayGetSecrets(rules.body)) return;
    // Not every authorizer can list its rules, and not everybody may ask for them: then one question is asked.
    if (rules.response.status !== 403 && rules.response.status !== 404) this.#expect(rules, 201, label);
    const access = await review('SelfSubjectAccessReview', {
      resourceAttributes: { namespace, verb: 'get', group: '', version: 'v1', resource: 'secrets' },
    });
    this.#expect(access, 201, label);
    const status = isJsonObject(access.body) ? access.body['status'] : undefined;
    if (isJsonObject(status) && status['allowed'] === true) return;
    throw new ProviderError('PROVIDER_DENIED', `${label}: client is not allowed to get secrets`);
  }

  #label(what: string): string {
    return oneLine(`kubernetes ${this.#options.host}: ${what}`);
  }

  #expect({ response, body }: Answer, status: number, label: string): void {
    if (response.status === status) return;
    throw statusError(label, response, this.#options.ports.clock.now(), wordsOf(body));
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    label: string,
    signal: AbortSignal,
    { accept = 'application/json', body }: { accept?: string; body?: string } = {},
  ): Promise<Answer> {
    const { target, base, tokens, ports } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const token = await tokens.token(signal);
      const turn = ports.pace?.(signal);
      if (turn !== undefined) await turn;
      const response = await httpRequest(target, {
        method,
        path: `${base}${path}`,
        headers: {
          accept,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token.revealText()}` }),
        },
        body,
        // Reviews change nothing.
        repeatable: true,
        signal,
        label,
      });
      if (response.status === 401 && attempt === 1 && tokens.refused(token)) continue;
      return { response, body: parse(response.body) };
    }
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

const invalid = (label: string, text: string): ProviderError =>
  new ProviderError('PROVIDER_INVALID_RESPONSE', `${label}: ${text}`);

/** The message of a metav1.Status, which names users and objects and no data. */
function wordsOf(body: unknown): string | undefined {
  if (!isJsonObject(body) || body['kind'] !== 'Status') return undefined;
  const { message } = body;
  return typeof message === 'string' && message !== '' ? message.slice(0, MAX_WORDS) : undefined;
}

/** Only the API server itself can say that a Secret is not there; a 404 of whatever else answers is about the path. */
function absent(label: string, body: unknown): ProviderError {
  const details = isJsonObject(body) ? body['details'] : undefined;
  const isSecret =
    isJsonObject(body) &&
    body['reason'] === 'NotFound' &&
    isJsonObject(details) &&
    details['kind'] === 'secrets';
  return isSecret
    ? new ProviderError('PROVIDER_NOT_FOUND', `${label}: no such secret`)
    : new ProviderError(
        'PROVIDER_INVALID_CONFIG',
        `${label}: nothing is served at this path (404); does server.url point at an API server?`,
      );
}

/** True if some rule lets Secrets be read, all of the namespace or those it names. */
function mayGetSecrets(body: unknown): boolean {
  const status = isJsonObject(body) ? body['status'] : undefined;
  const rules = isJsonObject(status) ? status['resourceRules'] : undefined;
  if (!Array.isArray(rules)) return false;
  const has = (list: unknown, ...wanted: string[]): boolean =>
    Array.isArray(list) && wanted.some((one) => list.includes(one));
  return rules.some(
    (rule) =>
      isJsonObject(rule) &&
      has(rule['apiGroups'], '', '*') &&
      has(rule['resources'], 'secrets', '*') &&
      has(rule['verbs'], 'get', '*'),
  );
}
