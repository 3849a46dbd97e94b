/**
 * One call of a webhook. URL, headers and body may hold Secrets, so errors name the key and the host as the block
 * writes it, and nothing that was rendered.
 */
import { parseGoDuration } from '../../api/duration.ts';
import { withinTime } from '../../api/time-limit.ts';
import { statusError } from '../answers.ts';
import { readCa } from '../block-references.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import { type HttpResponse, type HttpTarget, httpRequest } from '../http.ts';
import { resolveReference } from '../references.ts';
import { serverUrl } from '../server-url.ts';
import { oneLine } from '../service-words.ts';
import type { WebhookConfig } from './config.ts';
import {
  authorityText,
  renderAuthority,
  renderRequest,
  type TemplateData,
  type TemplateSecrets,
} from './templates.ts';
import { fixedServer } from './validate.ts';

/** Whoever writes the Secret has to say that it is for webhooks: a store could send any other one away. */
const TYPE_LABEL = 'external-secrets.io/type';
const TYPE = 'webhook';

const LIVE_CHECK_MS = 15_000;

/** What a call brought. */
export interface Called {
  readonly body: Buffer;
  /** Rendered. */
  readonly jsonPath: string | undefined;
}

export class WebhookClient {
  readonly #config: WebhookConfig;
  readonly #store: StoreContext;
  readonly #ports: ProviderPorts;
  readonly #secrets: TemplateSecrets;
  readonly #ca: string | undefined;
  /** One for each origin, since connections go by the object. */
  readonly #targets = new Map<string, HttpTarget>();

  private constructor(
    config: WebhookConfig,
    store: StoreContext,
    ports: ProviderPorts,
    secrets: TemplateSecrets,
    ca: string | undefined,
  ) {
    this.#config = config;
    this.#store = store;
    this.#ports = ports;
    this.#secrets = secrets;
    this.#ca = ca;
  }

  /** Reads what the block refers to. @throws EsaError, ProviderError */
  static async open(
    config: WebhookConfig,
    store: StoreContext,
    ports: ProviderPorts,
    signal: AbortSignal,
  ): Promise<WebhookClient> {
    const [secrets, ca] = await Promise.all([
      readSecrets(config, store, ports, signal),
      readCa(config, [], store, ports, signal),
    ]);
    return new WebhookClient(config, store, ports, secrets, ca);
  }

  /** What errors about this key begin with. */
  label(key: string): string {
    return oneLine(`webhook ${this.#hostShown()}: ${key === '' ? 'call' : `read ${key}`}`);
  }

  /** @throws ProviderError PROVIDER_NOT_FOUND for a 404 */
  async call(ref: TemplateData['ref'], signal: AbortSignal): Promise<Called> {
    const label = this.label(ref.key);
    const data = { ref, namespace: this.#store.callerNamespace, secrets: this.#secrets };
    const { url, headers, body, jsonPath } = renderRequest(this.#config, data, label);
    for (const [name, value] of Object.entries(headers)) {
      if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
        throw invalid(
          label,
          `headers.${name} becomes a value that no header can have, such as one with a line end`,
        );
    }
    const { origin, path } = target(url, label);
    const answer = await this.#send(
      origin,
      { path, headers, body, method: this.#config.method ?? 'GET' },
      label,
      signal,
    );
    const { status } = answer;
    if (status >= 200 && status < 300) return { body: answer.body, jsonPath };
    if (status === 404) throw new ProviderError('PROVIDER_NOT_FOUND', `${label}: no such secret (404)`);
    throw statusError(label, answer, this.#ports.clock.now(), `endpoint gave error ${status}`);
  }

  /** Connects to the server, and asks nothing of it that a key is needed for. @throws ProviderError */
  async reach(signal: AbortSignal): Promise<void> {
    const label = oneLine(`webhook ${this.#hostShown()}: connect`);
    const { scheme, authority } = authorityText(this.#config.url) ?? { scheme: 'https', authority: '' };
    const { origin } = target(`${scheme}://${renderAuthority(authority, this.#secrets, label)}`, label);
    await withinTime(LIVE_CHECK_MS, signal, (limit) =>
      this.#send(origin, { path: '/', method: 'HEAD', headers: {}, body: undefined }, label, limit),
    );
  }

  #hostShown(): string {
    return fixedServer(this.#config)?.host ?? '(host from a template)';
  }

  async #send(
    origin: string,
    request: {
      method: string;
      path: string;
      headers: Record<string, string> | Readonly<Record<string, string>>;
      body: string | undefined;
    },
    label: string,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const turn = this.#ports.pace?.(signal);
    if (turn !== undefined) await turn;
    const limit = parseGoDuration(this.#config.timeout ?? '');
    const send = (within: AbortSignal): Promise<HttpResponse> =>
      httpRequest(this.#target(origin), {
        ...request,

        signal: within,
        label,
      });
    try {
      return await (limit === undefined ? send(signal) : withinTime(limit, signal, send));
    } catch (error) {
      if (!(error instanceof ProviderError) || fixedServer(this.#config) !== undefined) throw error;
      // The host may be a Secret, and errors of the connection name it.
      const { code, retryAfterMs } = error;
      const text = error.message.replaceAll(new URL(origin).hostname, '(host)');
      throw new ProviderError(code, text, retryAfterMs === undefined ? {} : { retryAfterMs });
    }
  }

  #target(origin: string): HttpTarget {
    const known = this.#targets.get(origin);
    if (known !== undefined) return known;
    const ca = origin.startsWith('https:') ? this.#ca : undefined;
    const created = { origin, ca, guard: this.#store.guard };
    // The host of a template is that of a Secret: there are few.
    if (this.#targets.size < 16) this.#targets.set(origin, created);
    return created;
  }
}

const invalid = (label: string, text: string): ProviderError =>
  new ProviderError('PROVIDER_INVALID_CONFIG', `${label}: ${text}`);

/** Origin and path of a rendered URL. */
function target(text: string, label: string): { origin: string; path: string } {
  const [, start = '', rest = ''] = /^(https?:\/\/[^/?#]*)(.*)$/is.exec(text) ?? [];
  const server = serverUrl(start);
  if (typeof server === 'string') throw invalid(label, 'url does not become one that can be asked');
  const [path = ''] = rest.split(/[?#]/);
  // A parser of URLs would leave the folder, and with it what the block allows.
  if (path.split('/').some((segment) => /^(\.|%2e){1,2}$/i.test(segment)))
    throw invalid(label, 'url becomes one with a segment . or .., which leads to another path');
  // Characters that a Secret or a literal brought as bytes are escaped by the parser.
  const url = new URL(Buffer.from(text, 'latin1').toString('utf8'));
  return { origin: server.origin, path: `${url.pathname}${url.search}` };
}

async function readSecrets(
  { secrets = [] }: WebhookConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<TemplateSecrets> {
  const found = await Promise.all(
    secrets.map(async ({ name, secretRef }, index) => {
      const resolved = resolveReference(store, secretRef, ['secrets', index, 'secretRef']);
      const label = `Secret ${resolved.namespace}/${resolved.name}`;
      if (ports.secret === undefined) throw invalid(label, 'there is no cluster to read it from');
      const { labels, data } = await ports.secret(resolved, signal);
      if (labels[TYPE_LABEL] === TYPE) return [name, data] as const;
      throw invalid(label, `must carry the label ${TYPE_LABEL}: ${TYPE} to be used by a webhook`);
    }),
  );
  return new Map(found);
}
