/** What docs/policies.md shows is what the product takes. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { clusterSecretPolicySpec } from '../api/policy/cluster-secret-policy.ts';
import { formatProblem } from '../api/problem.ts';
import { validateClusterPolicy } from './validate-cluster-policy.ts';

const ROOT = join(import.meta.dirname, '..');
const page = readFileSync(join(ROOT, 'docs/policies.md'), 'utf8');
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].flatMap(([, text = '']) =>
  parseAllDocuments(text).map((document) => document.toJS() as object),
);

test('every policy and every rule that the page shows is sound, and every rule is shown', () => {
  const shown = new Set<string>();
  for (const block of blocks) {
    const { kind, spec = block } = block as { kind?: string; spec?: object };
    if (kind !== undefined && kind !== 'ClusterSecretPolicy') continue;
    assert.deepEqual(validateClusterPolicy(spec).map(formatProblem), [], JSON.stringify(spec));
    for (const name of Object.keys(spec)) shown.add(name);
  }
  assert.deepEqual([...shown].sort(), Object.keys(clusterSecretPolicySpec.shape).sort());
});

test('the files that its commands name are there', () => {
  const files = [...page.matchAll(/^kubectl apply -f (\S+)/gm)].map(([, file = '']) => file);
  assert.equal(files.length, 2);
  for (const file of files) assert.ok(existsSync(join(ROOT, file)), file);
});
