/**
 * What goes wrong at AWS, as errors of the closed union. The service's error code decides, not the HTTP
 * status: AWS answers 400 to nearly everything, and stand-ins for it answer otherwise.
 */
import { retryAfterOf, serviceError } from '../answers.ts';
import { ProviderError, type ProviderErrorCode } from '../contract.ts';
import { cancelled } from '../http-errors.ts';
import { oneLine } from '../service-words.ts';

/** What was asked, for messages: `AWS Secrets Manager us-west-2: read prod/database`. */
export interface Asked {
  readonly service: 'Secrets Manager' | 'Parameter Store' | 'STS' | 'ECR' | 'ECR Public' | 'EKS Pod Identity';
  readonly region: string;
  readonly what: string;
}

const MAX_TEXT = 300;

/** How messages about this request begin. */
export const labelOf = ({ service, region, what }: Asked): string =>
  oneLine(`AWS ${service} ${region}: ${what}`);

/** An error about this request; the message is one line: service, request, cause. */
export function awsError(
  asked: Asked,
  code: ProviderErrorCode,
  cause: string,
  retryAfterMs?: number,
): ProviderError {
  return serviceError(labelOf(asked), code, cause, retryAfterMs);
}

/**
 * The service's words without what differs each time (request ids, encoded authorization details), so that
 * equal failures have equal messages and events aggregate, and without anything that could be a credential.
 */
export function wordsOf(message: string): string {
  const text = oneLine(message)
    .replace(/[\s,;(]*\b(?:aws)?\s*request[\s_-]?id\s*[:=]?\s*"?[\w-]+"?\)?/gi, '')
    .replace(/[\s.]*\bencoded authorization failure message:\s*\S+/gi, '')
    .replace(/\b(?:[\w-]+\.eyJ[\w-]+|eyJ[\w-]+\.[\w-]+)(?:\.[\w-]*)?/g, '[redacted]')
    .replace(/\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, '[redacted]')
    .trim();
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text;
}

type Meaning = readonly [ProviderErrorCode, (words: string) => string];

const words =
  (prefix: string) =>
  (text: string): string =>
    text === '' ? prefix : `${prefix}: ${text}`;
/** For refusals of credentials: AWS may quote parts of the signed request there. */
const only = (text: string) => (): string => text;

/** The codes of AWS by their meaning; both spellings, with and without `Exception`, occur. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ResourceNotFound: ['PROVIDER_NOT_FOUND', words('no such secret, or not this version of it')],
  ParameterNotFound: ['PROVIDER_NOT_FOUND', words('no such parameter')],
  InvalidResourceId: ['PROVIDER_NOT_FOUND', words('no such parameter')],
  // The parameter itself is there, so nothing may be deleted for it.
  ParameterVersionNotFound: [
    'PROVIDER_INVALID_CONFIG',
    words('the parameter has no such version, and no version with such a label'),
  ],

  AccessDenied: ['PROVIDER_DENIED', words('AccessDenied')],
  NotAuthorized: ['PROVIDER_DENIED', words('NotAuthorized')],
  UnauthorizedOperation: ['PROVIDER_DENIED', words('UnauthorizedOperation')],
  OptInRequired: ['PROVIDER_DENIED', words('the account is not subscribed to the service')],

  SignatureDoesNotMatch: [
    'PROVIDER_UNAUTHENTICATED',
    only(
      'the credentials were refused (SignatureDoesNotMatch): the secret access key does not fit the access key id',
    ),
  ],
  InvalidSignature: [
    'PROVIDER_UNAUTHENTICATED',
    only(
      'the signature was refused (InvalidSignature); check the secret access key and the clock of this machine',
    ),
  ],
  IncompleteSignature: [
    'PROVIDER_UNAUTHENTICATED',
    only('the credentials were refused (IncompleteSignature)'),
  ],
  UnrecognizedClient: [
    'PROVIDER_UNAUTHENTICATED',
    only(
      'the credentials were refused (UnrecognizedClient): AWS does not know the access key id or session token',
    ),
  ],
  InvalidClientTokenId: [
    'PROVIDER_UNAUTHENTICATED',
    only('the credentials were refused (InvalidClientTokenId): AWS does not know the access key id'),
  ],
  InvalidAccessKeyId: ['PROVIDER_UNAUTHENTICATED', only('the credentials were refused (InvalidAccessKeyId)')],
  MissingAuthenticationToken: [
    'PROVIDER_UNAUTHENTICATED',
    only('the request carried no credentials (MissingAuthenticationToken)'),
  ],
  ExpiredToken: ['PROVIDER_UNAUTHENTICATED', only('the credentials have expired (ExpiredToken)')],
  RequestExpired: [
    'PROVIDER_UNAUTHENTICATED',
    only('the signature has expired (RequestExpired); check the clock of this machine'),
  ],
  RequestTimeTooSkewed: [
    'PROVIDER_UNAUTHENTICATED',
    only('the signature was refused (RequestTimeTooSkewed); check the clock of this machine'),
  ],
  InvalidIdentityToken: ['PROVIDER_UNAUTHENTICATED', words('the token of the ServiceAccount was refused')],
  IDPRejectedClaim: ['PROVIDER_UNAUTHENTICATED', words('the token of the ServiceAccount was refused')],

  Throttling: ['PROVIDER_THROTTLED', words('too many requests')],
  ThrottledRequest: ['PROVIDER_THROTTLED', words('too many requests')],
  RequestThrottled: ['PROVIDER_THROTTLED', words('too many requests')],
  RequestLimitExceeded: ['PROVIDER_THROTTLED', words('too many requests')],
  TooManyRequests: ['PROVIDER_THROTTLED', words('too many requests')],
  ProvisionedThroughputExceeded: ['PROVIDER_THROTTLED', words('too many requests')],
  LimitExceeded: ['PROVIDER_THROTTLED', words('too many requests')],
  SlowDown: ['PROVIDER_THROTTLED', words('too many requests')],

  InternalServiceError: ['PROVIDER_UNREACHABLE', words('the service failed')],
  InternalServerError: ['PROVIDER_UNREACHABLE', words('the service failed')],
  InternalFailure: ['PROVIDER_UNREACHABLE', words('the service failed')],
  InternalError: ['PROVIDER_UNREACHABLE', words('the service failed')],
  ServiceUnavailable: ['PROVIDER_UNREACHABLE', words('the service cannot serve now')],
  IDPCommunicationError: ['PROVIDER_UNREACHABLE', words('AWS cannot reach the issuer of the token')],
  RequestTimeout: ['PROVIDER_TIMEOUT', words('AWS gave up waiting')],

  InvalidParameter: ['PROVIDER_INVALID_CONFIG', words('refused (InvalidParameter)')],
  InvalidRequest: ['PROVIDER_INVALID_CONFIG', words('refused (InvalidRequest)')],
  Validation: ['PROVIDER_INVALID_CONFIG', words('refused (Validation)')],
  InvalidFilterKey: ['PROVIDER_INVALID_CONFIG', words('refused (InvalidFilterKey)')],
  InvalidFilterValue: ['PROVIDER_INVALID_CONFIG', words('refused (InvalidFilterValue)')],
  InvalidKeyId: ['PROVIDER_DENIED', words('the KMS key cannot be used (InvalidKeyId)')],
  ValidationError: ['PROVIDER_INVALID_CONFIG', words('refused (ValidationError)')],
  MalformedPolicyDocument: ['PROVIDER_INVALID_CONFIG', words('refused (MalformedPolicyDocument)')],
  PackedPolicyTooLarge: ['PROVIDER_INVALID_CONFIG', words('the session tags are too large')],
  RegionDisabled: ['PROVIDER_INVALID_CONFIG', words('STS is not active in this region for the account')],
  UnknownOperation: ['PROVIDER_INVALID_RESPONSE', words('the endpoint does not know this operation')],
  DecryptionFailure: ['PROVIDER_INVALID_RESPONSE', words('AWS could not decrypt the secret')],
};

interface SdkFailure {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

const isFailure = (thrown: unknown): thrown is SdkFailure =>
  thrown instanceof Error && typeof thrown.name === 'string';

/** What a status means where the code says nothing that is known. */
function byStatus({ name, message, $metadata }: SdkFailure): [ProviderErrorCode, string] {
  const status = $metadata?.httpStatusCode;
  // A body that is not what the protocol demands: the parser's own words would quote it.
  if (name === 'SyntaxError' || name === 'TypeError') {
    const text = `the answer is not what AWS would say (status ${status ?? 'unknown'}); does the endpoint lead to AWS?`;
    if (status === 401 || status === 403) return ['PROVIDER_DENIED', text];
    if (status === 429) return ['PROVIDER_THROTTLED', text];
    return [
      status !== undefined && status >= 500 ? 'PROVIDER_UNREACHABLE' : 'PROVIDER_INVALID_RESPONSE',
      text,
    ];
  }
  const text = `${oneLine(name).slice(0, 80)} (status ${status ?? 'unknown'}): ${wordsOf(message)}`;
  if (status === 429) return ['PROVIDER_THROTTLED', text];
  if (status !== undefined && status >= 500) return ['PROVIDER_UNREACHABLE', text];
  return ['PROVIDER_INVALID_RESPONSE', text];
}

/** The error code as AWS means it: without namespace, suffix and fault. */
export const codeOf = (name: string): string =>
  (name.split('#').at(-1) ?? '').replace(/:.*$/, '').replace(/(Exception|Fault)$/, '');

/** What AWS says of one secret within an answer about several. */
export function errorInAnswer(asked: Asked, code: string, message: string): ProviderError {
  const failure = Object.assign(new Error(message), { name: code });
  return toAwsError(asked, failure, NEVER);
}

const NEVER = new AbortController().signal;

/**
 * Wraps whatever the SDK threw. The original is not kept as `cause`: it holds the answer, and with it what
 * the answer quotes.
 */
export function toAwsError(asked: Asked, thrown: unknown, signal: AbortSignal): ProviderError {
  if (thrown instanceof ProviderError) {
    return awsError(asked, thrown.code, thrown.message, thrown.retryAfterMs);
  }
  if (signal.aborted) return cancelled(labelOf(asked), signal);
  if (!isFailure(thrown)) return awsError(asked, 'PROVIDER_INVALID_RESPONSE', 'the request failed');
  const code = codeOf(thrown.name);
  if (code === 'InvalidRequest' && /marked (?:for deletion|deleted)/i.test(thrown.message)) {
    return awsError(asked, 'PROVIDER_NOT_FOUND', 'the secret is marked for deletion');
  }
  const meaning = Object.hasOwn(MEANINGS, code) ? MEANINGS[code] : undefined;
  const [kind, text] =
    meaning === undefined ? byStatus(thrown) : [meaning[0], meaning[1](wordsOf(thrown.message))];
  const mayAsk = kind === 'PROVIDER_THROTTLED' || kind === 'PROVIDER_UNREACHABLE';
  return awsError(asked, kind, text, mayAsk ? retryAfterOf(thrown.$response?.headers) : undefined);
}
