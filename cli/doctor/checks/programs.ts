/** Accounts, rights, Deployments, Pods and Leases of webhook and poller. */
import { plural } from '../../findings.ts';
import { applyManifests, logsOf, restart } from '../commands.ts';
import type { ProgramName, Right } from '../expected-rights.ts';
import { type CheckResult, type Finding, finding } from '../finding.ts';
import { isReady, podsOf } from '../pods.ts';
import type { ClusterState, Deployment, Lease, Pod, Program } from '../state.ts';

const PROGRAMS: readonly ProgramName[] = ['webhook', 'poller'];

const MOST_RIGHTS = 6;

/** `get, list secrets; patch externalsecrets.external-secrets.io` */
export function describeRights(rights: readonly Right[]): string {
  const verbs = Map.groupBy(rights, ({ group, resource, name }) => {
    const plural = group === '' ? resource : `${resource}.${group}`;
    return name === undefined ? plural : `${plural}/${name}`;
  });
  const texts = [...verbs].map(
    ([resource, some]) => `${some.map(({ verb }) => verb).join(', ')} ${resource}`,
  );
  const rest = texts.length - MOST_RIGHTS;
  return `${texts.slice(0, MOST_RIGHTS).join('; ')}${rest > 0 ? `; and on ${rest} more` : ''}`;
}

/** Checks the ServiceAccounts and what they may do. */
export function checkRights({ accounts, missingRights, install }: ClusterState): CheckResult {
  const name = 'accounts and rights';
  const findings: Finding[] = [];
  const unseen: string[] = [];
  const commands = [applyManifests(install)];
  const missing = new Set<ProgramName>();
  if (!accounts.ok) unseen.push(accounts.why);
  else {
    const there = new Set(accounts.value.map(({ metadata }) => metadata.name));
    for (const program of PROGRAMS) {
      const { account } = install[program];
      if (there.has(account)) continue;
      missing.add(program);
      const where = `ServiceAccount ${install.namespace}/${account}`;
      findings.push(
        finding('account-missing', {
          where,
          what: `The account of the ${program} does not exist.`,
          commands,
        }),
      );
    }
  }
  if (!missingRights.ok) unseen.push(missingRights.why);
  else
    for (const [program, rights] of missingRights.value) {
      if (rights.length === 0) continue;
      const where = `ServiceAccount ${install.namespace}/${install[program].account}`;
      const what = `The ${program} may not: ${describeRights(rights)}.`;
      findings.push(finding('rights-missing', { where, what, commands }));
    }
  return { name, seen: missingRights.ok ? 'each right of both programs' : '', findings, unseen };
}

/** Why a Pod is not ready, as its status says. */
function whyNotReady({ metadata, status }: Pod): string {
  const waiting = (status?.containerStatuses ?? []).flatMap(({ state }) => state?.waiting ?? [])[0];
  const unscheduled = status?.conditions?.find(
    (one) => one.type === 'PodScheduled' && one.status === 'False',
  );
  const restarts = Math.max(
    0,
    ...(status?.containerStatuses ?? []).map(({ restartCount = 0 }) => restartCount),
  );
  const { reason, message } = waiting ??
    unscheduled ?? { reason: status?.phase ?? 'not ready', message: undefined };
  const again = restarts === 0 ? '' : `, restarted ${plural(restarts, 'time')}`;
  return `Pod ${metadata.name}: ${reason ?? 'not ready'}${message === undefined ? '' : ` (${message})`}${again}`;
}

function readiness(
  program: Program,
  deployment: Deployment,
  pods: readonly Pod[],
  state: ClusterState,
): readonly Finding[] {
  const wanted = deployment.spec.replicas ?? 1;
  const ready = deployment.status?.readyReplicas ?? 0;
  const { namespace, name } = deployment.metadata;
  const where = `Deployment ${namespace}/${name}`;
  if (wanted === 0) {
    const commands = [
      `kubectl -n ${namespace} scale deployment/${name} --replicas=${program.name === 'webhook' ? 2 : 1}`,
    ];
    return [finding('program-not-ready', { where, what: 'It is scaled to 0.', commands })];
  }
  if (ready >= wanted) return [];
  const bad = podsOf(program, pods).filter((pod) => !isReady(pod));
  const what = `${ready} of ${plural(wanted, 'Pod')} ready${bad[0] === undefined ? '' : `; ${whyNotReady(bad[0])}`}.`;
  const commands = [
    ...(bad[0] === undefined ? [] : [`kubectl -n ${namespace} describe pod ${bad[0].metadata.name}`]),
    ...logsOf(state.install, program.name),
  ];
  return [
    finding('program-not-ready', { where, what, commands, severity: ready === 0 ? 'error' : 'warning' }),
  ];
}

/** Major and minor of an image's tag, `v0.2.1` or `0.2.1`; undefined for other tags. */
export function releaseOf(image = ''): readonly [number, number] | undefined {
  const [, major, minor] = /:v?(\d+)\.(\d+)\.\d+[^:/]*$/.exec(image.replace(/@.*$/, '')) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

const imageOf = ({ deployment, name }: Program): string | undefined => {
  const containers = deployment?.spec.template.spec?.containers ?? [];
  return (containers.find((one) => one.args?.[0] === name) ?? containers[0])?.image;
};

function versionFindings({ install }: ClusterState): readonly Finding[] {
  const { webhook, poller } = install;
  const [some, other] = [releaseOf(imageOf(webhook)), releaseOf(imageOf(poller))];
  if (some === undefined || other === undefined) return [];
  const apart = some[0] === other[0] ? Math.abs(some[1] - other[1]) : Number.POSITIVE_INFINITY;
  if (apart <= 1) return [];
  const older = some[0] < other[0] || (some[0] === other[0] && some[1] < other[1]) ? webhook : poller;
  const where = `Deployment ${install.namespace}/${older.deployment?.metadata.name ?? ''}`;
  const what = `The webhook runs ${imageOf(webhook)}, the poller ${imageOf(poller)}.`;
  return [finding('program-versions', { where, what, commands: [applyManifests(install)] })];
}

/** Checks Deployments and Pods. */
export function checkPrograms(state: ClusterState): CheckResult {
  const { deployments, pods, install } = state;
  const name = 'webhook and poller';
  if (!deployments.ok) return { name, seen: '', findings: [], unseen: [deployments.why] };
  const programs = PROGRAMS.map((one) => install[one]);
  const there = programs.filter(({ deployment }) => deployment !== undefined);
  if (there.length === 0) {
    const why = `no Deployment of webhook or poller is in namespace ${install.namespace}: they run elsewhere, and only their Leases are seen`;
    return { name, seen: 'no Deployment', findings: [], unseen: [why] };
  }
  const findings: Finding[] = [];
  for (const program of programs) {
    const { deployment } = program;
    if (deployment === undefined) {
      const where = `namespace ${install.namespace}`;
      const what = `There is no Deployment of the ${program.name}.`;
      findings.push(finding('program-missing', { where, what, commands: [applyManifests(install)] }));
      continue;
    }
    findings.push(...readiness(program, deployment, pods.ok ? pods.value : [], state));
    if (program.name === 'webhook' && deployment.spec.replicas === 1) {
      const { namespace, name: own } = deployment.metadata;
      const commands = [`kubectl -n ${namespace} scale deployment/${own} --replicas=2`];
      findings.push(
        finding('program-single', {
          where: `Deployment ${namespace}/${own}`,
          what: 'It has one replica.',
          commands,
        }),
      );
    }
  }
  findings.push(...versionFindings(state));
  return { name, seen: plural(there.length, 'Deployment'), findings, unseen: pods.ok ? [] : [pods.why] };
}

/** A Lease that was not renewed for so many of its durations has nobody who renews it. */
const SILENT = 3;
const DEFAULT_LEASE_S = 15;

const renewedAt = ({ spec }: Lease): number => Date.parse(spec?.renewTime ?? '') || 0;

function leaseFinding(state: ClusterState, name: ProgramName, lease: Lease | undefined): readonly Finding[] {
  const { install, now } = state;
  const id = `${name}-lease` as const;
  const where = `Lease ${install.namespace}/external-secrets-admission-${name}`;
  const commands = [...logsOf(install, name), ...restart(install, name)];
  if (lease === undefined)
    return [finding(id, { where, what: `It does not exist: no ${name} ever ran here.`, commands })];
  const { holderIdentity = '', leaseDurationSeconds = DEFAULT_LEASE_S } = lease.spec ?? {};
  if (holderIdentity === '') return [finding(id, { where, what: 'Nobody holds it.', commands })];
  const silentMs = now - renewedAt(lease);
  if (silentMs <= leaseDurationSeconds * 1000 * SILENT) return [];
  const what = `${holderIdentity} holds it and has not renewed it for ${Math.round(silentMs / 1000)} s.`;
  return [finding(id, { where, what, commands })];
}

/** Checks who leads. */
export function checkLeases(state: ClusterState): CheckResult {
  const { leases, install, configurations } = state;
  const name = 'Leases';
  if (!leases.ok) return { name, seen: '', findings: [], unseen: [leases.why] };
  const find = (program: ProgramName) =>
    leases.value.find(({ metadata }) => metadata.name === `external-secrets-admission-${program}`);
  // Without configurations there need not be a webhook.
  const hasWebhook =
    install.webhook.deployment !== undefined ||
    (configurations.ok &&
      configurations.value.some(({ metadata }) => metadata.name === install.configuration));
  const findings = [
    ...(hasWebhook ? leaseFinding(state, 'webhook', find('webhook')) : []),
    ...leaseFinding(state, 'poller', find('poller')),
  ];
  return { name, seen: plural(leases.value.length, 'Lease'), findings, unseen: [] };
}
