import { type ProblemReason, RULES, type RuleId } from './rules.ts';

/** Path inside an object: names and list indexes from the root, e.g. ['spec', 'data', 0, 'secretKey']. */
export type FieldPath = readonly (string | number)[];

/**
 * What is wrong with an object, as the API server words it: the rule, the field's path in the user's own version,
 * a machine-readable reason (the FieldValue* causes of metav1.StatusCause), and a sentence that says how to mend
 * it. It never holds a value of a secret. Made by a collector only.
 */
export interface Problem {
  readonly rule: RuleId;
  readonly path: FieldPath;
  readonly reason: ProblemReason;
  readonly message: string;
}

/** Characters of a message at most: it may quote what somebody wrote, and that may be millions. */
const MAX_MESSAGE = 1_000;

const shortened = (message: string): string =>
  message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}...`;

/** Notes one problem, which breaks `rule`; the path is relative to what the collector is for. */
export type Report = (rule: RuleId, path: FieldPath, message: string) => void;

/**
 * A report and the list that it fills; the one place where problems come from.
 * @param at what the paths of reports are relative to
 */
export function collector(at: FieldPath = []): { readonly report: Report; readonly problems: Problem[] } {
  const problems: Problem[] = [];
  const report: Report = (rule, path, message) => {
    const { reason } = RULES[rule];
    problems.push({ rule, path: [...at, ...path], reason, message: shortened(message) });
  };
  return { report, problems };
}

/** The same problems of what stands at `at` in something larger. */
export const below = (at: FieldPath, problems: readonly Problem[]): Problem[] =>
  problems.map((problem) => ({ ...problem, path: [...at, ...problem.path] }));

/** Writes a path as Kubernetes does: `spec.data[0].secretKey`, `metadata.annotations[a.b/c]`. */
export function formatFieldPath(path: FieldPath): string {
  let out = '';
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) out += out === '' ? part : `.${part}`;
    else out += `[${part}]`;
  }
  return out;
}

/** One line a problem: `spec.data[0].secretKey: message`. */
export function formatProblem(problem: Problem): string {
  return `${formatFieldPath(problem.path)}: ${problem.message}`;
}
