/** What may be wrong with an ExternalSecret, and what `esa explain` has to say of it. */
import { eventually } from '../../harness/eventually.ts';
import { externalSecret, passwordOf, secretStore, tokenSecret, vaultProvider } from '../support/vault.ts';
import { bed, cluster, es, HOUR } from './desk.ts';

interface Situation {
  readonly where: string;
  readonly what: string;
  /** Makes it; the namespace with a token and the store `vault` is there. */
  readonly make: (where: string) => Promise<unknown>;
  readonly code: string;
  readonly message: RegExp;
  readonly remedy: RegExp;
}

export const SITUATIONS: readonly Situation[] = [
  {
    where: 'no-store',
    what: 'the store does not exist',
    make: (where) => es(where, { secretStoreRef: { name: 'elsewhere' } }),
    code: 'STORE_NOT_FOUND',
    message: /could not get SecretStore "elsewhere"/,
    remedy: /Create the store/,
  },
  {
    where: 'no-token',
    what: 'the Secret that the store logs in with does not exist',
    make: async (where) => {
      await cluster.create(
        secretStore(where, 'lost', {
          provider: vaultProvider(bed.openBao.address, {
            auth: { tokenSecretRef: { name: 'gone', key: 'token' } },
          }),
        }),
      );
      await es(where, { secretStoreRef: { name: 'lost' } });
    },
    code: 'REFERENCE_NOT_FOUND',
    message: /cannot get Kubernetes secret "gone" from namespace "no-token"/,
    remedy: /Create it/,
  },
  {
    where: 'no-token-key',
    what: 'the Secret that the store logs in with has no such key',
    make: async (where) => {
      await cluster.create(
        secretStore(where, 'lost', {
          provider: vaultProvider(bed.openBao.address, {
            auth: { tokenSecretRef: { name: 'vault-token', key: 'tocken' } },
          }),
        }),
      );
      await es(where, { secretStoreRef: { name: 'lost' } });
    },
    code: 'REFERENCE_NOT_FOUND',
    message: /has no key "tocken"/,
    remedy: /Create it/,
  },
  {
    where: 'wrong-token',
    what: 'the credentials of the store are refused',
    make: async (where) => {
      await cluster.create(tokenSecret(where, 's.wrong', 'wrong'));
      await cluster.create(
        secretStore(where, 'strange', {
          provider: vaultProvider(bed.openBao.address, {
            auth: { tokenSecretRef: { name: 'wrong', key: 'token' } },
          }),
        }),
      );
      await es(where, { secretStoreRef: { name: 'strange' } });
    },
    code: 'PROVIDER_UNAUTHENTICATED',
    message: /the login was refused \(403\)/,
    remedy: /Check the auth block of the store/,
  },
  {
    where: 'no-server',
    what: 'nothing listens at the address of the store',
    make: async (where) => {
      await cluster.create(secretStore(where, 'far', { provider: vaultProvider('http://127.0.0.1:9') }));
      await es(where, { secretStoreRef: { name: 'far' } });
    },
    code: 'PROVIDER_UNREACHABLE',
    message: /connection refused/,
    remedy: /Check the address of the store/,
  },
  {
    where: 'no-key',
    what: 'the remote secret does not exist',
    make: (where) => es(where, passwordOf('never/there')),
    code: 'PROVIDER_NOT_FOUND',
    message: /never\/there.*no such secret/,
    remedy: /remoteRef\.key/,
  },
  {
    where: 'no-property',
    what: 'the remote secret has no such property',
    make: (where) =>
      es(where, { data: [{ secretKey: 'password', remoteRef: { key: 'app', property: 'pass' } }] }),
    code: 'PROVIDER_PROPERTY_NOT_FOUND',
    message: /"pass"/,
    remedy: /remoteRef\.property/,
  },
  {
    where: 'denied',
    what: 'a policy that came later denies it',
    make: async (where) => {
      await cluster.patch('Namespace', undefined, where, { metadata: { labels: { explained: 'yes' } } });
      await es(where);
      await cluster.synced(where, 'app', 20_000);
      await cluster.create({
        apiVersion: 'external-secrets-admission.io/v1alpha1',
        kind: 'ClusterSecretPolicy',
        metadata: { name: 'only-aws' },
        spec: { namespaceSelector: { matchLabels: { explained: 'yes' } }, providers: ['aws'] },
      });
    },
    code: 'POLICY_DENIED',
    message: /policy "only-aws", rule providers/,
    remedy: /names the policy/,
  },
  {
    where: 'bad-template',
    what: 'its template fails with what the provider gave',
    make: (where) =>
      es(where, {
        target: {
          template: {
            engineVersion: 'v2',
            data: { n: '{{ .password | mustFromJson }}' },
          },
        },
      }),
    code: 'TEMPLATE_EXEC',
    message: /template/,
    remedy: /position and the cause/,
  },
  {
    where: 'no-template',
    what: 'the ConfigMap of templateFrom does not exist',
    make: (where) =>
      es(where, {
        target: { template: { templateFrom: [{ configMap: { name: 'tpl', items: [{ key: 'a' }] } }] } },
      }),
    code: 'REFERENCE_NOT_FOUND',
    message: /configmaps "tpl" not found/,
    remedy: /Create it/,
  },
  {
    where: 'unmanaged',
    what: "a Secret of the target's name is nobody's",
    make: async (where) => {
      await cluster.create(tokenSecret(where, 'x', 'app'));
      await es(where);
    },
    code: 'TARGET_UNMANAGED',
    message: /Secret unmanaged\/app exists and belongs to nobody/,
    remedy: /adopt: "true"/,
  },
  {
    where: 'owned',
    what: 'another ExternalSecret keeps the target',
    make: async (where) => {
      await cluster.create(externalSecret(where, 'first', { ...HOUR, target: { name: 'common' } }));
      await cluster.synced(where, 'first', 20_000);
      await es(where, { target: { name: 'common' } });
    },
    code: 'TARGET_OWNED',
    message: /belongs to ExternalSecret first/,
    remedy: /another target\.name/,
  },
  {
    where: 'quota',
    what: 'a quota of the namespace is used up',
    make: async (where) => {
      await cluster.create({
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'few', namespace: where },
        spec: { hard: { secrets: '1' } },
      });
      await eventually(
        async () => (await cluster.get('ResourceQuota', where, 'few')).status?.used?.['secrets'] === '1',
        { what: 'the quota is counted', timeout: 60_000 },
      );
      await es(where);
    },
    code: 'KUBE_API',
    message: /exceeded quota: few/,
    remedy: /quota/,
  },
];
