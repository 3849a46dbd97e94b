/** Whether the value at a query's path satisfies its comparison. */
import { parseBoolean, parseFloat64 } from './numbers.ts';
import type { Query } from './path.ts';
import { booleanOf, exists, FALSE, NOTHING, type Result, TRUE } from './result.ts';
import { matchesWildcard } from './wildcard.ts';

type Compared = Pick<Query, 'operator' | 'value'>;

/** `~true` and its like look at what a value amounts to, and make it a boolean that is compared with true. */
function coerced(value: Result, literal: string): Result {
  const as = (is: boolean): Result => (is ? TRUE : FALSE);
  switch (literal) {
    case '*':
      return as(exists(value));
    case 'null':
      return as(value.type === 'null');
    case 'true':
      return as(booleanOf(value));
    case 'false':
      return as(isFalse(value));
    default:
      return NOTHING;
  }
}

function isFalse({ type, str, num }: Result): boolean {
  if (type === 'string') return parseBoolean(str) === false;
  return type === 'null' || type === 'false' || (type === 'number' && num === 0);
}

/** @param spend counts the work of wildcards */
export function satisfies(found: Result, query: Compared, spend: (steps: number) => void): boolean {
  const isCoerced = query.value.startsWith('~');
  const value = isCoerced ? coerced(found, query.value.slice(1)) : found;
  const literal = isCoerced ? 'true' : query.value;
  if (!exists(value)) return false;
  if (query.operator === '') return true;
  switch (value.type) {
    case 'string':
      if (query.operator === '%') return matchesWildcard(value.str, literal, spend);
      if (query.operator === '!%') return !matchesWildcard(value.str, literal, spend);
      return ordered(query.operator, value.str, literal);
    case 'number':
      return ordered(query.operator, value.num, parseFloat64(literal));
    case 'true':
    case 'false':
      return orderedBoolean(query.operator, value.type === 'true', literal);
    default:
      return false;
  }
}

/** Both are of one type; Go strings compare by their bytes. */
function ordered<T extends string | number>(operator: Query['operator'], left: T, right: T): boolean {
  switch (operator) {
    case '=':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    default:
      return false;
  }
}

/** False is less than true; `<=` of false and `>=` of true hold for any text. */
function orderedBoolean(operator: Query['operator'], value: boolean, literal: string): boolean {
  switch (operator) {
    case '=':
      return literal === String(value);
    case '!=':
      return literal !== String(value);
    case '<':
      return !value && literal === 'true';
    case '<=':
      return !value;
    case '>':
      return value && literal === 'false';
    case '>=':
      return value;
    default:
      return false;
  }
}
