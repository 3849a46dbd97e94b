import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildAuthority } from '../../certs/build.ts';
import { newState } from '../../certs/authority.ts';
import { FINDINGS, type FindingId } from './catalogue.ts';
import { missingFields } from './checks/definitions.ts';
import { causeOf, overdueMs } from './checks/objects.ts';
import { describeRights, releaseOf } from './checks/programs.ts';
import type { Finding } from './finding.ts';
import { certificatesIn } from './gather-certificates.ts';
import { deletedWith } from './gather-releases.ts';
import { allFindings, formatJson, formatText, runChecks } from './report.ts';
import type { ClusterState, Configuration, Definition } from './state.ts';
import {
  authority,
  configurations,
  definitions,
  deployment,
  externalSecret,
  injected,
  lease,
  listed,
  markerKey,
  NAMESPACE,
  NOW,
  pod,
  seenAs,
  service,
  stateOf,
  store,
  unseen,
} from './testing/state.ts';

const DAY = 86_400_000;
const examine = (parts: Partial<ClusterState>): readonly Finding[] => allFindings(runChecks(stateOf(parts)));

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

const [expired, expiring] = await Promise.all(
  [NOW - DAY, NOW + 10 * DAY].map(async (end) => {
    const made = end - 365 * DAY;
    const state = await newState(() => buildAuthority(Date.now(), DAY));
    return { state, made, end };
  }),
);
assert.ok(expired && expiring);

interface Case {
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
const CASES: readonly Case[] = [
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
    parts: { definitions: redefined('passwords.generators.external-secrets.io', (one) => ({ ...one, metadata: { ...one.metadata, ...deleted } })) },
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
      releases: [{ name: 'eso', namespace: 'ops', chart: undefined, deletes: unseen('Secrets cannot be read') }],
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
        webhooks: one.webhooks?.filter(({ name }) => name !== 'validate.secretstore.external-secrets.io') ?? [],
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
            versions: one.spec.versions.map((version) => ({ ...version, served: version.name === 'v1' || one.spec.versions.length === 1 })),
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
    parts: { services: seenAs([{ ...service, spec: { ...service.spec, ports: [{ port: 443, targetPort: 9443 }] } }]) },
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
    parts: { probes: seenAs(soundAnswer(403, 'admission webhook "gate.example.com" denied the request: no team label')) },
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
    parts: { definitions: redefined('secretstores.external-secrets.io', (one) => injected(one, expired.state)) },
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
    command: /rollout restart deployment\/external-secrets-admission-webhook deployment\/external-secrets-admission-poller$/,
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
    parts: { deployments: seenAs([deployment('webhook', { tag: 'v0.3.0' }), deployment('poller', { replicas: 1 })]) },
    id: 'program-versions',
    where: /^Deployment .*-poller$/,
    what: /admission:v0\.3\.0, the poller .*:0\.1\.0/,
  },
  {
    name: 'one replica of the webhook',
    parts: { deployments: seenAs([deployment('webhook', { replicas: 1 }), deployment('poller', { replicas: 1 })]) },
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
        status: { conditions: [{ type: 'NamespaceContentRemaining', status: 'True', message: 'Some resources are remaining: pods. has 1 resource instances' }] },
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
        metadata: { name: 'old', finalizers: ['other', 'externalsecrets.external-secrets.io/ces-all'], ...deleted },
      }),
    },
    id: 'eso-finalizer',
    where: /^Namespace old$/,
    what: /ces-all/,
    command: /^kubectl patch namespace old --type=json -p '\[\{"op":"test","path":"\/metadata\/finalizers\/1"/,
  },
  {
    name: 'namespaces that carry a finalizer of ESO',
    parts: {
      namespaces: listed({ metadata: { name: 'live', finalizers: ['externalsecrets.external-secrets.io/ces-all'] } }),
    },
    id: 'eso-finalizer',
    where: /^1 namespace: live$/,
    what: /ces-/,
    command: /deploy\/moving\/namespace-finalizers\.yaml/,
    severity: 'note',
  },
];

describe('checks', () => {
  test('what deploy/ makes is healthy, and all of it was seen', () => {
    const results = runChecks(stateOf());
    assert.deepEqual(
      results.flatMap(({ findings, unseen: not }) => [...findings.map(({ id, where, what }) => [id, where, what]), ...not]),
      [],
    );
  });

  for (const { name, parts, id, where, what, command, also = [], severity } of CASES)
    test(`${id}: ${name}`, () => {
      const findings = examine(parts);
      const one = findings.find((each) => each.id === id && where.test(each.where) && what.test(each.what));
      assert.ok(one, JSON.stringify(findings, undefined, 2));
      assert.equal(one.severity, severity ?? FINDINGS[id].severity);
      if (command !== undefined) assert.ok(one.commands.some((each) => command.test(each)), one.commands.join('\n'));
      const known = new Set<FindingId>([id, ...also]);
      assert.deepEqual(findings.filter((each) => !known.has(each.id)).map((each) => each.id), []);
    });

  test('what is not seen is named, and is no finding', () => {
    const why = 'no right';
    const blind = unseen(why);
    const state = stateOf({
      definitions: blind,
      configurations: blind,
      services: blind,
      deployments: blind,
      pods: blind,
      leases: blind,
      accounts: blind,
      missingRights: blind,
      authority: blind,
      markerKey: blind,
      certificates: blind,
      flowSchemas: blind,
      probes: blind,
      namespaces: blind,
      stores: blind,
      externalSecrets: blind,
      clusterExternalSecrets: blind,
      pushSecrets: blind,
      secrets: blind,
    });
    const results = runChecks(state);
    assert.deepEqual(allFindings(results), []);
    for (const result of results) assert.ok(result.unseen.length > 0, result.name);
    const text = formatText(state, results, (_, plain) => plain);
    assert.match(text, /^not seen {4}CustomResourceDefinitions\n {12}not seen: no right$/m);
    assert.match(text, /0 errors, 0 warnings, 0 notes; \d+ things could not be seen\n$/);
  });

  test('of 10,000 objects with one cause there is one finding', () => {
    const many = Array.from({ length: 10_000 }, (_, index) =>
      externalSecret(`app-${index}`, {
        message: `could not get secret data from provider: error processing spec.data[${index}] (key: team/${index}), err: the Vault answers 403 to secret/data/team/${index}`,
      }),
    );
    const findings = examine({ externalSecrets: listed(...many) });
    assert.equal(findings.length, 1);
    assert.match(findings[0]?.where ?? '', /^10000 ExternalSecrets: shop\/app-0, shop\/app-1, shop\/app-2 and 9997 more$/);
    assert.deepEqual(findings[0]?.commands, ['esa explain app-0 -n shop']);
  });

  test('causes that differ in names and numbers are one', () => {
    const one = causeOf('could not update secret: Secret shop/a exists and has 3 keys of "x"');
    assert.equal(one, causeOf('could not update secret: Secret other/bb exists and has 12 keys of "y z"'));
    assert.notEqual(one, causeOf('could not delete secret'));
  });

  test('late is what is beyond the interval and the time that statuses are written at', () => {
    const at = (agoMs: number, spec: object = {}) => overdueMs(externalSecret('a', { agoMs, spec }), NOW);
    assert.equal(at(10 * 60_000), 0);
    assert.equal(at(16 * 60_000), 0);
    assert.ok((at(17 * 60_000) ?? 0) > 0);
    assert.equal(at(DAY, { refreshInterval: '0' }), 0);
    assert.equal(at(DAY, { refreshPolicy: 'CreatedOnce' }), 0);
    assert.equal(at(DAY, { syncWindows: { kind: 'allow', windows: [] } }), 0);
    assert.equal(at(DAY, { refreshInterval: '24h' }), 0);
  });

  test('a store: what it names, what it is', () => {
    const vault = {
      vault: {
        server: 'https://vault.example.com',
        path: 'secret',
        auth: { tokenSecretRef: { name: 'token', key: 'token' } },
      },
    };
    const missing = examine({
      stores: listed(store('vault', vault, 'unable to create client: there is no Secret')),
      references: new Map([['Secret shop/token', seenAs(false)]]),
    });
    assert.deepEqual(missing.map(({ id }) => id), ['store-secret']);
    const refused = examine({ stores: listed(store('vault', vault, 'unable to validate store: denied')) });
    assert.deepEqual(
      refused.map(({ id, what }) => [id, what]),
      [['store-not-ready', 'InvalidProviderConfig: unable to validate store: denied']],
    );
    const unknown = runChecks(
      stateOf({
        stores: listed(store('vault', vault)),
        references: new Map([['Secret shop/token', unseen('no right')]]),
      }),
    );
    assert.deepEqual(
      unknown.flatMap(({ unseen: not }) => not),
      ['1 object that stores name; the first: Secret shop/token: no right'],
    );
  });

  test('fields that a CRD would drop', () => {
    const object = (properties: object) => ({ properties: properties as Record<string, object> });
    const wanted = object({ a: object({ b: {}, c: { items: object({ d: {} }) } }), e: { additionalProperties: object({ f: {} }) } });
    assert.deepEqual(missingFields(wanted, wanted, ''), []);
    assert.deepEqual(missingFields(wanted, object({ a: object({ b: {}, c: { items: object({}) } }) }), ''), ['a.c[].d', 'e']);
    assert.deepEqual(missingFields(wanted, { 'x-kubernetes-preserve-unknown-fields': true }, ''), []);
    assert.deepEqual(missingFields(wanted, object({ a: wanted.properties?.['a'] ?? {}, e: {} }), ''), ['e.*']);
  });

  test('rights are named by resource', () => {
    const rights = ['get', 'list'].map((verb) => ({ group: '', resource: 'secrets', verb }));
    const named = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', verb: 'patch', name: 'x' };
    assert.equal(
      describeRights([...rights, named]),
      'get, list secrets; patch customresourcedefinitions.apiextensions.k8s.io/x',
    );
  });

  test('the release of an image is read from its tag', () => {
    assert.deepEqual(releaseOf('registry:5000/a/b:v1.22.3'), [1, 22]);
    assert.deepEqual(releaseOf('b:0.1.0-rc.1@sha256:abc'), [0, 1]);
    assert.equal(releaseOf('registry:5000/a/b'), undefined);
    assert.equal(releaseOf('b:latest'), undefined);
  });

  test('what Helm would delete is told by the manifest of the release', () => {
    const crd = (name: string, annotations: string) =>
      `---\n# Source: x\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: ${name}\n${annotations}spec:\n  group: example.com\n  names:\n    kind: A\n`;
    const keep = '  annotations:\n    "helm.sh/resource-policy": keep\n';
    const manifest = `${crd('a.example.com', keep)}${crd('b.example.com', '')}---\nkind: ConfigMap\nmetadata:\n  name: c\n`;
    assert.deepEqual([...deletedWith(manifest)], ['b.example.com']);
  });

  test('certificates are read from a page of metrics', () => {
    const page = `# HELP x\nesa_certificate_expiry_timestamp_seconds{certificate="serving"} 1795262400.5\nesa_certificate_expiry_timestamp_seconds{certificate="ca"} 1.8e9\n`;
    assert.deepEqual(certificatesIn(page), [
      { certificate: 'serving', at: 1795262400500 },
      { certificate: 'ca', at: 1.8e12 },
    ]);
  });

  test('nothing of a Secret is printed', () => {
    const state = stateOf({
      authority: seenAs({ ...authority, data: { ...authority.data, digest: Buffer.from('x').toString('base64') } }),
      markerKey: seenAs({ ...markerKey, data: { current: Buffer.from('sentinel').toString('base64') } }),
    });
    const results = runChecks(state);
    assert.deepEqual(
      allFindings(results).map(({ id }) => id),
      ['ca-broken', 'marker-key'],
    );
    const printed = formatText(state, results, (_, text) => text) + formatJson(state, results);
    for (const data of [authority.data, markerKey.data])
      for (const value of Object.values(data)) {
        assert.ok(!printed.includes(value));
        assert.ok(!printed.includes(Buffer.from(value, 'base64').toString('utf8')) || value.length < 8);
      }
    assert.equal(JSON.parse(formatJson(state, results)).errors, 2);
  });

  test(`an installation in another namespace by Helm has the commands of Helm`, () => {
    const moved = (one: ReturnType<typeof deployment>) => ({
      ...one,
      metadata: {
        ...one.metadata,
        namespace: 'secrets',
        annotations: { 'meta.helm.sh/release-name': 'esa', 'meta.helm.sh/release-namespace': 'secrets' },
      },
    });
    const findings = examine({
      deployments: seenAs([moved(deployment('webhook')), moved(deployment('poller', { replicas: 1 }))]),
      configurations: seenAs([]),
      accounts: seenAs([]),
    });
    const missing = findings.find(({ id }) => id === 'account-missing');
    assert.equal(missing?.where, 'ServiceAccount secrets/external-secrets-admission-webhook');
    assert.deepEqual(missing.commands, [
      'helm get manifest esa -n secrets | kubectl apply --server-side --force-conflicts -f -',
    ]);
    assert.notEqual(NAMESPACE, 'secrets');
  });
});
