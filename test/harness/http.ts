import { Agent, type Dispatcher, request } from 'undici';

export interface HttpAnswer<T> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON, else the text; undefined for an empty body. */
  readonly body: T;
}

export interface HttpOptions {
  readonly dispatcher?: Dispatcher;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One request of a test. The type of the body is the caller's claim. */
export async function httpRequest<T = unknown>(
  method: string,
  url: string,
  { dispatcher, headers = {}, body }: HttpOptions = {},
): Promise<HttpAnswer<T>> {
  const answer = await request(url, {
    method,
    ...(dispatcher === undefined ? {} : { dispatcher }),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const parsed = parseBody(await answer.body.text());
  return { status: answer.statusCode, headers: answer.headers, body: parsed as T };
}

/** Connections that trust this CA (PEM), or the machine's CAs without one. */
export function trusting(ca: string | undefined): Agent {
  return new Agent({ connections: 16, ...(ca === undefined ? {} : { connect: { ca } }) });
}
