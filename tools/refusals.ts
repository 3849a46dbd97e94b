/** The page that has each refusal as kubectl prints it: the rule with its reason, from the goldens of the end-to-end tests. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RULES } from '../api/rules.ts';
import { ROOT } from './setup/paths.mjs';

const GOLDENS = 'test/e2e/refusals/rules';

/** What kubectl printed of the first case of each rule (test/e2e/refusals.test.ts compares it with a real API server). */
function printed(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const file of globSync('*.golden.txt', { cwd: join(ROOT, GOLDENS) }).toSorted()) {
    const text = readFileSync(join(ROOT, GOLDENS, file), 'utf8');
    for (const [, rule = '', said = ''] of text.matchAll(/^# (\S+)\n([\s\S]*?)(?=\n# |$(?![\s\S]))/gm))
      found.set(rule, said.trimEnd());
  }
  return found;
}

/** @returns the whole page, rules in the order of the catalogue */
export function renderRefusals(): string {
  const texts = printed();
  const sections = Object.entries(RULES).flatMap(([rule, { demand }]) => {
    const text = texts.get(rule);
    return text === undefined ? [] : [`## ${rule}\n`, '```text', text, '```\n', `${demand}\n`];
  });
  return [
    '# Refusals, word for word\n',
    'An example of each rule that an object can break, as kubectl prints it, with what the rule demands. Names, fields and',
    'quoted values differ from case to case. Look for a part of your message that names neither. Lists of several problems',
    'begin each with `* `; with more objects than one in an apply kubectl puts `Error from server (Invalid): error when',
    'creating "FILE": admission webhook "NAME" denied the request: ` before it. [Rules](rules.md) has all of them in tables,',
    '[troubleshooting](troubleshooting.md) what comes after the create. This page is generated from what the tests see (`make',
    'generate`).\n',
    ...sections,
  ].join('\n');
}
