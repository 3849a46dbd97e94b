/** What is random or differs from sprig on purpose; the rest is in testdata/crypto.*. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import bcrypt from 'bcryptjs';
import { parseTemplate } from '../engine.ts';
import { GoMap, mapOf, T } from '../value.ts';
import { FUNCTIONS } from './index.ts';

const render = (template: string): string =>
  parseTemplate('k', template, FUNCTIONS).execute(new GoMap(mapOf(T.string), new Map()));

test('a bcrypt hash is of cost 10 and of the bytes of the password', () => {
  const hash = render('{{ bcrypt "pässwörd" }}');
  assert.match(hash, /^\$2a\$10\$[./A-Za-z0-9]{53}$/);
  assert.ok(bcrypt.compareSync('pässwörd', hash));
  assert.notEqual(render('{{ bcrypt "pässwörd" }}'), hash);
});

test('htpasswd takes the algorithm that ESO added, and goes without', () => {
  const [user, hash = ''] = render('{{ htpasswd "u" "secret" }}').split(':');
  assert.equal(user, 'u');
  assert.ok(bcrypt.compareSync('secret', hash));
  assert.ok(bcrypt.compareSync('secret', render('{{ htpasswd "u" "secret" "bcrypt" }}').slice(2)));
  assert.equal(render('{{ htpasswd "u" "secret" "sha" }}'), 'u:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=');
});

test('random bytes and ciphertexts differ every time', () => {
  for (const template of ['{{ randBytes 16 }}', '{{ encryptAES "k" "text" }}']) {
    assert.notEqual(render(template), render(template));
  }
  assert.equal(Buffer.from(render('{{ randBytes 33 }}'), 'base64').length, 33);
});

test('more random bytes than an execution may hold are refused', () => {
  assert.throws(() => render('{{ randBytes 1000000000 }}'), { code: 'TEMPLATE_BUDGET' });
});
