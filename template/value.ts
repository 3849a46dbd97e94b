/**
 * Go's values in TypeScript: what a template computes with. Go keeps kinds apart that JavaScript does not (int and
 * float64, string and []byte, map[string]string and map[string]interface {}), and templates show it: `eq 1 1.0` is
 * an error, `printf "%d"` of a float64 prints `%!d(float64=3)`.
 *
 * A Go string is a sequence of bytes, often but not always UTF-8 (a binary secret is one). It is held as a JavaScript
 * string with ONE CHARACTER A BYTE (each code unit is 0 to 255), so that length, slices, index and comparison are
 * Go's. `fromUtf8` and `toUtf8` convert at the edges.
 */

export type Kind =
  | 'bool'
  | 'int'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'uintptr'
  | 'float32'
  | 'float64'
  | 'complex128'
  | 'string'
  | 'interface'
  | 'slice'
  | 'array'
  | 'map'
  | 'struct'
  | 'ptr'
  | 'func';

/** A Go type. Types are made once and compared with ===; a composite comes from `sliceOf` and `mapOf`. */
export interface GoType {
  readonly kind: Kind;
  /** As %T and Go's error texts print it: `[]interface {}`, `map[string]string`, `*semver.Version`. */
  readonly name: string;
  /** Of slice, array, map and ptr. */
  readonly elem?: GoType;
  /** Of a named integer type with a String method (time.Month): what fmt prints for %v and %s. */
  readonly text?: (value: bigint) => string;
  /** The methods of a named integer type. */
  readonly methods?: (value: bigint) => ReadonlyMap<string, GoMethod>;
}

const basic = (kind: Kind, name: string = kind): GoType => ({ kind, name });

/** The types that need no making. `any` is the empty interface: as a parameter it takes every value. */
export const T = {
  bool: basic('bool'),
  string: basic('string'),
  int: basic('int'),
  int8: basic('int8'),
  int16: basic('int16'),
  int32: basic('int32'),
  int64: basic('int64'),
  uint: basic('uint'),
  uint8: basic('uint8'),
  uint16: basic('uint16'),
  uint32: basic('uint32'),
  uint64: basic('uint64'),
  uintptr: basic('uintptr'),
  float32: basic('float32'),
  float64: basic('float64'),
  complex128: basic('complex128'),
  any: basic('interface', 'interface {}'),
} as const;

const slices = new Map<GoType, GoType>();
const maps = new Map<GoType, GoType>();

/** The type `[]elem`. */
export function sliceOf(elem: GoType): GoType {
  let type = slices.get(elem);
  if (type === undefined) {
    type = { kind: 'slice', name: `[]${elem.name}`, elem };
    slices.set(elem, type);
  }
  return type;
}

/** The type `map[string]elem`; templates meet no maps with other keys. */
export function mapOf(elem: GoType): GoType {
  let type = maps.get(elem);
  if (type === undefined) {
    type = { kind: 'map', name: `map[string]${elem.name}`, elem };
    maps.set(elem, type);
  }
  return type;
}

export class GoInt {
  readonly type: GoType;
  /** Within the range of the type: `integer` wraps around as Go does. */
  readonly value: bigint;

  constructor(type: GoType, value: bigint) {
    this.type = type;
    this.value = value;
  }
}

export class GoFloat {
  readonly type: GoType;
  readonly value: number;

  constructor(type: GoType, value: number) {
    this.type = type;
    this.value = value;
  }
}

export class GoComplex {
  readonly type: GoType = T.complex128;
  readonly real: number;
  readonly imaginary: number;

  constructor(real: number, imaginary: number) {
    this.real = real;
    this.imaginary = imaginary;
  }
}

/**
 * A slice or array. Functions never change `items` of a slice that they were given, but for `sortAlpha`, which sorts
 * a `[]string` in place as Go's does.
 */
export class GoSlice {
  readonly type: GoType;
  readonly items: readonly GoValue[];
  /** A nil slice: has length 0, but is JSON `null` and not equal to an empty one. */
  readonly isNil: boolean;

  constructor(type: GoType, items: readonly GoValue[], isNil = false) {
    this.type = type;
    this.items = items;
    this.isNil = isNil;
  }
}

/** A map with string keys. As in Go it is a reference: `set` changes what every holder sees. */
export class GoMap {
  readonly type: GoType;
  readonly entries: Map<string, GoValue>;
  readonly isNil: boolean;

  constructor(type: GoType, entries: Map<string, GoValue>, isNil = false) {
    this.type = type;
    this.entries = entries;
    this.isNil = isNil;
  }
}

/** A method of a GoObject, called by a template as `.Name arg …`; its types are as those of a GoFunction. */
export interface GoMethod {
  readonly params: readonly GoType[];
  readonly variadic?: boolean;
  readonly call: (args: readonly GoValue[]) => GoValue;
}

/**
 * A struct or a pointer to one, for the few that functions return: time.Time, *semver.Version, certificate.
 * What is not in `fields` or `methods` does not exist for a template; nothing of JavaScript is reachable.
 */
export class GoObject {
  readonly type: GoType;
  /** Exported fields in the order of the struct. */
  readonly fields: ReadonlyMap<string, GoValue>;
  readonly methods: ReadonlyMap<string, GoMethod>;
  /** What fmt prints for %v and %s where the type has a String method; undefined: it prints the fields. */
  readonly text: (() => string) | undefined;
  /** What fmt prints for %#v where the type has a GoString method (time.Time). */
  readonly goSyntax: (() => string) | undefined;
  /** What encoding/json writes where the type has a MarshalJSON method; undefined: it writes the fields. */
  readonly json: (() => string) | undefined;
  /** What a copy by reflection is, which sees exported fields only; undefined: the same, since nobody can change it. */
  readonly copied: (() => GoObject) | undefined;
  /** What the functions of this type's own package work on; for nobody else. */
  readonly native: unknown;

  constructor(init: {
    type: GoType;
    fields?: ReadonlyMap<string, GoValue>;
    methods?: ReadonlyMap<string, GoMethod>;
    text?: () => string;
    goSyntax?: () => string;
    json?: () => string;
    copied?: () => GoObject;
    native?: unknown;
  }) {
    this.type = init.type;
    this.fields = init.fields ?? new Map();
    this.methods = init.methods ?? new Map();
    this.text = init.text;
    this.goSyntax = init.goSyntax;
    this.json = init.json;
    this.copied = init.copied;
    this.native = init.native;
  }
}

/** `null` is Go's nil interface; a JavaScript string is a Go string (one character a byte), a boolean a bool. */
export type GoValue = string | boolean | null | GoInt | GoFloat | GoComplex | GoSlice | GoMap | GoObject;

/** UTF-8 text as a Go string. */
export const fromUtf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** A Go string as text; bytes that are no UTF-8 become U+FFFD. */
export const toUtf8 = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

/** An `int`; `value` must be an integer. */
export const int = (value: number | bigint): GoInt => integer(T.int, BigInt(value));

/** An `int64`. */
export const int64 = (value: number | bigint): GoInt => integer(T.int64, BigInt(value));

const BITS: Readonly<Partial<Record<Kind, number>>> = {
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int32: 32,
  uint32: 32,
};

/** An integer of any type, wrapped around to its range as Go's arithmetic does. */
export function integer(type: GoType, value: bigint): GoInt {
  const bits = BITS[type.kind] ?? 64;
  return new GoInt(
    type,
    type.kind.startsWith('u') ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value),
  );
}

/** A `float64`. */
export const float64 = (value: number): GoFloat => new GoFloat(T.float64, value);

/** A `[]interface {}`. */
export const list = (items: readonly GoValue[]): GoSlice => new GoSlice(sliceOf(T.any), items);

/** A `[]string`. */
export const strings = (items: readonly string[]): GoSlice => new GoSlice(sliceOf(T.string), items);

/** A `map[string]interface {}`. */
export const dict = (entries: Iterable<readonly [string, GoValue]> = []): GoMap =>
  new GoMap(mapOf(T.any), new Map(entries));

/** The dynamic type of a value; undefined for nil. */
export function typeOf(value: GoValue): GoType | undefined {
  if (value === null) return undefined;
  if (typeof value === 'string') return T.string;
  if (typeof value === 'boolean') return T.bool;
  return value.type;
}

/** The name of its type, as fmt's %T prints it. */
export const typeNameOf = (value: GoValue): string => typeOf(value)?.name ?? '<nil>';
