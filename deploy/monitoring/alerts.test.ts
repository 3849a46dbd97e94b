import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { needsPrometheus, promtool } from '../../test/harness/prometheus.ts';
import type { AlertRules, prometheusRule } from './prometheus-rule.ts';

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

/** Runs promtool on what `write` has put into a folder; it names the arguments. */
async function withFiles(
  write: (put: (name: string, content: unknown) => string) => string[],
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'esa-alerts-'));
  const put = (name: string, content: unknown): string => {
    const file = join(directory, name);
    writeFileSync(file, typeof content === 'string' ? content : stringify(content));
    return file;
  };
  try {
    const { code, stdout, stderr } = await promtool(write(put));
    assert.equal(code, 0, stdout + stderr);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('promtool: each alert keeps silent while all is well, and fires', needsPrometheus(), () =>
  withFiles((put) => {
    const files = cases.map(({ alert, series, healthy, fires, labels }) => {
      // Annotations are for people; promtool would compare them letter by letter.
      const own = alerts
        .filter((rule) => rule.alert === alert)
        .map((rule) => ({ ...rule, annotations: undefined }));
      const all = Object.entries({ severity: own[0]?.labels.severity, ...labels });
      const exp_labels = Object.fromEntries(all.filter(([, value]) => value !== null));
      const one = {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [
          { eval_time: `${healthy}m`, alertname: alert, exp_alerts: [] },
          { eval_time: `${fires}m`, alertname: alert, exp_alerts: [{ exp_labels }] },
        ],
      };
      // By itself: in each test all rules of its file are evaluated at every minute.
      const rule = put(`${alert}-rule.yaml`, { groups: [{ name: alert, rules: own }] });
      return put(`${alert}.yaml`, { rule_files: [rule], evaluation_interval: '1m', tests: [one] });
    });
    return ['test', 'rules', ...files];
  }),
);

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

test('promtool accepts the scrape configuration of docs/monitoring.md', needsPrometheus(), async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/monitoring.md'), 'utf8');
  const [, block = ''] = /```yaml\n(scrape_configs:[\s\S]*?)```/.exec(page) ?? [];
  // Debian's Prometheus has no discovery of Kubernetes.
  const config = block.replace(
    /kubernetes_sd_configs:\n.*/,
    'static_configs: [{targets: ["127.0.0.1:8080"]}]',
  );
  assert.notEqual(config, block);
  await withFiles((put) => ['check', 'config', put('prometheus.yaml', config)]);
});

test('the commands of the pages are ones that a shell understands', () => {
  const blocks = readdirSync(runbooks).flatMap((file) => {
    const page = readFileSync(join(runbooks, file), 'utf8');
    return [...page.matchAll(/```(sh|console)\n([\s\S]*?)```/g)].map(([, language, text = '']) =>
      language === 'sh' ? text : text.replaceAll(/^(?!\$ ).*$/gm, '').replaceAll(/^\$ /gm, ''),
    );
  });
  assert.ok(blocks.length > alerts.length);
  for (const block of blocks) {
    execFileSync('bash', ['-n'], { input: block, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const line of block.split('\n').filter((one) => one !== '')) assert.match(line, /^(kubectl|esa) /);
  }
});

test('the PrometheusRule holds the same rules', () => {
  const { apiVersion, kind, spec } = read('prometheus-rule.yaml') as ReturnType<typeof prometheusRule>;
  assert.deepEqual([apiVersion, kind], ['monitoring.coreos.com/v1', 'PrometheusRule']);
  assert.deepEqual(spec, rules);
});
