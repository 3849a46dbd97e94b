/** rewrite.merge: the members of several values, all JSON objects, as one (eso.md 2.6). */
import { EsaError } from '../api/errors.ts';
import type { RewriteStep } from '../api/external-secrets/v1/index.ts';
import { isRawNumber, parseKeepingNumbers } from '../api/json.ts';
import { SecretValue } from '../api/secret-value.ts';
import { formatFloat64 } from '../providers/gjson/numbers.ts';
import { compareUtf8, marshalGo } from '../providers/go-json.ts';

type Merge = NonNullable<RewriteStep['merge']>;
type Values = ReadonlyMap<string, SecretValue>;

const failed = (what: string): EsaError => new EsaError('REWRITE', `merge failed with ${what}`);

/**
 * Merges the objects: those of other keys first, in byte order, then those of `priority` in its order; a later one
 * wins. Extract makes each member a key, and all keys that were there go; JSON adds the merged object under `into`.
 * @throws EsaError REWRITE; no value is in the message
 */
export function mergeValues(values: Values, merge: Merge): Values {
  const { members, conflicts } = membersOf(values, merge);
  if (merge.conflictPolicy !== 'Ignore' && conflicts.length > 0) {
    throw failed(`conflicts: ${conflicts.join(', ')}`);
  }
  if (merge.strategy !== 'JSON') {
    return new Map([...members].map(([key, value]) => [key, SecretValue.fromText(textOf(value))]));
  }
  if (merge.into === undefined || merge.into === '') throw failed(`missing 'into' field`);
  // ESO's encoder for this object leaves <, > and & as they are, unlike the one for members.
  const merged = marshalGo(Object.fromEntries(members), { escapeHtml: false });
  return new Map([...values, [merge.into, SecretValue.fromText(merged)]]);
}

function membersOf(values: Values, { priority = [], priorityPolicy }: Merge) {
  const others = [...values.keys()].filter((key) => !priority.includes(key)).sort(compareUtf8);
  const members = new Map<string, unknown>();
  const conflicts: string[] = [];
  for (const key of [...others, ...priority]) {
    const value = values.get(key);
    if (value === undefined) {
      if (priorityPolicy === 'IgnoreNotFound') continue;
      throw failed(`key ${JSON.stringify(key)} not found in input map`);
    }
    for (const [name, member] of Object.entries(objectOf(key, value)).sort(([a], [b]) => compareUtf8(a, b))) {
      if (members.has(name)) conflicts.push(name);
      members.set(name, member);
    }
  }
  return { members, conflicts };
}

/** The value of a key as an object; `null` is one without members. */
function objectOf(key: string, value: SecretValue): object {
  let parsed: unknown;
  try {
    parsed = asFloats(parseKeepingNumbers(value.revealText()));
  } catch {
    // Neither the parser's words nor the value may get out.
    parsed = undefined;
  }
  if (parsed === null) return {};
  if (typeof parsed === 'object' && !Array.isArray(parsed) && !isRawNumber(parsed)) return parsed;
  throw failed(`failed to unmarshal JSON: the value of key ${JSON.stringify(key)} is not a JSON object`);
}

/** Deeper than any secret; each level is some frames of the stack. */
const MAX_DEPTH = 500;

/**
 * Numbers as Go's float64, which is how ESO reads them, but for integers: those keep all their digits.
 * @throws RangeError for a number that no float64 can hold, and for a value that nests too deeply
 */
function asFloats(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw new RangeError('the value nests too deeply');
  if (isRawNumber(value)) {
    if (/^-?\d+$/.test(value.rawJSON)) return value;
    const number = Number(value.rawJSON);
    if (!Number.isFinite(number)) throw new RangeError('a number is too large');
    return number;
  }
  if (Array.isArray(value)) return value.map((item) => asFloats(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, asFloats(member, depth + 1)]),
  );
}

/** A member as the text of a Secret's value: strings bare, null empty, numbers without exponent, the rest JSON. */
function textOf(value: unknown): string {
  if (value === null) return '';
  if (typeof value === 'string') return value.toWellFormed();
  return typeof value === 'number' ? formatFloat64(value) : marshalGo(value);
}
