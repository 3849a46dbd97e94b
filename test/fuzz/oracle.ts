/** The oracle of Go templates as a process that answers question after question. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { buildOracle } from '../oracles/go-template/goldens.ts';
import type { Data } from './template-generator.ts';

/** What Go made of a template: Go strings, one character a byte. */
export interface Verdict {
  readonly out?: string;
  readonly error?: string;
}

interface Line {
  readonly out?: string;
  readonly error?: string;
  readonly error64?: string;
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

const verdictOf = ({ out, error, error64 }: Line): Verdict => {
  if (error64 !== undefined) return { error: Buffer.from(error64, 'base64').toString('latin1') };
  if (error !== undefined) return { error: Buffer.from(error, 'utf8').toString('latin1') };
  return { out: Buffer.from(out ?? '', 'base64').toString('latin1') };
};

export class Oracle implements Disposable {
  readonly #built = buildOracle();
  #process: ChildProcess | undefined;
  /** Who waits for answers, in the order of the questions. */
  #waiting: ((verdict: Verdict | undefined) => void)[] = [];

  /** @returns undefined where Go's process died of the template, as it does of a map that contains itself */
  ask(template: string, data: Data): Promise<Verdict | undefined> {
    const question = {
      id: '',
      template,
      data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
    };
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#running().stdin?.write(`${JSON.stringify(question)}\n`);
    });
  }

  #running(): ChildProcess {
    if (this.#process !== undefined) return this.#process;
    const child = spawn(this.#built.program, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#process = child;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#waiting.shift()?.(verdictOf(JSON.parse(line) as Line));
    });
    child.on('close', () => {
      if (this.#process === child) this.#process = undefined;
      const lost = this.#waiting;
      this.#waiting = [];
      for (const resolve of lost) resolve(undefined);
    });
    return child;
  }

  [Symbol.dispose](): void {
    this.#process?.kill();
    this.#built.remove();
  }
}
