/**
 * Rebuilds template/testdata/<area>.golden.jsonl with Go itself:
 *
 *   node test/oracles/go-template/goldens.ts [area ...]      all areas unless named
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;
const testdata = join(here, '../../../template/testdata');

/** A line of `<area>.cases.jsonl`; without data it has that of data.json. */
export interface TemplateCase {
  readonly id: string;
  readonly template: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly data64?: Readonly<Record<string, string>>;
  /** Go's built-in functions only. */
  readonly plain?: boolean;
}

/** A line of `<area>.golden.jsonl`: the output, or Go's error; in base64 where it is no UTF-8. */
export interface TemplateGolden {
  readonly id: string;
  readonly out?: string;
  readonly out64?: string;
  readonly error?: string;
  readonly error64?: string;
}

interface Answer {
  readonly id: string;
  readonly out?: string;
  readonly error?: string;
  readonly error64?: string;
}

const lines = <Line>(text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** The data of a case, each value in base64. */
export function dataOf(
  { data, data64 }: TemplateCase,
  standard: Readonly<Record<string, string>>,
): Record<string, string> {
  const plain = data === undefined && data64 === undefined ? standard : (data ?? {});
  const encoded = Object.entries(plain).map(([key, value]) => [key, base64(value)] as const);
  return Object.fromEntries([...encoded, ...Object.entries(data64 ?? {})]);
}

/** Builds the oracle into a new directory; `program` is its path, `remove` deletes it again. */
export function buildOracle(): { program: string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'go-template-'));
  const program = join(directory, 'go-template');
  execFileSync('go', ['build', '-C', here, '-o', program, '.'], { stdio: 'inherit' });
  return { program, remove: () => rmSync(directory, { recursive: true }) };
}

function golden({ id, out, error, error64 }: Answer): TemplateGolden {
  if (error64 !== undefined) return { id, error64 };
  if (error !== undefined) return { id, error };
  const bytes = Buffer.from(out ?? '', 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { id, out: text } : { id, out64: out ?? '' };
}

function main(named: readonly string[]): void {
  const areas =
    named.length > 0
      ? named
      : readdirSync(testdata)
          .filter((file) => file.endsWith('.cases.jsonl'))
          .map((file) => file.slice(0, -'.cases.jsonl'.length));
  const standard = JSON.parse(readFileSync(join(testdata, 'data.json'), 'utf8')) as Record<string, string>;
  const oracle = buildOracle();
  try {
    for (const area of areas) {
      const cases = lines<TemplateCase>(readFileSync(join(testdata, `${area}.cases.jsonl`), 'utf8'));
      if (new Set(cases.map((one) => one.id)).size !== cases.length) throw new Error(`${area}: an id twice`);
      const input = cases.map((one) =>
        JSON.stringify({
          id: one.id,
          template: one.template,
          data: dataOf(one, standard),
          plain: one.plain ?? false,
        }),
      );
      const output = execFileSync(oracle.program, {
        input: input.join('\n'),
        encoding: 'utf8',
        maxBuffer: 1 << 30,
      });
      const goldens = lines<Answer>(output).map((answer) => JSON.stringify(golden(answer)));
      if (goldens.length !== cases.length)
        throw new Error(`${area}: ${cases.length} cases, ${goldens.length} answers`);
      writeFileSync(join(testdata, `${area}.golden.jsonl`), goldens.map((line) => `${line}\n`).join(''));
      console.log(`${area}: ${goldens.length} cases`);
    }
  } finally {
    oracle.remove();
  }
}

if (import.meta.main) main(process.argv.slice(2));
