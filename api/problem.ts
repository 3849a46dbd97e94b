/**
 * What is wrong with an object, as the API server words it: the field's path in the user's own
 * version, a machine-readable reason (the FieldValue* causes of metav1.StatusCause), and a sentence
 * that says how to mend it. It never holds a value of a secret.
 */
export type ProblemReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueNotSupported';

/** Path inside an object: names and list indexes from the root, e.g. ['spec', 'data', 0, 'secretKey']. */
export type FieldPath = readonly (string | number)[];

export interface Problem {
  readonly path: FieldPath;
  readonly reason: ProblemReason;
  readonly message: string;
}

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
