/** The CA of the webhook, who trusts it, how long it holds, and the key of the pending marker. */
import type { X509Certificate } from 'node:crypto';
import { EsaError } from '../../../api/errors.ts';
import { decodeState, hookPaths, isOurs, type SharedState, trustBundle } from '../../../certs/authority.ts';
import {
  CA_INJECTOR,
  injectionPatch,
  isInjectedByOthers,
  type TargetObject,
} from '../../../certs/injection.ts';
import { notAfter, readCertificate, splitBundle } from '../../../certs/x509.ts';
import { MARKER_SECRET, readKeys } from '../../../sync/marker-keys.ts';
import { plural } from '../../findings.ts';
import { logsOf, restart } from '../commands.ts';
import { type CheckResult, type Finding, finding } from '../finding.ts';
import { CA_SECRET } from '../gather.ts';
import { injectsCrds, MUTATING_PREFIX } from '../install.ts';
import type { ClusterState } from '../state.ts';

/** Renewal begins after two thirds of a life; past this part of it something holds it up. */
const LATE = 5 / 6;

/** All objects that tell the API server how to call us. */
function callers({
  configurations,
  definitions,
  install,
}: ClusterState): readonly { place: string; object: TargetObject }[] {
  const names = new Set([install.configuration, `${MUTATING_PREFIX}${install.configuration}`]);
  const converted = ['externalsecrets', 'secretstores', 'clustersecretstores'].map(
    (one) => `${one}.external-secrets.io`,
  );
  return [
    ...(configurations.ok ? configurations.value : [])
      .filter(({ metadata }) => names.has(metadata.name))
      .map((object) => ({ place: `${object.kind} ${object.metadata.name}`, object: object as TargetObject })),
    ...(definitions.ok ? definitions.value : [])
      .filter(({ metadata, spec }) => {
        const service = spec.conversion?.webhook?.clientConfig?.service;
        // Of another Service it is said elsewhere.
        return (
          injectsCrds(install) &&
          converted.includes(metadata.name) &&
          service?.name === install.service.name &&
          service.namespace === install.namespace
        );
      })
      .map((object) => ({ place: `CustomResourceDefinition ${object.metadata.name}`, object })),
  ];
}

function trustFindings(state: ClusterState, shared: SharedState): readonly Finding[] {
  const { install } = state;
  const wanted = { bundle: trustBundle(shared), paths: hookPaths(shared) };
  const commands = [...restart(install, 'webhook'), ...logsOf(install, 'webhook')];
  const findings: Finding[] = [];
  for (const { place, object } of callers(state)) {
    const wrong = injectionPatch(object, wanted);
    const where = place;
    if (wrong.some(({ path }) => path.endsWith('/caBundle'))) {
      const held = splitBundle(bundleOf(object)).length;
      const what =
        held === 0
          ? 'It holds no caBundle.'
          : `Its caBundle (${plural(held, 'certificate')}) is not that of Secret ${CA_SECRET}.`;
      findings.push(finding('ca-bundle', { where, what, commands }));
    }
    if (wrong.some(({ path }) => path.endsWith('/path'))) {
      const what = `Its path is not that of Secret ${CA_SECRET}.`;
      findings.push(finding('hook-path', { where, what, commands }));
    }
    if (isInjectedByOthers(object) && splitBundle(bundleOf(object)).length === 0) {
      const what =
        'cert-manager is asked to write its caBundle (annotation cert-manager.io/inject-...) and has not.';
      const remedy =
        'See whether cert-manager runs and its Certificate is ready, or take the annotation off: then the webhook writes its own.';
      const [kind = '', name = ''] = place.split(' ');
      const annotations = Object.keys(object.metadata.annotations ?? {}).filter((key) =>
        key.startsWith(CA_INJECTOR),
      );
      const off = `kubectl annotate ${kind.toLowerCase()} ${name} ${annotations.map((key) => `${key}-`).join(' ')}`;
      findings.push(finding('ca-bundle', { where, what, remedy, commands: [off] }));
    }
  }
  return findings;
}

function bundleOf(object: TargetObject): string {
  const config = object.webhooks?.[0]?.clientConfig ?? object.spec?.conversion?.webhook?.clientConfig;
  return Buffer.from(config?.caBundle ?? '', 'base64').toString('utf8');
}

function expiry(
  where: string,
  certificate: string,
  [from, to]: readonly [number | undefined, number],
  { now, install }: ClusterState,
): readonly Finding[] {
  const commands = [...restart(install, 'webhook'), ...logsOf(install, 'webhook')];
  const at = new Date(to).toISOString();
  if (to <= now)
    return [finding('ca-expiry', { where, what: `${certificate} was over at ${at}.`, commands })];
  const late = from === undefined ? to - now < DAY_MS : now > from + (to - from) * LATE;
  if (!late) return [];
  const what = `${certificate} is over at ${at} and was not renewed.`;
  return [finding('ca-expiry', { where, what, commands, severity: 'warning' })];
}

const DAY_MS = 86_400_000;
const lifeOf = (certificate: X509Certificate): readonly [number, number] => [
  certificate.validFromDate.getTime(),
  notAfter(certificate),
];

interface Part {
  readonly findings: readonly Finding[];
  readonly unseen: readonly string[];
}

function checkAuthority(state: ClusterState): Part {
  const { authority, install } = state;
  if (!authority.ok) return { findings: [], unseen: [authority.why] };
  const where = `Secret ${install.namespace}/${CA_SECRET}`;
  const callees = callers(state);
  const secret = authority.value;
  if (secret === undefined) {
    if (callees.length === 0) return { findings: [], unseen: [] };
    const what = 'It does not exist.';
    const commands = [...restart(install, 'webhook'), ...logsOf(install, 'webhook')];
    return { findings: [finding('ca-missing', { where, what, commands })], unseen: [] };
  }
  const commands = [
    `kubectl -n ${install.namespace} delete secret ${CA_SECRET}`,
    ...restart(install, 'webhook'),
  ];
  let shared: SharedState | undefined;
  try {
    shared = decodeState(secret);
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    // The sentence goes on with what to do, which is said apart.
    const [what = ''] = error.message.replace(`${where}: `, '').split('. ');
    const whose = isOurs(secret) ? '' : ' It does not carry our label app.kubernetes.io/managed-by, either.';
    return { findings: [finding('ca-broken', { where, what: `${what}.${whose}`, commands })], unseen: [] };
  }
  if (shared === undefined)
    return {
      findings: [
        finding('ca-missing', { where, what: 'It is empty.', commands: restart(install, 'webhook') }),
      ],
      unseen: [],
    };
  const certificate = readCertificate(shared.current.cert);
  const isUsed = callees.some(({ object }) => !isInjectedByOthers(object));
  const life =
    certificate === undefined || !isUsed ? [] : expiry(where, 'The CA', lifeOf(certificate), state);
  return { findings: [...trustFindings(state, shared), ...life], unseen: [] };
}

function checkServed(state: ClusterState): Part {
  const { certificates, install } = state;
  if (!certificates.ok)
    return { findings: [], unseen: [`the certificates that replicas serve: ${certificates.why}`] };
  const findings = certificates.value.flatMap(({ pod, notAfter: ends }) =>
    ends
      .filter(({ certificate }) => certificate === 'serving')
      .flatMap(({ at }) =>
        expiry(`Pod ${install.namespace}/${pod}`, 'The certificate that it serves', [undefined, at], state),
      ),
  );
  return { findings, unseen: [] };
}

function checkMarker({ markerKey, install }: ClusterState): Part {
  if (!markerKey.ok) return { findings: [], unseen: [markerKey.why] };
  const where = `Secret ${install.namespace}/${MARKER_SECRET}`;
  const again = restart(install, 'webhook', 'poller');
  if (markerKey.value === undefined)
    return {
      findings: [finding('marker-key', { where, what: 'It does not exist.', commands: again })],
      unseen: [],
    };
  try {
    readKeys(markerKey.value.data ?? {}, install.namespace);
    return { findings: [], unseen: [] };
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    const commands = [`kubectl -n ${install.namespace} delete secret ${MARKER_SECRET}`, ...again];
    return {
      findings: [finding('marker-key', { where, what: 'It holds no usable key.', commands })],
      unseen: [],
    };
  }
}

/** Checks certificates and keys. Of Secrets only certificates and the presence of keys are used. */
export function checkCertificates(state: ClusterState): CheckResult {
  const parts = [checkAuthority(state), checkServed(state), checkMarker(state)];
  return {
    name: 'certificates and keys',
    seen: plural(callers(state).length, 'caller'),
    findings: parts.flatMap(({ findings }) => findings),
    unseen: parts.flatMap(({ unseen }) => unseen),
  };
}
