/**
 * zod -> structural schema of a CustomResourceDefinition. The API server accepts less than JSON Schema
 * (no types inside of anyOf, no additionalProperties beside properties, RE2 patterns, its own formats), so
 * everything that is not known to be accepted is an error here, at build time, with its path.
 */
import { z } from 'zod';
import { EsaError } from '../errors.ts';

/** The part of apiextensions.k8s.io/v1 JSONSchemaProps that the generator writes. */
export interface StructuralSchema {
  type?: string;
  description?: string;
  format?: string;
  default?: unknown;
  enum?: readonly unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  nullable?: boolean;
  required?: readonly string[];
  properties?: Record<string, StructuralSchema>;
  additionalProperties?: StructuralSchema;
  items?: StructuralSchema;
  anyOf?: readonly StructuralSchema[];
  [extension: `x-kubernetes-${string}`]: unknown;
}

type JsonSchema = Readonly<Record<string, unknown>>;

/** Copied as they are. */
const PLAIN = new Set([
  'type',
  'description',
  'default',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'nullable',
  'required',
]);
/** Formats that the API server checks as zod does. */
const FORMATS = new Set(['byte', 'date-time', 'int32', 'int64']);
/** Read elsewhere in this file, or without a meaning for the API server. */
const HANDLED = new Set([
  '$schema',
  'additionalProperties',
  'anyOf',
  'contentEncoding',
  'format',
  'items',
  'maximum',
  'minimum',
  'properties',
]);

/**
 * The structural schema of a zod schema, for what users write (defaults are not required).
 * @throws EsaError INTERNAL naming the path of a construct that a CRD cannot have
 */
export function toStructural(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as JsonSchema, '');
}

function convert(source: JsonSchema, path: string): StructuralSchema {
  const out: StructuralSchema = {};
  for (const [key, value] of Object.entries(source)) {
    if (PLAIN.has(key) || key.startsWith('x-kubernetes-')) Object.assign(out, { [key]: value });
    else if (!HANDLED.has(key)) throw unsupported(path, `keyword ${key}`);
  }
  convertUnion(source, out, path);
  convertFormat(source, out, path);
  convertBounds(source, out);
  convertMembers(source, out, path);
  const open = out['x-kubernetes-int-or-string'] ?? out['x-kubernetes-preserve-unknown-fields'];
  if (out.type === undefined && open === undefined) out['x-kubernetes-preserve-unknown-fields'] = true;
  return out;
}

function convertUnion(source: JsonSchema, out: StructuralSchema, path: string): void {
  if (source['anyOf'] === undefined) return;
  if (out['x-kubernetes-int-or-string'] !== true) throw unsupported(path, 'union');
  // Exactly this pair is the one use of types inside of anyOf that is allowed.
  out.anyOf = [{ type: 'integer' }, { type: 'string' }];
}

function convertFormat(source: JsonSchema, out: StructuralSchema, path: string): void {
  // zod calls it base64 and adds a pattern; for the API server the format alone says so.
  const format = source['format'] === 'base64' ? 'byte' : source['format'];
  if (format === undefined) return;
  if (typeof format !== 'string' || !FORMATS.has(format))
    throw unsupported(path, `format ${JSON.stringify(format)}`);
  if (format === 'byte') delete out.pattern;
  out.format = format;
}

function convertBounds(source: JsonSchema, out: StructuralSchema): void {
  const { minimum, maximum } = source as { minimum?: number; maximum?: number };
  const safe = minimum === Number.MIN_SAFE_INTEGER && maximum === Number.MAX_SAFE_INTEGER;
  const int32 = minimum === -(2 ** 31) && maximum === 2 ** 31 - 1;
  if (out.type === 'integer' && out.format === undefined) out.format = int32 ? 'int32' : 'int64';
  // These two pairs are zod's way to say "an integer"; other bounds are the author's.
  if (!int32 && minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER) out.minimum = minimum;
  if (!int32 && !safe && maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER) out.maximum = maximum;
}

function convertMembers(source: JsonSchema, out: StructuralSchema, path: string): void {
  const items = source['items'];
  if (items !== undefined) {
    out.items = convert(items as JsonSchema, `${path}[]`);
  }
  const properties = source['properties'] as Record<string, JsonSchema> | undefined;
  if (properties !== undefined) {
    out.properties = {};
    for (const [name, member] of Object.entries(properties)) {
      out.properties[name] = convert(member, path === '' ? name : `${path}.${name}`);
    }
  }
  const additional = source['additionalProperties'];
  // false is "strict": the API server prunes (or refuses, for kubectl) what is not declared.
  if (additional === undefined || additional === false) return;
  if (properties !== undefined) throw unsupported(path, 'additionalProperties beside properties');
  const values = additional === true ? {} : (additional as JsonSchema);
  if (Object.keys(values).length === 0) out['x-kubernetes-preserve-unknown-fields'] = true;
  else out.additionalProperties = convert(values, `${path}.*`);
}

function unsupported(path: string, what: string): EsaError {
  return new EsaError('INTERNAL', `a CRD cannot express the ${what} at ${path === '' ? 'its root' : path}`);
}
