/**
 * Writes the pages of docs/ that are made from what they are about (errors, rules, refusals, metrics, acceptance, the reference,
 * the index of decisions, dependencies) and what Prometheus and Grafana read in deploy/monitoring. With --check it only
 * says whether they are up to date.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ERROR_CATALOGUE } from '../api/errors.ts';
import { RULES } from '../api/rules.ts';
import { renderPage } from '../cli/doctor/page.ts';
import { renderValuesPage } from '../deploy/chart-values.ts';
import { readChartValues } from '../deploy/generate.ts';
import { renderDashboard } from '../deploy/monitoring/dashboard.ts';
import { type AlertRules, prometheusRule } from '../deploy/monitoring/prometheus-rule.ts';
import { findTests, registerFaults, renderRegister, testsByCase } from './acceptance/register.ts';
import { metricCatalogue, renderMetrics } from './metrics.ts';
import { leftoverPages, PRODUCT_PAGES } from './product-pages.ts';
import { renderRefusals } from './refusals.ts';
import { ROOT } from './setup/paths.mjs';

const MONITORING = 'deploy/monitoring';
const ALERTS = `${MONITORING}/alerts.yaml`;

const chart = await readChartValues();

/** Pages by file, and what each is made from; those that look at all others come after them. */
const PAGES = [
  { file: 'docs/errors.md', source: 'api/errors.ts', render: () => renderErrors(ERROR_CATALOGUE) },
  { file: 'docs/rules.md', source: 'api/rules.ts', render: () => renderRules(RULES) },
  { file: 'docs/refusals.md', source: 'the goldens in test/e2e/refusals/rules', render: renderRefusals },
  {
    file: 'docs/metrics.md',
    source: 'the metrics of the programs',
    render: () => renderMetrics(metricCatalogue()),
  },
  { file: 'docs/doctor.md', source: 'cli/doctor/catalogue.ts', render: renderPage },
  { file: 'docs/acceptance.md', source: 'the tests', render: renderAcceptance },
  { file: `${MONITORING}/dashboard.json`, source: `${MONITORING}/panels.ts`, render: renderDashboard },
  { file: `${MONITORING}/prometheus-rule.yaml`, source: ALERTS, render: renderPrometheusRule },
  {
    file: 'docs/values.md',
    source: 'deploy/chart/values.yaml',
    render: () => renderValuesPage(chart.values, chart.foreign),
  },
] as const;

function renderPrometheusRule(): string {
  const rules = parse(readFileSync(join(ROOT, ALERTS), 'utf8')) as AlertRules;
  return `# Generated from ${ALERTS} by tools/generate-docs.ts; do not edit.\n${stringify(prometheusRule(rules), { lineWidth: 0 })}`;
}

function renderAcceptance(): string {
  const found = testsByCase(findTests());
  for (const fault of registerFaults(found)) {
    console.error(`docs/acceptance.md: ${fault} (tools/acceptance/cases.ts)`);
    process.exitCode = 1;
  }
  return renderRegister(found);
}

/** The whole page; codes are in alphabetical order, because people come with one from a log. */
function renderErrors(
  catalogue: Readonly<Record<string, { readonly meaning: string; readonly remedy: string }>>,
): string {
  const codes = Object.keys(catalogue).toSorted((a, b) => (a < b ? -1 : 1));
  const sections = codes.map((code) => {
    const { meaning, remedy } = catalogue[code] ?? { meaning: '', remedy: '' };
    return `## ${code}\n\n${meaning}\n\n**What to do:** ${remedy}\n`;
  });
  return [
    '# Errors\n',
    'Every failure that leaves the program carries one of these codes: in the field `code` of a log line,',
    'in metrics, and in the messages of the command line. This page is generated from `api/errors.ts`',
    '(`make generate`).\n',
    ...sections,
  ].join('\n');
}

interface RuleEntry {
  readonly demand: string;
  readonly kinds: readonly string[];
  readonly reason: string;
  readonly warns?: true;
}

/** First word of an id, and what rules of that area are about. */
const AREAS: Readonly<Record<string, string>> = {
  schema:
    'The shape of an object. The API server words these itself, before it asks the webhook; the webhook where a schema cannot (objects of old versions, annotations), and `esa` offline.',
  es: 'ExternalSecrets.',
  kes: 'ExternalSecrets of kubernetes-external-secrets, where they are served (`--kes`).',
  ces: 'ClusterExternalSecrets, beside what the ExternalSecret in them has to be.',
  selector: 'Label selectors for namespaces.',
  template: 'Templates in an ExternalSecret.',
  store: 'SecretStores and ClusterSecretStores, whatever their provider.',
  vault: 'The provider `vault`.',
  aws: 'The provider `aws`.',
  kubernetes: 'The provider `kubernetes`.',
  webhook: 'The provider `webhook` and the generator `Webhook`.',
  gcp: 'The provider `gcpsm`.',
  azure: 'The provider `azurekv`.',
  fake: 'The provider `fake`.',
  generator: 'Generators.',
  policy:
    'ClusterSecretPolicies: what is wrong with one, and (`policy-allows-...`) what one does not allow to others.',
  caller: 'Whoever creates or changes the object.',
};

/** The whole page: the areas in the order of the catalogue, a table each. */
function renderRules(catalogue: Readonly<Record<string, RuleEntry>>): string {
  const areas = Map.groupBy(Object.entries(catalogue), ([id]) => id.split('-')[0] ?? '');
  const sections = [...areas].map(([area, rules]) => {
    const about = AREAS[area];
    if (about === undefined) throw new Error(`say in AREAS what rules "${area}-..." are about`);
    const rows = rules.map(
      ([id, { demand, kinds, reason, warns }]) =>
        `| \`${id}\` | ${demand.replaceAll('|', '\\|')} | ${kinds.join(', ')} | ${reason}${warns ? ' (only a warning)' : ''} |`,
    );
    return [
      `## ${area}\n`,
      `${about}\n`,
      '| rule | demands | kinds | reason |',
      '|---|---|---|---|',
      ...rows,
      '',
    ];
  });
  return [
    '# Rules\n',
    'Everything that an object can be refused for. The id of a rule is in the metric `esa_refusals_total{rule}`,',
    "in the log line `refused`, and in the API server's audit log (annotation `.../rules`, of refusals and of",
    'warnings). The refusal itself names the field and says how to mend it. On an update a problem that the stored',
    'object already has is only warned of. This page is generated from `api/rules.ts` (`make generate`).\n',
    ...sections.flat(),
  ].join('\n');
}

function isCurrent(path: string, wanted: string): boolean {
  try {
    return readFileSync(path, 'utf8') === wanted;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  for (const { file, source, render } of [...PAGES, ...PRODUCT_PAGES]) {
    const path = join(ROOT, file);
    const wanted = render();
    if (!check) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, wanted);
    } else if (!isCurrent(path, wanted)) {
      console.error(`${file} is not what ${source} says: run \`make generate\` and commit it.`);
      process.exitCode = 1;
    }
  }
  for (const file of leftoverPages()) {
    if (!check) rmSync(join(ROOT, file));
    else {
      console.error(`${file} is made from nothing: run \`make generate\`.`);
      process.exitCode = 1;
    }
  }
}
