import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { needsPrometheus, promtool } from '../../test/harness/prometheus.ts';
import { type AlertRules, prometheusRule } from './prometheus-rule.ts';

interface Case {
  readonly alert: string;
  readonly series: Readonly<Record<string, string>>;
  /** Minutes. */
  readonly healthy: number;
  readonly fires: number;
  readonly labels: Readonly<Record<string, string | null>>;
}

const read = (file: string): unknown => parse(readFileSync(join(import.meta.dirname, file), 'utf8'));
const rules = read('alerts.yaml') as AlertRules;
const cases = read('alert-cases.yaml') as readonly Case[];
const alerts = rules.groups.flatMap((group) => group.rules);
const runbooks = join(import.meta.dirname, '../../docs/runbooks');

test('promtool accepts the rules', needsPrometheus(), async () => {
  const { code, stdout, stderr } = await promtool([
    'check',
    'rules',
    '--lint=all',
    '--lint-fatal',
    join(import.meta.dirname, 'alerts.yaml'),
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`SUCCESS: ${alerts.length} rules found`));
});

test('every alert has its case, and each name is used once', () => {
  assert.deepEqual(
    cases.map(({ alert }) => alert),
    alerts.map(({ alert }) => alert),
  );
  assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
});

test('promtool: each alert keeps silent while all is well, and fires', needsPrometheus(), async () => {
  // Annotations are for people; promtool would compare them letter by letter.
  const bare = {
    groups: rules.groups.map((group) => ({
      ...group,
      rules: group.rules.map(({ annotations: _, ...rule }) => rule),
    })),
  };
  const severities = new Map(alerts.map(({ alert, labels }) => [alert, labels.severity]));
  const tests = cases.map(({ alert, series, healthy, fires, labels }) => {
    const all = Object.entries({ severity: severities.get(alert), ...labels });
    const exp_labels = Object.fromEntries(all.filter(([, value]) => value !== null));
    return {
      interval: '1m',
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      alert_rule_test: [
        { eval_time: `${healthy}m`, alertname: alert, exp_alerts: [] },
        { eval_time: `${fires}m`, alertname: alert, exp_alerts: [{ exp_labels }] },
      ],
    };
  });
  const directory = mkdtempSync(join(tmpdir(), 'esa-alerts-'));
  try {
    const [ruleFile, file] = [join(directory, 'rules.yaml'), join(directory, 'cases.yaml')];
    writeFileSync(ruleFile, stringify(bare));
    writeFileSync(file, stringify({ rule_files: [ruleFile], evaluation_interval: '1m', tests }));
    const { code, stdout, stderr } = await promtool(['test', 'rules', file]);
    assert.equal(code, 0, stdout + stderr);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('each alert says what it is about, how bad it is, and has its page', () => {
  for (const { alert, labels, annotations } of alerts) {
    assert.match(labels.severity, /^(critical|warning)$/, alert);
    assert.deepEqual(Object.keys(annotations), ['summary', 'description', 'runbook_url'], alert);
    assert.equal(annotations.runbook_url, `docs/runbooks/${alert}.md`);
    assert.ok(annotations.summary.length <= 80 && annotations.summary.endsWith('.'), alert);
  }
  assert.deepEqual(
    readdirSync(runbooks).sort(),
    [...alerts.map(({ alert }) => `${alert}.md`), 'README.md'].sort(),
  );
});

test('the PrometheusRule holds the same rules', () => {
  const { apiVersion, kind, spec } = read('prometheus-rule.yaml') as ReturnType<typeof prometheusRule>;
  assert.deepEqual([apiVersion, kind], ['monitoring.coreos.com/v1', 'PrometheusRule']);
  assert.deepEqual(spec, rules);
});
