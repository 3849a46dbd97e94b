/** What may be wrong with an installation itself. */
import assert from 'node:assert/strict';
import {
  ADMISSION,
  CA,
  DEFINITIONS,
  type Fault,
  LEASE,
  MARKER,
  MUTATING,
  type Place,
  SYSTEM,
  VALIDATING,
  WHERE,
} from './place.ts';

const stopWebhook = (at: Place): Promise<void> => at.bed.product.webhook.stop();
const startWebhook = (at: Place): Promise<void> => at.bed.product.webhook.start();
const restartBoth = async (at: Place): Promise<void> => {
  await Promise.all([at.bed.product.webhook.stop(), at.bed.product.poller.stop()]);
  await Promise.all([at.bed.product.webhook.start(), at.bed.product.poller.start()]);
};

/** A chart with a CRD among its templates, as that of External Secrets Operator. */
function writeEsoChart(at: Place): void {
  at.workplace.write(
    'external-secrets/external-secrets/Chart.yaml',
    'apiVersion: v2\nname: external-secrets\nversion: 2.9.0\n',
  );
  at.workplace.write('external-secrets/external-secrets/values.yaml', 'crds:\n  annotations: {}\n');
  at.workplace.write(
    'external-secrets/external-secrets/templates/pushsecret.yaml',
    `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: pushsecrets.external-secrets.io
  annotations:
    controller-gen.kubebuilder.io/version: v0.19.0
    {{- with .Values.crds.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  group: external-secrets.io
  names: {kind: PushSecret, listKind: PushSecretList, plural: pushsecrets, singular: pushsecret, shortNames: [ps]}
  scope: Namespaced
  versions:
    - name: v1alpha1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`,
  );
}

export const INSTALLATION_FAULTS: readonly Fault[] = [
  {
    name: 'a CRD was deleted',
    id: 'crd-missing',
    prepare: (at) => at.remove(`${DEFINITIONS}/clustersecretpolicies.external-secrets-admission.io`),
    where: /^CustomResourceDefinition clustersecretpolicies\.external-secrets-admission\.io$/,
    what: /ClusterSecretPolicy is not a kind/,
  },
  {
    name: 'a CRD of an older release, without a field',
    id: 'crd-outdated',
    prepare: (at) =>
      at.change(`${DEFINITIONS}/passwords.generators.external-secrets.io`, {
        op: 'remove',
        path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/encoding',
      }),
    where: /passwords\.generators/,
    what: /It lacks spec\.encoding of v1alpha1\./,
  },
  {
    name: 'a CRD that serves old versions and converts none',
    id: 'crd-conversion-none',
    prepare: (at) =>
      at.merge(`${DEFINITIONS}/secretstores.external-secrets.io`, {
        spec: { conversion: { strategy: 'None', webhook: null } },
      }),
    where: /secretstores\.external-secrets\.io$/,
    what: /serves v1beta1 and v1alpha1/,
  },
  {
    name: 'a CRD that the webhook of somebody else converts',
    id: 'crd-conversion-elsewhere',
    prepare: (at) =>
      at.merge(`${DEFINITIONS}/clustersecretstores.external-secrets.io`, {
        spec: {
          conversion: {
            webhook: { clientConfig: { service: { name: 'external-secrets-webhook', namespace: 'eso' } } },
          },
        },
      }),
    where: /clustersecretstores\.external-secrets\.io$/,
    what: /Service external-secrets-webhook in namespace eso/,
  },
  {
    name: 'objects stored in an old version',
    id: 'crd-stored-versions',
    prepare: (at) =>
      at.merge(`${DEFINITIONS}/externalsecrets.external-secrets.io/status`, {
        status: { storedVersions: ['v1', 'v1beta1'] },
      }),
    where: /externalsecrets\.external-secrets\.io$/,
    what: /names v1beta1 beside v1/,
  },
  {
    name: 'CRDs that go with a Helm release',
    id: 'crd-unprotected',
    prepare: async (at) => {
      writeEsoChart(at);
      await at.workplace.run(
        'helm install external-secrets external-secrets/external-secrets -n eso --create-namespace',
      );
      // What people do who have heard of the annotation: Helm does not look there.
      await at.workplace.run(
        'kubectl annotate crd pushsecrets.external-secrets.io helm.sh/resource-policy=keep',
      );
    },
    where: /^Helm release eso\/external-secrets$/,
    what: /`helm uninstall external-secrets -n eso` \(chart external-secrets 2\.9\.0\) would delete 1 CRD: pushsecrets/,
    after: async (at) => {
      await at.workplace.run('helm uninstall external-secrets -n eso');
      const { status } = await at.bed.cp.request('GET', `${DEFINITIONS}/pushsecrets.external-secrets.io`);
      assert.equal(status, 200, 'the release has kept its CRD');
      await at.remove(`${DEFINITIONS}/pushsecrets.external-secrets.io`);
    },
  },
  {
    name: 'the mutating webhook configuration was deleted',
    id: 'webhook-configuration-missing',
    prepare: (at) => at.remove(MUTATING),
    where: /^MutatingWebhookConfiguration zz-external-secrets-admission$/,
    what: /Secrets are made by the poller/,
  },
  {
    name: 'a webhook that is called for labelled namespaces only, and fails open',
    id: 'webhook-configuration-edited',
    prepare: (at) =>
      at.change(
        VALIDATING,
        { op: 'add', path: '/webhooks/0/namespaceSelector/matchLabels', value: { secrets: 'checked' } },
        { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' },
      ),
    where: /^ValidatingWebhookConfiguration external-secrets-admission$/,
    what: /^validate\.externalsecret\.external-secrets\.io: failurePolicy is Ignore.*without the label secrets/,
    also: ['webhook-not-asked'],
  },
  {
    name: 'a webhook configuration of an installation before',
    id: 'webhook-duplicate',
    prepare: async (at) => {
      const { body } = await at.bed.cp.request<{ webhooks: { name: string }[] }>('GET', VALIDATING);
      const webhooks = body.webhooks.filter(
        ({ name }) => name === 'validate.secretstore.external-secrets.io',
      );
      await at.create(`${ADMISSION}/validatingwebhookconfigurations`, {
        metadata: { name: 'secrets-of-old' },
        webhooks,
      });
    },
    where: /^ValidatingWebhookConfiguration secrets-of-old$/,
    what: /validate\.secretstore\.external-secrets\.io calls our Service/,
  },
  {
    name: 'webhooks of External Secrets Operator that were left behind',
    id: 'eso-webhook',
    prepare: (at) =>
      at.create(`${ADMISSION}/validatingwebhookconfigurations`, {
        metadata: { name: 'externalsecret-validate', labels: { 'external-secrets.io/component': 'webhook' } },
        webhooks: [
          {
            name: 'validate.externalsecret.external-secrets.io',
            rules: [
              {
                apiGroups: ['external-secrets.io'],
                apiVersions: ['v1'],
                operations: ['CREATE', 'UPDATE', 'DELETE'],
                resources: ['externalsecrets'],
              },
            ],
            clientConfig: {
              service: {
                namespace: 'eso',
                name: 'external-secrets-webhook',
                path: '/validate-external-secrets-io-v1-externalsecret',
              },
            },
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            failurePolicy: 'Fail',
            timeoutSeconds: 5,
          },
        ],
      }),
    where: /^ValidatingWebhookConfiguration externalsecret-validate$/,
    what: /Service external-secrets-webhook in namespace eso/,
    also: ['webhook-refuses'],
  },
  {
    name: 'the Service of the webhook was deleted',
    id: 'webhook-service',
    prepare: (at) => at.remove(`/api/v1/namespaces/${SYSTEM}/services/external-secrets-admission-webhook`),
    where: /^Service external-secrets-system\/external-secrets-admission-webhook$/,
    what: /does not exist/,
    also: ['webhook-unreachable'],
  },
  {
    name: 'the webhook is down',
    id: 'webhook-unreachable',
    prepare: stopWebhook,
    where: /^Service external-secrets-system\/external-secrets-admission-webhook$/,
    what: /connection refused/,
    also: ['webhook-lease'],
    cure: { words: /whether the webhook runs/, act: startWebhook },
  },
  {
    name: 'somebody asks cert-manager for the CA, and there is none',
    id: 'ca-bundle',
    prepare: async (at) => {
      await at.merge(VALIDATING, {
        metadata: { annotations: { 'cert-manager.io/inject-ca-from': `${SYSTEM}/webhook` } },
      });
      const { body } = await at.bed.cp.request<{ webhooks: unknown[] }>('GET', VALIDATING);
      await at.change(
        VALIDATING,
        ...body.webhooks.map((_, index) => ({
          op: 'remove',
          path: `/webhooks/${index}/clientConfig/caBundle`,
        })),
      );
    },
    where: /^ValidatingWebhookConfiguration external-secrets-admission$/,
    what: /cert-manager is asked to write its caBundle/,
    also: ['webhook-unreachable'],
  },
  {
    name: 'the CA and the path of the hooks were changed while the webhook was down',
    id: 'hook-path',
    prepare: async (at) => {
      await stopWebhook(at);
      await at.change(
        MUTATING,
        { op: 'replace', path: '/webhooks/0/clientConfig/service/path', value: '/mutate' },
        { op: 'remove', path: '/webhooks/0/clientConfig/caBundle' },
      );
    },
    where: /^MutatingWebhookConfiguration zz-external-secrets-admission$/,
    what: /is not that of Secret external-secrets-admission-ca/,
    also: ['webhook-unreachable', 'webhook-lease', 'ca-bundle'],
    cure: { words: /see whether it runs and may patch/, act: startWebhook },
  },
  {
    name: 'the Secret of the CA holds something of somebody else',
    id: 'ca-broken',
    prepare: async (at) => {
      await stopWebhook(at);
      await at.remove(CA);
      await at.create(`/api/v1/namespaces/${SYSTEM}/secrets`, {
        metadata: { name: 'external-secrets-admission-ca' },
        stringData: { 'ca.crt': 'nothing', 'ca.key': 'sentinel-of-a-key' },
      });
    },
    where: /^Secret external-secrets-system\/external-secrets-admission-ca$/,
    what: /ca\.crt is not a certificate\. It does not carry our label/,
    also: ['webhook-unreachable', 'webhook-lease'],
    after: startWebhook,
  },
  {
    name: 'the Secret of the CA was deleted while the webhook was down',
    id: 'ca-missing',
    prepare: async (at) => {
      await stopWebhook(at);
      await at.remove(CA);
    },
    where: /^Secret external-secrets-system\/external-secrets-admission-ca$/,
    what: /does not exist/,
    also: ['webhook-unreachable', 'webhook-lease'],
    cure: { words: /The webhook makes it when it runs/, act: startWebhook },
  },
  {
    name: 'the key of the pending marker was damaged',
    id: 'marker-key',
    prepare: (at) => at.merge(MARKER, { stringData: { current: 'short' } }),
    where: /^Secret external-secrets-system\/external-secrets-admission-marker$/,
    what: /holds no usable key/,
    after: restartBoth,
  },
  {
    name: 'rights were taken from the poller',
    id: 'rights-missing',
    prepare: async (at) => {
      const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles/external-secrets-admission-poller';
      const { body } = await at.bed.cp.request<{ rules: { resources: string[] }[] }>('GET', path);
      await at.merge(path, {
        rules: body.rules.filter(({ resources }) => !resources.includes('serviceaccounts/token')),
      });
    },
    where: /^ServiceAccount external-secrets-system\/external-secrets-admission-poller$/,
    what: /^The poller may not: create serviceaccounts\/token\.$/,
  },
  {
    name: 'no poller runs, and refreshes are late',
    id: 'poller-lease',
    prepare: async (at) => {
      await at.bed.product.poller.stop();
      await at.cluster.patch(
        'ExternalSecret',
        WHERE,
        'app',
        { status: { refreshTime: '2026-01-01T00:00:00Z' } },
        { subresource: 'status' },
      );
    },
    where: /^Lease external-secrets-system\/external-secrets-admission-poller$/,
    what: /Nobody holds it/,
    also: ['objects-late'],
    cure: { words: /whether the poller runs/, act: (at) => at.bed.product.poller.start() },
  },
  {
    name: 'the clock of the poller’s node is an hour ahead',
    id: 'clock-program',
    prepare: async (at) => {
      await at.bed.product.poller.stop();
      const renewTime = new Date(Date.now() + 3_600_000).toISOString().replace('Z', '000Z');
      await at.merge(LEASE, {
        spec: { holderIdentity: 'poller-elsewhere', leaseDurationSeconds: 15, renewTime },
      });
    },
    where: /^Lease external-secrets-system\/external-secrets-admission-poller$/,
    what: /poller-elsewhere wrote a time that is 3(59\d|60[01]) s ahead of the API server/,
    cure: {
      words: /Set the clock of the node/,
      act: async (at) => {
        await at.merge(LEASE, { spec: { holderIdentity: '' } });
        await at.bed.product.poller.start();
      },
    },
  },
];
