/** What is wrong with the text of a template, shown as compilers do: the line of the source, and marks below it. */
import { EsaError } from '../api/errors.ts';
import type { FieldPath, Report } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';
import { parseTemplate, type Template } from '../template/engine.ts';
import { TemplateError } from '../template/errors.ts';
import { FUNCTIONS } from '../template/functions/index.ts';
import { toUtf8 } from '../template/value.ts';

/** Problems of one text that are told; each shows its line, which takes time in a long text. */
const MAX_PROBLEMS = 10;
/** Keys that are named where one is missing. */
const MAX_KEYS = 10;
/** More of a line than this helps nobody. */
const SHOWN = 100;
/** What ends a word of a template: marks go to there. */
const WORD = /^[^\s(){}|"`]+/;

/**
 * Parses a template and reports what no value could heal: syntax, unknown functions, wrong numbers of arguments,
 * and keys of the root that nothing provides.
 * @param keys all keys that there can be; undefined if that is not known
 */
export function checkTemplateText(
  text: string,
  keys: ReadonlySet<string> | undefined,
  path: FieldPath,
  report: Report,
): void {
  let template: Template;
  try {
    template = parseTemplate('template', text, FUNCTIONS);
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    const position = error instanceof TemplateError ? error.position : undefined;
    const reason = error.message.replace(/^template: (template:\d+:(\d+:)? ?)?/, '');
    report(ruleOf(error, reason), path, show(text, reason, position?.offset, position?.line));
    return;
  }
  for (const { message, offset } of template.callProblems().slice(0, MAX_PROBLEMS))
    report('template-arguments', path, show(text, message, offset));
  if (keys === undefined) return;
  const unknown = new Set<string>();
  for (const { key, how, offset, certain } of template.fields().reads) {
    const name = toUtf8(key);
    // `index . "key"` is nothing but empty where there is no such key; a branch may never be taken.
    if (how !== 'field' || !certain || keys.has(name) || unknown.has(name)) continue;
    unknown.add(name);
    report('template-key', path, show(text, `no key "${name}" is fetched; ${instead(keys)}`, offset));
    if (unknown.size === MAX_PROBLEMS) return;
  }
}

/** By the set of keys: many templates of one object miss the same. */
const alternatives = new WeakMap<ReadonlySet<string>, string>();

function instead(keys: ReadonlySet<string>): string {
  const before = alternatives.get(keys);
  if (before !== undefined) return before;
  const known = [...keys].sort().slice(0, MAX_KEYS);
  const more = keys.size > MAX_KEYS ? `, ... (${keys.size - MAX_KEYS} more)` : '';
  const text =
    keys.size === 0 ? 'there is none' : `there is ${known.map((one) => `.${one}`).join(', ')}${more}`;
  alternatives.set(keys, text);
  return text;
}

function ruleOf({ code }: EsaError, reason: string): RuleId {
  if (code === 'TEMPLATE_BUDGET') return 'template-budget';
  return /^function "\w+" not defined$/.test(reason) ? 'template-function' : 'template-syntax';
}

/**
 * @param offset bytes from the start of the source; undefined if only the line is known
 * @param line 1-based
 */
function show(text: string, reason: string, offset?: number, line?: number): string {
  if (offset === undefined) {
    return line === undefined ? reason : `line ${line}: ${reason}${quoted(lineAt(text, line), undefined)}`;
  }
  const before = Buffer.from(text).subarray(0, offset).toString();
  const start = before.lastIndexOf('\n') + 1;
  const number = before.split('\n').length;
  const source = lineAt(text, number);
  const column = before.length - start;
  return `line ${number}, column ${column + 1}: ${reason}${quoted(source, column)}`;
}

const lineAt = (text: string, line: number): string => text.split('\n')[line - 1] ?? '';

/** The line, indented, and below it marks from `column` (0-based) to the end of the word. */
function quoted(line: string, column: number | undefined): string {
  // Marks stand below what they mean only if every character is one column wide.
  const plain = line.replaceAll(/\s/g, ' ');
  if (plain.trim() === '') return '';
  const from = column === undefined || column < SHOWN ? 0 : column - 20;
  const shown = plain.slice(from, from + SHOWN);
  if (column === undefined) return `\n    ${shown}`;
  const word = WORD.exec(plain.slice(column))?.[0].length ?? 1;
  const marks = '^'.repeat(Math.max(1, Math.min(word, SHOWN - (column - from))));
  return `\n    ${shown}\n    ${' '.repeat(column - from)}${marks}`;
}
