/** A program of the product in a session of dev: stopped and started on purpose, and missed when it ends. */
import { relative } from 'node:path';
import { runCommand } from '../../test/harness/command.ts';
import type { RunningProcess } from '../../test/harness/process.ts';
import type { Program } from '../../test/harness/product.ts';
import { ROOT } from '../setup/paths.mjs';
import { changedFiles, readSourceGraph, type SourceGraph } from './source-graph.ts';

const TRY_MS = 30_000;
const ERROR_LINES = 8;

/** Says so when a process ends and `expected` does not hold. */
export function announceEnd(process: RunningProcess, expected: () => boolean): void {
  void process.exited.then(({ code, signal }) => {
    if (!expected()) console.log(`${process.name} ended (${code ?? signal}); its log: ${process.log}`);
  });
}

const indent = (text: string): string => text.replaceAll(/^/gm, '    ');

export class DevProgram {
  readonly program: Program;
  readonly #entry: string;
  readonly #changed: () => void;
  readonly #isStopping: () => boolean;
  /** What the user wants, however it came that it is not so. */
  #wanted = true;
  #restarting = false;
  /** What the running process was started from. */
  #sources: SourceGraph;
  /** What was looked at last; differs from #sources while a change does not start. */
  #seen: SourceGraph;

  /**
   * @param program one that runs
   * @param entry absolute path of the file that is run
   * @param changed called when there is another process
   * @param isStopping true once the session ends
   */
  constructor(program: Program, entry: string, changed: () => void, isStopping: () => boolean) {
    this.program = program;
    this.#entry = entry;
    this.#changed = changed;
    this.#isStopping = isStopping;
    this.#sources = readSourceGraph(entry);
    this.#seen = this.#sources;
    this.#announce();
  }

  /** The files that it is made of, as they were looked at last. */
  get sources(): SourceGraph {
    return this.#seen;
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    await this.program.stop();
    this.#changed();
  }

  /** @throws Error with the end of its log if it does not become ready */
  async start(): Promise<void> {
    this.#wanted = true;
    if (this.program.isRunning()) return;
    const sources = readSourceGraph(this.#entry);
    await this.program.start();
    this.#sources = sources;
    this.#seen = sources;
    this.#announce();
    this.#changed();
  }

  /**
   * Looks whether its sources changed, and if they did and can be loaded, starts it anew with the same flags
   * and ports. Never rejects.
   * @returns what to tell the user, if anything
   */
  async followSources(): Promise<string | undefined> {
    const { name } = this.program;
    const now = readSourceGraph(this.#entry);
    const latest = changedFiles(this.#seen, now);
    this.#seen = now;
    if (latest.length === 0) return undefined;
    const changed = changedFiles(this.#sources, now);
    const isRunning = this.program.isRunning();
    if (isRunning && changed.length === 0) return `${name} goes on: its sources are again what they were`;
    const what = (changed.length === 0 ? latest : changed).map((file) => relative(ROOT, file)).join(', ');
    if (!this.#wanted) return `${name} is stopped; ${what} counts from its next start`;
    const complaint = await this.#tryLoading();
    if (complaint !== undefined) {
      const rest = isRunning ? 'the old one goes on' : 'it is not running';
      return `${name} cannot load ${what}; ${rest} until the next change\n${indent(complaint)}`;
    }
    const began = performance.now();
    this.#restarting = true;
    try {
      await this.program.stop();
      await this.start();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return `${name} does not start with ${what}; it is not running until the next change\n${indent(reason)}`;
    } finally {
      this.#restarting = false;
    }
    return `${name} restarted in ${((performance.now() - began) / 1000).toFixed(1)} s: ${what}`;
  }

  /** Loads every module and no more, as `--help` does. @returns the error, if there is one */
  async #tryLoading(): Promise<string | undefined> {
    const { code, stderr } = await runCommand(process.execPath, [this.#entry, '--help'], { timeout: TRY_MS });
    if (code === 0) return undefined;
    const lines = stderr.split('\n');
    // Before the place or the error stands Node's own frame, after it the stack.
    const begin = lines.findIndex((line) => /^(file:|\w*Error\b)/.test(line));
    const end = lines.findIndex((line, i) => i > begin && /^\s+at |^Node\.js v/.test(line));
    const excerpt = lines.slice(Math.max(begin, 0), end === -1 ? undefined : end);
    return (
      excerpt
        .filter((line) => line.trim() !== '')
        .slice(0, ERROR_LINES)
        .join('\n') || `it ended with ${code}`
    );
  }

  #announce(): void {
    announceEnd(this.program.process, () => this.#isStopping() || !this.#wanted || this.#restarting);
  }
}
