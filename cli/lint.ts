/** `esa lint`: what API server and webhook would say about manifests, offline, with file, line and column. */
import { Command, Option } from 'commander';
import type { PolicyDefault } from '../sync/policies.ts';
import { crossCheck } from './cross-check.ts';
import {
  countOf,
  FINDING_FORMATS,
  type Finding,
  type FindingFormat,
  findingOn,
  formatGithub,
  formatText,
  inOrder,
  ownFindings,
  plural,
  toJson,
} from './findings.ts';
import { PolicyJudge, policiesOf, remarkOf, SEVERITY_OF } from './judge-policies.ts';
import { directoryOf, type ManifestSet, readManifestSet, StoreIndex, soundOf } from './manifest-set.ts';
import {
  type LabelsByNamespace,
  NAMESPACE_LABELS_HELP,
  NamespaceLabels,
  parseNamespaceLabels,
} from './namespaces.ts';
import { collectPath, PATHS_HELP, readInputs } from './read-inputs.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

interface LintOptions {
  readonly namespace: string;
  readonly output: FindingFormat;
  readonly strict?: true;
  readonly controllerClass: string;
  readonly policy?: readonly string[];
  readonly policyDefault: PolicyDefault;
  readonly namespaceLabels?: LabelsByNamespace;
}

const HELP = `
Errors are what a cluster refuses: by the schemas of the CRDs, as kubectl has them checked (unknown fields too), and by
the webhook. Warnings are what it takes with a word, or what two of the objects say against each other. Objects of
other groups are passed over; Namespaces, stores, ConfigMaps and Secrets among them are looked at for what they say.

Exit code: 0 no errors, 1 errors (with --strict warnings, too), 2 the command was called wrongly.
`;

export function lintCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return new Command('lint')
    .description('Say what a cluster would say about manifests, without one.')
    .argument('<paths...>', PATHS_HELP)
    .option('-n, --namespace <name>', 'namespace of objects that name none', 'default')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(FINDING_FORMATS).default('text'))
    .option('--strict', 'warnings count as errors for the exit code')
    .option('--controller-class <class>', 'the one that webhook and poller run with', 'default')
    .option(
      '--policy <path>',
      'file or directory with ClusterSecretPolicies to ask, too; may be given again',
      collectPath,
    )
    .addOption(
      new Option('--policy-default <verdict>', 'the one that webhook and poller run with')
        .choices(['allow', 'deny'])
        .default('allow'),
    )
    .option('--namespace-labels <labels>', NAMESPACE_LABELS_HELP, parseNamespaceLabels)
    .addHelpText('after', HELP)
    .action(async (paths: readonly string[], options: LintOptions) =>
      done(await lint(paths, options, terminal)),
    );
}

async function lint(paths: readonly string[], options: LintOptions, terminal: Terminal): Promise<ExitCode> {
  const set = readManifestSet(await readInputs(paths, terminal), options.namespace);
  const namespaces = new NamespaceLabels(set.objects, options.namespaceLabels);
  const findings: Finding[] = [...set.faults, ...ownFindings(set.judged)];
  for (const { judged, remark } of await crossCheck(set, namespaces, options.controllerClass))
    findings.push(findingOn(judged, 'warning', remark));
  const policies = readManifestSet(await readInputs(options.policy ?? [], terminal), options.namespace);
  // A file may be among both; what is wrong with it is said once.
  const already = new Set(set.files);
  findings.push(
    ...[...policies.faults, ...ownFindings(policies.judged)].filter(({ place }) => !already.has(place.file)),
    ...(await policyFindings(set, policies, namespaces, options.policyDefault)),
  );
  report(set, inOrder(findings, [...set.files, ...policies.files]), options.output, terminal);
  const counted = countOf(findings, 'error') + (options.strict ? countOf(findings, 'warning') : 0);
  return counted > 0 ? EXIT.wrong : EXIT.ok;
}

async function policyFindings(
  set: ManifestSet,
  policies: ManifestSet,
  namespaces: NamespaceLabels,
  policyDefault: PolicyDefault,
): Promise<readonly Finding[]> {
  const judge = new PolicyJudge(policiesOf(policies), policyDefault, {
    namespaces,
    stores: new StoreIndex(set),
  });
  const findings: Finding[] = [];
  for (const { judged, sound } of soundOf(set, 'ExternalSecret', 'SecretStore')) {
    const { verdicts, notes } = await judge.judge(sound, directoryOf(judged));
    for (const verdict of verdicts)
      findings.push(findingOn(judged, SEVERITY_OF[verdict.effect], remarkOf(verdict)));
    for (const note of notes) findings.push(findingOn(judged, 'note', note));
  }
  return findings;
}

function report(
  set: ManifestSet,
  findings: readonly Finding[],
  format: FindingFormat,
  terminal: Terminal,
): void {
  const counts = {
    errors: countOf(findings, 'error'),
    warnings: countOf(findings, 'warning'),
    notes: countOf(findings, 'note'),
  };
  const objects = set.judged.length;
  if (format === 'json') {
    const ignored = set.objects.length - objects;
    const summary = { files: set.files.length, objects, ignored, ...counts };
    terminal.out(`${JSON.stringify({ ...summary, findings: findings.map(toJson) }, null, 2)}\n`);
    return;
  }
  for (const finding of findings)
    terminal.out(
      format === 'github' ? formatGithub(finding) : formatText(finding, terminal.colours ?? false),
    );
  const where = `${plural(objects, 'object')} in ${plural(set.files.length, 'file')}`;
  terminal.error(`${where}: ${plural(counts.errors, 'error')}, ${plural(counts.warnings, 'warning')}\n`);
}
