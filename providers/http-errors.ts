/** What goes wrong below HTTP, as errors of the closed union, in words that say what to look at. */
import { ProviderError, type ProviderErrorCode } from './contract.ts';

/** The address of a server is one that is never contacted. */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';
}

/** A policy of an administrator does not allow the address of a server. */
export class PolicyRefused extends Error {
  readonly code = 'POLICY_REFUSED';
}

export interface FailureContext {
  /** How the message begins: server and purpose. */
  readonly label: string;
  readonly signal: AbortSignal | undefined;
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
}

const CA_REMEDY = 'name the CA that signed it in caBundle or caProvider of the store';
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);

const SYSTEM: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  ENOTFOUND: 'the name of the server cannot be resolved',
  EAI_AGAIN: 'the name of the server cannot be resolved now (DNS gave no answer)',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EADDRNOTAVAIL: 'the address is not available',
};

/** The code of an error, or of the first cause that has one; attempts at several addresses count as one. */
function codeOf(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 3) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  const nested = error instanceof AggregateError ? error.errors[0] : error.cause;
  return codeOf(nested, depth + 1);
}

function describe(error: unknown, context: FailureContext): [ProviderErrorCode, string] {
  const code = codeOf(error) ?? '';
  const text = SYSTEM[code];
  if (text !== undefined) return ['PROVIDER_UNREACHABLE', text];
  switch (code) {
    case 'ADDRESS_REFUSED':
      return ['PROVIDER_INVALID_CONFIG', error instanceof Error ? error.message : 'the address is refused'];
    case 'POLICY_REFUSED':
      return ['POLICY_DENIED', error instanceof Error ? error.message : 'a policy refuses the address'];
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return ['PROVIDER_TIMEOUT', `no connection within ${context.connectTimeoutMs} ms`];
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return ['PROVIDER_TIMEOUT', `no answer within ${context.responseTimeoutMs} ms`];
    case 'CERT_HAS_EXPIRED':
      return ['PROVIDER_UNREACHABLE', 'TLS: the certificate of the server has expired'];
    case 'CERT_NOT_YET_VALID':
      return ['PROVIDER_UNREACHABLE', 'TLS: the certificate of the server is not valid yet'];
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return ['PROVIDER_UNREACHABLE', 'TLS: the certificate of the server is made out to other names'];
    case 'EPROTO':
      return ['PROVIDER_UNREACHABLE', 'TLS: no common protocol; does the server speak https on this port?'];
  }
  if (UNTRUSTED.has(code)) {
    return [
      'PROVIDER_UNREACHABLE',
      `TLS: the certificate of the server is not trusted (${code}); ${CA_REMEDY}`,
    ];
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) {
    return ['PROVIDER_UNREACHABLE', `TLS: the handshake failed (${code})`];
  }
  if (kindOf(error) === 'HTTPParserError' || /^(HPE_|ERR_HTTP2_)/.test(code)) {
    return ['PROVIDER_INVALID_RESPONSE', 'the server does not answer as HTTP demands'];
  }
  return ['PROVIDER_UNREACHABLE', `the request failed (${code === '' ? kindOf(error) : code})`];
}

const kindOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/**
 * Wraps whatever a request threw. The original is not kept as `cause`: errors of HTTP libraries carry the
 * request, and with it tokens, into whatever prints them.
 */
export function toProviderError(error: unknown, context: FailureContext): ProviderError {
  if (error instanceof ProviderError) return error;
  if (context.signal?.aborted === true) return cancelled(context.label, context.signal);
  const [code, text] = describe(error, context);
  return new ProviderError(code, `${context.label}: ${text}`);
}

/** The error of a request that its caller gave up; the time was over, or nobody wants the answer now. */
export function cancelled(label: string, signal: AbortSignal): ProviderError {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof ProviderError) return reason;
  const timedOut = reason instanceof Error && reason.name === 'TimeoutError';
  return new ProviderError(
    'PROVIDER_TIMEOUT',
    `${label}: ${timedOut ? 'no answer before the deadline' : 'the request was cancelled'}`,
  );
}
