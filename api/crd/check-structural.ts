/**
 * What the API server says about a value from a structural schema, for programs that have none to ask: unknown fields
 * (strict field validation), types, bounds, enums, patterns. Rules in CEL are not evaluated. Pure; the order of an API
 * server is kept (apiextensions-apiserver: prune, drop nulls, default, validate), so that what it fills in counts.
 */

import { compileGoRegexp, type GoRegexp } from '../go-regexp.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import type { FieldPath } from '../problem.ts';
import type { StructuralSchema } from './structural.ts';

/** What the API server refuses before it asks a webhook. */
export interface SchemaProblem {
  readonly rule: 'schema-unknown-field' | 'schema-required' | 'schema-type' | 'schema-enum' | 'schema-format';
  readonly path: FieldPath;
  readonly message: string;
}

export interface StructuralVerdict {
  /** Fields that the schema does not have. A client may ask to have them dropped; kubectl does not. */
  readonly unknown: readonly SchemaProblem[];
  /** Everything else that the API server refuses. */
  readonly invalid: readonly SchemaProblem[];
  /** The value without unknown fields and with defaults, as it would be stored; the input is left as it is. */
  readonly value: unknown;
}

/** @param path of the value, for problems; no problem quotes a value */
export function checkStructural(
  schema: StructuralSchema,
  value: unknown,
  path: FieldPath = [],
): StructuralVerdict {
  const walk = new Walk();
  const stored = walk.visit(schema, value, path);
  return { unknown: walk.unknown, invalid: walk.invalid, value: stored };
}

class Walk {
  readonly unknown: SchemaProblem[] = [];
  readonly invalid: SchemaProblem[] = [];

  /** @returns the value as it would be stored */
  visit(schema: StructuralSchema, value: unknown, path: FieldPath): unknown {
    if (!this.#hasType(schema, value, path) || value === null) return value;
    if (schema.enum !== undefined && !schema.enum.includes(value))
      this.#report('schema-enum', path, `supported values: ${schema.enum.map(show).join(', ')}`);
    if (typeof value === 'string') this.#checkText(schema, value, path);
    else if (typeof value === 'number') this.#checkNumber(schema, value, path);
    else if (Array.isArray(value)) return this.#list(schema, value, path);
    else if (isJsonObject(value)) return this.#fields(schema, value, path);
    return value;
  }

  #report(rule: SchemaProblem['rule'], path: FieldPath, message: string): void {
    this.invalid.push({ rule, path, message });
  }

  #hasType(schema: StructuralSchema, value: unknown, path: FieldPath): boolean {
    if (value === null && schema.nullable === true) return true;
    const wanted = schema['x-kubernetes-int-or-string'] === true ? 'integer or string' : schema.type;
    if (wanted === undefined || wanted === typeOf(value)) return true;
    if (wanted === 'number' && typeof value === 'number') return true;
    if (wanted === 'integer or string' && ['integer', 'string'].includes(typeOf(value))) return true;
    const scalar = typeof value === 'number' || typeof value === 'boolean';
    const remedy = wanted === 'string' && scalar ? '; put it in quotes' : '';
    this.#report('schema-type', path, `must be of type ${wanted}, not ${typeOf(value)}${remedy}`);
    return false;
  }

  #checkText(schema: StructuralSchema, value: string, path: FieldPath): void {
    // Go counts code points.
    const length =
      schema.minLength === undefined && schema.maxLength === undefined ? 0 : Array.from(value).length;
    this.#checkSize(length, schema.minLength, schema.maxLength, 'characters', path);
    if (schema.pattern !== undefined && !patternOf(schema.pattern).test(value))
      this.#report('schema-format', path, `must match ${schema.pattern}`);
  }

  #checkNumber({ minimum, maximum }: StructuralSchema, value: number, path: FieldPath): void {
    if (minimum !== undefined && value < minimum)
      this.#report('schema-format', path, `must be ${minimum} or more`);
    if (maximum !== undefined && value > maximum)
      this.#report('schema-format', path, `must be ${maximum} or less`);
  }

  #checkSize(
    size: number,
    minimum: number | undefined,
    maximum: number | undefined,
    what: string,
    path: FieldPath,
  ): void {
    if (minimum !== undefined && size < minimum)
      this.#report('schema-format', path, `must have at least ${minimum} ${what}, has ${size}`);
    if (maximum !== undefined && size > maximum)
      this.#report('schema-format', path, `must have at most ${maximum} ${what}, has ${size}`);
  }

  #list(schema: StructuralSchema, value: readonly unknown[], path: FieldPath): unknown {
    this.#checkSize(value.length, schema.minItems, schema.maxItems, 'items', path);
    const { items } = schema;
    return items === undefined
      ? value
      : value.map((item, index) => this.visit(items, item, [...path, index]));
  }

  #fields(schema: StructuralSchema, value: JsonObject, path: FieldPath): unknown {
    const { properties = {}, additionalProperties: others } = schema;
    const kept: [string, unknown][] = [];
    for (const [name, member] of Object.entries(value)) {
      const own = Object.hasOwn(properties, name) ? properties[name] : others;
      // A null that the field cannot hold counts as absent; as an item of a list it is of the wrong type.
      if (own !== undefined && member === null && !holdsNull(own)) continue;
      const memberPath = [...path, name];
      if (own !== undefined) kept.push([name, this.visit(own, member, memberPath)]);
      else if (schema['x-kubernetes-preserve-unknown-fields'] === true) kept.push([name, member]);
      else
        this.unknown.push({
          rule: 'schema-unknown-field',
          path: memberPath,
          message: `no such field${similar(name, Object.keys(properties))}; remove it or correct its name`,
        });
    }
    const present = new Set(kept.map(([name]) => name));
    for (const [name, member] of Object.entries(properties)) {
      if (member.default === undefined || present.has(name)) continue;
      kept.push([name, this.visit(member, structuredClone(member.default), [...path, name])]);
      present.add(name);
    }
    for (const name of schema.required ?? []) {
      if (!present.has(name)) this.#report('schema-required', [...path, name], 'set this field');
    }
    this.#checkSize(kept.length, schema.minProperties, schema.maxProperties, 'members', path);
    // Not by assignment: a field may be called __proto__.
    return Object.fromEntries(kept);
  }
}

const holdsNull = (schema: StructuralSchema): boolean =>
  schema.nullable === true || schema.type === undefined;

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  // 60.0 is an integer to the API server as well.
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const show = (value: unknown): string => JSON.stringify(value);

const patterns = new Map<string, GoRegexp>();

/** Not anchored, as in the API server. */
function patternOf(source: string): GoRegexp {
  const known = patterns.get(source) ?? compileGoRegexp(source);
  patterns.set(source, known);
  return known;
}

/** ` (did you mean name?)` if one of the names differs in letter case or by one or two letters only. */
function similar(name: string, names: readonly string[]): string {
  const best =
    names.find((one) => one.toLowerCase() === name.toLowerCase()) ??
    names.find((one) => one.length > 3 && distance(one, name) <= (one.length > 6 ? 2 : 1));
  return best === undefined ? '' : ` (did you mean ${best}?)`;
}

/** Levenshtein; names of unreasonable length are far from everything. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [index, letter] of a.split('').entries()) {
    const next = [index + 1];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
