import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { EsaError } from '../api/errors.ts';
import {
  isAlreadyExists,
  isConflict,
  isConnectionLost,
  isForbidden,
  isGone,
  isInvalid,
  isNamespaceTerminating,
  isNotFound,
  KubeError,
  responseError,
  toKubeError,
} from './errors.ts';
import { failure } from './testing/wire-server.ts';

const respond = (code: number, reason: string, message: string, details?: object, sensitive = true) =>
  responseError('create Secret shop/db', {
    status: code,
    text: JSON.stringify(failure(code, reason, message, details)),
    sensitive,
  });

const VALUE = 'hunter2-Sentinel';

test('the URL of a webhook that could not be called is told without its path, which is a secret', () => {
  const url = 'https://hooks.system.svc:443/validate/TOKEN?timeout=5s';
  const said = `Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: Post "${url}": EOF`;
  const { message } = respond(500, 'InternalError', said, undefined, false);
  assert.match(
    message,
    /failed calling webhook "v\.example\.com".*"https:\/\/hooks\.system\.svc:443\/\.\.\.": EOF$/,
  );
});

describe('answers to requests that carried a Secret', () => {
  const leaky: [string, KubeError][] = [
    [
      'Invalid value',
      respond(422, 'Invalid', `Secret "db" is invalid: data[.dockerconfigjson]: Invalid value: "${VALUE}"`, {
        name: 'db',
        kind: 'Secret',
        causes: [
          {
            reason: 'FieldValueInvalid',
            message: `Invalid value: "${VALUE}"`,
            field: 'data[.dockerconfigjson]',
          },
        ],
      }),
    ],
    ['illegal base64', respond(400, 'BadRequest', `illegal base64 data in ${VALUE}`)],
    [
      'a webhook that repeats the object',
      respond(403, 'Forbidden', `admission webhook "a.b.io" denied the request: ${VALUE}`),
    ],
    [
      'a policy that repeats the object',
      respond(
        422,
        'Invalid',
        `secrets "db" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ${VALUE}`,
      ),
    ],
    [
      'a page of a proxy',
      responseError('w', { status: 502, text: `<html>${VALUE}</html>`, sensitive: true }),
    ],
  ];
  for (const [name, error] of leaky) {
    test(`${name}: the value is nowhere in the error`, () => {
      assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(VALUE));
      assert.ok(!JSON.stringify(error).includes(VALUE));
    });
  }

  test('what may be said is said', () => {
    assert.deepEqual(
      leaky.map(([, error]) => error.message),
      [
        'create Secret shop/db: 422 Invalid: data[.dockerconfigjson] (FieldValueInvalid)',
        'create Secret shop/db: 400 BadRequest',
        'create Secret shop/db: 403 Forbidden: admission webhook "a.b.io" denied the request',
        "create Secret shop/db: 422 Invalid: ValidatingAdmissionPolicy 'p' with binding 'b' denied request",
        'w: 502 BadGateway',
      ],
    );
  });

  test('lack of rights keeps the sentence of the API server', () => {
    const user = 'system:serviceaccount:esa:poller';
    const error = respond(
      403,
      'Forbidden',
      `secrets is forbidden: User "${user}" cannot create resource "secrets" in API group "" in the namespace "shop"`,
      { kind: 'secrets' },
    );
    assert.match(error.message, /403 Forbidden: User "system.*" cannot create resource "secrets" .* "shop"$/);
    assert.ok(isForbidden(error) && error.refusal === undefined && !isNamespaceTerminating(error));
  });

  test('quota and a terminating namespace are told apart from rights', () => {
    const quota = respond(
      403,
      'Forbidden',
      'secrets "db" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=1, limited: secrets=1',
    );
    assert.ok(quota.refusal === 'QuotaExceeded' && isForbidden(quota));
    assert.match(quota.message, /exceeded quota: q, requested: secrets=1/);
    const terminating = respond(
      403,
      'Forbidden',
      'secrets "db" is forbidden: unable to create new content in namespace shop because it is being terminated',
      { causes: [{ reason: 'NamespaceTerminating', message: 'x', field: 'metadata.namespace' }] },
    );
    assert.ok(isNamespaceTerminating(terminating));
  });
});

test('classes of answers', () => {
  assert.ok(isNotFound(respond(404, 'NotFound', 'secrets "db" not found')));
  assert.ok(isConflict(respond(409, 'Conflict', 'the object has been modified')));
  assert.ok(isAlreadyExists(respond(409, 'AlreadyExists', 'secrets "db" already exists')));
  assert.ok(!isConflict(respond(409, 'AlreadyExists', 'secrets "db" already exists')));
  assert.ok(isGone(respond(410, 'Expired', 'too old resource version')));
  assert.ok(isInvalid(respond(422, 'Invalid', '')));
  assert.ok(!isNotFound(new Error('404')));
});

test('other requests repeat what the API server says, shortened', () => {
  const error = respond(400, 'BadRequest', 'x'.repeat(5000), undefined, false);
  assert.match(error.message, /^create Secret shop\/db: 400 BadRequest: x+$/);
  assert.equal(error.message.length, 1000);
});

test('an unknown path asks for the CRDs', () => {
  const error = responseError('read ExternalSecret a/b', {
    status: 404,
    text: '404 page not found\n',
    sensitive: false,
  });
  assert.match(error.message, /are the CRDs installed/);
  assert.ok(isNotFound(error));
});

test('Retry-After: seconds, a date, or the details', () => {
  const of = (retryAfter: string | undefined, text = '') =>
    responseError('w', { status: 429, retryAfter, text, sensitive: false }).retryAfterMs;
  assert.equal(of('7'), 7000);
  const date = of(new Date(Date.now() + 60_000).toUTCString());
  assert.ok(date !== undefined && date > 55_000 && date <= 60_000);
  assert.equal(of('soon'), undefined);
  assert.equal(
    of(undefined, JSON.stringify(failure(429, 'TooManyRequests', '', { retryAfterSeconds: 3 }))),
    3000,
  );
});

test('the lack of an answer has status 0 and the reason of the network', () => {
  const refused = toKubeError(Object.assign(new TypeError('fetch failed'), { code: 'ECONNREFUSED' }), 'w');
  assert.ok(refused instanceof KubeError);
  assert.deepEqual([refused.status, refused.reason, refused.code], [0, 'ECONNREFUSED', 'KUBE_API']);
  const nested = toKubeError(
    new Error('x', { cause: Object.assign(new Error('y'), { code: 'CERT_HAS_EXPIRED' }) }),
    'w',
  );
  assert.equal(nested instanceof KubeError && nested.reason, 'CERT_HAS_EXPIRED');
  const timeout = toKubeError(Object.assign(new Error('x'), { code: 'UND_ERR_HEADERS_TIMEOUT' }), 'w');
  assert.equal(timeout instanceof KubeError && timeout.reason, 'Timeout');
  assert.equal(
    (toKubeError(new SyntaxError('Unexpected token'), 'w') as KubeError).reason,
    'InvalidResponse',
  );
});

test('our own errors pass through toKubeError', () => {
  const deadline = new EsaError('DEADLINE', 'over');
  assert.equal(toKubeError(deadline, 'w'), deadline);
});

test('a lost connection is told from a refused one', () => {
  assert.ok(isConnectionLost(Object.assign(new Error('x'), { code: 'UND_ERR_SOCKET' })));
  assert.ok(!isConnectionLost(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })));
});
