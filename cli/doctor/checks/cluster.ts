/** The cluster itself: its version, clocks, and whether it gives the programs a turn when it is overloaded. */
import { type CheckResult, type Finding, finding } from '../finding.ts';
import type { ClusterState, Lease } from '../state.ts';

const OLDEST_MINOR = 30;
/** What certificates, tokens and refresh times are given, see sync/status.ts. */
const CLOCK_SKEW_MS = 60_000;

function versionFindings({ version }: ClusterState): readonly Finding[] {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || Number(major) > 1 || Number(minor) >= OLDEST_MINOR) return [];
  return [finding('kubernetes-version', { where: 'API server', what: `It is ${version}.` })];
}

/**
 * By how much the clock of whoever wrote a Lease is ahead, milliseconds: renewTime is by that clock, the time in
 * managedFields by the API server's, which takes it down with each change of a field. In whole seconds.
 */
function leaseSkew({ metadata, spec }: Lease): number | undefined {
  const renewed = Date.parse(spec?.renewTime ?? '');
  const written = Math.max(...(metadata.managedFields ?? []).map(({ time }) => Date.parse(time ?? '') || 0));
  return Number.isNaN(renewed) || written <= 0 ? undefined : renewed - written;
}

const OURS = /^external-secrets-admission-(webhook|poller)/;

const seconds = (ms: number): string => `${Math.round(Math.abs(ms) / 1000)} s ${ms > 0 ? 'ahead' : 'behind'}`;

function clockFindings({ ownClockAheadMs, leases, install }: ClusterState): readonly Finding[] {
  const findings: Finding[] = [];
  if (ownClockAheadMs !== undefined && Math.abs(ownClockAheadMs) > CLOCK_SKEW_MS) {
    const what = `It is ${seconds(ownClockAheadMs)} of the API server. (Ages here are by the clock of the API server.)`;
    findings.push(finding('clock-own', { where: 'this machine', what }));
  }
  for (const lease of leases.ok ? leases.value : []) {
    if (!OURS.test(lease.metadata.name)) continue;
    const skew = leaseSkew(lease);
    if (skew === undefined || Math.abs(skew) <= CLOCK_SKEW_MS) continue;
    const what = `${lease.spec?.holderIdentity ?? 'Its holder'} wrote a time that is ${seconds(skew)} of the API server.`;
    findings.push(
      finding('clock-program', { where: `Lease ${install.namespace}/${lease.metadata.name}`, what }),
    );
  }
  return findings;
}

function flowFindings({ flowSchemas, install }: ClusterState): readonly Finding[] {
  if (!flowSchemas.ok) return [];
  const accounts = new Set([install.webhook.account, install.poller.account]);
  const named = flowSchemas.value.some(({ spec }) =>
    spec?.rules?.some(({ subjects = [] }) =>
      subjects.some(
        ({ serviceAccount }) =>
          serviceAccount?.namespace === install.namespace && accounts.has(serviceAccount.name),
      ),
    ),
  );
  if (named) return [];
  return [
    finding('flow-schema', { where: 'API server', what: 'None names the accounts of webhook and poller.' }),
  ];
}

/** Checks version, clocks and fairness. */
export function checkCluster(state: ClusterState): CheckResult {
  const { version, ownClockAheadMs, leases, flowSchemas } = state;
  return {
    name: 'API server and clocks',
    seen: version,
    findings: [...versionFindings(state), ...clockFindings(state), ...flowFindings(state)],
    unseen: [
      ...(ownClockAheadMs === undefined ? ['the clock of the API server: its answers have no date'] : []),
      ...(leases.ok ? [] : ['the clocks of the programs: their Leases cannot be read']),
      ...(flowSchemas.ok ? [] : [flowSchemas.why]),
    ],
  };
}
