import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VaultAnswer } from './answer.ts';
import { errorOfAnswer, wordsOf } from './errors.ts';

const answer = (status: number, errors?: string[], more: Partial<VaultAnswer> = {}): VaultAnswer => ({
  status,
  headers: {},
  isJson: true,
  body: { errors },
  errors,
  ...more,
});
const asked = { server: 'https://vault.example.com', what: 'read secret/data/app' };
const login = { ...asked, what: 'login', isLogin: true };

describe('statuses', () => {
  for (const [what, request, given, code, message] of [
    [
      'policy',
      asked,
      answer(403, ['1 error occurred:\n\t* permission denied\n\n']),
      'PROVIDER_DENIED',
      /permission denied$/,
    ],
    [
      'login refused',
      login,
      answer(403, ['permission denied']),
      'PROVIDER_UNAUTHENTICATED',
      /login was refused/,
    ],
    [
      'login, wrong role',
      login,
      answer(400, ['invalid role name "x"']),
      'PROVIDER_UNAUTHENTICATED',
      /invalid role name/,
    ],
    ['login, sealed', login, answer(503, ['Vault is sealed']), 'PROVIDER_UNREACHABLE', /sealed/],
    ['sealed', asked, answer(503, ['Vault is sealed']), 'PROVIDER_UNREACHABLE', /Vault is sealed/],
    ['uninitialised', asked, answer(501), 'PROVIDER_UNREACHABLE', /not initialised/],
    ['DR secondary', asked, answer(472), 'PROVIDER_UNREACHABLE', /this node/],
    ['gateway, HTML', asked, answer(502, undefined, { isJson: false }), 'PROVIDER_UNREACHABLE', /502/],
    [
      'quota',
      asked,
      answer(429, ['request path "x": rate limit quota exceeded']),
      'PROVIDER_THROTTLED',
      /quota/,
    ],
    [
      'upgrading',
      asked,
      answer(400, ['Waiting for the primary to upgrade from non-versioned to versioned data']),
      'PROVIDER_UNREACHABLE',
      /being set up/,
    ],
    ['bad request', asked, answer(400, ['nonsense']), 'PROVIDER_INVALID_CONFIG', /nonsense/],
    [
      'no namespace',
      asked,
      answer(404, ['namespace not found']),
      'PROVIDER_INVALID_CONFIG',
      /namespace not found/,
    ],
    ['a web page', asked, answer(404, undefined, { isJson: false }), 'PROVIDER_INVALID_RESPONSE', /not JSON/],
    ['odd', asked, answer(218), 'PROVIDER_INVALID_RESPONSE', /unexpected status 218/],
    [
      'redirect',
      asked,
      answer(307, undefined, { headers: { location: 'https://other:8200/v1/x?token=SENTINEL' } }),
      'PROVIDER_INVALID_RESPONSE',
      /redirected to other:8200 /,
    ],
    ['redirect to nowhere', asked, answer(302), 'PROVIDER_INVALID_RESPONSE', /redirected elsewhere/],
  ] as const) {
    test(what, () => {
      const error = errorOfAnswer(request, given, 0);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.match(error.message, /^Vault https:\/\/vault\.example\.com: /);
      assert.doesNotMatch(error.message, /\n|SENTINEL/);
    });
  }
});

describe('the words of the server', () => {
  test('come on one line, shortened', () => {
    assert.equal(wordsOf(answer(400, ['2 errors occurred:\n\t* a\n\t* b\n\n'])), 'a b');
    assert.equal(wordsOf(answer(400, ['a', '', 'b\u2028c']))?.includes('\n'), false);
    assert.ok((wordsOf(answer(400, ['x'.repeat(5000)]))?.length ?? 0) < 250);
    assert.equal(wordsOf(answer(400, [])), undefined);
  });

  for (const secret of [
    'hvs.CAESIJ1234567890abcdefghijklmn',
    's.abcdefghijklmnopqrstuvwx',
    'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl',
    'b7a6f0b2-7d3e-4f0a-9c1d-2f5e8a7b6c5d',
  ]) {
    test(`never hold ${secret.slice(0, 6)}...`, () => {
      const words = wordsOf(answer(403, [`token ${secret} is bad`]));
      assert.equal(words, 'token [redacted] is bad');
    });
  }
});
