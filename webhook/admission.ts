/** The wire of admission.k8s.io/v1, and the only ways to build an answer. */
import { formatFieldPath, formatProblem, type Problem } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';

export interface UserInfo {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface AdmissionObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    /** Set by the API server after the mutating phase, whatever a client sends. */
    readonly uid?: string;
    readonly namespace?: string;
    readonly generateName?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: unknown;
}

export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly namespace?: string;
  readonly name?: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly userInfo: UserInfo;
  readonly object: AdmissionObject | null;
  readonly oldObject?: AdmissionObject | null;
  readonly dryRun?: boolean;
}

interface Status {
  readonly status: 'Failure';
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: {
    readonly group: string;
    readonly kind: string;
    readonly name: string;
    readonly causes: readonly { readonly reason: string; readonly field: string; readonly message: string }[];
  };
}

export interface AdmissionAnswer {
  readonly allowed: boolean;
  readonly status?: Status;
  readonly warnings?: readonly string[];
  /** Values-free; the API server writes them into its audit log. */
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  /** Rules that a refusal is for, each once; for our own metric, not for the wire. */
  readonly refusedFor?: readonly RuleId[];
}

export function reviewOf(uid: string, answer: AdmissionAnswer): unknown {
  const { refusedFor: _, ...wire } = answer;
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, ...wire } };
}

/** The rules that problems break, each once. */
const rulesOf = (problems: readonly Problem[]): readonly RuleId[] => [
  ...new Set(problems.map(({ rule }) => rule)),
];

/** For the audit log: which rules an object breaks, whether it is refused for them or only warned of. */
export const rulesAudit = (problems: readonly Problem[]): Readonly<Record<string, string>> =>
  problems.length === 0 ? {} : { rules: rulesOf(problems).join(',') };

/** The API server shows 256 characters of a warning, its documentation asks for 120. */
export const MAX_WARNING = 120;
/** Problems that a refusal lists, and warnings of one answer: an object may have 10,000. */
const MAX_LISTED = 100;

// A warning becomes an HTTP header: the API server drops one with a control character or half a character in it.
const oneLine = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();

/** The beginning, which does not end within a character of two units. */
const start = (text: string, length: number): string => text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
/** The end, likewise. */
const tail = (text: string, length: number): string => text.slice(-length).replace(/^[\udc00-\udfff]/, '');

/** One line of at most so many characters; what is too much is cut off its end. */
export function shorten(text: string, limit: number): string {
  const line = oneLine(text);
  return line.length <= limit ? line : `${start(line, limit - 3)}...`;
}

/** The same, cut off its beginning up to a word: where the cause comes last. */
export function shortenFront(text: string, limit: number): string {
  const line = oneLine(text);
  return line.length <= limit ? line : `...${tail(line, limit - 2).replace(/^\S* |^./u, '')}`;
}

export function allow(
  extra: { warnings?: readonly string[]; audit?: Readonly<Record<string, string>> } = {},
): AdmissionAnswer {
  return {
    allowed: true,
    ...(extra.warnings === undefined || extra.warnings.length === 0
      ? {}
      : { warnings: extra.warnings.slice(0, MAX_LISTED).map((text) => shorten(text, MAX_WARNING)) }),
    ...(Object.keys(extra.audit ?? {}).length === 0 ? {} : { auditAnnotations: extra.audit }),
  };
}

/** The object as kubectl names it: kind, and the name if it has one yet. */
function nameIn({ name, object }: AdmissionRequest): string {
  return name || object?.metadata?.name || object?.metadata?.generateName || '';
}

/** kubectl prints the causes if one object of an apply fails and the message if several do, so both hold everything. */
function refuse(
  request: AdmissionRequest,
  problems: readonly Problem[],
  as: { readonly code: number; readonly reason: string; readonly word: string },
): AdmissionAnswer {
  const name = nameIn(request).toWellFormed();
  const head = `${request.kind.kind}${name === '' ? '' : ` "${name}"`} is ${as.word}: `;
  const listed = problems.slice(0, MAX_LISTED);
  const rest = problems.length - listed.length;
  return {
    allowed: false,
    refusedFor: rulesOf(problems),
    auditAnnotations: rulesAudit(problems),
    status: {
      status: 'Failure',
      code: as.code,
      reason: as.reason,
      message: (
        head +
        (problems.length === 1
          ? problems.map(formatProblem).join('')
          : listed.map((problem) => `\n* ${formatProblem(problem)}`).join('')) +
        (rest === 0 ? '' : `\n* ... and ${rest} more`)
      ).toWellFormed(),
      details: {
        group: request.kind.group,
        kind: request.kind.kind,
        name,
        causes: listed.map((problem) => ({
          reason: problem.reason,
          field: formatFieldPath(problem.path).toWellFormed(),
          message: problem.message.toWellFormed(),
        })),
      },
    },
  };
}

/** A refusal of what is wrong in itself, as the API server words its own. */
export const refuseInvalid = (request: AdmissionRequest, problems: readonly Problem[]): AdmissionAnswer =>
  refuse(request, problems, { code: 422, reason: 'Invalid', word: 'invalid' });

/** A refusal of what an administrator does not allow. */
export const refuseForbidden = (request: AdmissionRequest, problems: readonly Problem[]): AdmissionAnswer =>
  refuse(request, problems, { code: 403, reason: 'Forbidden', word: 'forbidden' });

/** A refusal of a request that does not make sense. */
export const refuseOdd = (oddity: string): AdmissionAnswer => ({
  allowed: false,
  status: { status: 'Failure', code: 400, reason: 'BadRequest', message: oddity },
});

/** A refusal that may not be one the next time: 503, so that clients and GitOps tools try again. */
export function refuseForNow(message: string): AdmissionAnswer {
  return { allowed: false, status: { status: 'Failure', code: 503, reason: 'ServiceUnavailable', message } };
}

/** A defect of ours in a hook that has to be closed when it fails. */
export function refuseInternal(): AdmissionAnswer {
  return {
    allowed: false,
    status: {
      status: 'Failure',
      code: 500,
      reason: 'InternalError',
      message: 'the webhook failed on this object; its log has the reason under this request',
    },
  };
}
