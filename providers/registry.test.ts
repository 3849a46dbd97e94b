import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatProblem } from '../api/problem.ts';
import { providerOf, providerProblems, providerSchemas, providers } from './registry.ts';

const store = { kind: 'SecretStore', namespace: 'a' } as const;
const problems = (block: unknown): string[] => providerProblems(block, store).map(formatProblem);
const vault = { server: 'https://vault.example.com', auth: { tokenSecretRef: { name: 't', key: 'k' } } };

test('each provider is listed under its own name, with its schema', () => {
  assert.deepEqual([...providers.keys()].sort(), ['aws', 'azurekv', 'fake', 'gcpsm', 'vault']);
  for (const [name, provider] of providers) {
    assert.equal(provider.name, name);
    assert.equal(providerSchemas[name], provider.schema);
  }
  assert.deepEqual(Object.keys(providerSchemas).sort(), ['aws', 'azurekv', 'fake', 'gcpsm', 'vault']);
});

describe('providerOf', () => {
  test('parses the block with its defaults', () => {
    const choice = providerOf({ vault });
    assert.ok(choice.ok);
    assert.equal(choice.provider, providers.get('vault'));
    assert.deepEqual(choice.config, { ...vault, version: 'v2' });
  });

  test('members that are absent or null do not count', () => {
    assert.ok(providerOf({ vault, fake: undefined, aws: null }).ok);
  });

  for (const [block, problem] of [
    [
      undefined,
      ': a store needs exactly one provider, found none; supported: aws, azurekv, fake, gcpsm, vault',
    ],
    [{}, ': a store needs exactly one provider, found none; supported: aws, azurekv, fake, gcpsm, vault'],
    [{ vault, fake: { data: [] } }, ': a store needs exactly one provider, found 2 (fake, vault)'],
    [
      { gitlab: {} },
      'gitlab: provider gitlab is not supported yet; supported: aws, azurekv, fake, gcpsm, vault',
    ],
    [{ vault: {} }, 'vault.server: set this field (string)'],
    [{ vault: { ...vault, version: 'v3' } }, 'vault.version: supported values: "v1", "v2"'],
    [{ vault: { ...vault, sever: 'x' } }, 'vault.sever: no such field; remove it or correct its name'],
    [{ vault: { ...vault, server: 7 } }, 'vault.server: must be of type string'],
    [{ vault: 'x' }, 'vault: must be of type object'],
  ] as const) {
    test(`refuses ${JSON.stringify(block)?.slice(0, 60)}`, () => {
      assert.equal(providerOf(block).ok, false);
      assert.deepEqual(problems(block), [problem]);
    });
  }
});

test('rules of the provider come with the path of the block', () => {
  const foreign = { ...vault, auth: { tokenSecretRef: { name: 't', key: 'k', namespace: 'b' } } };
  assert.match(
    problems({ vault: foreign })[0] ?? '',
    /^vault\.auth\.tokenSecretRef\.namespace: namespace should either be empty/,
  );
});

test('no value of a block is in a problem', () => {
  const block = {
    vault: {
      ...vault,
      server: 'SENTINEL',
      caBundle: 'SENTINEL',
      headers: { a: 'SENTINEL\n' },
      version: 'SENTINEL',
    },
  };
  assert.doesNotMatch(problems(block).join(), /SENTINEL/);
  const { version: _, ...rest } = block.vault;
  assert.doesNotMatch(problems({ vault: rest }).join(), /SENTINEL/);
});
