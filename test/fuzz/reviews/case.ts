/** One request to a hook, small enough to be stored and to be sent again to the byte. */

export type HookName = 'validate' | 'mutate' | 'convert';

/** How the bytes of a request go out. All but `length` and `gzip` use a connection of their own. */
export const FRAMINGS = [
  'length',
  'gzip',
  'chunked',
  'trickle',
  'expect',
  'pipelined',
  'bad-chunk',
  'short-length',
  'long-length',
  'two-lengths',
  'both-framings',
  'hang-up',
] as const;
export type Framing = (typeof FRAMINGS)[number];

export interface WireCase {
  readonly hook: HookName;
  /** Behind the path with the token, e.g. `?timeout=10s`. */
  readonly query: string;
  readonly framing: Framing;
  readonly headers: Readonly<Record<string, string>>;
  /** The objects are as their schema allows, so that there and back gives the same. */
  readonly roundTrip?: true;
  /** Text with what `deep` and `long` made in it, or bytes in base64. */
  readonly body: { readonly text: string } | { readonly base64: string };
}

const DEEP = /"<deep (\d+)>"/g;
const LONG = /<long (\d+)>/g;

/** Stands for that many arrays in each other. (JSON.stringify ends at some thousands.) */
export const deep = (levels: number): string => `<deep ${levels}>`;
/** Stands for that many characters. */
export const long = (length: number): string => `<long ${length}>`;

/** The bytes of the body. */
export function bodyOf({ body }: WireCase): Buffer {
  if ('base64' in body) return Buffer.from(body.base64, 'base64');
  const text = body.text
    .replaceAll(DEEP, (_match, levels: string) => '['.repeat(Number(levels)) + ']'.repeat(Number(levels)))
    .replaceAll(LONG, (_match, length: string) => 'x'.repeat(Number(length)));
  return Buffer.from(text);
}
