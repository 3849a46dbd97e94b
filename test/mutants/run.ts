/**
 * `make mutants`: switches each rule off in turn, then each place that words it, and judges the tables of test/rules
 * again: some case has to come out otherwise. One line for each mutant that survives, then a summary as JSON.
 */
import { RULES } from '../../api/rules.ts';
import { judge } from '../rules/judges.ts';
import { type Case, readTables } from '../rules/tables.ts';
import type { Mutant } from './hooks.ts';

const casesOf = Map.groupBy(readTables(), ({ rule }) => rule);

/** True if every problem of the rule is where the table says, and no other. */
async function holds(one: Case): Promise<boolean> {
  const found = (await judge(one)).filter(({ rule }) => rule === one.rule).map(({ at }) => at);
  return JSON.stringify(found.toSorted()) === JSON.stringify(one.at.toSorted());
}

async function survives({ id, rule }: Mutant): Promise<boolean> {
  globalThis.offMutant = id;
  try {
    for (const one of casesOf.get(rule) ?? []) {
      if (!(await holds(one))) return false;
    }
    return true;
  } finally {
    globalThis.offMutant = undefined;
  }
}

const began = performance.now();
// Without a mutant all is as it should be; this also loads every source.
const broken: string[] = [];
for (const one of [...casesOf.values()].flat()) {
  if (!(await holds(one))) broken.push(`${one.rule} ${one.verdict} ${one.number}`);
}
const mutants: readonly Mutant[] = [
  ...Object.keys(RULES).map((rule) => ({ id: `rule:${rule}`, rule })),
  ...(globalThis.mutants ?? []).filter(({ rule }) => Object.hasOwn(RULES, rule)),
];
const survivors: string[] = [];
for (const mutant of mutants) {
  if (await survives(mutant)) survivors.push(mutant.id);
}
for (const one of broken) console.log(`wrong without any mutant: ${one}`);
for (const id of survivors) console.log(`survives: ${id}`);
const seconds = Math.round((performance.now() - began) / 100) / 10;
console.log(
  JSON.stringify({
    rules: Object.keys(RULES).length,
    mutants: mutants.length,
    killed: mutants.length - survivors.length,
    survivors,
    seconds,
  }),
);
process.exitCode =
  broken.length + survivors.length === 0 && mutants.length > Object.keys(RULES).length ? 0 : 1;
