/** The wire to an express server. */
import { withinTime } from '../../api/time-limit.ts';
import { statusError } from '../answers.ts';
import { ProviderError, type ProviderPorts } from '../contract.ts';
import { type HttpTarget, httpRequest } from '../http.ts';
import { basePath } from '../server-url.ts';
import { oneLine } from '../service-words.ts';

/** The whole of a request may take so long. */
const TIMEOUT_MS = 5_000;

export class ExpressClient {
  readonly #target: HttpTarget;
  readonly #url: URL;
  readonly #ports: ProviderPorts;

  constructor(url: URL, target: HttpTarget, ports: ProviderPorts) {
    this.#url = url;
    this.#target = target;
    this.#ports = ports;
  }

  /** The value of a key. @throws ProviderError */
  async value(key: string, signal: AbortSignal): Promise<string> {
    const label = oneLine(`express ${this.#url.host}: error getting the secret ${key}`);
    const answer = await this.#request('GET', `/keys/${encodeURIComponent(key)}`, label, signal);
    const text = answer.body.toString('utf8');
    // A route of express that finds nothing to send answers 200 without a body.
    if (answer.status === 404 || (answer.status === 200 && text.trim() === ''))
      throw new ProviderError('PROVIDER_NOT_FOUND', `${label}: there is no such key`);
    if (answer.status !== 200) throw statusError(label, answer, this.#ports.clock.now());
    const value = valueIn(text);
    if (typeof value !== 'string')
      throw new ProviderError('PROVIDER_INVALID_RESPONSE', oneLine(`${label}: bad key format: ${key}`));
    if (value === '') throw new ProviderError('PROVIDER_NOT_FOUND', `${label}: its value is empty`);
    return value;
  }

  /** Asks whether an HTTP server is there; reads no key. @throws ProviderError */
  async ping(signal: AbortSignal): Promise<void> {
    const label = `express ${this.#url.host}: error reaching the server`;
    const answer = await this.#request('HEAD', '/', label, signal);
    if (answer.status >= 500) throw statusError(label, answer, this.#ports.clock.now());
  }

  async #request(method: 'GET' | 'HEAD', path: string, label: string, signal: AbortSignal) {
    // The store may only be asked so many times a second.
    await this.#ports.pace?.(signal);
    const full = `${basePath(this.#url)}${path}`;
    const headers = { accept: 'application/json' };
    return withinTime(TIMEOUT_MS, signal, (limit) =>
      httpRequest(this.#target, { method, path: full, headers, signal: limit, label }),
    );
  }
}

/** `value` of the object; undefined if the text is no JSON object or has none. */
function valueIn(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && 'value' in body ? body.value : undefined;
  } catch {
    return undefined;
  }
}
