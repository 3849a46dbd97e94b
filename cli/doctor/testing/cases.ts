/** Faults, as what was read of a cluster that has one of them. */
import { newState } from '../../../certs/authority.ts';
import { buildAuthority } from '../../../certs/build.ts';
import type { FindingId } from '../catalogue.ts';
import type { Finding } from '../finding.ts';
import type { ClusterState, Configuration, Definition } from '../state.ts';
import {
  configurations,
  definitions,
  deployment,
  externalSecret,
  injected,
  lease,
  listed,
  NOW,
  pod,
  seenAs,
  service,
  unseen,
} from './state.ts';

const DAY = 86_400_000;
/** Definitions with one of them changed. */
const redefined = (name: string, changeOf: (one: Definition) => Definition) =>
  seenAs(definitions.map((one) => (one.metadata.name === name ? changeOf(structuredClone(one)) : one)));
const reconfigured = (kind: string, changeOf: (one: Configuration) => Configuration) =>
  seenAs(configurations.map((one) => (one.kind === kind ? changeOf(structuredClone(one)) : one)));

const soundAnswer = (status: number, message: string) => ({
  namespace: 'default',
  version: 'v1',
  sound: { status, message: `try to create an ExternalSecret: ${status} X: ${message}` },
  unsound: { status, message },
});

/** Of an installation before. */
const another = await newState(() => buildAuthority(NOW, DAY));

/** What is ill, and what is to be said of it. */
export interface Case {
  readonly name: string;
  readonly parts: Partial<ClusterState>;
  readonly id: FindingId;
  readonly where: RegExp;
  readonly what: RegExp;
  readonly command?: RegExp;
  readonly also?: readonly FindingId[];
  readonly severity?: Finding['severity'];
}

const deleted = { deletionTimestamp: '2026-11-22T11:00:00Z' };
const reset = (message: string) => seenAs(soundAnswer(500, message));

/** Faults that the end-to-end test cannot make, or not in time. */
export const CASES: readonly Case[] = [
  {
    name: 'Kubernetes 1.29',
    parts: { version: 'v1.29.4-eks-1' },
    id: 'kubernetes-version',
    where: /API server/,
    what: /v1\.29\.4/,
  },
  {
    name: 'the clock here is behind',
    parts: { ownClockAheadMs: -400_000 },
    id: 'clock-own',
    where: /this machine/,
    what: /400 s behind/,
  },
  {
    name: 'no FlowSchema',
    parts: { flowSchemas: seenAs([]) },
    id: 'flow-schema',
    where: /API server/,
    what: /None/,
    severity: 'note',
  },
  {
    name: 'a CRD that is being deleted',
    parts: {
      definitions: redefined('passwords.generators.external-secrets.io', (one) => ({
        ...one,
        metadata: { ...one.metadata, ...deleted },
      })),
    },
    id: 'crd-terminating',
    where: /passwords/,
    what: /since 2026-11-22/,
  },
  {
    name: 'a CRD of External Secrets Operator, which serves v1 only',
    parts: {
      definitions: redefined('externalsecrets.external-secrets.io', (one) => ({
        ...one,
        spec: { ...one.spec, versions: one.spec.versions.filter(({ name }) => name !== 'v1alpha1') },
      })),
    },
    id: 'crd-outdated',
    where: /externalsecrets\.external-secrets\.io$/,
    what: /It lacks version v1alpha1\./,
    command: /^esa crds \| kubectl apply --server-side --force-conflicts -f -$/,
  },
  {
    name: 'CRDs of a Helm release that cannot be read go by their own annotation',
    parts: {
      definitions: redefined('externalsecrets.external-secrets.io', (one) => ({
        ...one,
        metadata: {
          ...one.metadata,
          annotations: { 'meta.helm.sh/release-name': 'eso', 'meta.helm.sh/release-namespace': 'ops' },
        },
      })),
      releases: [
        { name: 'eso', namespace: 'ops', chart: undefined, deletes: unseen('Secrets cannot be read') },
      ],
    },
    id: 'crd-unprotected',
    where: /^Helm release ops\/eso$/,
    what: /would delete 1 CRD: externalsecrets/,
  },
  {
    name: 'a webhook configuration without a hook',
    parts: {
      configurations: reconfigured('ValidatingWebhookConfiguration', (one) => ({
        ...one,
        webhooks:
          one.webhooks?.filter(({ name }) => name !== 'validate.secretstore.external-secrets.io') ?? [],
      })),
    },
    id: 'webhook-configuration-missing',
    where: /^ValidatingWebhookConfiguration external-secrets-admission$/,
    what: /lacks 1 hook: validate\.secretstore/,
  },
  {
    name: 'no configuration, and no conversion: the poller alone',
    parts: {
      configurations: seenAs([]),
      definitions: seenAs(
        definitions.map((one) => ({
          ...one,
          spec: {
            ...one.spec,
            conversion: { strategy: 'None' },
            versions: one.spec.versions.map((version) => ({
              ...version,
              served: version.name === 'v1' || one.spec.versions.length === 1,
            })),
          },
        })),
      ),
    },
    id: 'webhook-configuration-missing',
    where: /^ValidatingWebhookConfiguration/,
    what: /the poller works alone/,
    severity: 'note',
    also: ['crd-outdated', 'crd-conversion-none'],
  },
  {
    name: 'the Service has another port',
    parts: { services: seenAs([{ ...service, spec: { ...service.spec, ports: [{ port: 8443 }] } }]) },
    id: 'webhook-service',
    where: /^Service external-secrets-system\//,
    what: /call port 443; it has 8443/,
    command: /^kubectl apply -f deploy\/manifests$/,
  },
  {
    name: 'the Service selects nobody',
    parts: { services: seenAs([{ ...service, spec: { ...service.spec, selector: { app: 'other' } } }]) },
    id: 'webhook-service',
    where: /^Service/,
    what: /selector \(app=other\) matches no Pod/,
  },
  {
    name: 'the Service leads to a port on which nobody listens',
    parts: {
      services: seenAs([{ ...service, spec: { ...service.spec, ports: [{ port: 443, targetPort: 9443 }] } }]),
    },
    id: 'webhook-service',
    where: /^Service/,
    what: /leads to 9443/,
  },
  {
    name: 'no endpoint is ready',
    parts: { endpointSlices: seenAs([{ metadata: {}, endpoints: [{ conditions: { ready: false } }] }]) },
    id: 'webhook-endpoints',
    where: /^Service/,
    what: /no ready endpoint/,
    command: /get pods/,
  },
  {
    name: 'the API server does not trust the webhook',
    parts: {
      probes: reset(
        'Internal error occurred: failed calling webhook "validate.externalsecret.external-secrets.io": failed to call webhook: Post "https://external-secrets-admission-webhook.external-secrets-system.svc:443/...": tls: failed to verify certificate: x509: certificate signed by unknown authority',
      ),
    },
    id: 'webhook-unreachable',
    where: /^Service external-secrets-system\//,
    what: /x509: certificate signed by unknown authority/,
    command: /rollout restart deployment\/external-secrets-admission-webhook/,
  },
  {
    name: 'the conversion does not answer',
    parts: {
      probes: reset(
        'conversion webhook for external-secrets.io/v1alpha1, Kind=ExternalSecret failed: Post "https://external-secrets-admission-webhook.external-secrets-system.svc:443/...": dial tcp: connection refused',
      ),
    },
    id: 'webhook-unreachable',
    where: /^Service/,
    what: /conversion webhook for/,
  },
  {
    name: 'somebody else’s webhook is gone',
    parts: {
      probes: reset(
        'Internal error occurred: failed calling webhook "check.example.com": failed to call webhook: Post "https://gate.ops.svc:443/...": service "gate" not found',
      ),
    },
    id: 'webhook-refuses',
    where: /^webhook at gate\.ops\.svc$/,
    what: /service "gate" not found/,
    severity: 'error',
  },
  {
    name: 'a policy of somebody else refuses',
    parts: {
      probes: seenAs(
        soundAnswer(403, 'admission webhook "gate.example.com" denied the request: no team label'),
      ),
    },
    id: 'webhook-refuses',
    where: /namespace default/,
    what: /no team label/,
  },
  {
    name: 'the certificate that a replica serves is over',
    parts: {
      certificates: seenAs([{ pod: 'webhook-abc', notAfter: [{ certificate: 'serving', at: NOW - 1 }] }]),
    },
    id: 'ca-expiry',
    where: /^Pod external-secrets-system\/webhook-abc$/,
    what: /was over at/,
  },
  {
    name: 'the CA is over',
    parts: { now: NOW + 400 * DAY },
    id: 'ca-expiry',
    where: /^Secret .*-ca$/,
    what: /The CA was over/,
    also: ['poller-lease', 'webhook-lease'],
  },
  {
    name: 'the CA was not renewed in time',
    parts: { now: NOW + 340 * DAY },
    id: 'ca-expiry',
    where: /^Secret .*-ca$/,
    what: /was not renewed/,
    severity: 'warning',
    also: ['poller-lease', 'webhook-lease'],
  },
  {
    name: 'a CRD trusts another CA',
    parts: {
      definitions: redefined('secretstores.external-secrets.io', (one) => injected(one, another)),
    },
    id: 'ca-bundle',
    where: /^CustomResourceDefinition secretstores/,
    what: /\(1 certificate\) is not that of Secret/,
    also: ['hook-path'],
  },
  {
    name: 'no key of the marker',
    parts: { markerKey: seenAs(undefined) },
    id: 'marker-key',
    where: /-marker$/,
    what: /does not exist/,
    command:
      /rollout restart deployment\/external-secrets-admission-webhook deployment\/external-secrets-admission-poller$/,
  },
  {
    name: 'an account is missing',
    parts: { accounts: seenAs([{ metadata: { name: 'external-secrets-admission-webhook' } }]) },
    id: 'account-missing',
    where: /^ServiceAccount .*-poller$/,
    what: /account of the poller/,
  },
  {
    name: 'there is no Deployment of the poller',
    parts: { deployments: seenAs([deployment('webhook')]) },
    id: 'program-missing',
    where: /^namespace external-secrets-system$/,
    what: /no Deployment of the poller/,
  },
  {
    name: 'a Pod crashes again and again',
    parts: {
      deployments: seenAs([deployment('webhook'), deployment('poller', { replicas: 1, ready: 0 })]),
      pods: seenAs([
        pod('webhook'),
        pod('poller', {
          conditions: [{ type: 'Ready', status: 'False' }],
          containerStatuses: [
            { restartCount: 7, state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s' } } },
          ],
        }),
      ]),
    },
    id: 'program-not-ready',
    where: /^Deployment .*-poller$/,
    what: /^0 of 1 Pod ready; Pod poller-abc: CrashLoopBackOff \(back-off 5m0s\), restarted 7 times\.$/,
    command: /logs deployment/,
  },
  {
    name: 'a Deployment is scaled to nothing',
    parts: { deployments: seenAs([deployment('webhook'), deployment('poller', { replicas: 0 })]) },
    id: 'program-not-ready',
    where: /-poller$/,
    what: /scaled to 0/,
    command: /scale deployment\/external-secrets-admission-poller --replicas=1$/,
  },
  {
    name: 'webhook and poller are two releases apart',
    parts: {
      deployments: seenAs([deployment('webhook', { tag: 'v0.3.0' }), deployment('poller', { replicas: 1 })]),
    },
    id: 'program-versions',
    where: /^Deployment .*-poller$/,
    what: /admission:v0\.3\.0, the poller .*:0\.1\.0/,
  },
  {
    name: 'one replica of the webhook',
    parts: {
      deployments: seenAs([deployment('webhook', { replicas: 1 }), deployment('poller', { replicas: 1 })]),
    },
    id: 'program-single',
    where: /-webhook$/,
    what: /one replica/,
    severity: 'note',
  },
  {
    name: 'a poller that has died',
    parts: { leases: seenAs([lease('webhook'), lease('poller', { agoMs: 90_000 })]) },
    id: 'poller-lease',
    where: /^Lease .*-poller$/,
    what: /poller-1 holds it and has not renewed it for 90 s/,
  },
  {
    name: 'no poller ever ran',
    parts: { leases: seenAs([lease('webhook')]) },
    id: 'poller-lease',
    where: /-poller$/,
    what: /does not exist/,
  },
  {
    name: 'objects that were not refreshed',
    parts: { externalSecrets: listed(externalSecret('a', { agoMs: 3_600_000 }), externalSecret('b')) },
    id: 'objects-late',
    where: /^1 ExternalSecret: shop\/a$/,
    what: /Overdue for up to 2640 s/,
  },
  {
    name: 'objects that nobody looks at',
    parts: { externalSecrets: listed({ ...externalSecret('a'), status: {} }) },
    id: 'objects-late',
    where: /^1 ExternalSecret: shop\/a$/,
    what: /never|No controller has ever/,
  },
  {
    name: 'pending Secrets that nobody adopts',
    parts: {
      externalSecrets: listed(externalSecret('a')),
      secrets: listed({
        metadata: {
          name: 'a',
          namespace: 'shop',
          creationTimestamp: '2026-11-22T11:00:00Z',
          annotations: { 'external-secrets-admission.io/pending': 'v1.k1.hash.mac.a' },
        },
      }),
    },
    id: 'secrets-pending',
    where: /^1 Secret: shop\/a$/,
    what: /has not adopted/,
  },
  {
    name: 'pending Secrets that nobody wants',
    parts: {
      secrets: listed({
        metadata: {
          name: 'a',
          namespace: 'shop',
          creationTimestamp: '2026-11-22T11:00:00Z',
          annotations: { 'external-secrets-admission.io/pending': 'v1.k1.hash.mac.a' },
        },
      }),
    },
    id: 'secrets-pending',
    where: /^1 Secret: shop\/a$/,
    what: /do not exist/,
    command: /^kubectl -n shop delete secret a$/,
  },
  {
    name: 'a namespace that does not go',
    parts: {
      namespaces: listed({
        metadata: { name: 'old', ...deleted },
        status: {
          conditions: [
            {
              type: 'NamespaceContentRemaining',
              status: 'True',
              message: 'Some resources are remaining: pods. has 1 resource instances',
            },
          ],
        },
      }),
    },
    id: 'namespace-stuck',
    where: /^Namespace old$/,
    what: /Some resources are remaining/,
  },
  {
    name: 'a namespace that is held by a finalizer of ESO',
    parts: {
      namespaces: listed({
        metadata: {
          name: 'old',
          finalizers: ['other', 'externalsecrets.external-secrets.io/ces-all'],
          ...deleted,
        },
      }),
    },
    id: 'eso-finalizer',
    where: /^Namespace old$/,
    what: /ces-all/,
    command:
      /^kubectl patch namespace old --type=json -p '\[\{"op":"test","path":"\/metadata\/finalizers\/1"/,
  },
  {
    name: 'namespaces that carry a finalizer of ESO',
    parts: {
      namespaces: listed({
        metadata: { name: 'live', finalizers: ['externalsecrets.external-secrets.io/ces-all'] },
      }),
    },
    id: 'eso-finalizer',
    where: /^1 namespace: live$/,
    what: /ces-/,
    command: /deploy\/moving\/namespace-finalizers\.yaml/,
    severity: 'note',
  },
];
