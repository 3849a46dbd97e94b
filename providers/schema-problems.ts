/** What a zod schema says about a provider's block, in the words of the API server. */
import type { z } from 'zod';
import type { FieldPath, Problem } from '../api/problem.ts';

const pathOf = (issue: { path: PropertyKey[] }): FieldPath =>
  issue.path.map((part) => (typeof part === 'number' ? part : String(part)));

const required = (path: FieldPath, what: string): Problem => ({
  path,
  reason: 'FieldValueRequired',
  message: `set this field (${what})`,
});

function toProblems(issue: z.core.$ZodIssue): Problem[] {
  const path = pathOf(issue);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        reason: 'FieldValueForbidden',
        message: 'no such field; remove it or correct its name',
      }));
    case 'invalid_type':
      return issue.input === undefined
        ? [required(path, issue.expected)]
        : [{ path, reason: 'FieldValueInvalid', message: `must be of type ${issue.expected}` }];
    case 'invalid_value':
      if (issue.input === undefined) return [required(path, 'one of the supported values')];
      // A sentence of the schema's own says more than the list of values.
      if (!issue.message.startsWith('Invalid '))
        return [{ path, reason: 'FieldValueNotSupported', message: issue.message }];
      return [
        {
          path,
          reason: 'FieldValueNotSupported',
          message: `supported values: ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`,
        },
      ];
    default:
      return [{ path, reason: 'FieldValueInvalid', message: issue.message }];
  }
}

/** Parses `value`; what is wrong comes back as problems that never quote a value of the object. */
export function parseWith<T>(
  schema: z.ZodType<T>,
  value: unknown,
): { ok: true; value: T } | { ok: false; problems: Problem[] } {
  // reportInput tells a missing field from one of the wrong type; the input itself goes no further.
  const result = schema.safeParse(value, { reportInput: true });
  return result.success
    ? { ok: true, value: result.data }
    : { ok: false, problems: result.error.issues.flatMap(toProblems) };
}
