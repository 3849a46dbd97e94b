import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from '../../test/harness/template.ts';
import { parseTemplate } from '../engine.ts';
import { TemplateError } from '../errors.ts';
import { GoMap, mapOf, T } from '../value.ts';
import { FUNCTIONS } from './index.ts';

const SECRET = 'S3cr3t-Sentinel';

/** What stands for an argument: the secret in every shape that a template can give it. */
const SHAPES = [
  '.secret',
  '(list .secret)',
  '(dict .secret .secret)',
  '(splitList "-" .secret)',
  '(list (dict "a" .secret))',
  'nil',
  '1',
];

function messageOf(template: string): string | undefined {
  try {
    parseTemplate('k', template, FUNCTIONS).execute(
      new GoMap(mapOf(T.string), new Map([['secret', SECRET]])),
    );
    return undefined;
  } catch (thrown) {
    if (thrown instanceof TemplateError) return thrown.message;
    throw thrown;
  }
}

test('no message of an error carries a value, whichever function it went to', () => {
  let refused = 0;
  for (const [name, { params, slow }] of FUNCTIONS) {
    if (slow === true) continue;
    for (const first of SHAPES) {
      for (const second of params.length > 1 ? SHAPES : ['']) {
        const others = params.slice(2).map(() => '.secret');
        const message = messageOf(`{{ ${[name, first, second, ...others].join(' ')} }}`);
        if (message === undefined) continue;
        refused++;
        assert.ok(!/S3cr3t|Sentinel/.test(message), `${name} ${first} ${second}: ${message}`);
      }
    }
  }
  assert.ok(refused > 1000, `only ${refused} refusals`);
});

test('the text of Go is kept beside, for comparison', () => {
  const failed = refusal('{{ fail .secret }}', { secret: SECRET });
  assert.match(failed.goText, /error calling fail: S3cr3t-Sentinel$/);
  assert.match(failed.message, /error calling fail: \[redacted\]/);
  const broken = refusal('{{ mustFromJson .secret }}', { secret: 'xyz' });
  assert.match(broken.goText, /invalid character 'x' looking for beginning of value$/);
  assert.match(broken.message, /invalid character \[redacted\] looking for beginning of value$/);
  const number = refusal('{{ mustFromJson .secret }}', { secret: '1e999' });
  assert.match(number.goText, /cannot unmarshal number 1e999 into/);
  assert.match(number.message, /cannot unmarshal number \[redacted\] into/);
  const cut = refusal('{{ substr 0 3 .secret | substr 5 9 }}', { secret: SECRET });
  assert.match(cut.goText, /\[5:3\]$/);
  assert.match(cut.message, /\[5:length\]$/);
});
