/** How the rules say what they find. */
import type { FieldPath, Problem, ProblemReason } from '../api/problem.ts';

/** Notes one problem; the path is relative to spec. */
export type Report = (path: FieldPath, reason: ProblemReason, message: string) => void;

/** A report and the list that it fills. */
export function collector(): { report: Report; problems: Problem[] } {
  const problems: Problem[] = [];
  return {
    problems,
    report: (path, reason, message) => problems.push({ path: ['spec', ...path], reason, message }),
  };
}
