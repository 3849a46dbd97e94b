/** PEM as Go's encoding/pem reads and writes it, over Go strings. */
import { decodeBase64, encodeBase64 } from './base64.ts';

export interface PemBlock {
  /** What stands behind BEGIN: `CERTIFICATE`. */
  readonly type: string;
  readonly headers: ReadonlyMap<string, string>;
  /** The decoded content. */
  readonly bytes: string;
}

const BEGIN = '-----BEGIN ';
const END = '\n-----END ';
const DASHES = '-----';

interface Line {
  /** Without blanks at its end. */
  readonly text: string;
  /** Where the next line begins. */
  readonly next: number;
}

function lineAt(data: string, at: number): Line {
  const newline = data.indexOf('\n', at);
  const next = newline < 0 ? data.length : newline + 1;
  let end = newline < 0 ? data.length : newline;
  if (newline > at && data[newline - 1] === '\r') end--;
  // By hand: an expression for blanks at the end would take the square of the time for many within.
  while (end > at && (data[end - 1] === ' ' || data[end - 1] === '\t')) end--;
  return { text: data.slice(at, end), next };
}

/** Without ASCII white space at both ends. */
function trimSpace(text: string): string {
  const isSpace = (at: number): boolean => '\t\n\v\f\r '.includes(text.charAt(at));
  let [start, end] = [0, text.length];
  while (start < end && isSpace(start)) start++;
  while (end > start && isSpace(end - 1)) end--;
  return text.slice(start, end);
}

/**
 * The first block and what follows it. Text between blocks is skipped if it consists of whole lines; a block with a
 * mistake is skipped too.
 * @returns undefined if there is no block
 */
export function decodePem(data: string): { block: PemBlock; rest: string } | undefined {
  let from = 0;
  for (;;) {
    const end = data.indexOf(END, from);
    if (end < 0) return undefined;
    const trailer = end + END.length;
    // The last BEGIN before this END: an earlier one has no END of its own.
    const begin = data.slice(from, end).lastIndexOf(BEGIN) + from;
    const searchedFrom = from;
    from = trailer;
    if (begin < searchedFrom || (begin > searchedFrom && data[begin - 1] !== '\n')) continue;
    const typeLine = lineAt(data, begin + BEGIN.length);
    if (!typeLine.text.endsWith(DASHES)) {
      if (typeLine.next > trailer) return undefined;
      continue;
    }
    const type = typeLine.text.slice(0, -DASHES.length);
    const headers = new Map<string, string>();
    let at = typeLine.next;
    for (;;) {
      if (at >= data.length) return undefined;
      const line = lineAt(data, at);
      const colon = line.text.indexOf(':');
      if (colon < 0) break;
      headers.set(trimSpace(line.text.slice(0, colon)), trimSpace(line.text.slice(colon + 1)));
      at = line.next;
    }
    if (at > trailer) return undefined;
    if (headers.size > 0 && end < at) continue;
    const ending = type + DASHES;
    if (!data.startsWith(ending, trailer) || lineAt(data, trailer + ending.length).text !== '') continue;
    const decoded = decodeBase64(end > at ? data.slice(at, end).replace(/[ \t]+/g, '') : '');
    if ('error' in decoded) continue;
    return { block: { type, headers, bytes: decoded.bytes }, rest: data.slice(lineAt(data, end + 1).next) };
  }
}

/** All blocks, and what is left behind the last. */
export function decodeAllPem(data: string): { blocks: PemBlock[]; rest: string } {
  const blocks: PemBlock[] = [];
  let rest = data;
  for (;;) {
    const found = decodePem(rest);
    if (found === undefined) return { blocks, rest };
    blocks.push(found.block);
    rest = found.rest;
  }
}

/** A block with its headers, Proc-Type first, and lines of 64 characters. A header name has no colon. */
export function encodePem({ type, headers, bytes }: PemBlock): string {
  const names = [...headers.keys()].sort((a, b) =>
    a === 'Proc-Type' ? -1 : b === 'Proc-Type' ? 1 : a < b ? -1 : 1,
  );
  const lines = names.map((name) => `${name}: ${headers.get(name) ?? ''}\n`).join('');
  const body = encodeBase64(bytes).replace(/.{1,64}/g, '$&\n');
  return `${BEGIN}${type}${DASHES}\n${lines === '' ? '' : `${lines}\n`}${body}${END.slice(1)}${type}${DASHES}\n`;
}

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/** A block without headers. */
export const pemOf = (type: string, bytes: string): string => encodePem({ type, headers: NO_HEADERS, bytes });
