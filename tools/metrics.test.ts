import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { metricCatalogue } from './metrics.ts';
import { ROOT } from './setup/paths.mjs';

const catalogue = metricCatalogue();
const names = new Set(
  catalogue.flatMap(({ name, type }) =>
    type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);
/** As a text names metrics of ours; of the API server's, test/e2e/monitoring.test.ts asks a real one. */
const OURS =
  /\b(?:esa|externalsecret|clusterexternalsecret|kubernetes_external_secrets|process|nodejs)_[a-z0-9_]*[a-z0-9]/g;
/** Words that look like one. */
const NO_METRICS = /^(esa_text|esa_value|esa_escaped)$/;

/** Names in a text that are neither a metric nor how some of them begin. */
const unknown = (text: string): string[] =>
  [...new Set(text.match(OURS))].filter(
    (name) =>
      !names.has(name) &&
      !NO_METRICS.test(name) &&
      ![...names].some((metric) => metric.startsWith(`${name}_`)),
  );

test('dashboard, alerts and documentation name metrics that the programs have', () => {
  const files = globSync(['README.md', 'docs/**/*.md', 'deploy/monitoring/*.{yaml,json}'], { cwd: ROOT });
  assert.ok(files.includes('deploy/monitoring/dashboard.json') && files.length > 30);
  const found = files.flatMap((file) =>
    unknown(readFileSync(join(ROOT, file), 'utf8')).map((name) => `${file}: ${name}`),
  );
  assert.deepEqual(found, []);
});

test('a name that no program has is noticed, the beginning of some is none', () => {
  assert.deepEqual(
    unknown('esa_queue_depths and `esa_store_waiting`, externalsecret_sync, esa_queue_oldest'),
    ['esa_queue_depths'],
  );
});

test('every metric says what it is, and has the names of its labels', () => {
  assert.ok(catalogue.length > 50);
  for (const { name, help, type } of catalogue) {
    assert.ok(help.length > 10 && help.endsWith('.'), name);
    assert.match(type, /^(counter|gauge|histogram)$/, name);
  }
  const condition = catalogue.find(({ name }) => name === 'externalsecret_status_condition');
  assert.deepEqual(condition?.labels, ['name', 'namespace', 'condition', 'status']);
});
