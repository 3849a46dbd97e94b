/** Smaller variants of a template that are likely to be templates still. */

/** From and to, in characters. */
type Span = readonly [from: number, to: number];

const ACTION = /\{\{-?\s*(?:\/\*.*?\*\/|(?<word>\w*)(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)\s*-?\}\}/gs;
const OPENERS = new Set(['if', 'with', 'range', 'define', 'block']);

/** Whole blocks, their ends alone, and single actions. */
function* withoutActions(template: string): Generator<string> {
  const open: Span[] = [];
  const cut = (from: number, to: number): string => template.slice(0, from) + template.slice(to);
  for (const match of template.matchAll(ACTION)) {
    const from = match.index;
    const to = from + match[0].length;
    const word = match.groups?.['word'] ?? '';
    if (OPENERS.has(word)) open.push([from, to]);
    const start = word === 'end' ? open.pop() : undefined;
    if (start !== undefined) {
      yield cut(start[0], to);
      yield template.slice(0, start[0]) + template.slice(start[1], from) + template.slice(to);
    } else {
      yield cut(from, to);
    }
  }
}

/** Parentheses replaced by a constant, or by what is in them. */
function* withoutParentheses(template: string): Generator<string> {
  const open: number[] = [];
  for (const match of template.matchAll(/"(?:[^"\\]|\\.)*"|`[^`]*`|[()]/g)) {
    if (match[0] === '(') open.push(match.index);
    const from = match[0] === ')' ? open.pop() : undefined;
    if (from === undefined) continue;
    const to = match.index + 1;
    for (const constant of ['""', '1', '.']) yield template.slice(0, from) + constant + template.slice(to);
    yield `${template.slice(0, from)}${template.slice(from + 1, to - 1)}${template.slice(to)}`;
  }
}

/** One cut each, all shorter than `template`. */
export function* simpler(template: string): Generator<string> {
  for (const candidate of withoutActions(template)) yield candidate;
  for (const candidate of withoutParentheses(template))
    if (candidate.length < template.length) yield candidate;
}
