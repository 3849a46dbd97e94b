import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FINDINGS, type FindingId } from './catalogue.ts';
import { missingFields } from './checks/definitions.ts';
import { causeOf, overdueMs } from './checks/objects.ts';
import { describeRights, releaseOf } from './checks/programs.ts';
import type { Finding } from './finding.ts';
import { certificatesIn } from './gather-certificates.ts';
import { deletedWith } from './gather-releases.ts';
import { allFindings, formatJson, formatText, runChecks } from './report.ts';
import type { ClusterState } from './state.ts';
import { CASES } from './testing/cases.ts';
import {
  authority,
  configurations,
  deployment,
  externalSecret,
  listed,
  markerKey,
  NAMESPACE,
  NOW,
  seenAs,
  stateOf,
  store,
  unseen,
} from './testing/state.ts';

const DAY_MS = 86_400_000;
const examine = (parts: Partial<ClusterState>): readonly Finding[] => allFindings(runChecks(stateOf(parts)));

describe('checks', () => {
  test('what deploy/ makes is healthy, and all of it was seen', () => {
    const results = runChecks(stateOf());
    assert.deepEqual(
      results.flatMap(({ findings, unseen: not }) => [
        ...findings.map(({ id, where, what }) => [id, where, what]),
        ...not,
      ]),
      [],
    );
  });

  for (const { name, parts, id, where, what, command, also = [], severity } of CASES)
    test(`${id}: ${name}`, () => {
      const findings = examine(parts);
      const one = findings.find((each) => each.id === id && where.test(each.where) && what.test(each.what));
      assert.ok(one, JSON.stringify(findings, undefined, 2));
      assert.equal(one.severity, severity ?? FINDINGS[id].severity);
      if (command !== undefined)
        assert.ok(
          one.commands.some((each) => command.test(each)),
          one.commands.join('\n'),
        );
      const known = new Set<FindingId>([id, ...also]);
      assert.deepEqual(
        findings.filter((each) => !known.has(each.id)).map((each) => each.id),
        [],
      );
    });

  test('an installation for one namespace has to choose that one, and need not judge kinds that it does not serve', () => {
    const inNamespaces = (...values: string[]): Partial<ClusterState> => ({
      deployments: seenAs([
        deployment('webhook', { args: ['--scoped-namespace=shop'] }),
        deployment('poller', { replicas: 1, args: ['--scoped-namespace=shop'] }),
      ]),
      configurations: seenAs(
        configurations.map(({ webhooks = [], ...one }) => ({
          ...one,
          webhooks: webhooks.map(({ rules = [], ...hook }) => ({
            ...hook,
            rules: rules.map((rule) => ({
              ...rule,
              resources: rule.resources.filter((resource) => resource !== 'clustersecretstores'),
            })),
            namespaceSelector: {
              matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values }],
            },
          })),
        })),
      ),
    });
    const edited = (parts: Partial<ClusterState>): readonly string[] =>
      examine(parts)
        .filter(({ id }) => id === 'webhook-configuration-edited')
        .map(({ what }) => what);
    assert.deepEqual(edited(inNamespaces('shop')), []);
    const chosen = 'namespaces are chosen by kubernetes.io/metadata.name (In elsewhere)';
    assert.ok(edited(inNamespaces('elsewhere')).every((what) => what.includes(chosen)));
    assert.ok(edited(inNamespaces('elsewhere')).length > 5);
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
    assert.match(
      findings[0]?.where ?? '',
      /^10000 ExternalSecrets: shop\/app-0, shop\/app-1, shop\/app-2 and 9997 more$/,
    );
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
    assert.equal(at(DAY_MS, { refreshInterval: '0' }), 0);
    assert.equal(at(DAY_MS, { refreshPolicy: 'CreatedOnce' }), 0);
    assert.equal(at(DAY_MS, { syncWindows: { kind: 'allow', windows: [] } }), 0);
    assert.equal(at(DAY_MS, { refreshInterval: '24h' }), 0);
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
    assert.deepEqual(
      missing.map(({ id }) => id),
      ['store-secret'],
    );
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
    const wanted = object({
      a: object({ b: {}, c: { items: object({ d: {} }) } }),
      e: { additionalProperties: object({ f: {} }) },
    });
    assert.deepEqual(missingFields(wanted, wanted, ''), []);
    assert.deepEqual(missingFields(wanted, object({ a: object({ b: {}, c: { items: object({}) } }) }), ''), [
      'a.c[].d',
      'e',
    ]);
    assert.deepEqual(missingFields(wanted, { 'x-kubernetes-preserve-unknown-fields': true }, ''), []);
    assert.deepEqual(missingFields(wanted, object({ a: wanted.properties?.['a'] ?? {}, e: {} }), ''), [
      'e.*',
    ]);
  });

  test('rights are named by resource', () => {
    const rights = ['get', 'list'].map((verb) => ({ group: '', resource: 'secrets', verb }));
    const named = {
      group: 'apiextensions.k8s.io',
      resource: 'customresourcedefinitions',
      verb: 'patch',
      name: 'x',
    };
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
      authority: seenAs({
        ...authority,
        data: { ...authority.data, digest: Buffer.from('x').toString('base64') },
      }),
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
      'helm get manifest esa -n secrets | kubectl apply --server-side --force-conflicts --field-manager=helm -f -',
    ]);
    assert.notEqual(NAMESPACE, 'secrets');
  });
});
