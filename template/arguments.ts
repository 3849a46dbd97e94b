/** How Go's text/template fits operands to the parameters of functions. Failures are GoErrors at the current node. */
import { GoError } from './function.ts';
import { nodeText, type OperandNode } from './nodes.ts';
import { Boxed, canBeNil, nilOf, type Reference, typeName } from './reference.ts';
import { GoComplex, GoFloat, type GoType, type GoValue, integer, typeOf } from './value.ts';

const takes = (from: GoType, to: GoType): boolean => from === to || to.kind === 'interface';

/**
 * `reference` as a value of type `type`.
 * @throws GoError if it is none
 */
export function assignable(reference: Reference, type: GoType): GoValue {
  if (type.kind === 'interface') return reference instanceof Boxed ? reference.value : reference;
  if (reference === null) {
    if (canBeNil(type)) return nilOf(type);
    throw new GoError(`invalid value; expected ${type.name}`);
  }
  const value = reference instanceof Boxed ? reference.value : reference;
  const found = typeOf(value);
  if (found !== undefined && (takes(found, type) || (found.kind === 'ptr' && found.elem === type))) {
    return value;
  }
  throw new GoError(
    `wrong type for value; expected ${type.name}; got ${found === undefined ? typeName(reference) : found.name}`,
  );
}

const SIGNED = new Set(['int', 'int8', 'int16', 'int32', 'int64']);
const UNSIGNED = new Set(['uint', 'uint8', 'uint16', 'uint32', 'uint64', 'uintptr']);

const expected = (what: string, node: OperandNode): GoError =>
  new GoError(`expected ${what}; found ${nodeText(node)}`);

/**
 * A literal of the template as a value of type `type`.
 * @throws GoError if it cannot be one
 */
export function literal(node: OperandNode, type: GoType): GoValue {
  if (node.kind === 'nil') {
    if (canBeNil(type)) return nilOf(type);
    throw new GoError(`cannot assign nil to ${type.name}`);
  }
  const { kind } = type;
  if (kind === 'interface') return untyped(node);
  if (kind === 'bool') {
    if (node.kind === 'bool') return node.value;
    throw expected('bool', node);
  }
  if (kind === 'string') {
    if (node.kind === 'string') return node.value;
    throw expected('string', node);
  }
  const number = node.kind === 'number' ? node : undefined;
  if (SIGNED.has(kind)) {
    if (number?.int !== undefined) return integer(type, number.int);
    throw expected('integer', node);
  }
  if (UNSIGNED.has(kind)) {
    if (number?.uint !== undefined) return integer(type, number.uint);
    throw expected('unsigned integer', node);
  }
  if (kind === 'float32' || kind === 'float64') {
    if (number?.float !== undefined) {
      return new GoFloat(type, kind === 'float32' ? Math.fround(number.float) : number.float);
    }
    throw expected('float', node);
  }
  if (kind === 'complex128') {
    if (number?.complex !== undefined) return new GoComplex(...number.complex);
    throw expected('complex', node);
  }
  throw new GoError(`can't handle ${nodeText(node)} for arg of type ${type.name}`);
}

/** A literal where anything goes: its own syntax decides of what type it is. */
export function untyped(node: OperandNode): GoValue {
  if (node.kind === 'bool' || node.kind === 'string') return node.value;
  if (node.kind === 'number') {
    if (node.untyped === undefined) throw new GoError(`${node.text} overflows int`);
    return node.untyped;
  }
  throw new GoError(`can't handle assignment of ${nodeText(node)} to empty interface argument`);
}
