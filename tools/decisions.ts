/** docs/decisions/README.md: the records of decisions, by their titles. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup/paths.mjs';

const FOLDER = 'docs/decisions';

/** @throws Error for a record whose title does not begin with its number, or a number that two have */
export function renderDecisions(): string {
  const seen = new Set<string>();
  const rows = readdirSync(join(ROOT, FOLDER))
    .filter((file) => /^\d{4}-.*\.md$/.test(file))
    .toSorted()
    .map((file) => {
      const [, title] = /^# (?:\d+\. )?(.+)$/m.exec(readFileSync(join(ROOT, FOLDER, file), 'utf8')) ?? [];
      if (title === undefined) throw new Error(`${FOLDER}/${file} has no title`);
      const number = file.slice(0, 4);
      if (seen.has(number)) throw new Error(`${FOLDER}: two records have the number ${number}`);
      seen.add(number);
      return `| ${number} | [${title}](${file}) |`;
    });
  return [
    '# Decisions\n',
    'Why it is built this way: each record has the context, the decision and its consequences. A record is not',
    'rewritten when a later one changes it; the later one says so. Generated from the titles (`make generate`).\n',
    '| number | decision |',
    '|---|---|',
    ...rows,
    '',
  ].join('\n');
}
