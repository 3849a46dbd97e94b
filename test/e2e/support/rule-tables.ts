/** The tables of rules (test/rules) on a real API server: how each rule is worded, and that every case comes out right. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RULES } from '../../../api/rules.ts';
import type { Case } from '../../rules/tables.ts';
import type { Cluster } from './cluster.ts';

const GOLDENS = join(import.meta.dirname, '..', 'refusals', 'rules');
/** In the tables, references of SecretStores to this namespace are those to their own. */
export const TABLES_NAMESPACE = 'shop';
const CLUSTER_WIDE = [
  'ClusterExternalSecret',
  'ClusterSecretStore',
  'ClusterGenerator',
  'ClusterSecretPolicy',
];

/** As many at a time as the bed is not slowed down by. */
async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 3 }, worker));
}

const isRule = (text: string): text is keyof typeof RULES => Object.hasOwn(RULES, text);
const onlyWarns = (rule: string): boolean => isRule(rule) && 'warns' in RULES[rule];

/** Registers the tests. UPDATE_GOLDEN=1 writes the goldens anew. @param of the cluster, once the tests run */
export function testRuleTables(of: () => Cluster, cases: readonly Case[]): void {
  for (const [area, first] of Map.groupBy(
    cases.filter(({ verdict, number }) => verdict === 'refuse' && number === 1),
    ({ rule }) => rule.split('-')[0] ?? '',
  )) {
    test(`${area}: each rule is worded like this`, async () => {
      const said = new Map<string, string>();
      await inTurn(first, async ({ rule, manifest }) => {
        const { code, stdout, stderr } = await of().cp.kubectl(
          ['create', '--dry-run=server', '-n', TABLES_NAMESPACE, '-f', '-'],
          { stdin: JSON.stringify(manifest) },
        );
        assert.equal(code, onlyWarns(rule) ? 0 : 1, `${rule}: ${stdout}${stderr}`);
        said.set(rule, `# ${rule}\n${stdout}${stderr}`);
      });
      const text = first.map(({ rule }) => said.get(rule)).join('\n');
      const file = join(GOLDENS, `${area}.golden.txt`);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
      assert.equal(text, readFileSync(file, 'utf8'));
    });
  }

  const attempt = ({ manifest }: Case) => {
    const { kind, metadata } = manifest;
    const where = CLUSTER_WIDE.includes(kind) ? {} : { namespace: TABLES_NAMESPACE };
    return of().attempt(
      { ...manifest, metadata: { ...metadata, ...where } },
      { dryRun: 'All', fieldValidation: 'Strict' },
    );
  };

  test('every case that is to be refused is, and every other is admitted', async () => {
    const wrong: string[] = [];
    await inTurn(cases, async (one) => {
      const { status, body, warnings } = await attempt(one);
      const warns = onlyWarns(one.rule);
      // Of a passing case another rule may warn, and what the tables name does not exist.
      const own = warnings.filter((text) => !/ not found( in namespace \S+)?$/.test(text));
      const isWarned = !warns || own.length > 0 === (one.verdict === 'refuse');
      const refused = one.verdict === 'refuse' && !warns;
      if (refused ? status === 400 || status === 422 : status === 201 && isWarned) return;
      wrong.push(
        `${one.rule} ${one.verdict} ${one.number}: ${status} ${body.message ?? ''} ${warnings.join('; ')}`,
      );
    });
    assert.deepEqual(wrong, []);
  });
}
