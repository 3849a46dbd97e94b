/** Asks the Go program beside this file. Texts are Go strings: one character a byte. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Question {
  readonly json: string;
  readonly path: string;
}

export interface Answer {
  readonly type: string;
  readonly raw: string;
  readonly text: string;
}

const toBase64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('latin1');

/** Builds the program once; `close` removes it. */
export function startOracle() {
  const directory = mkdtempSync(join(tmpdir(), 'go-gjson-'));
  const program = join(directory, 'go-gjson');
  execFileSync('go', ['build', '-o', program, '.'], { cwd: import.meta.dirname, stdio: 'inherit' });
  return {
    /** Answers in order: undefined where nothing is found, 'panic' where gjson itself ends in one. */
    ask(questions: readonly Question[]): (Answer | undefined | 'panic')[] {
      const input = questions.map(({ json, path }) =>
        JSON.stringify({ json: toBase64(json), path: toBase64(path) }),
      );
      const output = execFileSync(program, {
        input: `${input.join('\n')}\n`,
        encoding: 'utf8',
        maxBuffer: 2 ** 30,
      });
      return output
        .trimEnd()
        .split('\n')
        .map((line) => {
          const { type, raw = '', text = '', panic } = JSON.parse(line) as Partial<Answer> & { panic?: true };
          if (panic === true) return 'panic';
          return type === undefined ? undefined : { type, raw: fromBase64(raw), text: fromBase64(text) };
        });
    },
    close: () => rmSync(directory, { recursive: true }),
  };
}
