import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../api/problem.ts';
import { validateClusterPolicy } from './validate-cluster-policy.ts';

const all = (spec: object): string[] => validateClusterPolicy(spec).map(formatProblem);

test('a policy that says something sound', () => {
  assert.deepEqual(all({}), []);
  assert.deepEqual(
    all({
      namespaceSelector: {
        matchLabels: { env: 'prod' },
        matchExpressions: [
          { key: 'a', operator: 'In', values: ['b'] },
          { key: 'c', operator: 'Exists' },
        ],
      },
      effect: 'Warn',
      stores: [{ kind: 'ClusterSecretStore', name: 'vault-*' }],
      providers: ['vault', 'aws', 'fake'],
      keys: [{ glob: 'secret/{{namespace}}/**' }, { regexp: 'secret/data/{{namespace}}/.+' }],
      servers: [{ scheme: 'https', host: '*.example.com', network: '10.0.0.0/8' }, { host: 'fd00::1' }],
      refreshInterval: { minimum: '1m' },
      creationPolicies: ['Owner', 'Merge'],
      deletionPolicies: ['Retain'],
      secretTypes: ['Opaque', 'kubernetes.io/tls'],
      requiredLabels: [{ key: 'team' }, { key: 'tier', values: ['web'] }],
      maximumKeys: 50,
      forbiddenTemplateFunctions: ['genCA', 'printf'],
    }),
    [],
  );
});

const CASES: readonly (readonly [string, object, RegExp])[] = [
  ['a field that there is not', { storess: [] }, /^spec(\.storess)?: /],
  ['an effect that there is not', { effect: 'deny' }, /^spec\.effect: /],
  [
    'a selector without values',
    { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
    /^spec\.namespaceSelector\.matchExpressions\[0\]\.values: In compares with values/,
  ],
  [
    'a selector with values too many',
    { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['x'] }] } },
    /Exists has no values/,
  ],
  [
    'a foreign wildcard in a store',
    { stores: [{ name: 'vault-?' }] },
    /^spec\.stores\[0\]\.name: "\?" has no meaning/,
  ],
  [
    'a provider that there is not',
    { providers: ['vault', 'vaullt'] },
    /^spec\.providers\[1\]: "vaullt" is not a provider/,
  ],
  [
    'a foreign wildcard in a key',
    { keys: [{ glob: 'a/{b,c}' }] },
    /^spec\.keys\[0\]\.glob: "\{" has no meaning/,
  ],
  [
    'an expression that is none',
    { keys: [{ regexp: 'a(' }] },
    /^spec\.keys\[0\]\.regexp: must be a regular expression \(RE2\)/,
  ],
  ['an expression that leaves its frame', { keys: [{ regexp: 'a)|(b' }] }, /unexpected \)/],
  ['a lookahead', { keys: [{ regexp: '(?=a)' }] }, /RE2/],
  ['both kinds of pattern in one', { keys: [{ glob: 'a', regexp: 'a' }] }, /exactly one of glob, regexp/],
  [
    'a network that is none',
    { servers: [{ network: '10.0.0.0' }] },
    /^spec\.servers\[0\]\.network: "10\.0\.0\.0" is not a network/,
  ],
  ['a URL for a host', { servers: [{ host: 'https://vault' }] }, /without a scheme/],
  ['a port', { servers: [{ host: 'vault:8200' }] }, /without a port/],
  ['a duration that is none', { refreshInterval: { minimum: 'often' } }, /^spec\.refreshInterval\.minimum: /],
  ['a type that is never written', { secretTypes: ['kubernetes.io/service-account-token'] }, /never written/],
  ['no keys at all', { maximumKeys: 0 }, /^spec\.maximumKeys: /],
  [
    'a function that there is not',
    { forbiddenTemplateFunctions: ['genCa'] },
    /templates have no function "genCa"/,
  ],
];

for (const [what, spec, message] of CASES) {
  test(`refused: ${what}`, () => {
    const [problem, ...more] = all(spec);
    assert.match(problem ?? '', message);
    assert.deepEqual(more, []);
  });
}

test('all mistakes are told at once', () => {
  assert.equal(all({ stores: [{ name: '?' }], providers: ['x'], servers: [{ network: 'y' }] }).length, 3);
});
