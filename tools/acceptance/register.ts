/** docs/acceptance.md: for each acceptance case its tests, found by the numbers in their names. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../setup/paths.mjs';
import { CASES, type CaseNumber, REASONS } from './cases.ts';

/** A test by its name, as it stands in its file. */
export interface NamedTest {
  readonly file: string;
  readonly name: string;
}

const NUMBERS = Object.keys(CASES) as readonly CaseNumber[];
const SOURCES = ['**/*.test.ts', 'test/e2e/common-cases.ts', 'test/e2e/cli-cluster/*.ts'];
/** This folder's own tests put numbers together. */
const HERE = 'tools/acceptance/';
const NOT_OURS = new Set(['node_modules', '.git', '.dev', '.cache']);
/** Manifests that are refused; each is a test by its file name. */
const REFUSALS = 'test/e2e/refusals';
const NAMED =
  /(?<quote>['"`])(?<name>(?:\\.|(?!\k<quote>)[^\\\n])*\b[SK]\d{1,3}\b(?:\\.|(?!\k<quote>)[^\\\n])*)\k<quote>/g;

/** The texts with a number in one source: names of tests, and what assertions in them are about. */
export function namesIn(source: string): readonly string[] {
  return source
    .split('\n')
    .filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line))
    .flatMap((line) => [...line.matchAll(NAMED)].map(({ groups }) => groups?.['name'] ?? ''))
    .map((name) => name.replaceAll(/\\(.)/g, '$1'))
    .filter((name) => name.includes(' '));
}

/** Every text with a number, of the whole tree. */
export function findTests(): readonly NamedTest[] {
  const files = globSync(SOURCES, { cwd: ROOT, exclude: (name) => NOT_OURS.has(name) })
    .filter((file) => !file.startsWith(HERE))
    .toSorted();
  const written = files.flatMap((file) =>
    namesIn(readFileSync(join(ROOT, file), 'utf8')).map((name) => ({ file, name })),
  );
  const refused = globSync(`${REFUSALS}/[SK]*.yaml`, { cwd: ROOT })
    .toSorted()
    .map((file) => ({
      file: 'test/e2e/refusals.test.ts',
      name: file.slice(REFUSALS.length + 1, -'.yaml'.length).replaceAll('-', ' '),
    }));
  return [...written, ...refused];
}

/** The tests of each case. */
export function testsByCase(tests: readonly NamedTest[]): ReadonlyMap<CaseNumber, readonly NamedTest[]> {
  const found = new Map<CaseNumber, NamedTest[]>(NUMBERS.map((number) => [number, []]));
  for (const test of tests)
    for (const number of numbersIn(test.name)) found.get(number as CaseNumber)?.push(test);
  return found;
}

/** `S1 K13-K15 x` is about four cases. */
function numbersIn(name: string): ReadonlySet<string> {
  const numbers = new Set<string>(name.match(/\b[SK]\d{1,3}\b/g));
  for (const [, letter = '', from, to] of name.matchAll(/\b([SK])(\d{1,3})-\1(\d{1,3})\b/g))
    for (let number = Number(from); number < Number(to); number++) numbers.add(`${letter}${number}`);
  return numbers;
}

/** What is wrong with the register: a case with neither test nor reason, or with both. Empty if nothing is. */
export function registerFaults(found: ReadonlyMap<CaseNumber, readonly NamedTest[]>): readonly string[] {
  return NUMBERS.flatMap((number) => {
    const tested = (found.get(number) ?? []).length > 0;
    if (tested && REASONS[number] !== undefined) return [`${number} has a test now: take out its reason`];
    if (!tested && REASONS[number] === undefined)
      return [`${number} has neither a test with its number in the name nor a reason`];
    return [];
  });
}

/** The whole page. */
export function renderRegister(found: ReadonlyMap<CaseNumber, readonly NamedTest[]>): string {
  const rows = (letter: string): string[] =>
    NUMBERS.filter((number) => number.startsWith(letter)).map(
      (number) => `| ${number} | ${CASES[number]} | ${shownBy(number, found.get(number) ?? [])} |`,
    );
  const head = ['| case | what | shown by |', '|---|---|---|'];
  return [
    '# Acceptance cases',
    '',
    'Each case is a test with its number in its name, or says here why it is none. S-cases come from the articles that the',
    'project answers, K-cases from the tests of kubernetes-external-secrets, as far as they are about behaviour of what is',
    'served here (its backends for Alibaba, IBM and Akeyless are not). This page is generated from the names of the tests',
    'and from `tools/acceptance/cases.ts` (`make generate`); the checks fail where a case has neither a test nor a reason.',
    '',
    '## Articles',
    '',
    ...head,
    ...rows('S'),
    '',
    '## kubernetes-external-secrets',
    '',
    ...head,
    ...rows('K'),
    '',
  ].join('\n');
}

function shownBy(number: CaseNumber, tests: readonly NamedTest[]): string {
  if (tests.length === 0) return REASONS[number] ?? '';
  const byFile = Map.groupBy(tests, ({ file }) => file);
  return [...byFile]
    .map(([file, named]) => {
      const names = [...new Set(named.map(({ name }) => name))];
      return `[${file}](../${file}): ${names.map((name) => `"${escaped(name)}"`).join(', ')}`;
    })
    .join('<br>');
}

const escaped = (text: string): string => text.replaceAll(/[|<>*_`[\]]/g, '\\$&');
