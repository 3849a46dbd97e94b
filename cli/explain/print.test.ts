import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { painter } from '../cluster/words.ts';
import { causeOf, type Explanation } from './explanation.ts';
import { printExplanation } from './print.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const EXPLANATION: Explanation = {
  object: { kind: 'ExternalSecret', namespace: 'shop', name: 'database' },
  verdict: 'not-ready',
  summary: 'is not synced for 12m',
  causes: [
    causeOf(
      'PROVIDER_NOT_FOUND',
      'Vault https://v: read secret/data/shop/db: no such secret',
      'status',
      'spec.data[0]',
    ),
    causeOf(undefined, 'something that nobody knows', 'now'),
  ],
  facts: [
    { about: 'poller', state: 'unknown', text: 'no right' },
    { about: 'store', state: 'ok', text: 'SecretStore shop/vault: Ready for 3d' },
    { about: 'store', state: 'wrong', text: 'no token' },
  ],
  events: [
    {
      type: 'Warning',
      reason: 'UpdateFailed',
      message: 'no such secret',
      count: 7,
      last: '2026-11-22T11:59:50Z',
    },
    { type: 'Normal', reason: 'Created', message: 'secret created', count: 1, last: '2026-11-22T09:00:00Z' },
  ],
  lastSuccess: '2026-11-22T11:48:00Z',
  next: { kind: 'within', at: '2026-11-22T12:01:00Z', text: 'within 1m0s' },
};

test('an explanation as people read it', () => {
  assert.equal(
    printExplanation(EXPLANATION, painter({}), NOW),
    `ExternalSecret shop/database is not synced for 12m

cause     PROVIDER_NOT_FOUND: The provider says with authority that the secret (or this version of it) does not exist.
          Vault https://v: read secret/data/shop/db: no such secret
          at spec.data[0]
remedy    Create the secret at the provider or correct remoteRef.key, remoteRef.version or the mount path.

also      something that nobody knows
remedy    See docs/troubleshooting.md for the text of the message, and the log of the poller for more.

store     ok     SecretStore shop/vault: Ready for 3d
          wrong  no token
poller    ?      no right
attempts  -      last success that is recorded: 12m ago
          -      10s ago, 7 times: Warning UpdateFailed: no such secret
          -      3h ago: Normal Created: secret created
next      -      within 1m0s
`,
  );
});

test('colours are for terminals that show them, and change no word', () => {
  const painted = printExplanation(EXPLANATION, painter({ colours: true }), NOW);
  assert.ok(painted.includes('\u001b['));
  const plain = stripVTControlCharacters(painted);
  assert.equal(plain, printExplanation(EXPLANATION, painter({}), NOW));
});
