/** The way from the API server to the webhook: its Service, and what comes back from creates that are only tried. */
import { applyManifests, logsOf, restart } from '../commands.ts';
import { VALIDATING_HOOKS } from '../expected-hooks.ts';
import { type CheckResult, type Finding, finding } from '../finding.ts';
import { UNSOUND_FIELD } from '../gather-probes.ts';
import { podsOf } from '../pods.ts';
import type { ClusterState, Install, Pod, ProbeAnswer, Seen, Service, ServiceReference } from '../state.ts';

const DEFAULT_PORT = 443;

function targetProblem(
  { spec }: Service,
  { install, pods }: Pick<ClusterState, 'install' | 'pods'>,
): string | undefined {
  const called = install.service.port ?? DEFAULT_PORT;
  const port = spec.ports?.find((one) => one.port === called);
  // The API server asks a name for any port.
  if (spec.type === 'ExternalName') return undefined;
  if (port === undefined) {
    const there = (spec.ports ?? []).map((one) => one.port).join(', ') || 'none';
    return `The webhook configurations call port ${called}; it has ${there}.`;
  }
  const own = pods.ok ? podsOf(install.webhook, pods.value) : [];
  if (own.length === 0) return undefined;
  const selects = ({ metadata }: Pod): boolean =>
    Object.entries(spec.selector ?? {}).every(([key, value]) => metadata.labels?.[key] === value);
  if (!own.some(selects)) {
    const selector = Object.entries(spec.selector ?? {}).map((pair) => pair.join('='));
    return `Its selector (${selector.join(',') || 'none'}) matches no Pod of the webhook.`;
  }
  const target = port.targetPort ?? port.port;
  const listens = own
    .flatMap((pod) => pod.spec.containers)
    .flatMap(({ ports = [] }) => ports)
    .some(({ name, containerPort }) => name === target || containerPort === target);
  return listens
    ? undefined
    : `Its port ${called} leads to ${target}, on which no Pod of the webhook listens.`;
}

interface Part {
  readonly findings: readonly Finding[];
  readonly unseen: readonly string[];
}

function checkService(state: ClusterState): Part {
  const { services, endpointSlices, install } = state;
  if (!services.ok) return { findings: [], unseen: [services.why] };
  const { namespace, name } = install.service;
  const where = `Service ${namespace}/${name}`;
  const service = services.value.find(({ metadata }) => metadata.name === name);
  const commands = [applyManifests(install)];
  if (service === undefined) {
    if (!isCalled(state)) return { findings: [], unseen: [] };
    const what = 'It does not exist, and the webhook configurations call it.';
    return { findings: [finding('webhook-service', { where, what, commands })], unseen: [] };
  }
  const problem = targetProblem(service, state);
  if (problem !== undefined)
    return { findings: [finding('webhook-service', { where, what: problem, commands })], unseen: [] };
  if (service.spec.type === 'ExternalName') {
    const why = `the endpoints of the webhook: ${where} leads to the name ${service.spec.externalName ?? ''}, outside of the cluster`;
    return { findings: [], unseen: [why] };
  }
  if (!endpointSlices.ok) return { findings: [], unseen: [endpointSlices.why] };
  const ready = endpointSlices.value
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false);
  if (ready.length > 0) return { findings: [], unseen: [] };
  const what = 'It has no ready endpoint.';
  return {
    findings: [finding('webhook-endpoints', { where, what, commands: watchCommands(install) })],
    unseen: [],
  };
}

const watchCommands = (install: Install): readonly string[] => [
  `kubectl -n ${install.namespace} get pods -l app.kubernetes.io/component=webhook`,
  ...logsOf(install, 'webhook'),
];

const isCalled = ({ configurations, install }: ClusterState): boolean =>
  configurations.ok &&
  configurations.value.some((one) =>
    one.webhooks?.some(({ clientConfig }) => isService(clientConfig.service, install.service)),
  );

const isService = (some: ServiceReference | undefined, other: ServiceReference): boolean =>
  some?.name === other.name && some.namespace === other.namespace;

const CALL_FAILED = /failed calling webhook|conversion webhook for .* failed/;
const DENIED = /admission webhook "([^"]+)" denied the request/;
const HOST = /https:\/\/([^/:\s"]+)/;

/** What the API server said of a call that failed, without the request and its status. */
const causeOf = ({ message }: ProbeAnswer): string =>
  message.replace(/^try to create an ExternalSecret: \d+ \w+: /, '');

function callFailed(answer: ProbeAnswer, install: Install): Finding {
  const [, host = ''] = HOST.exec(answer.message) ?? [];
  const { name, namespace } = install.service;
  const ours = host === '' || host.startsWith(`${name}.${namespace}.svc`);
  if (!ours) {
    const where = `webhook at ${host}`;
    return finding('webhook-refuses', {
      where,
      what: `A sound ExternalSecret cannot be created: ${causeOf(answer)}`,
      severity: 'error',
      remedy: 'That is not our webhook. Delete its configuration if it is left over, or have it run again.',
    });
  }
  const untrusted = /x509|certificate|tls:/.test(answer.message);
  return finding('webhook-unreachable', {
    where: `Service ${namespace}/${name}`,
    what: causeOf(answer),
    commands: [...(untrusted ? restart(install, 'webhook') : []), ...watchCommands(install)],
    ...(untrusted
      ? {
          remedy:
            'The certificate is not trusted: see the findings about the CA. The webhook mends it when it runs and may.',
        }
      : {}),
  });
}

function checkProbes({ probes, configurations, install }: ClusterState): Part {
  if (!probes.ok) return { findings: [], unseen: [probes.why] };
  const { sound, unsound, namespace, version } = probes.value;
  if (CALL_FAILED.test(sound.message)) return { findings: [callFailed(sound, install)], unseen: [] };
  const findings: Finding[] = [];
  const where = `a create of an ExternalSecret (${version}) in namespace ${namespace}`;
  const [, denier] = DENIED.exec(sound.message) ?? [];
  // A policy of ours may well refuse it.
  const byUs = denier !== undefined && Object.hasOwn(VALIDATING_HOOKS, denier);
  if (sound.status !== 201 && !byUs)
    findings.push(
      finding('webhook-refuses', { where, what: `A sound ExternalSecret is refused: ${causeOf(sound)}` }),
    );
  const isRegistered =
    configurations.ok &&
    configurations.value.some(
      ({ kind, metadata }) =>
        kind === 'ValidatingWebhookConfiguration' && metadata.name === install.configuration,
    );
  if (unsound.status === 201 && isRegistered) {
    const what = 'An ExternalSecret with a template that does not end was let through.';
    findings.push(finding('webhook-not-asked', { where, what, commands: [applyManifests(install)] }));
  }
  if (CALL_FAILED.test(unsound.message)) findings.push(callFailed(unsound, install));
  return { findings, unseen: [] };
}

/** True if our own words came back: the whole way works. */
const isAnswered = (probes: Seen<{ readonly unsound: ProbeAnswer }>): boolean =>
  probes.ok && probes.value.unsound.message.includes(UNSOUND_FIELD);

/** Checks whether the API server reaches the webhook. */
export function checkReach(state: ClusterState): CheckResult {
  const [service, probes] = [checkService(state), checkProbes(state)];
  const seen = isAnswered(state.probes)
    ? 'a sound create was let through and another refused, both by dry run'
    : 'two creates, by dry run';
  return {
    name: 'webhook reached',
    seen,
    findings: [...service.findings, ...probes.findings],
    unseen: [...service.unseen, ...probes.unseen],
  };
}
