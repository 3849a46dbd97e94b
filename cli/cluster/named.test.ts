import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type NamedKind, parseNamed } from './named.ts';

const KINDS: readonly NamedKind[] = ['ExternalSecret', 'SecretStore', 'KesExternalSecret'];
const parse = (text: string, kinds = KINDS): string => {
  const { kind, name, anyGroup } = parseNamed(text, 'ExternalSecret', kinds);
  return `${kind} ${name}${anyGroup ? ' of any group' : ''}`;
};

describe('the words for an object', () => {
  const rows: readonly (readonly [text: string, parsed: string])[] = [
    ['app', 'ExternalSecret app of any group'],
    ['es/app', 'ExternalSecret app of any group'],
    ['ExternalSecrets/app', 'ExternalSecret app of any group'],
    ['es.external-secrets.io/app', 'ExternalSecret app'],
    ['externalsecret.external-secrets.io/app', 'ExternalSecret app'],
    ['kes/app', 'KesExternalSecret app'],
    ['es.kubernetes-client.io/app', 'KesExternalSecret app'],
    ['externalsecrets.kubernetes-client.io/app', 'KesExternalSecret app'],
    ['ss/vault', 'SecretStore vault'],
    ['secretstores.external-secrets.io/vault', 'SecretStore vault'],
  ];
  for (const [text, parsed] of rows) test(text, () => assert.equal(parse(text), parsed));

  test('where those of kubernetes-client.io cannot be named, a name is not asked of them', () => {
    assert.equal(parse('app', ['ExternalSecret']), 'ExternalSecret app');
  });

  for (const text of ['css/vault', 'pods/app', 'es.example.com/app', 'ss.kubernetes-client.io/app', '/app'])
    test(`${text} is refused with the kinds that there are`, () => {
      assert.throws(
        () => parse(text),
        /is none of .*: es \(ExternalSecret\), ss \(SecretStore\), kes \(ExternalSecret\.kubernetes-client\.io\)$/,
      );
    });
});
