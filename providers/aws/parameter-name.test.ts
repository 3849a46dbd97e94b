import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parameterId, parameterName, parameterProblem } from './parameter-name.ts';

const ARN = 'arn:aws:ssm:us-west-2:111122223333:parameter/prod/db';

test('a key is a name, and perhaps a version behind a colon, in an ARN too', () => {
  for (const [id, name, selector] of [
    ['db', 'db', undefined],
    ['/prod/db', '/prod/db', undefined],
    ['/prod/db:3', '/prod/db', '3'],
    ['/prod/db:current', '/prod/db', 'current'],
    ['/prod/db:', '/prod/db', ''],
    [ARN, ARN, undefined],
    [`${ARN}:3`, ARN, '3'],
    [
      'arn:aws:ssm:us-west-2:111122223333:document/x',
      'arn:aws:ssm:us-west-2:111122223333:document/x',
      undefined,
    ],
  ] as const) {
    assert.deepEqual(parameterName(id), { name, selector }, id);
  }
  assert.equal(parameterId('/prod/db', undefined), '/prod/db');
  assert.equal(parameterId('/prod/db', '3'), '/prod/db:3');
});

describe('what can never be read', () => {
  const problem = (key: string, more: object = {}) => parameterProblem(key, { key, ...more });

  test('two versions, or none that could be one', () => {
    assert.match(problem('/db:3', { version: '4' }) ?? '', /names version "3" of \/db already/);
    for (const version of ['uuid/x', 'a:b', 'a b']) {
      assert.match(problem('/db', { version }) ?? '', /is no version of a parameter/, version);
    }
    assert.match(problem('/db:') ?? '', /"" is no version/);
    for (const version of ['3', 'current', 'v1.2-rc_1']) assert.equal(problem('/db', { version }), undefined);
    assert.equal(problem('/db:3'), undefined);
    assert.equal(problem(`${ARN}:3`), undefined);
  });

  test('tags of an ARN', () => {
    assert.match(problem(ARN, { metadata: true }) ?? '', /in place of its ARN/);
    assert.equal(problem('/db', { metadata: true, version: 'uuid/x' }), undefined);
  });
});
