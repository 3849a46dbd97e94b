/** Every rule refuses what it is there for, at the field that is wrong, and nothing else. No control plane. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RULES } from '../../api/rules.ts';
import { type Broken, judge } from './judges.ts';
import { type Case, readTables } from './tables.ts';

const byRule = Map.groupBy(readTables(), ({ rule }) => rule);

function assertVerdict(one: Case, broken: readonly Broken[]): void {
  const { rule, verdict, at, also } = one;
  const own = broken.filter((found) => found.rule === rule).map((found) => found.at);
  assert.deepEqual(own.toSorted(), at.toSorted(), `fields of ${rule}`);
  if (verdict === 'pass') return;
  const others = new Set(broken.map((found) => found.rule).filter((found) => found !== rule));
  assert.deepEqual([...others].toSorted(), also.toSorted(), `rules broken beside ${rule}`);
}

for (const rule of Object.keys(RULES)) {
  const cases = byRule.get(rule) ?? [];
  describe(rule, () => {
    test('has two cases that it refuses, and one that passes', () => {
      const count = (wanted: Case['verdict']): number =>
        cases.filter(({ verdict, at }) => verdict === wanted && at.length > 0 === (wanted === 'refuse'))
          .length;
      assert.ok(count('refuse') >= 2, `${count('refuse')} refusing`);
      assert.ok(count('pass') >= 1, `${count('pass')} passing`);
    });
    for (const one of cases) {
      test(`${one.verdict} ${one.number}`, async () => assertVerdict(one, await judge(one)));
    }
  });
}

test('every rule of a table is one of the catalogue', () => {
  assert.deepEqual(
    [...byRule.keys()].filter((rule) => !Object.hasOwn(RULES, rule)),
    [],
  );
});
