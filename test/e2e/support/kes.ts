/** What kubernetes-external-secrets leaves in a cluster: its CRD, objects and Secrets, and the Vault of the article. */
import { join } from 'node:path';
import type { Bed } from '../../harness/bed.ts';
import { eventually } from '../../harness/eventually.ts';
import type { Cluster, Manifest } from './cluster.ts';
import { administer, enableKubernetesAuth, namespace } from './vault.ts';

export const KES_MANIFEST = join(import.meta.dirname, '../kes/seed003-kes-cool-secret.yaml');
export const KES_OBJECTS = '/apis/kubernetes-client.io/v1/namespaces/default/externalsecrets';

/** Its ServiceAccount in the article, the misspelt namespace too; its Deployment has the same name. */
export const KES_ACCOUNT = {
  name: 'external-secrets-kubernetes-external-secrets',
  namespace: 'external-secretes',
};

/** As much of its CRD as an API server needs to keep objects. */
const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'externalsecrets.kubernetes-client.io' },
  spec: {
    group: 'kubernetes-client.io',
    scope: 'Namespaced',
    names: {
      plural: 'externalsecrets',
      singular: 'externalsecret',
      kind: 'ExternalSecret',
      shortNames: ['es'],
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** The objects of KES can be applied from here on. */
export async function installKesCrd({ cp }: Pick<Bed, 'cp'>): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  if ((await cp.request('GET', `${path}/${CRD.metadata.name}`)).status === 404)
    await cp.request('POST', `${path}?fieldManager=helm`, CRD);
  await eventually(async () => (await cp.request('GET', KES_OBJECTS)).status === 200);
}

/** The Vault of the article: the engine, role and ServiceAccount that its manifest names, with one value. */
export async function prepareArticle(
  bed: Pick<Bed, 'cp' | 'openBao'>,
  cluster: Cluster,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const { name, namespace: where } = KES_ACCOUNT;
  await cluster.create(namespace(where));
  await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: KES_ACCOUNT });
  const role = { name: 'kubernetes-external-secrets', serviceAccount: name, audience: 'vault' };
  await enableKubernetesAuth(bed, cluster, [{ ...role, namespace: where }]);
  await administer(bed.openBao, 'PUT', 'sys/policies/acl/reader', {
    policy: 'path "kubernetes/data/*" { capabilities = ["read"] }',
  });
  await administer(bed.openBao, 'POST', 'sys/mounts/kubernetes', { type: 'kv', options: { version: '2' } });
  await putArticle(bed, values);
}

/** The engine needs a moment to become one of version 2. */
export async function putArticle(
  { openBao }: Pick<Bed, 'openBao'>,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  await eventually(
    async () =>
      (await openBao.request('POST', 'kubernetes/data/cool/secrets', { data: values })).status === 200,
  );
}

/** A Secret as KES writes it. */
export const secretOfKes = (
  name: string,
  uid: string,
  values: Readonly<Record<string, string>>,
): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: {
    name,
    namespace: 'default',
    ownerReferences: [
      {
        apiVersion: 'kubernetes-client.io/v1',
        controller: true,
        kind: 'ExternalSecret',
        name: 'cool-secret',
        uid,
      },
    ],
  },
  data: Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  ),
});
