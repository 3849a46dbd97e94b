/** JavaScript's operators on the values of lodash templates. */
import { Callable, membersOf, type Run, toText, type Value } from './values.ts';

type Primitive = string | number | boolean | null | undefined;

const less = (a: Primitive, b: Primitive): boolean =>
  typeof a === 'string' && typeof b === 'string' ? a < b : Number(a) < Number(b);

const equalNumbersOrTexts = (a: Primitive, b: Primitive): boolean =>
  typeof a === 'string' && typeof b === 'string' ? a === b : Number(a) === Number(b);

/** JavaScript's typeof. */
export function typeOf(value: Value): string {
  return value instanceof Callable ? 'function' : typeof value;
}

/** `&&`, `||` and `??`; @param right evaluated only where it counts */
export function logical(operator: string, left: Value, right: () => Value): Value {
  if (operator === '&&') return left ? right() : left;
  if (operator === '||') return left ? left : right();
  return left ?? right();
}

/** Arithmetic, comparison, `+` and `in`. @throws Fault for a function as operand */
export function binary(operator: string, left: Value, right: Value, run: Run): Value {
  switch (operator) {
    case '===':
      return left === right;
    case '!==':
      return left !== right;
    case '==':
      return looselyEqual(left, right, run);
    case '!=':
      return !looselyEqual(left, right, run);
    case 'in':
      return Object.hasOwn(membersOf(right), toText(left, run));
    default:
  }
  const [a, b] = [primitive(left, run), primitive(right, run)];
  if (operator === '+') return plus(a, b, run);
  if (operator === '<') return less(a, b);
  if (operator === '>') return less(b, a);
  if (operator === '<=') return less(a, b) || equalNumbersOrTexts(a, b);
  if (operator === '>=') return less(b, a) || equalNumbersOrTexts(a, b);
  const [x, y] = [Number(a), Number(b)];
  if (operator === '-') return x - y;
  if (operator === '*') return x * y;
  if (operator === '/') return x / y;
  return operator === '%' ? x % y : x ** y;
}

function plus(a: Primitive, b: Primitive, run: Run): Value {
  if (typeof a !== 'string' && typeof b !== 'string') return Number(a) + Number(b);
  const [left, right] = [String(a), String(b)];
  run.budget.allocate(left.length + right.length);
  return left + right;
}

function primitive(value: Value, run: Run): Primitive {
  return typeof value === 'object' && value !== null ? toText(value, run) : value;
}

function looselyEqual(left: Value, right: Value, run: Run): boolean {
  const [a, b] = [typeof left === 'object', typeof right === 'object'];
  if (left === null || right === null || left === undefined || right === undefined)
    return (left ?? null) === (right ?? null);
  if (a && b) return left === right;
  const [x, y] = [primitive(left, run), primitive(right, run)];
  return typeof x === typeof y ? x === y : Number(x) === Number(y);
}
