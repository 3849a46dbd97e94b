/** The CustomResourceDefinitions: there, complete, converted by us, and safe from Helm. */
import { buildCrds, type CustomResourceDefinition } from '../../../api/crd/crds.ts';
import { buildGeneratorCrds } from '../../../api/crd/generator-crds.ts';
import { buildKesCrd } from '../../../api/crd/kes-crd.ts';
import { buildPolicyCrd } from '../../../api/crd/policy-crd.ts';
import { GROUP, HUB_VERSION } from '../../../api/external-secrets/names.ts';
import { KES_GROUP } from '../../../api/kubernetes-client/names.ts';
import { providerSchemas } from '../../../providers/registry.ts';
import { plural } from '../../findings.ts';
import { applyCrds } from '../commands.ts';
import { type CheckResult, type Finding, few, finding } from '../finding.ts';
import { RELEASE_NAME, RELEASE_NAMESPACE } from '../gather-releases.ts';
import { injectsCrds } from '../install.ts';
import type { ClusterState, Definition, Install, Listed, Release, Schema, Seen } from '../state.ts';

/** Without one of these nothing works; those of the other kinds may be left out on purpose. */
const NEEDED: ReadonlySet<string> = new Set([
  `externalsecrets.${GROUP}`,
  `secretstores.${GROUP}`,
  'clustersecretpolicies.external-secrets-admission.io',
]);
/** Converted by the webhook. */
const CONVERTED: ReadonlySet<string> = new Set(
  ['externalsecrets', 'secretstores', 'clustersecretstores'].map((plural) => `${plural}.${GROUP}`),
);

/** Fields of `wanted` that `live` would drop, as paths; of an object that is missing only itself. */
export function missingFields(wanted: Schema, live: Schema | undefined, path: string): readonly string[] {
  if (live === undefined) return [path];
  const openEnded = live['x-kubernetes-preserve-unknown-fields'] === true;
  const below = Object.entries(wanted.properties ?? {}).flatMap(([name, schema]) => {
    const there = live.properties?.[name];
    return openEnded && there === undefined
      ? []
      : missingFields(schema, there, path === '' ? name : `${path}.${name}`);
  });
  const items =
    wanted.items === undefined || openEnded ? [] : missingFields(wanted.items, live.items, `${path}[]`);
  const { additionalProperties: more } = wanted;
  const liveMore = live.additionalProperties;
  const values =
    typeof more !== 'object' || openEnded || liveMore === true
      ? []
      : missingFields(more, typeof liveMore === 'object' ? liveMore : undefined, `${path}.*`);
  return [...below, ...items, ...values];
}

let known: readonly CustomResourceDefinition[] | undefined;

/** Everything of this version. Making it takes a while; whose conversion it is does not matter here. */
function wantedDefinitions(): readonly CustomResourceDefinition[] {
  known ??= [
    ...buildCrds({ providers: providerSchemas, conversion: { namespace: '', serviceName: '' } }),
    ...buildGeneratorCrds(),
    buildPolicyCrd(),
    buildKesCrd(),
  ];
  return known;
}

function outdated(wanted: CustomResourceDefinition, live: Definition): readonly string[] {
  return wanted.spec.versions.flatMap((version) => {
    const there = live.spec.versions.find(({ name }) => name === version.name);
    if (there === undefined) return [`version ${version.name}`];
    if (version.served && !there.served) return [`version ${version.name} (it is not served)`];
    return missingFields(
      version.schema.openAPIV3Schema as Schema,
      there.schema?.openAPIV3Schema ?? {},
      '',
    ).map((path) => `${path} of ${version.name}`);
  });
}

const place = ({ metadata }: { metadata: { name: string } }): string =>
  `CustomResourceDefinition ${metadata.name}`;

function conversionFindings(live: Definition, install: Install): readonly Finding[] {
  const { name } = live.metadata;
  if (!CONVERTED.has(name) || !injectsCrds(install)) return [];
  const { conversion, versions } = live.spec;
  const old = versions.filter((one) => one.served && one.name !== HUB_VERSION).map((one) => one.name);
  const commands = [applyCrds(install)];
  if ((conversion?.strategy ?? 'None') === 'None') {
    if (old.length === 0) return [];
    const what = `It serves ${old.join(' and ')}, with spec.conversion.strategy None.`;
    return [finding('crd-conversion-none', { where: place(live), what, commands })];
  }
  const service = conversion?.webhook?.clientConfig?.service;
  // A URL is somebody's own routing.
  if (
    service === undefined ||
    (service.namespace === install.namespace && service.name === install.service.name)
  )
    return [];
  const what = `It is converted by the Service ${service.name} in namespace ${service.namespace}; ours is ${install.service.name} in ${install.namespace}.`;
  return [finding('crd-conversion-elsewhere', { where: place(live), what, commands })];
}

function storedFindings(live: Definition, state: ClusterState): readonly Finding[] {
  const storage = live.spec.versions.find((one) => one.storage)?.name;
  const old = (live.status?.storedVersions ?? []).filter((version) => version !== storage);
  if (storage === undefined || old.length === 0) return [];
  const [plural = ''] = live.metadata.name.split('.', 1);
  const resource = live.metadata.name;
  const everywhere = live.metadata.name.startsWith('cluster') ? '' : ' -A';
  // kubectl refuses to replace nothing.
  const rewrite = hasNone(plural, state)
    ? []
    : [`until kubectl get ${resource}${everywhere} -o json | kubectl replace -f -; do sleep 1; done`];
  return [
    finding('crd-stored-versions', {
      where: place(live),
      what: `status.storedVersions names ${old.join(' and ')} beside ${storage}.`,
      commands: [
        ...rewrite,
        `kubectl patch crd ${plural}.${live.spec.group} --subresource=status --type=merge -p '{"status":{"storedVersions":["${storage}"]}}'`,
      ],
    }),
  ];
}

/** True if it is known that there is no object of the kind. */
function hasNone(plural: string, { externalSecrets, stores, clusterExternalSecrets }: ClusterState): boolean {
  const isEmpty = (part: Seen<Listed<unknown>>): boolean => part.ok && part.value.items.length === 0;
  if (plural === 'externalsecrets') return isEmpty(externalSecrets);
  if (plural === 'clusterexternalsecrets') return isEmpty(clusterExternalSecrets);
  const kind = plural === 'secretstores' ? 'SecretStore' : 'ClusterSecretStore';
  return stores.ok && stores.value.items.every((one) => one.kind !== kind);
}

/** The name that ESO's chart has. */
const ESO_CHART = 'external-secrets';

function keepCommands({ name, namespace, chart }: Release, ours: boolean): readonly string[] {
  const keep = `--reuse-values --set 'crds.annotations.helm\\.sh/resource-policy=keep'`;
  if (chart === undefined || chart.name === '') return [];
  const reference = chart.name === ESO_CHART ? `external-secrets/${ESO_CHART}` : `<the chart ${chart.name}>`;
  return ours ? [] : [`helm upgrade ${name} ${reference} --version ${chart.version} -n ${namespace} ${keep}`];
}

function unprotected(
  definitions: readonly Definition[],
  releases: readonly Release[],
): { readonly findings: readonly Finding[]; readonly unseen: readonly string[] } {
  const findings: Finding[] = [];
  const unseen: string[] = [];
  for (const release of releases) {
    const { name, namespace, deletes, chart } = release;
    const members = definitions.filter(
      ({ metadata }) =>
        metadata.annotations?.[RELEASE_NAME] === name &&
        metadata.annotations[RELEASE_NAMESPACE] === namespace,
    );
    if (!deletes.ok) unseen.push(`whether Helm would delete CRDs: ${deletes.why}`);
    const known = deletes.ok ? deletes.value : undefined;
    // What the release itself says counts; where it is not known, the object is the next best.
    const doomed = members.filter(({ metadata }) =>
      known === undefined
        ? metadata.annotations?.['helm.sh/resource-policy'] !== 'keep'
        : known.has(metadata.name),
    );
    if (doomed.length === 0) continue;
    const ofChart = chart === undefined ? '' : ` (chart ${chart.name} ${chart.version})`;
    findings.push(
      finding('crd-unprotected', {
        where: `Helm release ${namespace}/${name}`,
        what: `\`helm uninstall ${name} -n ${namespace}\`${ofChart} would delete ${plural(doomed.length, 'CRD')}: ${few(doomed.map(({ metadata }) => metadata.name))}.`,
        commands: keepCommands(release, chart?.name === 'external-secrets-admission'),
      }),
    );
  }
  return { findings, unseen };
}

/** Checks the CRDs. */
export function checkDefinitions(state: ClusterState): CheckResult {
  const { definitions, install, releases } = state;
  const name = 'CustomResourceDefinitions';
  if (!definitions.ok) return { name, seen: '', findings: [], unseen: [definitions.why] };
  const live = new Map(definitions.value.map((one) => [one.metadata.name, one]));
  const findings: Finding[] = [];
  let present = 0;
  for (const wanted of wantedDefinitions()) {
    const there = live.get(wanted.metadata.name);
    const commands = [applyCrds(install)];
    if (there === undefined) {
      // That of KES is for those who have its objects.
      if (wanted.spec.group === KES_GROUP) continue;
      const severity = NEEDED.has(wanted.metadata.name) ? 'error' : 'warning';
      const what = `${wanted.spec.names.kind} is not a kind of this cluster.`;
      findings.push(finding('crd-missing', { where: place(wanted), what, commands, severity }));
      continue;
    }
    present += 1;
    if (there.metadata.deletionTimestamp !== undefined) {
      const what = `It is being deleted since ${there.metadata.deletionTimestamp}.`;
      findings.push(finding('crd-terminating', { where: place(there), what }));
      continue;
    }
    const lacks = outdated(wanted, there);
    if (lacks.length > 0) {
      const what = `It lacks ${few(lacks)}.`;
      findings.push(finding('crd-outdated', { where: place(there), what, commands }));
    }
    findings.push(...conversionFindings(there, install), ...storedFindings(there, state));
  }
  const helm = unprotected(definitions.value, releases);
  return { name, seen: `${present} of ours`, findings: [...findings, ...helm.findings], unseen: helm.unseen };
}
