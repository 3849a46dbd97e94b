/**
 * What can go wrong between us and the API server, as one class. A KubeError's message is safe to log and
 * to show: the API server likes to repeat what it refuses (`Invalid value: "hunter2"`), so for requests
 * that carried data of a Secret only recognised sentences of it are kept.
 */
import { EsaError } from '../api/errors.ts';
import { isJsonObject, parseObject } from '../api/json.ts';

/** One entry of Status.details.causes, without its message. */
export interface StatusCause {
  readonly reason: string;
  /** Path of a field, e.g. `data[a.b]`; never a value. */
  readonly field: string;
}

/** The object that the API server spoke of, as far as it said. */
export interface StatusDetails {
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly causes: readonly StatusCause[];
}

/** Refusals that share status 403 and reason Forbidden with a lack of rights, but are not one. */
export type Refusal = 'QuotaExceeded' | 'NamespaceTerminating';

interface KubeErrorInit {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs?: number | undefined;
  readonly details?: StatusDetails | undefined;
  readonly refusal?: Refusal | undefined;
  readonly cause?: unknown;
}

/** An answer of the API server that is not a success, or the lack of an answer. */
export class KubeError extends EsaError {
  declare readonly code: 'KUBE_API';
  /** HTTP status; 0 if there was no usable answer. */
  readonly status: number;
  /**
   * metav1.StatusReason (`NotFound`, `Conflict`, `Invalid` ...). With status 0: `Timeout`, `Aborted`,
   * `Fenced`, `InvalidResponse`, or the code of the network error (`ECONNREFUSED`, `CERT_HAS_EXPIRED` ...).
   */
  readonly reason: string;
  /** With 429, 500, 503: milliseconds the API server asked us to wait. */
  readonly retryAfterMs: number | undefined;
  readonly details: StatusDetails;
  readonly refusal: Refusal | undefined;

  constructor(message: string, init: KubeErrorInit) {
    super('KUBE_API', message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'KubeError';
    this.status = init.status;
    this.reason = init.reason;
    this.retryAfterMs = init.retryAfterMs;
    this.details = init.details ?? { causes: [] };
    this.refusal = init.refusal;
  }
}

/** An HTTP answer that is not 2xx, as the transport hands it over. */
export interface FailedResponse {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  readonly text: string;
  /** True if the request carried data of a Secret: the answer may repeat it. */
  readonly sensitive: boolean;
}

const REASON_OF_STATUS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

const MAX_MESSAGE = 1000;
const QUOTA = /^[a-z.]+ "[^"]*" is forbidden: (exceeded quota: [-a-z0-9.]+, requested: [-\w.,/=: ]+)$/;

// Sentences that cannot hold a value, as kube-apiserver 1.36 words them: RBAC, quota, and the head of a
// refusal by somebody's webhook or policy (what follows the head is that somebody's text). Anchored, so
// that such a text cannot pass for another sentence; group 1 is what is kept.
const SAFE_SENTENCES: readonly RegExp[] = [
  /^[a-z.]+(?: "[^"]*")? is forbidden: (User "[^"]*" cannot \w+ resource "[^"]*" in API group "[^"]*"(?: in the namespace "[^"]*"| at the cluster scope)?)/,
  QUOTA,
  /^[a-z.]+ "[^"]*" is forbidden: (unable to create new content in namespace [-a-z0-9.]+ because it is being terminated)$/,
  /^(admission webhook "[-a-z0-9.]+" denied the request)/,
  /^[a-z.]+ "[^"]*" is forbidden: (ValidatingAdmissionPolicy '[-a-z0-9.]+' with binding '[-a-z0-9.]+' denied request)/,
  /^(namespaces "[-a-z0-9.]+" not found)$/,
];

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function parseStatus(body: string): Record<string, unknown> | undefined {
  try {
    const value = parseObject(body);
    return isJsonObject(value) && value['kind'] === 'Status' ? value : undefined;
  } catch {
    return undefined;
  }
}

function readDetails(status: Record<string, unknown> | undefined): StatusDetails {
  const details = isJsonObject(status?.['details']) ? status['details'] : {};
  const causes = Array.isArray(details['causes']) ? details['causes'].filter(isJsonObject) : [];
  return {
    group: text(details['group']),
    kind: text(details['kind']),
    name: text(details['name']),
    causes: causes.map((c) => ({ reason: text(c['reason']) ?? '', field: text(c['field']) ?? '' })),
  };
}

function readRefusal(status: number, message: string, details: StatusDetails): Refusal | undefined {
  if (status !== 403) return undefined;
  if (details.causes.some((c) => c.reason === 'NamespaceTerminating')) return 'NamespaceTerminating';
  return QUOTA.test(message) ? 'QuotaExceeded' : undefined;
}

const LONGEST_RETRY_AFTER_MS = 5 * 60_000;

/** Retry-After in milliseconds: the header (seconds or a date), else Status.details.retryAfterSeconds. */
function readRetryAfter(
  header: string | undefined,
  status: Record<string, unknown> | undefined,
): number | undefined {
  if (header !== undefined) {
    if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
    const at = Date.parse(header);
    // A date is by the clock of another machine.
    if (!Number.isNaN(at)) return Math.min(Math.max(0, at - Date.now()), LONGEST_RETRY_AFTER_MS);
  }
  const seconds = isJsonObject(status?.['details']) ? status['details']['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
}

function safeExplanation(message: string, details: StatusDetails): string | undefined {
  for (const sentence of SAFE_SENTENCES) {
    const found = sentence.exec(message);
    if (found) return found[1];
  }
  const fields = details.causes.filter((c) => c.field !== '').map((c) => `${c.field} (${c.reason})`);
  return fields.length > 0 ? fields.join(', ') : undefined;
}

/** The API server repeats the whole URL of a webhook that it could not call; the path of ours is a secret token. */
const withoutPaths = (message: string): string =>
  message.replaceAll(/(https?:\/\/[^/\s"]+\/)[^\s"]+/g, '$1...');

/**
 * The error for an HTTP answer. `what` names the attempt, e.g. `create Secret shop/db`; it becomes the
 * start of the message and must not hold a secret.
 */
export function responseError(what: string, response: FailedResponse): KubeError {
  const status = parseStatus(response.text);
  const details = readDetails(status);
  const message = text(status?.['message']) ?? '';
  const reason = text(status?.['reason']) ?? REASON_OF_STATUS[response.status] ?? 'Unknown';
  // Without a Status the path itself is unknown, which for custom resources means: no such CRD.
  const unknownKind = response.status === 404 && status === undefined;
  const explanation = unknownKind
    ? 'the API server does not know this kind; are the CRDs installed?'
    : response.sensitive
      ? safeExplanation(message, details)
      : text(response.status >= 500 ? withoutPaths(message) : message);
  const head = `${what}: ${response.status} ${reason}`;
  return new KubeError((explanation === undefined ? head : `${head}: ${explanation}`).slice(0, MAX_MESSAGE), {
    status: response.status,
    reason,
    details,
    retryAfterMs: readRetryAfter(response.retryAfter, status),
    refusal: readRefusal(response.status, message, details),
  });
}

/** `code` of an error or of the first of its causes that has one (undici and node nest them). */
function codeOf(thrown: unknown): string | undefined {
  for (let at = thrown, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = 'code' in at ? at.code : undefined;
    if (typeof code === 'string' && code !== '') return code;
    if (at instanceof AggregateError && at.errors.length > 0) {
      const inner = codeOf(at.errors[0]);
      if (inner !== undefined) return inner;
    }
  }
  return undefined;
}

const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const LOST_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
]);

/** True if an established connection went away under a request; a read may then be sent again. */
export const isConnectionLost = (thrown: unknown): boolean => {
  if (thrown instanceof KubeError) return thrown.status === 0 && LOST_CODES.has(thrown.reason);
  const code = codeOf(thrown);
  return code !== undefined && LOST_CODES.has(code);
};

/**
 * Whatever a call threw, as a KubeError. An EsaError that is not a KubeError (a caller's deadline, a
 * defect in configuration) passes through unchanged.
 */
export function toKubeError(thrown: unknown, what: string): EsaError {
  if (thrown instanceof EsaError) return thrown;
  const code = codeOf(thrown);
  if (thrown instanceof SyntaxError) {
    return new KubeError(`${what}: the answer is not JSON; is this the address of a Kubernetes API server?`, {
      status: 0,
      reason: 'InvalidResponse',
    });
  }
  if (code !== undefined && TIMEOUT_CODES.has(code)) {
    return new KubeError(`${what}: the API server did not answer in time (${code})`, {
      status: 0,
      reason: 'Timeout',
      cause: thrown,
    });
  }
  if (code === 'UND_ERR_ABORTED' || (thrown instanceof Error && thrown.name === 'AbortError')) {
    return new KubeError(`${what}: given up by the caller`, { status: 0, reason: 'Aborted', cause: thrown });
  }
  const reason = code ?? (thrown instanceof Error ? thrown.name : 'Unknown');
  return new KubeError(
    `${what}: no answer from the API server (${reason}); check its address, CA and health`,
    {
      status: 0,
      reason,
      cause: thrown,
    },
  );
}

const hasStatus = (thrown: unknown, status: number, reason?: string): boolean =>
  thrown instanceof KubeError &&
  thrown.status === status &&
  (reason === undefined || thrown.reason === reason);

/** The object, or with empty `details.name` its whole kind, does not exist. */
export const isNotFound = (thrown: unknown): boolean => hasStatus(thrown, 404);
/** The resourceVersion, uid or test of a write did not hold; read again. */
export const isConflict = (thrown: unknown): boolean => hasStatus(thrown, 409, 'Conflict');
export const isAlreadyExists = (thrown: unknown): boolean => hasStatus(thrown, 409, 'AlreadyExists');
/** Any 403: rights, quota, a terminating namespace, an admission refusal. */
export const isForbidden = (thrown: unknown): boolean => hasStatus(thrown, 403);
export const isNamespaceTerminating = (thrown: unknown): boolean =>
  thrown instanceof KubeError && thrown.refusal === 'NamespaceTerminating';
/** The schema or a rule of the API server refuses the object. */
export const isInvalid = (thrown: unknown): boolean => hasStatus(thrown, 422);
/** The resourceVersion or the continue token is too old; list from the start. */
export const isGone = (thrown: unknown): boolean => hasStatus(thrown, 410);
