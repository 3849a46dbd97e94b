/** Go's text/template: parse once, execute often. The way in for everybody outside of this room. */
import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../api/clock.ts';
import { Budget, DEFAULT_LIMITS, type Limits } from './budget.ts';
import { BUILTINS } from './builtins.ts';
import { type CallProblem, callProblems } from './check.ts';
import { execute, type Program } from './exec.ts';
import { type RootReads, rootReads } from './fields.ts';
import type { FunctionMap } from './function.ts';
import { identifiers } from './nodes.ts';
import { parse } from './parse.ts';
import { fromUtf8, type GoValue } from './value.ts';

export interface ParseOptions {
  /** Delimiters; `{{` and `}}` unless given. */
  readonly left?: string;
  readonly right?: string;
}

export interface ExecuteOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
}

/** A parsed template. It holds no state of an execution and may be executed any number of times. */
export class Template {
  readonly #program: Program;
  #reads: RootReads | undefined;
  /** True if it names a function that may take milliseconds: run it off the event loop. */
  readonly slow: boolean;

  constructor(program: Program) {
    this.#program = program;
    const names = [...program.trees.values()].flatMap(identifiers);
    this.slow = names.some((name) => program.functions.get(name)?.slow === true);
  }

  /**
   * Renders the template.
   * @param data the root, in ESO a `map[string]string`
   * @returns a Go string: one character a byte
   * @throws TemplateError TEMPLATE_EXEC; TEMPLATE_BUDGET if it wants more than the limits
   */
  execute(data: GoValue, { clock = systemClock, limits }: ExecuteOptions = {}): string {
    return execute(this.#program, data, new Budget(clock, { ...DEFAULT_LIMITS, ...limits }));
  }

  /** The keys of the root that it reads, without running it. */
  fields(): RootReads {
    this.#reads ??= rootReads(this.#program.name, this.#program.trees);
    return this.#reads;
  }

  /** Calls that fail whenever they are reached, found without running it. */
  callProblems(): readonly CallProblem[] {
    const { trees, functions, builtins } = this.#program;
    return callProblems(trees, (name) => functions.get(name) ?? builtins.get(name));
  }
}

/** Templates are kept by what they were made of, as long as the functions that they were parsed for live. */
const caches = new WeakMap<FunctionMap, LRUCache<string, Template>>();

const CACHED_TEMPLATES = 2000;
const CACHED_CHARACTERS = 8 << 20;

function cacheOf(functions: FunctionMap): LRUCache<string, Template> {
  let cache = caches.get(functions);
  if (cache === undefined) {
    cache = new LRUCache({ max: CACHED_TEMPLATES, maxSize: CACHED_CHARACTERS });
    caches.set(functions, cache);
  }
  return cache;
}

/**
 * Parses a template, or returns it if it was parsed before.
 * @param name text, as it stands in errors; ESO takes the key, or the template itself where it has none
 * @param text the template, UTF-16 as everywhere outside of this room
 * @param functions besides Go's built-in ones, which are always there and yield to these
 * @throws TemplateError TEMPLATE_PARSE; TEMPLATE_BUDGET if it is nested too deep
 */
export function parseTemplate(
  name: string,
  text: string,
  functions: FunctionMap,
  { left = '{{', right = '}}' }: ParseOptions = {},
): Template {
  const cache = cacheOf(functions);
  const key = JSON.stringify([name, left, right, text]);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const program: Program = {
    name: fromUtf8(name),
    source: fromUtf8(text),
    functions,
    builtins: BUILTINS,
    trees: parse(fromUtf8(name), fromUtf8(text), {
      left: fromUtf8(left === '' ? '{{' : left),
      right: fromUtf8(right === '' ? '}}' : right),
      isFunction: (one) => functions.has(one) || BUILTINS.has(one),
    }),
  };
  const template = new Template(program);
  cache.set(key, template, { size: key.length });
  return template;
}
