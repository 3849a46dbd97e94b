/** What a zod schema says about a provider's block, in the words of the API server. */
import type { z } from 'zod';
import { collector, type FieldPath, type Problem, type Report } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';

const PROTO = '__proto__';

const pathOf = (issue: { path: PropertyKey[] }): FieldPath =>
  issue.path.map((part) => (typeof part === 'number' ? part : String(part)));

function reportIssue(issue: z.core.$ZodIssue, report: Report): void {
  const path = pathOf(issue);
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys)
      report('schema-unknown-field', [...path, key], 'no such field; remove it or correct its name');
    return;
  }
  const [rule, message] = wordsFor(issue);
  report(rule, path, message);
}

function wordsFor(issue: z.core.$ZodIssue): readonly [rule: RuleId, message: string] {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? ['schema-required', `set this field (${issue.expected})`]
        : ['schema-type', `must be of type ${issue.expected}`];
    case 'invalid_value': {
      if (issue.input === undefined)
        return ['schema-required', 'set this field (one of the supported values)'];
      // A sentence of the schema's own says more than the list of values.
      if (!issue.message.startsWith('Invalid ')) return ['schema-enum', issue.message];
      const values = issue.values.map((value) => JSON.stringify(value)).join(', ');
      return ['schema-enum', `supported values: ${values}`];
    }
    default:
      return ['schema-format', issue.message];
  }
}

/** Where a member `__proto__` is: zod leaves it out of records without a word. Without recursion, however deep. */
function protoIn(value: unknown): FieldPath | undefined {
  const rest: Place[] = [{ value, part: '', above: undefined }];
  for (let place = rest.pop(); place !== undefined; place = rest.pop()) {
    const { value: one } = place;
    if (typeof one !== 'object' || one === null) continue;
    if (Object.hasOwn(one, PROTO)) return [...pathTo(place), PROTO];
    for (const [key, member] of Object.entries(one)) {
      if (typeof member === 'object' && member !== null)
        rest.push({ value: member, part: Array.isArray(one) ? Number(key) : key, above: place });
    }
  }
  return undefined;
}

interface Place {
  readonly value: unknown;
  readonly part: string | number;
  /** Undefined at the root, whose part counts for nothing. */
  readonly above: Place | undefined;
}

function pathTo(place: Place): FieldPath {
  const path: (string | number)[] = [];
  for (let one = place; one.above !== undefined; one = one.above) path.unshift(one.part);
  return path;
}

/** Parses `value`; what is wrong comes back as problems that never quote a value of the object. */
export function parseWith<T>(
  schema: z.ZodType<T>,
  value: unknown,
): { ok: true; value: T } | { ok: false; problems: Problem[] } {
  // reportInput tells a missing field from one of the wrong type; the input itself goes no further.
  const proto = protoIn(value);
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success && proto === undefined) return { ok: true, value: result.data };
  const { report, problems } = collector();
  if (proto !== undefined) report('schema-format', proto, `${PROTO} cannot be a key`);
  for (const issue of result.error?.issues ?? []) reportIssue(issue, report);
  return { ok: false, problems };
}
