import assert from 'node:assert/strict';
import { test } from 'node:test';
import { render } from '../../test/harness/template.ts';

test('each random function draws from its alphabet, and from all of it', () => {
  const alphabets: readonly (readonly [string, RegExp, number])[] = [
    ['randNumeric', /[0-9]/, 10],
    ['randAlpha', /[A-Za-z]/, 52],
    ['randAlphaNum', /[A-Za-z0-9]/, 62],
    ['randAscii', /[ -~]/, 95],
  ];
  for (const [name, one, size] of alphabets) {
    const drawn = render(`{{ ${name} 20000 }}`);
    assert.equal(drawn.length, 20000, name);
    assert.ok(
      Array.from(drawn).every((character) => one.test(character)),
      name,
    );
    const counts = new Map<string, number>();
    for (const character of drawn) counts.set(character, (counts.get(character) ?? 0) + 1);
    assert.equal(counts.size, size, name);
    // Eight standard deviations from the mean are as good as never.
    const mean = 20000 / size;
    for (const count of counts.values()) assert.ok(Math.abs(count - mean) < 8 * Math.sqrt(mean), name);
  }
});

test('what is drawn twice differs', () => {
  assert.notEqual(render('{{ randAlphaNum 30 }}'), render('{{ randAlphaNum 30 }}'));
  assert.notEqual(render('{{ uuidv4 }}'), render('{{ uuidv4 }}'));
});

test('randInt includes its lower bound and not its upper one', () => {
  const drawn = new Set(render('{{ range until 300 }}{{ randInt -1 2 }} {{ end }}').trim().split(' '));
  assert.deepEqual([...drawn].sort(), ['-1', '0', '1']);
});

test('shuffle keeps every rune', () => {
  const text = 'aé日😀b'.repeat(20);
  const shuffled = render('{{ shuffle .text }}', { text });
  assert.notEqual(shuffled, text);
  assert.deepEqual(Array.from(shuffled).sort(), Array.from(text).sort());
});
