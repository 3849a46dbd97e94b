/**
 * What the webhook is held against: the same TLS, the same parse of the body, a trivial answer.
 *
 *   node bench/webhook/baseline.ts express|https PORT
 */
import { createServer, type ServerOptions } from 'node:https';
import express, { type Request, type Response } from 'express';
import { selfSigned } from '../../providers/testing/self-signed.ts';

const LIMIT = 7 * 1024 * 1024;
const [kind, port] = process.argv.slice(2);

function answerTo(body: Buffer): string {
  const {
    kind: what,
    apiVersion,
    request,
  } = JSON.parse(body.toString('utf8')) as {
    kind: string;
    apiVersion: string;
    request: { uid: string; objects?: unknown[] };
  };
  const { uid, objects } = request;
  const response =
    objects === undefined
      ? { uid, allowed: true }
      : { uid, convertedObjects: objects, result: { status: 'Success' } };
  return JSON.stringify({ kind: what, apiVersion, response });
}

const app = express().post(
  '/{*any}',
  express.raw({ type: () => true, limit: LIMIT }),
  (request: Request, response: Response) => {
    response.type('application/json').send(answerTo(request.body as Buffer));
  },
);

const { key, cert } = selfSigned('127.0.0.1');
const options: ServerOptions = { key, cert, minVersion: 'TLSv1.2', keepAliveTimeout: 120_000 };
const server =
  kind === 'express'
    ? createServer(options, app)
    : createServer(options, (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.once('end', () => {
          const text = answerTo(Buffer.concat(chunks));
          response.writeHead(200, {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
          });
          response.end(text);
        });
      });
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
