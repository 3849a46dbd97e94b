/** Expressions that keep a backtracking matcher busy for longer than anybody lives: in every field they are RE2. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileGoRegexp } from '../api/go-regexp.ts';
import { render } from '../test/harness/template.ts';
import { checkExternalSecret, checkStore } from './check-object.ts';
import { matchesGlob, matchesKey } from './patterns.ts';
import { offersNamespace } from './store-conditions.ts';
import { validateClusterPolicy } from './validate-cluster-policy.ts';

const PATTERNS = ['^(a+)+$', '^(a|aa)+$', '^(a|a?)+$', '^(([a-z])+.)+[A-Z]([a-z])+$', '^(.*a){20}$'];
const TEXT = `${'a'.repeat(2_000)}!`;
/** Far more than a busy machine takes, far less than backtracking. Milliseconds. */
const LONG = 20_000;

function inTime(what: () => void): void {
  const began = performance.now();
  what();
  const took = performance.now() - began;
  assert.ok(took < LONG, `took ${took} ms`);
}

for (const pattern of PATTERNS) {
  describe(pattern, () => {
    test('find.name.regexp and rewrite.regexp', () => {
      inTime(() => assert.equal(compileGoRegexp(pattern).test(TEXT), false));
      inTime(() => compileGoRegexp(pattern).replaceAll(TEXT, 'x'));
    });
    test('namespaceRegexes', () => {
      inTime(() => assert.equal(offersNamespace([{ namespaceRegexes: [pattern] }], TEXT, {}), false));
    });
    test('keys of a ClusterSecretPolicy', () => {
      inTime(() => assert.equal(matchesKey({ regexp: pattern }, 'ns', TEXT), false));
    });
    test('template functions', () => {
      const text = `{{ regexMatch ${JSON.stringify(pattern)} ${JSON.stringify(TEXT)} }}`;
      inTime(() => assert.equal(render(text), 'false'));
    });
    test('is admitted where a regular expression may stand', () => {
      const es = checkExternalSecret({
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        metadata: { name: 'a' },
        spec: {
          secretStoreRef: { name: 's' },
          dataFrom: [
            { find: { name: { regexp: pattern } }, rewrite: [{ regexp: { source: pattern, target: '' } }] },
          ],
        },
      });
      const store = checkStore(
        {
          apiVersion: 'external-secrets.io/v1',
          kind: 'ClusterSecretStore',
          metadata: { name: 'a' },
          spec: {
            provider: { fake: { data: [{ key: 'k', value: 'v' }] } },
            conditions: [{ namespaceRegexes: [pattern] }],
          },
        },
        'ClusterSecretStore',
      );
      assert.deepEqual(
        [...es.problems, ...store.problems, ...validateClusterPolicy({ keys: [{ regexp: pattern }] })],
        [],
      );
    });
  });
}

test('globs of many wildcards', () => {
  inTime(() => assert.equal(matchesGlob('*a'.repeat(250), TEXT), false));
  inTime(() => assert.equal(matchesKey({ glob: '**a'.repeat(150) }, 'ns', TEXT), false));
});
