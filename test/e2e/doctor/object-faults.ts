/** What may be wrong with stores and objects, and who else may be at work. */
import { eventually } from '../../harness/eventually.ts';
import { externalSecret, passwordOf, secretStore } from '../support/vault.ts';
import { DEPLOYMENTS, type Fault, WHERE, WITHIN_MS } from './place.ts';

const deployment = (namespace: string, name: string, image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name, image }] },
    },
  },
});
export const OBJECT_FAULTS: readonly Fault[] = [
  {
    name: 'the Secret that a store logs in with was deleted',
    id: 'store-secret',
    prepare: (at) => at.cluster.remove('Secret', WHERE, 'vault-token'),
    where: /^SecretStore shop\/vault$/,
    what: /^Secret shop\/vault-token does not exist\.$/,
    also: ['objects-not-ready'],
    stdin: (at) => at.bed.openBao.token,
  },
  {
    name: 'a store of a provider that is not supported, from before',
    id: 'store-provider',
    // In a namespace that no webhook is called for.
    prepare: (at) =>
      at.cluster.create(
        secretStore('kube-system', 'old', {
          provider: { akeyless: { akeylessGWApiURL: 'https://example.com' } },
        }),
      ),
    where: /^SecretStore kube-system\/old$/,
    what: /provider akeyless is not supported yet; supported: .*vault/,
    also: ['store-not-ready'],
    cure: {
      words: /Use one of the providers/,
      act: (at) => at.cluster.remove('SecretStore', 'kube-system', 'old'),
    },
  },
  {
    name: 'a store whose credentials are refused',
    id: 'store-not-ready',
    prepare: async (at) => {
      await at.cluster.patch('Secret', WHERE, 'vault-token', {
        stringData: { token: 'sentinel-of-a-token' },
      });
      await eventually(
        async () => (await at.cluster.ready('SecretStore', WHERE, 'vault'))?.status === 'False',
        {
          timeout: WITHIN_MS,
          what: 'a store that is not ready',
        },
      );
    },
    where: /^SecretStore shop\/vault$/,
    what: /InvalidProviderConfig: unable to validate store/,
    also: ['objects-not-ready'],
    cure: {
      words:
        /auth block of the store.*\(PROVIDER_UNAUTHENTICATED\)|read access to this key\. \(PROVIDER_DENIED\)/,
      act: (at) =>
        at.cluster.patch('Secret', WHERE, 'vault-token', { stringData: { token: at.bed.openBao.token } }),
    },
  },
  {
    name: 'three ExternalSecrets of keys that do not exist',
    id: 'objects-not-ready',
    prepare: async (at) => {
      const names = ['gone-1', 'gone-2', 'gone-3'];
      await Promise.all(
        names.map((name) => at.cluster.create(externalSecret(WHERE, name, passwordOf(name)))),
      );
      await Promise.all(names.map((name) => at.cluster.failing(WHERE, name, /gone/, WITHIN_MS)));
    },
    where: /^3 ExternalSecrets: shop\/gone-1, shop\/gone-2, shop\/gone-3$/,
    what: /could not get secret data from provider/,
    cure: {
      words: /Create the secret at the provider.*\(PROVIDER_NOT_FOUND\)/,
      act: (at) =>
        Promise.all(
          ['gone-1', 'gone-2', 'gone-3'].map((name) => at.cluster.remove('ExternalSecret', WHERE, name)),
        ),
    },
  },
  {
    name: 'the target of an ExternalSecret belongs to nobody',
    id: 'target-unmanaged',
    prepare: async (at) => {
      await at.cluster.create({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'theirs', namespace: WHERE },
        stringData: { mine: 'sentinel-of-a-value' },
      });
      await at.cluster.create(externalSecret(WHERE, 'theirs'));
      await at.cluster.failing(WHERE, 'theirs', /belongs to nobody/, WITHIN_MS);
    },
    where: /^ExternalSecret shop\/theirs$/,
    what: /Secret shop\/theirs exists and belongs to nobody/,
    after: (at) => at.cluster.remove('ExternalSecret', WHERE, 'theirs'),
  },
  {
    name: 'a Secret whose ExternalSecret is gone',
    id: 'secrets-orphaned',
    prepare: (at) =>
      at.cluster.create({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: 'left',
          namespace: WHERE,
          labels: {
            'reconcile.external-secrets.io/managed': 'true',
            'reconcile.external-secrets.io/created-by': 'f'.repeat(56),
          },
        },
      }),
    where: /^1 Secret: shop\/left$/,
    what: /labels of ExternalSecrets that do not exist/,
    isNote: true,
  },
  {
    name: 'External Secrets Operator runs beside',
    id: 'eso-running',
    prepare: (at) =>
      at.create(
        DEPLOYMENTS(WHERE),
        deployment(WHERE, 'external-secrets', 'ghcr.io/external-secrets/external-secrets:v2.9.0'),
      ),
    where: /^Deployment shop\/external-secrets$/,
    what: /It runs ghcr\.io\/external-secrets\/external-secrets:v2\.9\.0 with 1 replica/,
  },
  {
    name: 'kubernetes-external-secrets runs beside',
    id: 'kes-running',
    prepare: (at) =>
      at.create(
        DEPLOYMENTS(WHERE),
        deployment(WHERE, 'kes', 'ghcr.io/external-secrets/kubernetes-external-secrets:8.5.5'),
      ),
    where: /^Deployment shop\/kes$/,
    what: /kubernetes-external-secrets:8\.5\.5/,
  },
];
