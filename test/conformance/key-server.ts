/** An HTTP server with a value for each path, that can be made to hang: the other end of providers without a protocol. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface KeyServer {
  readonly url: string;
  /** Values by key. */
  readonly values: Map<string, string | Uint8Array>;
  /** `GET /path`, in the order of arrival. */
  readonly asked: { readonly line: string; readonly headers: IncomingHttpHeaders }[];
  /** Nobody is answered until what it returns is called. */
  readonly hang: () => () => void;
  readonly close: () => Promise<void>;
}

/** @param answer what is sent for the value of the key below `/keys/`; undefined if there is none */
export async function startKeyServer(
  answer: (response: ServerResponse, key: string, value: string | Uint8Array | undefined) => void,
): Promise<KeyServer> {
  const values = new Map<string, string | Uint8Array>();
  const asked: KeyServer['asked'] = [];
  let waiting: (() => void)[] | undefined;
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    request.resume();
    const send = (): void => {
      const [, path = ''] = /^\/keys\/(.+)$/.exec(request.url ?? '') ?? [];
      const key = decodeURIComponent(path);
      answer(response, key, values.get(key));
    };
    if (waiting === undefined) send();
    else waiting.push(send);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    values,
    asked,
    hang: () => {
      waiting = [];
      return () => {
        const late = waiting ?? [];
        waiting = undefined;
        for (const send of late) send();
      };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** As the server of the tutorial answers: {"key", "value"}, or 404. */
export const expressAnswer: Parameters<typeof startKeyServer>[0] = (response, key, value) => {
  response.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(value === undefined ? '' : JSON.stringify({ key, value }));
};
