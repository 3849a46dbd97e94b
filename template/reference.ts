/**
 * What Go's reflection knows of a value besides the value: whether it was found in a place of type `interface {}`.
 * An element of a `[]interface {}` is such a one, and so are the values of a decoded JSON object.
 */
import { GoMap, GoObject, GoSlice, type GoType, type GoValue, T, typeOf } from './value.ts';

/** A value in a place of type `interface {}`; a null is a nil interface, which is not the same as no value. */
export class Boxed {
  readonly value: GoValue;

  constructor(value: GoValue) {
    this.value = value;
  }
}

/** A null is Go's invalid reflect.Value: no value at all. */
export type Reference = GoValue | Boxed;

/** The value itself, as Go's pipelines take it. */
export const unbox = (reference: Reference): GoValue =>
  reference instanceof Boxed ? reference.value : reference;

/** `value` as it is found in a place of type `type`. */
export const inPlace = (value: GoValue, type: GoType | undefined): Reference =>
  type?.kind === 'interface' ? new Boxed(value) : value;

/** The type that errors name. */
export const typeName = (reference: Reference): string =>
  reference instanceof Boxed ? T.any.name : (typeOf(reference)?.name ?? '<nil>');

/** True for a type whose values may be nil. */
export const canBeNil = ({ kind }: GoType): boolean =>
  kind === 'interface' || kind === 'map' || kind === 'slice' || kind === 'ptr' || kind === 'func';

/** The nil of a type for which `canBeNil`; null where the value model has no typed one. */
export function nilOf(type: GoType): GoValue {
  if (type.kind === 'map') return new GoMap(type, new Map(), true);
  if (type.kind === 'slice') return new GoSlice(type, [], true);
  return null;
}

/** Go's truth: not the zero value; empty is false, structs are true. */
export function isTrue(reference: Reference): boolean {
  const value = unbox(reference);
  if (value === null) return false;
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'boolean') return value;
  if (value instanceof GoMap) return value.entries.size > 0;
  if (value instanceof GoSlice) return value.items.length > 0;
  if (value instanceof GoObject) return true;
  if ('real' in value) return value.real !== 0 || value.imaginary !== 0;
  return typeof value.value === 'bigint' ? value.value !== 0n : value.value !== 0;
}

/** The struct that a pointer points at, under its own type. */
export function indirect(value: GoValue): GoValue {
  if (!(value instanceof GoObject) || value.type.kind !== 'ptr') return value;
  const { fields, methods, text, goSyntax, native } = value;
  return new GoObject({
    type: value.type.elem ?? { kind: 'struct', name: value.type.name.slice(1) },
    fields,
    methods,
    native,
    ...(text === undefined ? {} : { text }),
    ...(goSyntax === undefined ? {} : { goSyntax }),
  });
}

/** What templates print for a value: no value has a text of its own, pointers show what they point at. */
export const printable = (value: GoValue): GoValue => (value === null ? '<no value>' : indirect(value));
