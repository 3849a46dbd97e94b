/** Asks the API server what the accounts of the programs may do (SubjectAccessReviews, which change nothing). */
import type { Cluster } from '../cluster/access.ts';
import { expectedRules, type Feature, type ProgramName, type Right, rightsOf } from './expected-rights.ts';
import { flag, injectsCrds, isServed } from './install.ts';
import { seen } from './seen.ts';
import type { Definition, Install, Seen } from './state.ts';

const AT_ONCE = 16;

/** What is in use, as far as flags and CRDs say. */
function featuresOf(install: Install, definitions: Seen<readonly Definition[]>): ReadonlySet<Feature> {
  const args = [...(install.webhook.args ?? []), ...(install.poller.args ?? [])];
  const known = install.poller.args !== undefined;
  const has = (name: string): boolean =>
    definitions.ok && definitions.value.some(({ metadata }) => metadata.name === name);
  const scoped = install.scope !== undefined;
  const features = new Set<Feature>();
  if (known ? args.includes('--kes') : has('externalsecrets.kubernetes-client.io')) features.add('kes');
  if (isServed(install, 'cluster-external-secrets') && has('clusterexternalsecrets.external-secrets.io'))
    features.add('cluster-external-secrets');
  if (isServed(install, 'process-cluster-store')) features.add('cluster-stores');
  if (isServed(install, 'process-cluster-store') && !scoped) features.add('cluster-stores-reported');
  if (isServed(install, 'process-cluster-generator')) features.add('cluster-generators');
  if (injectsCrds(install)) features.add('crds');
  if (scoped) features.add('scoped');
  if (flag(args, 'shards') === 'true') features.add('shards');
  return features;
}

async function allowed(
  { kube, call }: Cluster,
  account: { readonly namespace: string; readonly name: string },
  { group, resource, verb, name }: Right,
  namespace: string | undefined,
): Promise<boolean> {
  const [plural, subresource] = resource.split('/');
  const review = await kube.request<{ status?: { allowed?: boolean; denied?: boolean } }>(
    'POST',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    {
      ...call,
      what: 'ask for the rights of an account',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: {
          user: `system:serviceaccount:${account.namespace}:${account.name}`,
          groups: [
            'system:serviceaccounts',
            `system:serviceaccounts:${account.namespace}`,
            'system:authenticated',
          ],
          resourceAttributes: { group, resource: plural, subresource, verb, name, namespace },
        },
      },
    },
  );
  return review.status?.allowed === true && review.status.denied !== true;
}

/** Kinds that have no namespace. */
export const CLUSTER_WIDE: ReadonlySet<string> = new Set([
  'clustersecretstores',
  'clustersecretstores/status',
  'clusterexternalsecrets',
  'clusterexternalsecrets/status',
  'clusterexternalsecrets/finalizers',
  'clustersecretpolicies',
  'clustergenerators',
  'namespaces',
  'subjectaccessreviews',
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'customresourcedefinitions',
]);

async function missing(
  cluster: Cluster,
  install: Install,
  name: ProgramName,
  features: ReadonlySet<Feature>,
): Promise<readonly Right[]> {
  const account = { namespace: install.namespace, name: install[name].account };
  const rules = expectedRules(install.configuration)[name].filter(
    (rule) => rule.for === undefined || features.has(rule.for),
  );
  const rights = [...rightsOf(rules)];
  const lacking: Right[] = [];
  const worker = async (): Promise<void> => {
    for (let next = rights.shift(); next !== undefined; next = rights.shift()) {
      const { own, ...right } = next;
      // Of namespaces the one is enough; a request for it counts as one inside of it, so that a Role may allow it.
      const isNamespace = right.resource === 'namespaces';
      const scope =
        CLUSTER_WIDE.has(right.resource) && !(isNamespace && right.verb === 'get')
          ? undefined
          : install.scope;
      const named = isNamespace && install.scope !== undefined ? { name: install.scope } : {};
      if (!(await allowed(cluster, account, { ...right, ...named }, own ? install.namespace : scope)))
        lacking.push(right);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return lacking;
}

/** What the accounts lack of what they need. */
export async function reviewRights(
  cluster: Cluster,
  install: Install,
  definitions: Seen<readonly Definition[]>,
): Promise<Seen<ReadonlyMap<ProgramName, readonly Right[]>>> {
  const features = featuresOf(install, definitions);
  const ask = async (): Promise<ReadonlyMap<ProgramName, readonly Right[]>> => {
    // The first refusal ends the rest: it would be the same.
    const webhook = await missing(cluster, install, 'webhook', features);
    return new Map([
      ['webhook', webhook],
      ['poller', await missing(cluster, install, 'poller', features)],
    ]);
  };
  return seen('the rights of the programs', ask());
}
