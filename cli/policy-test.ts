/** `esa policy test`: what ClusterSecretPolicies say about manifests, and whether that is what was expected. */
import { Command, Option } from 'commander';
import type { PolicyDefault } from '../sync/policies.ts';
import { countOf, type Finding, formatText, plural, toJson } from './findings.ts';
import { type LabelsByNamespace, NAMESPACE_LABELS_HELP, parseNamespaceLabels } from './namespaces.ts';
import { type ObjectReport, OUTCOMES, type PolicyReport, reportPolicies } from './policy-report.ts';
import { findSuites, runSuite, SUITE_KIND, SUITE_VERSION, type SuiteResult } from './policy-suite.ts';
import { collectPath, PATHS_HELP, readInputs } from './read-inputs.ts';
import { EXIT, type ExitCode, type Terminal, UsageError } from './terminal.ts';

const FORMATS = ['text', 'json'] as const;

interface PolicyTestOptions {
  readonly policy?: readonly string[];
  readonly namespace: string;
  readonly policyDefault: PolicyDefault;
  readonly namespaceLabels?: LabelsByNamespace;
  readonly output: (typeof FORMATS)[number];
}

const HELP = `
With --policy, every ExternalSecret and SecretStore of the paths is judged as the webhook would judge it.
Without it, the paths hold tests: every ${SUITE_KIND} of ${SUITE_VERSION} in them is run.

Exit code: 0 nothing is denied, or all is as expected; 1 it is not, or an object or test is invalid; 2 the command was
called wrongly.
`;

export function policyCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  const test = new Command('test')
    .description('Judge manifests by ClusterSecretPolicies, without a cluster.')
    .argument('<paths...>', PATHS_HELP)
    .option(
      '-p, --policy <path>',
      'file or directory with ClusterSecretPolicies; may be given again',
      collectPath,
    )
    .option('-n, --namespace <name>', 'namespace of objects that name none', 'default')
    .option('--namespace-labels <labels>', NAMESPACE_LABELS_HELP, parseNamespaceLabels)
    .addOption(
      new Option('--policy-default <verdict>', 'the one that webhook and poller run with')
        .choices(['allow', 'deny'])
        .default('allow'),
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('text'))
    .addHelpText('after', HELP)
    .action(async (paths: readonly string[], options: PolicyTestOptions) =>
      done(await (options.policy === undefined ? runSuites : judge)(paths, options, terminal)),
    );
  return new Command('policy').description('Work with ClusterSecretPolicies.').addCommand(test);
}

async function judge(
  paths: readonly string[],
  { policy, ...options }: PolicyTestOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const report = await reportPolicies({
    ...options,
    policies: await readInputs(policy ?? [], terminal),
    manifests: await readInputs(paths, terminal),
    namespaceLabels: options.namespaceLabels ?? new Map(),
  });
  if (report.policies.length === 0 && report.faults.length === 0)
    throw new UsageError('--policy: there is no ClusterSecretPolicy in it');
  if (options.output === 'json') terminal.out(`${JSON.stringify(reportJson(report), null, 2)}\n`);
  else printReport(report, terminal);
  const isRefused = ({ outcome }: ObjectReport): boolean => outcome === 'Deny' || outcome === 'Invalid';
  return countOf(report.faults, 'error') > 0 || report.objects.some(isRefused) ? EXIT.wrong : EXIT.ok;
}

function printReport({ objects, faults, policies }: PolicyReport, terminal: Terminal): void {
  printFindings(faults, '', terminal);
  for (const { name, outcome, policies: asked, findings } of objects) {
    terminal.out(`${name}: ${outcome} (policies: ${asked.length === 0 ? 'none' : asked.join(', ')})\n`);
    printFindings(findings, '  ', terminal);
  }
  const counts = OUTCOMES.flatMap((outcome) => {
    const count = objects.filter((object) => object.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome}`];
  });
  const asked = `${plural(objects.length, 'object')}, ${policies.length} ${policies.length === 1 ? 'policy' : 'policies'}`;
  terminal.error(`${asked}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}\n`);
}

function printFindings(findings: readonly Finding[], indent: string, terminal: Terminal): void {
  for (const finding of findings)
    terminal.out(formatText(finding, terminal.colours ?? false).replaceAll(/^(?=.)/gm, indent));
}

const reportJson = ({ policies, objects, faults }: PolicyReport): object => ({
  policies,
  objects: objects.map(({ judged, name, outcome, policies: asked, verdicts, findings }) => ({
    object: name,
    ...judged.manifest.place([]),
    outcome,
    policies: asked,
    violations: verdicts.map(({ policy, rule, effect }) => ({ policy, rule, effect })),
    findings: findings.map(toJson),
  })),
  findings: faults.map(toJson),
});

async function runSuites(
  paths: readonly string[],
  { output, namespace, namespaceLabels = new Map(), policyDefault }: PolicyTestOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const suites = findSuites(await readInputs(paths, terminal));
  if (suites.length === 0)
    throw new UsageError(
      `there is no ${SUITE_KIND} of ${SUITE_VERSION} in it; to judge manifests, name the policies with --policy`,
    );
  const results: SuiteResult[] = [];
  for (const suite of suites) {
    results.push(await runSuite(suite, { namespace, namespaceLabels, policyDefault }, terminal));
  }
  if (output === 'json') terminal.out(`${JSON.stringify({ tests: results.map(suiteJson) }, null, 2)}\n`);
  else printSuites(results, terminal);
  const failed = results.some(
    ({ cases, faults }) => countOf(faults, 'error') > 0 || cases.some(({ failure }) => failure !== undefined),
  );
  return failed ? EXIT.wrong : EXIT.ok;
}

function printSuites(results: readonly SuiteResult[], terminal: Terminal): void {
  let count = 0;
  let failed = 0;
  for (const { file, name, cases, faults } of results) {
    terminal.out(`${name} (${file})\n`);
    printFindings(faults, '  ', terminal);
    for (const { object, actual, failure, findings } of cases) {
      count += 1;
      terminal.out(`  ${failure === undefined ? 'ok  ' : 'FAIL'} ${object}: ${actual}\n`);
      if (failure === undefined) continue;
      failed += 1;
      printFindings([failure, ...findings], '       ', terminal);
    }
  }
  terminal.error(`${plural(results.length, 'test')}, ${plural(count, 'object')}: ${failed} failed\n`);
}

const suiteJson = ({ file, name, cases, faults }: SuiteResult): object => ({
  file,
  name,
  cases: cases.map(({ object, actual, failure, findings }) => ({
    object,
    actual,
    passed: failure === undefined,
    findings: [...(failure === undefined ? [] : [failure]), ...findings].map(toJson),
  })),
  findings: faults.map(toJson),
});
