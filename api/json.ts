/**
 * JSON without loss of numbers. JSON.parse turns 12345678901234567890 into ...567000 and 1.50 into 1.5;
 * objects that pass through the conversion webhook, and values of a secret, must keep their digits.
 */

/** A number kept as it was written. Stringifies (JSON.stringify included) to the same digits. */
export type RawNumber = { readonly rawJSON: string };

// V8 ships these (Node >= 22) before TypeScript's library knows them: proposal-json-parse-with-source.
const json = JSON as unknown as {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
};

export const isRawNumber = (value: unknown): value is RawNumber => json.isRawJSON(value);

export type JsonObject = Readonly<Record<string, unknown>>;

/** True for what JSON writes in braces: no list, no null, and no number that keeps its digits. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);

/** Every number becomes a RawNumber: for values of secrets, whose literals are the data. */
export function parseKeepingNumbers(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? json.rawJSON(source) : value,
  );
}

/**
 * True if the text of an API object may hold an integer that a double cannot: one of 16 digits or more, where a number
 * may begin. (No test for exponents: uids are full of them.) Hashes in hexadecimal have that many digits in a row in
 * every hundredth object, and are strings; reading a whole page with a reviver because of them takes ten times as long.
 */
export const mayLoseDigits = (text: string): boolean => /(?:^|[:[,\s])-?\d{16}/.test(text);

/**
 * For API objects: plain JSON.parse, except that integers a double cannot hold become RawNumbers. Of a member that
 * stands there twice the last one counts, as where the API server decodes JSON, so that hook and API server never see
 * two different objects; it is also the only one that can ask the hooks, and sends each member once. `__proto__` is a
 * member like any other.
 * In one that nests too deep to be of use (see MAX_NESTING) numbers lose their digits.
 * @throws SyntaxError if it is not JSON
 */
export function parseObject(text: string): unknown {
  if (!mayLoseDigits(text)) return JSON.parse(text);
  try {
    return json.parse(text, (_key, value, { source }) =>
      typeof value === 'number' &&
      source !== undefined &&
      !Number.isSafeInteger(value) &&
      /^-?\d+$/.test(source)
        ? json.rawJSON(source)
        : value,
    );
  } catch (error) {
    if (error instanceof RangeError) return JSON.parse(text);
    throw error;
  }
}

/**
 * Objects that nest deeper are refused before anything walks them: JSON.parse goes down any depth, JSON.stringify and
 * every other recursion end in a RangeError at some thousands. The API server lets up to 10,000 levels through where a
 * schema keeps unknown fields.
 */
export const MAX_NESTING = 1_500;

/** True if there are more than `levels` objects and arrays in each other. */
export function nestsDeeper(value: unknown, levels: number = MAX_NESTING): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const member of Object.values(value)) if (nestsDeeper(member, levels - 1)) return true;
  return false;
}
