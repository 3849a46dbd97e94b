/**
 * Requests to services of AWS whose clients are not among our packages, for one small call is all that is needed of
 * them. They speak AWS's JSON protocol 1.1; the SDK's own signer signs them.
 */
import { SignatureV4 } from '@smithy/signature-v4';
import { httpRequest } from '../http.ts';
import { reveal, sts } from './client.ts';
import type { AwsService } from './environment.ts';
import { type Asked, labelOf } from './errors.ts';
import { type AwsCredentials, endpointOf, type Reach } from './reach.ts';

export interface JsonCall {
  readonly service: AwsService;
  /** Name of the service in signatures. */
  readonly signingName: string;
  /** Header X-Amz-Target: version of the service's API, and the operation. */
  readonly target: string;
  readonly input: object;
}

/** What AWS refuses, as the SDK would throw it (errors.ts). */
function failureOf(status: number, headers: Readonly<Record<string, unknown>>, body: string): Error {
  let answer: { __type?: unknown; message?: unknown; Message?: unknown } = {};
  try {
    answer = (JSON.parse(body) ?? {}) as typeof answer;
  } catch {
    return Object.assign(new SyntaxError('no JSON'), {
      $metadata: { httpStatusCode: status },
      $response: { headers },
    });
  }
  const text = answer.message ?? answer.Message;
  return Object.assign(new Error(typeof text === 'string' ? text : ''), {
    name: typeof answer.__type === 'string' ? answer.__type : 'UnknownError',
    $metadata: { httpStatusCode: status },
    $response: { headers },
  });
}

/** @returns the answer as parsed JSON @throws ProviderError of the transport; what toAwsError takes */
export async function sendSignedJson(
  call: JsonCall,
  asked: Asked,
  reach: Reach,
  credentials: AwsCredentials,
  signal: AbortSignal,
): Promise<unknown> {
  const url = endpointOf(call.service, reach);
  const body = JSON.stringify(call.input);
  const signer = new SignatureV4({
    service: call.signingName,
    region: reach.region,
    credentials: reveal(credentials),
    sha256: sts(reach).config.sha256,
  });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    path: '/',
    query: {},
    headers: {
      host: url.host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': call.target,
    },
    body,
  });
  const answer = await httpRequest(
    { origin: url.origin, guard: reach.guard },
    { method: 'POST', path: '/', headers, body, repeatable: true, signal, label: labelOf(asked) },
  );
  const text = answer.body.toString('utf8');
  if (answer.status !== 200) throw failureOf(answer.status, answer.headers, text);
  try {
    return JSON.parse(text);
  } catch {
    throw failureOf(answer.status, answer.headers, text);
  }
}
