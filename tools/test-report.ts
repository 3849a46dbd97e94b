/**
 * Turns the events of node:test into a few lines: one a file, every failure in full, the names of what was
 * skipped, and the counts. Suites are not counted, tests are.
 */
import { resolve } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** The fields that test:pass and test:fail share. */
type Outcome = Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>['data'];

interface FileState {
  /** Names of the suites and tests that enclose what runs now, by nesting. */
  readonly names: string[];
  passed: number;
  failed: number;
  skipped: number;
  output: string;
  /** The test that began last. */
  begun: string;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const indent = (text: string): string => text.replaceAll(/^(?=.)/gm, '    ');

/** The error that a test threw, as a person wants to read it. */
function describeError(error: unknown): string {
  // node:test wraps what was thrown; the wrapper says nothing more.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (typeof cause === 'string') return cause;
  if (!(cause instanceof Error)) return inspect(cause, { depth: 6 });
  const stack = (cause.stack ?? cause.message).split('\n').filter((line) => !/^\s+at .*\(?node:/.test(line));
  const nested = cause.cause === undefined ? '' : `\ncaused by: ${describeError(cause.cause)}`;
  return stack.join('\n') + nested;
}

const failureTypeOf = (outcome: Outcome): string => {
  const error: unknown = 'error' in outcome.details ? outcome.details.error : undefined;
  return error instanceof Error && 'failureType' in error ? String(error.failureType) : '';
};

/** The names of the suites around a test and its own, joined; to be called as tests start and end. */
function nameOf({ names }: FileState, { nesting, name }: { nesting: number; name: string }): string {
  names.length = nesting;
  names[nesting] = name;
  return names.join(' > ');
}

/** The runner reports a file as a test of its own when it crashed, was aborted, or has no test. */
const isFileItself = ({ name, nesting }: { name: string; nesting: number }, file: string): boolean =>
  nesting === 0 && resolve(name) === resolve(file);

export class TestReport {
  readonly #print: (text: string) => void;
  readonly #files = new Map<string, FileState>();
  readonly #skippedNames: string[] = [];
  /** Rows of the table of providers, as their conformance tests report them (test/conformance). */
  readonly #providerRows = new Set<string>();
  readonly #failedNames: string[] = [];
  passed = 0;
  failed = 0;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /**
   * @param file the test file that the run was started with, relative to the current folder; a test that
   *   stands in a helper of it counts for it
   */
  handle(event: TestEvent, file: string): void {
    const state = this.#file(file);
    switch (event.type) {
      case 'test:start':
        nameOf(state, event.data);
        break;
      case 'test:pass':
        this.#finish(event.data, true, file);
        break;
      case 'test:fail':
        this.#finish(event.data, false, file);
        break;
      case 'test:stdout':
      case 'test:stderr':
        state.output += event.data.message;
        break;
      case 'test:diagnostic':
        // Without a file it is the runner's own summary, which finish() words shorter.
        if (event.data.file === undefined) break;
        if (event.data.message.startsWith('| ')) this.#providerRows.add(event.data.message);
        else this.#print(`  note ${event.data.message}\n`);
        break;
      case 'test:dequeue':
        if (!isFileItself(event.data, file)) state.begun = event.data.name;
        break;
      default:
    }
  }

  /** A step beside the tests that counts like one, e.g. the type check. */
  count(name: string, passed: boolean): void {
    if (passed) this.passed += 1;
    else {
      this.failed += 1;
      this.#failedNames.push(name);
    }
  }

  /** Prints what was skipped, what failed, and as the very last line `N passed, N failed`, with `, N skipped` if any. */
  finish(): void {
    const list = (title: string, names: readonly string[]): void => {
      if (names.length > 0) this.#print(`\n${title}:\n${names.map((name) => `  ${name}\n`).join('')}`);
    };
    list('providers (docs/providers/README.md has the columns)', [...this.#providerRows].toSorted());
    list('skipped', this.#skippedNames);
    list('failed', this.#failedNames);
    const skipped = this.#skippedNames.length === 0 ? '' : `, ${this.#skippedNames.length} skipped`;
    this.#print(`\n${this.passed} passed, ${this.failed} failed${skipped}\n`);
  }

  #file(file: string): FileState {
    let state = this.#files.get(file);
    if (state === undefined) {
      state = { names: [], passed: 0, failed: 0, skipped: 0, output: '', begun: '' };
      this.#files.set(file, state);
    }
    return state;
  }

  #finish(outcome: Outcome, passed: boolean, file: string): void {
    const { skip, todo, details } = outcome;
    const state = this.#file(file);
    const fullName = `${file}: ${nameOf(state, outcome)}`;
    if (skip !== undefined && skip !== false) {
      state.skipped += 1;
      this.#skippedNames.push(typeof skip === 'string' ? `${fullName} (${skip})` : fullName);
      return;
    }
    if (todo !== undefined && todo !== false) {
      this.#skippedNames.push(`${fullName} (todo)`);
      return;
    }
    if (passed && details.type === 'suite') return;
    // What bears the file's name is the file itself: a success is one without tests, a failure one that
    // crashed or hung, with the reason in its output.
    if (isFileItself(outcome, file)) {
      this.#fail(state, file, passed ? 'this file has no test' : this.#describeCrash(state, outcome));
      return;
    }
    if (passed) {
      state.passed += 1;
      this.passed += 1;
      return;
    }
    // What failed inside has been told already; a suite fails on its own only by its hooks.
    const type = failureTypeOf(outcome);
    if (type === 'subtestsFailed' && details.type === 'suite') return;
    const told = type === 'subtestsFailed' || type === 'cancelledByParent';
    this.#fail(state, fullName, told ? type : describeError('error' in details ? details.error : undefined));
  }

  #describeCrash(state: FileState, outcome: Outcome): string {
    const during = state.begun === '' ? '' : `\nthe last test that began: ${state.begun}`;
    return describeError('error' in outcome.details ? outcome.details.error : undefined) + during;
  }

  #fail(state: FileState, name: string, reason: string): void {
    state.failed += 1;
    this.count(name, false);
    this.#print(`FAIL ${name}\n${indent(reason)}\n`);
  }

  /** To be called when all events of a file have been handled. */
  finishFile(file: string, durationMs: number): void {
    const { passed, failed, skipped, output } = this.#file(file);
    if (failed > 0 && output.trim() !== '') this.#print(`  output of ${file}:\n${indent(output)}\n`);
    const counts = [`${passed} passed`];
    if (failed > 0) counts.push(`${failed} failed`);
    if (skipped > 0) counts.push(`${skipped} skipped`);
    const mark = failed > 0 ? 'FAIL' : 'ok  ';
    this.#print(`${mark} ${file}: ${counts.join(', ')} (${seconds(durationMs)})\n`);
  }
}
