/** Sends cases to a webhook over TLS, also in ways that no HTTP client offers. */
import { Agent, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { bodyOf, type HookName, type WireCase } from './case.ts';
import type { WireAnswer } from './check.ts';

const HOST = '127.0.0.1';
/** Beyond what any hook may take (`?timeout=10s`), with room for a busy machine. */
const ANSWER_MS = 30_000;
const PAUSE_MS = 15;
const PIPELINED = 3;

/** No answer came within the time that every answer has. */
export class NoAnswer extends Error {}

export class Wire {
  readonly #port: number;
  readonly #paths: Readonly<Record<HookName, string>>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 24, rejectUnauthorized: false });

  constructor(port: number, paths: Readonly<Record<HookName, string>>) {
    this.#port = port;
    this.#paths = paths;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** @returns all answers; none if the connection was cut, by us or for a fault of HTTP itself @throws NoAnswer */
  send(one: WireCase): Promise<WireAnswer[]> {
    return one.framing === 'length' || one.framing === 'gzip' ? this.#ask(one) : this.#write(one);
  }

  async #ask(one: WireCase): Promise<WireAnswer[]> {
    const plain = bodyOf(one);
    const body = one.framing === 'gzip' ? gzipSync(plain) : plain;
    const headers = {
      ...one.headers,
      'content-length': body.length,
      ...(one.framing === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
    };
    return new Promise((resolve, reject) => {
      const sent = request({
        host: HOST,
        port: this.#port,
        method: 'POST',
        path: this.#paths[one.hook] + one.query,
        agent: this.#agent,
        headers,
      });
      const timer = setTimeout(() => {
        reject(new NoAnswer(`no answer within ${ANSWER_MS} ms`));
        sent.destroy();
      }, ANSWER_MS);
      sent.once('response', (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('end', () => {
          clearTimeout(timer);
          const { statusCode = 0, headers: got } = answer;
          resolve([
            {
              status: statusCode,
              contentType: got['content-type'] ?? '',
              text: Buffer.concat(chunks).toString('utf8'),
            },
          ]);
        });
      });
      sent.once('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        // A body that is refused before it was read ends the connection while we still write.
        if (error.code === 'EPIPE' || error.code === 'ECONNRESET') resolve([]);
        else reject(error);
      });
      sent.end(body);
    });
  }

  async #write(one: WireCase): Promise<WireAnswer[]> {
    const socket = connect({ host: HOST, port: this.#port, rejectUnauthorized: false });
    const chunks: Buffer[] = [];
    let ended = false;
    const closed = new Promise<void>((resolve) => {
      const end = (): void => {
        ended = true;
        resolve();
      };
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('end', end).once('error', end).once('close', end);
    });
    const expected = one.framing === 'pipelined' ? PIPELINED : 1;
    try {
      await this.#transmit(one, socket, () => ended);
      const started = performance.now();
      // What is cut short is answered, if at all, when the writing side is closed.
      if (one.framing === 'hang-up') return [];
      if (one.framing === 'long-length') socket.end();
      for (;;) {
        const answers = readAnswers(Buffer.concat(chunks));
        if (answers.length >= expected || ended) return answers;
        if (performance.now() - started > ANSWER_MS)
          throw new NoAnswer(`no answer within ${ANSWER_MS} ms (${one.framing})`);
        await Promise.race([closed, pause()]);
      }
    } finally {
      socket.destroy();
    }
  }

  async #transmit(one: WireCase, socket: TLSSocket, ended: () => boolean): Promise<void> {
    const body = bodyOf(one);
    const half = Math.floor(body.length / 2);
    const write = async (...pieces: (string | Buffer)[]): Promise<void> => {
      for (const piece of pieces) {
        if (ended()) return;
        if (!socket.write(piece)) await pause();
      }
    };
    const chunk = (piece: Buffer): (string | Buffer)[] => [`${piece.length.toString(16)}\r\n`, piece, '\r\n'];
    switch (one.framing) {
      case 'chunked': {
        await write(this.#head(one, ['transfer-encoding: chunked']));
        if (half > 0) await write(...chunk(body.subarray(0, half)));
        if (half < body.length) await write(...chunk(body.subarray(half)));
        return write('0\r\n\r\n');
      }
      case 'bad-chunk':
        return write(this.#head(one, ['transfer-encoding: chunked']), 'zz\r\n', body, '\r\n');
      case 'short-length':
        return write(this.#head(one, [`content-length: ${half}`]), body);
      case 'long-length':
        return write(this.#head(one, [`content-length: ${body.length + 10}`]), body);
      case 'two-lengths':
        return write(this.#head(one, [`content-length: ${body.length}`, `content-length: ${half}`]), body);
      case 'both-framings':
        return write(
          this.#head(one, [`content-length: ${body.length}`, 'transfer-encoding: chunked']),
          ...chunk(body),
          '0\r\n\r\n',
        );
      case 'trickle': {
        await write(this.#head(one, [`content-length: ${body.length}`]));
        for (let at = 0; at < 3; at += 1) {
          await pause();
          await write(
            body.subarray(Math.floor((at * body.length) / 3), Math.floor(((at + 1) * body.length) / 3)),
          );
        }
        return undefined;
      }
      case 'pipelined':
        for (let turn = 0; turn < PIPELINED; turn += 1)
          await write(this.#head(one, [`content-length: ${body.length}`]), body);
        return undefined;
      case 'hang-up':
        await write(this.#head(one, [`content-length: ${body.length}`]), body.subarray(0, half));
        return pause();
      default: {
        const expect = one.framing === 'expect' ? ['expect: 100-continue'] : [];
        return write(this.#head(one, [`content-length: ${body.length}`, ...expect]), body);
      }
    }
  }

  #head(one: WireCase, framing: readonly string[]): string {
    const target = this.#paths[one.hook] + one.query;
    const given = Object.entries(one.headers).map(([name, value]) => `${name}: ${value}`);
    return [`POST ${target} HTTP/1.1`, `host: ${HOST}`, ...given, ...framing, '', ''].join('\r\n');
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** The whole answers at the start of what was received; those without a length (of Node's parser) have no body. */
function readAnswers(received: Buffer): WireAnswer[] {
  const answers: WireAnswer[] = [];
  for (let rest = received; ; ) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return answers;
    const [first = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const headers = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const length = Number(headers.get('content-length') ?? 0);
    const start = end + 4;
    if (rest.length < start + length) return answers;
    const status = Number(first.split(' ')[1]);
    if (status !== 100) {
      answers.push({
        status,
        contentType: headers.get('content-type') ?? '',
        text: rest.subarray(start, start + length).toString('utf8'),
      });
    }
    rest = rest.subarray(start + length);
  }
}
