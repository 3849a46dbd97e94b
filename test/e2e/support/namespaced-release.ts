/** An installation that serves one namespace, with Roles there and what of a ClusterRole cannot be one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ControlPlane } from '../../harness/control-plane.ts';
import { type Installation, isConfiguration, manifestText, productManifests } from '../../harness/install.ts';
import { freePort } from '../../harness/ports.ts';
import { Product } from '../../harness/product.ts';

export interface NamespacedRelease {
  /** Where the programs are. */
  readonly own: string;
  /** What they serve. */
  readonly scope: string;
  /** Of the webhook configurations and cluster roles. */
  readonly name: string;
  /** Its webhook converts for the whole cluster. */
  readonly hasCrds: boolean;
  /** Kinds of the cluster are served, too. */
  readonly clusterKinds: boolean;
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Rbac {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: Rule[];
}

const ACCOUNTS = {
  poller: 'external-secrets-admission-poller',
  webhook: 'external-secrets-admission-webhook',
};
const CRDS = ['externalsecrets', 'secretstores', 'clustersecretstores'].map(
  (plural) => `${plural}.external-secrets.io`,
);

/** Who has a role stands in its name. */
const programOf = (name: string): keyof typeof ACCOUNTS => (name.includes('poller') ? 'poller' : 'webhook');

/** Rights beside those of the file. */
function moreRules({ hasCrds, clusterKinds }: NamespacedRelease, program: keyof typeof ACCOUNTS): Rule[] {
  const verbs = program === 'poller' ? ['get', 'list', 'watch'] : ['get'];
  const kinds = [
    { apiGroups: ['external-secrets.io'], resources: ['clustersecretstores'], verbs },
    { apiGroups: ['generators.external-secrets.io'], resources: ['clustergenerators'], verbs },
  ];
  const crds = { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'] };
  return [
    ...(clusterKinds ? kinds : []),
    ...(hasCrds && program === 'webhook'
      ? [
          { ...crds, verbs: ['list', 'watch'] },
          { ...crds, resourceNames: CRDS, verbs: ['get', 'patch'] },
        ]
      : []),
  ];
}

function rbac(release: NamespacedRelease): object[] {
  const text = readFileSync(join(import.meta.dirname, 'namespaced-rbac.yaml'), 'utf8')
    .replaceAll('OWN', release.own)
    .replaceAll('SCOPE', release.scope)
    .replaceAll('NAME', release.name);
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Rbac);
  const bindings = documents
    .filter(({ rules }) => rules !== undefined)
    .map(({ kind, metadata }) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name },
      subjects: [
        { kind: 'ServiceAccount', name: ACCOUNTS[programOf(metadata.name)], namespace: release.own },
      ],
    }));
  for (const { kind, metadata, rules } of documents)
    if (kind === 'ClusterRole') rules?.push(...moreRules(release, programOf(metadata.name)));
  return [...documents, ...bindings];
}

interface Webhook {
  readonly rules: readonly { readonly scope: string; readonly resources: readonly string[] }[];
  namespaceSelector?: { matchExpressions: { key: string; operator: string; values?: readonly string[] }[] };
}

/** Only what this release judges is sent to it. */
function configurations(release: NamespacedRelease, port: number): object[] {
  return productManifests({ namespace: release.own, webhookPort: port })
    .filter(isConfiguration)
    .map((manifest) => {
      const { metadata, webhooks = [], ...rest } = structuredClone(manifest);
      const kept = (webhooks as unknown as Webhook[]).filter(
        ({ rules }) =>
          !rules.some(({ scope }) => scope === 'Cluster') ||
          (release.clusterKinds &&
            rules.some(({ resources }) =>
              ['clustersecretstores', 'clustergenerators'].some((one) => resources.includes(one)),
            )),
      );
      for (const webhook of kept) {
        const others = webhook.namespaceSelector?.matchExpressions.filter(
          ({ key }) => key !== 'kubernetes.io/metadata.name',
        );
        const only = { key: 'kubernetes.io/metadata.name', operator: 'In', values: [release.scope] };
        if (webhook.rules.every(({ scope }) => scope !== 'Cluster'))
          webhook.namespaceSelector = { matchExpressions: [only, ...(others ?? [])] };
      }
      const name = metadata.name.startsWith('zz-') ? `zz-${release.name}` : release.name;
      return { ...rest, metadata: { name }, webhooks: kept };
    });
}

/** Installs the release and starts its two programs. The namespaces are there. */
export async function startRelease(
  cp: ControlPlane,
  release: NamespacedRelease,
  args: readonly string[] = [],
): Promise<Product> {
  const { own, scope, name, hasCrds, clusterKinds } = release;
  const webhookPort = await freePort();
  const manifests = productManifests({ namespace: own, webhookPort });
  const kinds = ['Service', ...(hasCrds ? ['CustomResourceDefinition'] : [])];
  const items = [
    ...manifests.filter(({ kind }) => kinds.includes(kind)),
    ...rbac(release),
    ...configurations(release, webhookPort),
  ] as Parameters<typeof manifestText>[0];
  await cp.kubectlOutput(['apply', '--validate=false', '-f', '-'], { stdin: manifestText(items) });
  await cp.kindsChanged();
  const kubeconfigOf = async (program: keyof typeof ACCOUNTS): Promise<string> =>
    cp.writeKubeconfig(`${name}-${program}`, await cp.serviceAccountToken(own, ACCOUNTS[program]));
  const installation: Installation = {
    namespace: own,
    probeIn: scope,
    configurations: true,
    conversion: true,
    serviceName: ACCOUNTS.webhook,
    kubeconfigs: { webhook: await kubeconfigOf('webhook'), poller: await kubeconfigOf('poller') },
  };
  const flags = [
    ...['--scoped-namespace', scope, '--webhook-configurations', name],
    ...(clusterKinds ? ['--process-cluster-store', 'true', '--process-cluster-generator', 'true'] : []),
    ...args,
  ];
  const options = { webhookArgs: [...flags, '--inject-crds', String(hasCrds)], pollerArgs: flags };
  const product = new Product({ cluster: cp, options, installation, balancer: undefined, webhookPort });
  try {
    await Promise.all([product.startWebhook(), product.startPoller()]);
    return product;
  } catch (error) {
    await product.stop();
    throw error;
  }
}
