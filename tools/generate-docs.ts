/** Writes docs/errors.md from the catalogue of errors; with --check only says whether it is up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CATALOGUE } from '../api/errors.ts';
import { ROOT } from './setup/paths.mjs';

const FILE = 'docs/errors.md';

/** The whole page; codes are in alphabetical order, because people come with one from a log. */
export function renderErrors(
  catalogue: Readonly<Record<string, { readonly meaning: string; readonly remedy: string }>>,
): string {
  const codes = Object.keys(catalogue).toSorted((a, b) => (a < b ? -1 : 1));
  const sections = codes.map((code) => {
    const { meaning, remedy } = catalogue[code] ?? { meaning: '', remedy: '' };
    return `## ${code}\n\n${meaning}\n\n**What to do:** ${remedy}\n`;
  });
  return [
    '# Errors\n',
    'Every failure that leaves the program carries one of these codes: in the field `code` of a log line,',
    'in metrics, and in the messages of the command line. This page is generated from `api/errors.ts`',
    '(`make generate`).\n',
    ...sections,
  ].join('\n');
}

function isCurrent(path: string, wanted: string): boolean {
  try {
    return readFileSync(path, 'utf8') === wanted;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const path = join(ROOT, FILE);
  const wanted = renderErrors(ERROR_CATALOGUE);
  if (!process.argv.includes('--check')) writeFileSync(path, wanted);
  else if (!isCurrent(path, wanted)) {
    console.error(`${FILE} is not what api/errors.ts says: run \`make generate\` and commit it.`);
    process.exitCode = 1;
  }
}
