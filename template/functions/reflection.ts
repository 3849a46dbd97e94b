/** Functions of sprig that ask for types, compare and copy. */
import { type Call, type FunctionMap, GoError } from '../function.ts';
import { GoMap, GoObject, GoSlice, type GoValue, T, typeNameOf, typeOf } from '../value.ts';
import { stringAt } from './arguments.ts';
import { anyAt, descend, fixed } from './declare.ts';
import { deepEqual } from './equal.ts';

/** The name of the kind; that of nil is `invalid`. */
const kindOf = (value: GoValue): string => typeOf(value)?.kind ?? 'invalid';

/** The same with slices and maps of its own; what nobody can change is shared. */
function copyOf(value: GoValue, call: Call, depth: number): GoValue {
  if (value instanceof GoObject) return value.copied?.() ?? value;
  if (!(value instanceof GoSlice || value instanceof GoMap)) return value;
  descend(depth, call);
  if (value instanceof GoSlice) {
    call.spend(value.items.length);
    call.allocate(8 * value.items.length);
    const items = value.items.map((item) => copyOf(item, call, depth + 1));
    return new GoSlice(value.type, items, value.isNil);
  }
  call.spend(4 * value.entries.size);
  call.allocate(64 * value.entries.size);
  const entries = new Map<string, GoValue>();
  for (const [key, entry] of value.entries) entries.set(key, copyOf(entry, call, depth + 1));
  return new GoMap(value.type, entries, value.isNil);
}

const DEEP_COPY = fixed([T.any], T.any, (args, call) => {
  const value = anyAt(args, 0);
  if (value === null) throw new GoError('reflect: call of reflect.Value.Type on zero Value');
  return copyOf(value, call, 0);
});

export const REFLECTION: FunctionMap = new Map([
  ['typeOf', fixed([T.any], T.string, (args) => typeNameOf(anyAt(args, 0)))],
  ['typeIs', fixed([T.string, T.any], T.bool, (args) => stringAt(args, 0) === typeNameOf(anyAt(args, 1)))],
  [
    'typeIsLike',
    fixed([T.string, T.any], T.bool, (args) => {
      const name = typeNameOf(anyAt(args, 1));
      return stringAt(args, 0) === name || `*${stringAt(args, 0)}` === name;
    }),
  ],
  ['kindOf', fixed([T.any], T.string, (args) => kindOf(anyAt(args, 0)))],
  ['kindIs', fixed([T.string, T.any], T.bool, (args) => stringAt(args, 0) === kindOf(anyAt(args, 1)))],
  [
    'deepEqual',
    fixed([T.any, T.any], T.bool, (args, call) => deepEqual(anyAt(args, 0), anyAt(args, 1), call)),
  ],
  ['deepCopy', DEEP_COPY],
  ['mustDeepCopy', DEEP_COPY],
  [
    'fail',
    fixed([T.string], T.string, (args) => {
      throw new GoError(
        '[redacted] (what fail is given is not shown: it may hold a secret)',
        stringAt(args, 0),
      );
    }),
  ],
]);
