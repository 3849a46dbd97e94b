/** How findings are printed. */
import type { Painter } from '../cluster/words.ts';
import { countOf, plural } from '../findings.ts';
import type { Severity } from './catalogue.ts';
import { checkCertificates } from './checks/certificates.ts';
import { checkCluster } from './checks/cluster.ts';
import { checkConfigurations } from './checks/configurations.ts';
import { checkDefinitions } from './checks/definitions.ts';
import { checkObjects } from './checks/objects.ts';
import { checkOthers } from './checks/others.ts';
import { checkLeases, checkPrograms, checkRights } from './checks/programs.ts';
import { checkReach } from './checks/reach.ts';
import { checkStores } from './checks/stores.ts';
import type { CheckResult, Finding } from './finding.ts';
import type { ClusterState } from './state.ts';

/** What the rest stands on comes first. */
const CHECKS: readonly ((state: ClusterState) => CheckResult)[] = [
  checkCluster,
  checkDefinitions,
  checkConfigurations,
  checkReach,
  checkCertificates,
  checkRights,
  checkPrograms,
  checkLeases,
  checkOthers,
  checkStores,
  checkObjects,
];

export const runChecks = (state: ClusterState): readonly CheckResult[] => CHECKS.map((check) => check(state));

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };
const COLOURS = { error: 'red', warning: 'yellow', note: 'cyan' } as const;

export const allFindings = (results: readonly CheckResult[]): readonly Finding[] =>
  results.flatMap(({ findings }) => findings).toSorted((a, b) => RANK[a.severity] - RANK[b.severity]);

function lineOf({ name, seen, findings, unseen }: CheckResult, paint: Painter): string {
  const worst = (['error', 'warning', 'note'] as const).find((severity) => countOf(findings, severity) > 0);
  const verdict =
    worst === undefined ? (seen === '' ? 'not seen' : 'ok') : plural(countOf(findings, worst), worst);
  const colour = worst === undefined ? (seen === '' ? 'dim' : 'green') : COLOURS[worst];
  const line = `${paint(colour, verdict.padEnd(11))} ${name}${seen === '' ? '' : paint('dim', ` (${seen})`)}\n`;
  return line + unseen.map((why) => `${' '.repeat(12)}${paint('dim', `not seen: ${why}`)}\n`).join('');
}

/** One finding, several lines. */
export function formatFinding(
  { id, severity, where, what, why, remedy, commands }: Finding,
  paint: Painter,
): string {
  return [
    `${paint(COLOURS[severity], severity)} ${paint('bold', id)}: ${where}`,
    `  ${what}`,
    `  ${why}`,
    `  ${remedy}`,
    ...commands.map((command) => `    ${command}`),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** A line each check, then the findings, the gravest first, then how many there are. */
export function formatText(state: ClusterState, results: readonly CheckResult[], paint: Painter): string {
  const { install } = state;
  const findings = allFindings(results);
  const unseen = results.reduce((sum, one) => sum + one.unseen.length, 0);
  const release = install.release === undefined ? '' : `, Helm release ${install.release.name}`;
  return [
    `external-secrets-admission in namespace ${install.namespace}${release}\n\n`,
    ...results.map((result) => lineOf(result, paint)),
    '\n',
    ...findings.map((one) => `${formatFinding(one, paint)}\n`),
    `${plural(countOf(findings, 'error'), 'error')}, ${plural(countOf(findings, 'warning'), 'warning')}, ${plural(countOf(findings, 'note'), 'note')}`,
    unseen === 0 ? '\n' : `; ${plural(unseen, 'thing')} could not be seen\n`,
  ].join('');
}

/** The same for programs. */
export function formatJson(state: ClusterState, results: readonly CheckResult[]): string {
  const findings = allFindings(results);
  const report = {
    namespace: state.install.namespace,
    release: state.install.release?.name,
    kubernetes: state.version,
    checks: results.map(({ name, seen, unseen }) => ({ name, seen, unseen })),
    findings,
    errors: countOf(findings, 'error'),
    warnings: countOf(findings, 'warning'),
    notes: countOf(findings, 'note'),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
