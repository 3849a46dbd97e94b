/** docs/troubleshooting.md is found by text: each text of it has to be one that the programs still say. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERROR_CATALOGUE } from '../api/errors.ts';
import { type Message, messagesOf } from './messages.ts';
import { ROOT } from './setup/paths.mjs';

const ROOMS = [
  'api',
  'certs',
  'kube',
  'policy',
  'poller',
  'providers',
  'runtime',
  'sync',
  'template',
  'webhook',
];
/** Its texts are the API server's; one of them is provoked in test/e2e/monitoring.test.ts. */
const WORDS_OF_KUBERNETES = 'The API server cannot ask the webhook';
/** Others of the API server, of which goldens of the end-to-end tests have an example. */
const GOLDENS = 'test/e2e/{refusals,policies}/**/*.golden.txt';
/** Words that Kubernetes says and the programs pass on. */
const PASSED_ON = new Set(['exceeded quota: …']);

const page = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');
const sources = globSync(
  ROOMS.map((room) => `${room}/**/*.ts`),
  { cwd: ROOT },
).filter((file) => !file.endsWith('.test.ts') && !file.includes('/testing/'));
const messages = sources.flatMap((file) => messagesOf(readFileSync(join(ROOT, file), 'utf8')));
const goldens = globSync(GOLDENS, { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file), 'utf8'));

/** Entries, `[section, text]`. */
function entries(): (readonly [string, string])[] {
  let section = '';
  return page.split('\n').flatMap((line) => {
    if (line.startsWith('## ')) section = line.slice(3);
    const text = /^### `(.+)`$/.exec(line)?.[1];
    return text === undefined ? [] : [[section, text] as const];
  });
}

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** True if a message of the programs can be this text, or have it within. */
function isSaid(text: string, { parts }: Message): boolean {
  const fixed = parts.join('');
  // Of little but holes anything can be made.
  if (fixed.replaceAll(/\W/g, '').length < 8 && !text.startsWith('denied')) return false;
  const asSaid = parts.map((part) => part.replaceAll(/\s+/g, ' ')).join('…');
  const wanted = text
    .replace(/^… |…$/g, '')
    .split('…')
    .map(quoted)
    .join('.*');
  return new RegExp(wanted).test(asSaid);
}

test('each text is one that the programs say', () => {
  assert.ok(entries().length > 60 && messages.length > 1000);
  const lost = entries()
    .filter(([section, text]) => section !== WORDS_OF_KUBERNETES && !PASSED_ON.has(text))
    .filter(([, text]) => {
      // A frame and what it is put around are two messages.
      const pieces = text.split(/(?<=provider|secret|immutable|ExternalSecret|secrets): |: (?=…$)/);
      return pieces
        .filter((piece) => piece !== '…')
        .some(
          (piece) =>
            !messages.some((message) => isSaid(piece, message)) &&
            !goldens.some((golden) => new RegExp(piece.split('…').map(quoted).join('.*')).test(golden)),
        );
    });
  assert.deepEqual(
    lost.map(([, text]) => text),
    [],
  );
});

test('a text that nobody says any more is noticed', () => {
  const said = (text: string): boolean => messages.some((message) => isSaid(text, message));
  assert.ok(said('using cluster store "…" is not allowed from namespace "…"'));
  assert.ok(!said('using cluster store "…" is not permitted from namespace "…"'));
  assert.ok(!said('could not fetch secret data from provider'));
});

test('no text has two entries', () => {
  const texts = entries().map(([, text]) => text);
  assert.equal(new Set(texts).size, texts.length);
});

test('every code that an error can have is found there', () => {
  const missing = Object.keys(ERROR_CATALOGUE).filter((code) => !page.includes(`\`${code}\``));
  assert.deepEqual(missing, []);
});

test('every reason of an event or a condition is found there', () => {
  const reasons = sources.flatMap((file) => [
    ...readFileSync(join(ROOT, file), 'utf8').matchAll(
      /(?:'(?:Normal|Warning)',\s*'([A-Z]\w+)'|status: '(?:True|False)', reason: '(\w+)'|^ {2}\w+: \{ reason: '(\w+)')/gm,
    ),
  ]);
  const names = [
    ...new Set(reasons.map(([, event, condition, outcome]) => event ?? condition ?? outcome ?? '')),
  ];
  assert.ok(names.length > 8, names.join());
  // Of what went well.
  const quiet = new Set(['SecretSynced']);
  assert.deepEqual(
    names.filter((name) => !quiet.has(name) && !page.includes(`\`${name}\``)),
    [],
  );
});

test('the words of External Secrets Operator that people search for are there', () => {
  for (const text of [
    'could not get secret data from provider',
    'is not ready',
    'secret does not exist at provider using',
    'x509: certificate signed by unknown authority',
    'context deadline exceeded',
    'no endpoints available for service',
    'failed to take ownership of target secret',
    'target is owned by another ExternalSecret',
  ])
    assert.ok(page.includes(text), text);
});
