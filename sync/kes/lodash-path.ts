/** `property` of KES: lodash's paths, `a[1].b`, over what JSON can hold. Only own members count, never inherited ones. */
import { isRawNumber } from '../../api/json.ts';

/** One part of a path: `[n]`, `["text"]`, or what stands between dots and brackets. */
const PART =
  /\[(?:(-?\d+(?:\.\d+)?)|(["'])((?:\\.|(?!\2)[^\\])*)\2)\]|[^.[\]]+|(?=(?:\.|\[\])(?:\.|\[\]|$))/g;

/** The parts of a path; nothing that is written makes it fail. */
function partsOf(path: string): string[] {
  const parts = path.startsWith('.') ? [''] : [];
  for (const [whole, number, quote, quoted = ''] of path.matchAll(PART))
    parts.push(quote === undefined ? (number ?? whole) : quoted.replaceAll(/\\(.)/g, '$1'));
  return parts;
}

function own(value: unknown, name: string): { readonly value: unknown } | undefined {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return undefined;
  return Object.hasOwn(value, name) ? { value: (value as Record<string, unknown>)[name] } : undefined;
}

/** What stands at `path`: a member of exactly that name first, dots and all. @returns undefined if there is nothing */
export function atPath(json: unknown, path: string): { readonly value: unknown } | undefined {
  const literal = own(json, path);
  if (literal !== undefined) return literal;
  const parts = partsOf(path);
  if (parts.length === 0) return undefined;
  let found: { readonly value: unknown } | undefined = { value: json };
  for (const part of parts) {
    if (found === undefined) return undefined;
    found = own(found.value, part);
  }
  return found;
}
