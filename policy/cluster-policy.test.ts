/** Each rule: what it refuses, what it lets pass, and where it points. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { ClusterSecretPolicySpec, PolicyRule } from '../api/policy/cluster-secret-policy.ts';
import { formatFieldPath } from '../api/problem.ts';
import { effectOf, evaluate, needsLabels, needsStores, selects, sourceOf } from './cluster-policy.ts';
import type { PolicySubject, StoreUse } from './policy-subject.ts';

const policy = (spec: ClusterSecretPolicySpec, name = 'p') => ({ metadata: { name }, spec });

const spec: ExternalSecretSpec = {
  secretStoreRef: { name: 'vault', kind: 'ClusterSecretStore' },
  refreshInterval: '1h0m0s',
  data: [{ secretKey: 'a', remoteRef: { key: 'app' } }],
};
const object = (more: Partial<ExternalSecretSpec> = {}, labels: Record<string, string> = {}) => ({
  object: { labels, spec: { ...spec, ...more } },
});
const use = (more: Partial<StoreUse> = {}): Pick<PolicySubject, 'stores'> => ({
  stores: [
    {
      kind: 'ClusterSecretStore',
      name: 'vault',
      provider: 'vault',
      servers: [new URL('https://vault.example.com:8200')],
      path: ['spec', 'secretStoreRef', 'name'],
      reads: [],
      ...more,
    },
  ],
});
const reads = (...keys: string[]) =>
  use({ reads: keys.map((key, index) => ({ path: ['spec', 'data', index, 'remoteRef', 'key'], key })) });
const servers = (...urls: string[]) => use({ servers: urls.map((url) => new URL(url)) });
const template = (text: string) => object({ target: { template: { data: { out: text } } } });

type Subject = Omit<PolicySubject, 'namespace'>;
interface Cases {
  readonly rule: ClusterSecretPolicySpec;
  readonly passes: readonly Subject[];
  /** With the field that is pointed at, and a part of the message. */
  readonly refuses: readonly (readonly [Subject, string, RegExp])[];
}

const CASES: Readonly<Record<PolicyRule, readonly Cases[]>> = {
  stores: [
    {
      rule: { stores: [{ kind: 'ClusterSecretStore', name: 'vault*' }, { name: 'local' }] },
      passes: [object(), object({ secretStoreRef: { name: 'local' } }), use()],
      refuses: [
        [
          object({ secretStoreRef: { name: 'vault' } }),
          'spec.secretStoreRef.name',
          /^SecretStore "vault" may not/,
        ],
        [
          object({
            data: [
              {
                secretKey: 'a',
                remoteRef: { key: 'k' },
                sourceRef: { storeRef: { kind: 'ClusterSecretStore', name: 'other' } },
              },
            ],
          }),
          'spec.data[0].sourceRef.storeRef.name',
          /"other" may not be used; allowed: ClusterSecretStore vault\*, any store local$/,
        ],
      ],
    },
    {
      rule: { stores: [] },
      passes: [],
      refuses: [[object(), 'spec.secretStoreRef.name', /nothing is allowed/]],
    },
  ],
  providers: [
    {
      rule: { providers: ['vault', 'aws'] },
      passes: [use(), use({ provider: 'aws' }), object()],
      refuses: [
        [use({ provider: 'fake' }), 'spec.secretStoreRef.name', /is of provider fake; allowed: vault, aws$/],
        [use({ provider: 'gcpsm' }), 'spec.secretStoreRef.name', /gcpsm/],
      ],
    },
  ],
  keys: [
    {
      rule: { keys: [{ glob: 'secret/data/{{namespace}}/**' }, { regexp: 'shared/[a-z]+' }] },
      passes: [
        reads('secret/data/team-a/x', 'secret/data/team-a/x/y', 'shared/public'),
        { found: { path: ['spec', 'dataFrom', 0, 'find'], keys: ['secret/data/team-a/x'] } },
        object(),
      ],
      refuses: [
        [
          reads('secret/data/team-a/x', 'secret/data/team-b/x'),
          'spec.data[1].remoteRef.key',
          /^"secret\/data\/team-b\/x" may not be read; allowed: secret\/data\/team-a\/\*\*, \/shared\/\[a-z\]\+\/$/,
        ],
        [reads('xsecret/data/team-a/x'), 'spec.data[0].remoteRef.key', /may not be read/],
        [reads('shared/public/more'), 'spec.data[0].remoteRef.key', /may not be read/],
        [reads('secret/data/team-a'), 'spec.data[0].remoteRef.key', /may not be read/],
        [
          { found: { path: ['spec', 'dataFrom', 0, 'find'], keys: ['secret/data/team-a/x', 'hidden/name'] } },
          'spec.dataFrom[0].find',
          /^1 of the 2 secrets that the find came upon may not be read, so none is; ((?!hidden).)*$/,
        ],
      ],
    },
  ],
  servers: [
    {
      rule: {
        servers: [{ scheme: 'https', host: '*.example.com', network: '10.0.0.0/8' }, { host: 'Local' }],
      },
      passes: [
        use(),
        servers('https://VAULT.example.com.'),
        servers('http://local:1234'),
        servers(),
        object(),
      ],
      refuses: [
        [
          servers('http://vault.example.com'),
          'spec.secretStoreRef.name',
          /leads to http:\/\/vault\.example\.com,/,
        ],
        [
          servers('https://a.b.example.com'),
          'spec.secretStoreRef.name',
          /allowed: https:\/\/\*\.example\.com in 10/,
        ],
        [servers('https://vault.example.com', 'https://evil.test'), 'spec.secretStoreRef.name', /evil\.test/],
        [servers('https://vault.example.com.evil.test'), 'spec.secretStoreRef.name', /evil\.test/],
      ],
    },
    {
      rule: { servers: [{ network: '10.0.0.0/8' }, { network: 'fd00::/8' }] },
      passes: [servers('https://10.1.2.3'), servers('https://[fd00::1]:8200'), servers('https://name.test')],
      refuses: [
        [servers('https://192.0.2.1'), 'spec.secretStoreRef.name', /192\.0\.2\.1/],
        [servers('https://0xC0000201'), 'spec.secretStoreRef.name', /192\.0\.2\.1/],
        [servers('https://[2001:db8::1]'), 'spec.secretStoreRef.name', /2001:db8::1/],
      ],
    },
  ],
  refreshInterval: [
    {
      rule: { refreshInterval: { minimum: '1m' } },
      passes: [
        object(),
        object({ refreshInterval: '1m' }),
        object({ refreshInterval: '0' }),
        object({ refreshInterval: '5s', refreshPolicy: 'CreatedOnce' }),
        object({ refreshInterval: '5s', refreshPolicy: 'OnChange' }),
        use(),
      ],
      refuses: [
        [
          object({ refreshInterval: '59s' }),
          'spec.refreshInterval',
          /^"59s" is too short; allowed: 1m or longer/,
        ],
        [object({ refreshInterval: '1ms', refreshPolicy: 'Periodic' }), 'spec.refreshInterval', /1ms/],
      ],
    },
  ],
  creationPolicies: [
    {
      rule: { creationPolicies: ['Owner', 'Merge'] },
      passes: [object(), object({ target: {} }), object({ target: { creationPolicy: 'Merge' } })],
      refuses: [
        [
          object({ target: { creationPolicy: 'Orphan' } }),
          'spec.target.creationPolicy',
          /allowed: Owner, Merge$/,
        ],
        [object({ target: { creationPolicy: 'None' } }), 'spec.target.creationPolicy', /^"None"/],
      ],
    },
    {
      rule: { creationPolicies: ['Merge'] },
      passes: [],
      refuses: [[object(), 'spec.target.creationPolicy', /Owner/]],
    },
  ],
  deletionPolicies: [
    {
      rule: { deletionPolicies: ['Retain'] },
      passes: [object(), object({ target: { deletionPolicy: 'Retain' } })],
      refuses: [
        [object({ target: { deletionPolicy: 'Delete' } }), 'spec.target.deletionPolicy', /^"Delete"/],
        [object({ target: { deletionPolicy: 'Merge' } }), 'spec.target.deletionPolicy', /^"Merge"/],
      ],
    },
  ],
  secretTypes: [
    {
      rule: { secretTypes: ['Opaque', 'kubernetes.io/tls'] },
      passes: [
        object(),
        object({ target: { template: { type: '' } } }),
        object({ target: { template: { type: 'kubernetes.io/tls' } } }),
      ],
      refuses: [
        [
          object({ target: { template: { type: 'kubernetes.io/dockerconfigjson' } } }),
          'spec.target.template.type',
          /dockerconfigjson may not be made; allowed: Opaque, kubernetes\.io\/tls$/,
        ],
        [object({ target: { template: { type: 'example.com/x' } } }), 'spec.target.template.type', /example/],
      ],
    },
    {
      rule: { secretTypes: ['kubernetes.io/tls'] },
      passes: [],
      refuses: [[object(), 'spec.target.template.type', /type Opaque/]],
    },
  ],
  requiredLabels: [
    {
      rule: { requiredLabels: [{ key: 'team' }, { key: 'tier', values: ['web', 'db'] }] },
      passes: [object({}, { team: '', tier: 'db' }), use()],
      refuses: [
        [object({}, { tier: 'web' }), 'metadata.labels.team', /^the label is missing; set it$/],
        [object({}, { team: 'a' }), 'metadata.labels.tier', /missing; set it to one of: web, db$/],
        [object({}, { team: 'a', tier: 'x' }), 'metadata.labels.tier', /must not be "x"/],
      ],
    },
  ],
  maximumKeys: [
    {
      rule: { maximumKeys: 2 },
      passes: [
        object(),
        { keyCount: 2 },
        object({ data: ['a', 'b', 'b'].map((secretKey) => ({ secretKey, remoteRef: { key: 'k' } })) }),
      ],
      refuses: [
        [
          object({ data: ['a', 'b', 'c'].map((secretKey) => ({ secretKey, remoteRef: { key: 'k' } })) }),
          'spec.data',
          /^3 keys are named; at most 2/,
        ],
        [{ keyCount: 3 }, 'spec.target', /^the Secret would have 3 keys; at most 2/],
      ],
    },
  ],
  forbiddenTemplateFunctions: [
    {
      rule: { forbiddenTemplateFunctions: ['genCA', 'now'] },
      passes: [
        template('{{ .a | upper }}'),
        template('genCA now'),
        template('{{ "now" }}{{ .now }}'),
        object(),
      ],
      refuses: [
        [
          template('{{ if .a }}{{ (genCA "x" 1).Cert }}{{ end }}'),
          'spec.target.template.data.out',
          /function genCA/,
        ],
        [
          object({ target: { template: { templateFrom: [{ literal: 'k: {{ now | date "2006" }}' }] } } }),
          'spec.target.template.templateFrom[0].literal',
          /function now may not be called; not allowed: genCA, now$/,
        ],
        [
          object({
            dataFrom: [{ extract: { key: 'k' }, rewrite: [{ transform: { template: '{{ now }}' } }] }],
          }),
          'spec.dataFrom[0].rewrite[0].transform.template',
          /now/,
        ],
        [
          {
            templates: [
              {
                path: ['spec', 'target', 'template', 'templateFrom', 0, 'configMap'],
                text: '{{ define "x" }}{{ now }}{{ end }}',
              },
            ],
          },
          'spec.target.template.templateFrom[0].configMap',
          /now/,
        ],
      ],
    },
  ],
};

for (const [id, groups] of Object.entries(CASES)) {
  describe(`rule ${id}`, () => {
    for (const { rule, passes, refuses } of groups) {
      for (const subject of passes) {
        test(`${JSON.stringify(rule)} lets pass ${JSON.stringify(subject)}`, () => {
          assert.deepEqual(evaluate([policy(rule)], { namespace: 'team-a', ...subject }), []);
        });
      }
      for (const [subject, field, message] of refuses) {
        test(`${JSON.stringify(rule)} refuses ${JSON.stringify(subject)}`, () => {
          const verdicts = evaluate([policy(rule)], { namespace: 'team-a', ...subject });
          const [verdict] = verdicts;
          assert.ok(verdict);
          assert.deepEqual([verdict.policy, verdict.rule, verdict.effect], ['p', id, 'Deny']);
          assert.deepEqual(verdicts.length, 1);
          assert.equal(formatFieldPath(verdict.path), field);
          assert.match(verdict.message, message);
          assert.equal(sourceOf(verdict), `policy "p", rule ${id}`);
        });
      }
    }
  });
}

const short = { namespace: 'n', ...object({ refreshInterval: '1s', target: { creationPolicy: 'Orphan' } }) };

describe('policies', () => {
  test('all of them have to allow, and everything is told', () => {
    const policies = [
      policy({ refreshInterval: { minimum: '1m' }, creationPolicies: ['Owner'] }, 'one'),
      policy({ refreshInterval: { minimum: '1h' }, effect: 'Warn' }, 'two'),
      policy({ refreshInterval: { minimum: '1ms' } }, 'three'),
    ];
    assert.deepEqual(
      evaluate(policies, short).map(({ policy: name, rule, effect }) => [name, rule, effect]),
      [
        ['one', 'refreshInterval', 'Deny'],
        ['one', 'creationPolicies', 'Deny'],
        ['two', 'refreshInterval', 'Warn'],
      ],
    );
  });

  test('without one nothing is refused, unless the default is deny', () => {
    assert.deepEqual(evaluate([], short), []);
    const [verdict] = evaluate([], short, 'deny');
    assert.ok(verdict);
    assert.deepEqual([verdict.policy, verdict.rule, verdict.effect], ['', 'policyDefault', 'Deny']);
    assert.match(verdict.message, /no ClusterSecretPolicy is about namespace "n"/);
    assert.equal(sourceOf(verdict), '--policy-default=deny');
    // One that only audits opens nothing; one that denies does.
    assert.equal(evaluate([policy({ effect: 'Audit' })], short, 'deny').length, 1);
    assert.deepEqual(evaluate([policy({})], short, 'deny'), []);
    assert.deepEqual(evaluate([], { namespace: 'n', keyCount: 1 }, 'deny'), []);
  });

  test('paths are those of the version in which the user wrote', () => {
    const data = [{ secretKey: 'a', remoteRef: { key: 'x' } }];
    const subject = { namespace: 'n', ...object({ data }), ...reads('x') };
    const path = (version: 'v1' | 'v1beta1' | 'v1alpha1') =>
      evaluate([policy({ deletionPolicies: ['Delete'] })], { ...subject, version }).map((verdict) =>
        formatFieldPath(verdict.path),
      );
    assert.deepEqual(path('v1'), ['spec.target.deletionPolicy']);
    assert.deepEqual(path('v1beta1'), ['spec.target.deletionPolicy']);
    assert.deepEqual(path('v1alpha1'), [
      'metadata.annotations[external-secrets-admission.io/conversion-data]',
    ]);
  });

  test('are chosen by labels of the namespace, if they say so', () => {
    const selecting = policy({ namespaceSelector: { matchLabels: { env: 'prod' } } });
    assert.equal(selects(selecting, { env: 'prod' }), true);
    assert.equal(selects(selecting, {}), false);
    assert.equal(selects(policy({}), {}), true);
    assert.equal(selects(policy({ namespaceSelector: {} }), {}), true);
    assert.equal(needsLabels([policy({}), selecting]), true);
    assert.equal(needsLabels([policy({})]), false);
    assert.equal(effectOf(policy({})), 'Deny');
  });

  test('say whether they have to see the stores', () => {
    assert.equal(needsStores([policy({ stores: [] })]), false);
    for (const one of [{ keys: [] }, { servers: [] }, { providers: [] }])
      assert.equal(needsStores([policy(one)]), true);
  });
});
