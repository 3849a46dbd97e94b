/**
 * Lodash templates, as `spec.template` of kubernetes-external-secrets has them: the part of JavaScript that its
 * README uses and what stands close to it, parsed by acorn and interpreted here. Nothing is ever evaluated as code,
 * and nothing of this process is reachable. docs/lodash-templates.md is the reference for users.
 */
import { type Program, parse } from 'acorn';
import { LRUCache } from 'lru-cache';
import { systemClock } from '../../api/clock.ts';
import { Budget, DEFAULT_LIMITS } from '../budget.ts';
import { TemplateError } from '../errors.ts';
import { fromUtf8 } from '../value.ts';
import { checkProgram, Refusal } from './allow.ts';
import { interpret, PlacedFault } from './interpret.ts';
import { lineAndColumn, programOf, type Source, templateOffset } from './source.ts';

/** What is wrong with a text, without running it. */
export interface LodashProblem {
  readonly kind: 'syntax' | 'budget';
  /** `line 1, column 5: there is no process: ...` */
  readonly message: string;
  /** UTF-16 units from the start of the text. */
  readonly offset: number;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
}

interface Parsed {
  readonly source: Source;
  readonly program: Program;
}

/** Characters of the program that a text stands for: acorn takes some milliseconds for as many. */
const MAX_PROGRAM = 64 << 10;
const CACHED_TEMPLATES = 2000;
const CACHED_CHARACTERS = 4 << 20;

const cache = new LRUCache<string, Parsed | LodashProblem>({
  max: CACHED_TEMPLATES,
  maxSize: CACHED_CHARACTERS,
});

/** True if a text has anything to run; one without is printed as it is. */
export const isLodash = (text: string): boolean => programOf(text).pieces.length > 0;

/** The syntax tree of a text that may run. The caller must not change it. */
export function parseLodash(text: string): Parsed | LodashProblem {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const result = parseAnew(programOf(text));
  if (text.length < CACHED_CHARACTERS) cache.set(text, result, { size: text.length + 1 });
  return result;
}

function parseAnew(source: Source): Parsed | LodashProblem {
  const problem = (kind: LodashProblem['kind'], message: string, at: number): LodashProblem => {
    const offset = templateOffset(source, at);
    const { line, column } = lineAndColumn(source.template, offset);
    return { kind, message: `line ${line}, column ${column}: ${message}`, offset, line, column };
  };
  if (source.program.length > MAX_PROGRAM)
    return problem('budget', `the code in it has more than ${MAX_PROGRAM} characters`, MAX_PROGRAM);
  try {
    const program = parse(source.program, { ecmaVersion: 2022, sourceType: 'script' });
    checkProgram(program, source);
    return { source, program };
  } catch (error) {
    if (error instanceof Refusal) return problem(error.kind, error.message, error.offset);
    if (error instanceof RangeError) return problem('budget', 'nests too deeply', 0);
    // acorn's errors carry where they are, and end with "(line:column)" of the program.
    if (error instanceof SyntaxError && 'pos' in error && typeof error.pos === 'number')
      return problem('syntax', error.message.replace(/ \(\d+:\d+\)$/, ''), error.pos);
    throw error;
  }
}

/** What no value could heal: syntax, and whatever a template may not use. */
export function checkLodash(text: string): LodashProblem | undefined {
  const parsed = parseLodash(text);
  return 'program' in parsed ? undefined : parsed;
}

/**
 * Renders a text.
 * @param data the fetched values by key, decoded as UTF-8
 * @param budget what this text, and others of the same object, may use up together
 * @throws TemplateError TEMPLATE_PARSE for what checkLodash reports; TEMPLATE_EXEC; TEMPLATE_BUDGET. None of them
 * has a value in its message.
 */
export function renderLodash(
  text: string,
  data: ReadonlyMap<string, string>,
  budget: Budget = new Budget(systemClock, DEFAULT_LIMITS),
): string {
  const parsed = parseLodash(text);
  if (!('program' in parsed)) {
    const code = parsed.kind === 'budget' ? 'TEMPLATE_BUDGET' : 'TEMPLATE_PARSE';
    throw failure(code, 'parse', parsed.message, parsed.line);
  }
  const { source, program } = parsed;
  try {
    return interpret(program, source.texts, data, budget);
  } catch (error) {
    if (!(error instanceof PlacedFault)) throw error;
    const { line, column } = lineAndColumn(source.template, templateOffset(source, error.offset));
    throw failure('TEMPLATE_EXEC', 'exec', `line ${line}, column ${column}: ${error.message}`, line);
  }
}

const failure = (
  code: 'TEMPLATE_PARSE' | 'TEMPLATE_EXEC' | 'TEMPLATE_BUDGET',
  phase: 'parse' | 'exec',
  message: string,
  line: number,
): TemplateError =>
  new TemplateError(code, {
    phase,
    goText: fromUtf8(`template: ${message}`),
    position: { name: 'template', line },
  });
