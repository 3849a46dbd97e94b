import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inNetwork, networkError } from './networks.ts';
import { globError, keyRegexpError, matchesGlob, matchesKey, showKeyPattern } from './patterns.ts';

describe('a pattern of keys', () => {
  const glob = (pattern: string, key: string, namespace = 'ns') =>
    matchesKey({ glob: pattern }, namespace, key);
  const regexp = (pattern: string, key: string, namespace = 'ns') =>
    matchesKey({ regexp: pattern }, namespace, key);

  test('is about the whole key', () => {
    assert.equal(glob('a/b', 'a/b'), true);
    for (const key of ['xa/b', 'a/bx', 'a/b/', 'a/b\n', '\na/b', ''])
      assert.equal(glob('a/b', key), false, key);
    assert.equal(regexp('a|ab', 'ab'), true);
    for (const key of ['xab', 'abc', 'ab\n', 'a\nb']) assert.equal(regexp('a|ab', key), false, key);
    assert.equal(regexp('(?m)^a$', 'x\na\ny'), false);
    assert.equal(regexp('a.b', 'a\nb'), false);
    assert.equal(regexp('\\Qa+b', 'a+b'), true);
  });

  test('cannot leave its frame', () => {
    for (const pattern of ['a)|(b', 'a|b)(?:', '(', '[', '(?=x)', 'a{{ namespace }}'])
      assert.equal(regexp(pattern, 'b'), false, pattern);
  });

  test('has * within a segment and ** across', () => {
    assert.equal(glob('secret/*/x', 'secret/a/x'), true);
    assert.equal(glob('secret/*/x', 'secret//x'), true);
    assert.equal(glob('secret/*/x', 'secret/a/b/x'), false);
    assert.equal(glob('secret/**', 'secret/a/b/x'), true);
    assert.equal(glob('secret/**', 'secret/'), true);
    assert.equal(glob('secret/**', 'secret'), false);
    assert.equal(glob('a.c', 'abc'), false);
    assert.equal(glob('rds!cluster-*', 'rds!cluster-1'), true);
    assert.equal(glob('a*', `a${'x'.repeat(10_000)}`), true);
  });

  test('holds the namespace as it is written', () => {
    assert.equal(glob('{{namespace}}/*', 'team-a/x', 'team-a'), true);
    assert.equal(glob('{{namespace}}/*', 'team-b/x', 'team-a'), false);
    assert.equal(regexp('{{namespace}}/.+', 'a.b/x', 'a.b'), true);
    assert.equal(regexp('{{namespace}}/.+', 'axb/x', 'a.b'), false);
    assert.equal(regexp('[{{namespace}}]+', 'b', 'a-z'), false);
    assert.equal(regexp('[{{namespace}}]+', 'a-z', 'a-z'), true);
    assert.equal(glob('{{namespace}}', 'anything', '**'), false);
    assert.equal(showKeyPattern({ glob: 's/{{namespace}}/**' }, 'ns'), 's/ns/**');
    assert.equal(showKeyPattern({ regexp: 's/{{namespace}}' }, 'ns'), '/s/ns/');
  });

  test('is refused where it means something else elsewhere, or nothing', () => {
    for (const pattern of ['a?', '[a]', '{a,b}', '{{ namespace }}', 'a\\*']) {
      assert.match(globError(pattern, true) ?? '', /has no meaning in a glob/, pattern);
      assert.equal(glob(pattern, 'a'), false, pattern);
    }
    assert.equal(globError('{{namespace}}/**', true), undefined);
    assert.match(globError('{{namespace}}', false) ?? '', /may hold \* and \*\*$/);
    assert.match(keyRegexpError('a(') ?? '', /^missing closing \)$/);
    assert.match(keyRegexpError('{{ns}}') ?? '', /only \{\{namespace\}\} is replaced/);
    assert.match(keyRegexpError('(?!x)') ?? '', /./);
    assert.equal(keyRegexpError('a/{{namespace}}/.+'), undefined);
  });

  test('takes no longer for a text that is made to be slow', () => {
    const started = performance.now();
    assert.equal(regexp('(a+)+b', 'a'.repeat(20_000)), false);
    assert.equal(glob('**a**a**a**a**b', 'a'.repeat(5_000)), false);
    assert.ok(performance.now() - started < 2_000);
  });
});

test('names have *, hosts have * within a label', () => {
  assert.equal(matchesGlob('vault-*', 'vault-a.b'), true);
  assert.equal(matchesGlob('vault-*', 'my-vault-a'), false);
  assert.equal(matchesGlob('*.example.com', 'a.example.com', '.'), true);
  assert.equal(matchesGlob('*.example.com', 'a.b.example.com', '.'), false);
  assert.equal(matchesGlob('**.example.com', 'a.b.example.com', '.'), true);
  assert.equal(matchesGlob('*.example.com', 'aXexample.com', '.'), false);
});

test('networks', () => {
  assert.equal(inNetwork('10.0.0.0/8', '10.255.0.1'), true);
  assert.equal(inNetwork('10.0.0.0/8', '11.0.0.1'), false);
  assert.equal(inNetwork('10.0.0.0/8', '::ffff:10.1.1.1'), true);
  assert.equal(inNetwork('192.0.2.7/32', '192.0.2.7'), true);
  assert.equal(inNetwork('0.0.0.0/0', '8.8.8.8'), true);
  assert.equal(inNetwork('0.0.0.0/0', '::1'), false);
  assert.equal(inNetwork('fd00::/8', 'fd12::1%eth0'), true);
  assert.equal(inNetwork('fd00::/8', '10.0.0.1'), false);
  assert.equal(inNetwork('fd00::/8', 'name'), false);
  for (const bad of [
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    'fd00::/129',
    'host/8',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
  ]) {
    assert.match(networkError(bad) ?? '', /is not a network/, bad);
    assert.equal(inNetwork(bad, '10.0.0.0'), false, bad);
  }
  assert.equal(networkError('10.0.0.0/8'), undefined);
});
