/** Paths of gjson on JSON text: the facade of gjson/. */
import { GjsonBudget } from './gjson/budget.ts';
import { lookup } from './gjson/lookup.ts';
import { exists, type ResultType, textOf } from './gjson/result.ts';

export { GjsonLimitError } from './gjson/budget.ts';

/** A value that a path found. Texts are Go strings: one character a byte. */
export interface Found {
  readonly type: ResultType;
  /** The value as it stands in the text, white space and digits included; a modifier may have made it. */
  readonly raw: string;
  /** Its bytes as Go's Result.String() gives them: strings bare, null empty, integers with all digits, `1.50` as `1.5`. */
  readonly text: string;
}

/**
 * What is at `path` (gjson 1.18 syntax) in `json`, undefined if there is nothing. Both are Go strings, one character
 * a byte. The text is not validated: what gjson finds in broken JSON is found here too.
 * @throws GjsonLimitError if the path would take too much work or nests too deeply
 */
export function gjson(json: string, path: string): Found | undefined {
  const result = lookup(json, path, new GjsonBudget());
  return exists(result) ? { type: result.type, raw: result.raw, text: textOf(result) } : undefined;
}
