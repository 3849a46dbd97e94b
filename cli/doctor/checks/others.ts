/** Other controllers of the same objects, and what they leave behind: finalizers, namespaces that never go. */
import {
  FINALIZER_ESO,
  FINALIZER_ESO_CLUSTER,
  FINALIZER_ESO_NAMESPACE,
  GROUP,
} from '../../../api/external-secrets/names.ts';
import { KES_GROUP } from '../../../api/kubernetes-client/names.ts';
import type { ObjectMeta } from '../../../api/meta.ts';
import { plural } from '../../findings.ts';
import { type CheckResult, type Finding, few, finding } from '../finding.ts';
import { programOf } from '../install.ts';
import type { ClusterState, Deployment, Namespace } from '../state.ts';

/** Images of the two, wherever they were copied to. */
const ESO_IMAGE = /(?:^|\/)external-secrets\/external-secrets(?:[:@]|$)/;
const KES_IMAGE = /(?:^|\/)kubernetes-external-secrets(?:[:@]|$)/;
/** Subcommands of ESO's image that keep no objects. */
const ESO_HELPERS: ReadonlySet<string> = new Set(['webhook', 'certcontroller']);
/** A deletion may rightly take a while. */
const STUCK_MS = 30_000;

const containersOf = ({ spec }: Deployment) => spec.template.spec?.containers ?? [];

function runs({ ...deployment }: Deployment, image: RegExp): boolean {
  if (programOf(deployment) !== undefined || (deployment.spec.replicas ?? 1) === 0) return false;
  return containersOf(deployment).some(
    (one) => image.test(one.image ?? '') && !ESO_HELPERS.has(one.args?.[0] ?? ''),
  );
}

function controllers({ deployments, definitions }: ClusterState): readonly Finding[] {
  if (!deployments.ok) return [];
  const findings: Finding[] = [];
  for (const deployment of deployments.value) {
    const { namespace, name } = deployment.metadata;
    const where = `Deployment ${namespace}/${name}`;
    const commands = [`kubectl -n ${namespace} scale deployment/${name} --replicas=0`];
    const what = `It runs ${containersOf(deployment)[0]?.image ?? ''} with ${plural(deployment.spec.replicas ?? 1, 'replica')}.`;
    if (runs(deployment, ESO_IMAGE)) findings.push(finding('eso-running', { where, what, commands }));
    const served = definitions.ok && definitions.value.some(({ spec }) => spec.group === KES_GROUP);
    if (served && runs(deployment, KES_IMAGE))
      findings.push(finding('kes-running', { where, what, commands }));
  }
  return findings;
}

interface Held {
  /** As kubectl names the kind. */
  readonly resource: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

const isEsoFinalizer = (finalizer: string): boolean =>
  finalizer === FINALIZER_ESO ||
  finalizer === FINALIZER_ESO_CLUSTER ||
  finalizer.startsWith(FINALIZER_ESO_NAMESPACE) ||
  // Of PushSecrets, and of the stores that they write to.
  /^(?:pushsecret|secretstore|clustersecretstore)\.externalsecrets\.io\/finalizer$/.test(finalizer);

const isDeletedFor = ({ deletionTimestamp }: ObjectMeta, now: number): boolean =>
  deletionTimestamp !== undefined && now - Date.parse(deletionTimestamp) > STUCK_MS;

const heldBy = ({ finalizers = [] }: ObjectMeta): readonly string[] => finalizers.filter(isEsoFinalizer);

/** Takes one finalizer off, if it still is where it was seen. */
function removal({ resource, metadata }: Held, finalizer: string): string {
  const index = (metadata.finalizers ?? []).indexOf(finalizer);
  const where = metadata.namespace === undefined ? '' : ` -n ${metadata.namespace}`;
  const path = `/metadata/finalizers/${index}`;
  const patch = JSON.stringify([
    { op: 'test', path, value: finalizer },
    { op: 'remove', path },
  ]);
  return `kubectl patch ${resource} ${metadata.name}${where} --type=json -p '${patch}'`;
}

function heldObjects(state: ClusterState): readonly Held[] {
  const { stores, externalSecrets, clusterExternalSecrets, pushSecrets } = state;
  const all = (
    part: { ok: true; value: { items: readonly { metadata: ObjectMeta; kind?: string }[] } } | { ok: false },
    kind: string,
    resource: string,
  ): readonly Held[] =>
    part.ok
      ? part.value.items.map(({ metadata, kind: own = kind }) => ({
          kind: own,
          resource: own === 'ClusterSecretStore' ? `clustersecretstores.${GROUP}` : resource,
          metadata,
        }))
      : [];
  return [
    ...all(externalSecrets, 'ExternalSecret', `externalsecrets.${GROUP}`),
    ...all(clusterExternalSecrets, 'ClusterExternalSecret', `clusterexternalsecrets.${GROUP}`),
    ...all(stores, 'SecretStore', `secretstores.${GROUP}`),
    ...all(pushSecrets, 'PushSecret', `pushsecrets.${GROUP}`),
  ];
}

const MOST_COMMANDS = 5;

function objectFinalizers(state: ClusterState): readonly Finding[] {
  const stuck = heldObjects(state).filter(
    ({ metadata }) => isDeletedFor(metadata, state.now) && heldBy(metadata).length > 0,
  );
  return [...Map.groupBy(stuck, ({ kind }) => kind)].map(([kind, group]) => {
    const names = group.map(
      ({ metadata }) => `${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`,
    );
    const what = `Being deleted, and held by ${few([...new Set(group.flatMap(({ metadata }) => heldBy(metadata)))])}.`;
    const commands = group
      .slice(0, MOST_COMMANDS)
      .flatMap((held) => heldBy(held.metadata).map((finalizer) => removal(held, finalizer)));
    return finding('eso-finalizer', {
      where: `${plural(group.length, kind)}: ${few(names)}`,
      what,
      commands,
    });
  });
}

function namespaceFindings({ namespaces, now }: ClusterState): readonly Finding[] {
  const findings: Finding[] = [];
  const marked: Namespace[] = [];
  for (const one of namespaces.ok ? namespaces.value.items : []) {
    const { metadata, status } = one;
    const where = `Namespace ${metadata.name}`;
    const held = heldBy(metadata);
    if (metadata.deletionTimestamp === undefined && held.length > 0) marked.push(one);
    if (!isDeletedFor(metadata, now)) continue;
    if (held.length > 0) {
      const what = `Being deleted, and held by ${few(held)}.`;
      const commands = held.map((finalizer) =>
        removal({ resource: 'namespace', kind: 'Namespace', metadata }, finalizer),
      );
      findings.push(finding('eso-finalizer', { where, what, commands }));
      continue;
    }
    const left = (status?.conditions ?? [])
      .filter(({ status: holds }) => holds === 'True')
      .map(({ message }) => message);
    const what = `Terminating since ${metadata.deletionTimestamp}. ${left.join(' ')}`.trim();
    findings.push(
      finding('namespace-stuck', {
        where,
        what,
        commands: [`kubectl get namespace ${metadata.name} -o yaml`],
      }),
    );
  }
  if (marked.length > 0) {
    const names = few(marked.map(({ metadata }) => metadata.name));
    findings.push(
      finding('eso-finalizer', {
        where: `${plural(marked.length, 'namespace')}: ${names}`,
        what: `They carry ${FINALIZER_ESO_NAMESPACE}...: when one is deleted, somebody has to take it off.`,
        severity: 'note',
        remedy: 'Give the poller the right to do so.',
        commands: ['kubectl apply -f deploy/moving/namespace-finalizers.yaml'],
      }),
    );
  }
  return findings;
}

/** Checks what other controllers do and have left. */
export function checkOthers(state: ClusterState): CheckResult {
  const { deployments, namespaces, clusterExternalSecrets, pushSecrets } = state;
  return {
    name: 'other controllers',
    seen: deployments.ok ? plural(deployments.value.length, 'Deployment') : '',
    findings: [...controllers(state), ...objectFinalizers(state), ...namespaceFindings(state)],
    unseen: [deployments, namespaces, clusterExternalSecrets, pushSecrets].flatMap((part) =>
      part.ok ? [] : part.why,
    ),
  };
}
