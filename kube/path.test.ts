import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourcePath } from './path.ts';

test('paths of core and grouped resources', () => {
  assert.equal(resourcePath({ version: 'v1', resource: 'secrets' }), '/api/v1/secrets');
  assert.equal(
    resourcePath({ version: 'v1', resource: 'secrets', namespace: 'shop', name: 'db' }),
    '/api/v1/namespaces/shop/secrets/db',
  );
  assert.equal(
    resourcePath({
      group: 'external-secrets.io',
      version: 'v1',
      resource: 'externalsecrets',
      namespace: 'shop',
      name: 'db',
      subresource: 'status',
    }),
    '/apis/external-secrets.io/v1/namespaces/shop/externalsecrets/db/status',
  );
});

test('a name cannot leave its place in the path', () => {
  assert.equal(
    resourcePath({ version: 'v1', resource: 'secrets', namespace: 'shop', name: '../configmaps/x?y#z' }),
    '/api/v1/namespaces/shop/secrets/..%2Fconfigmaps%2Fx%3Fy%23z',
  );
  for (const name of ['', '.', '..']) {
    assert.throws(() => resourcePath({ version: 'v1', resource: 'secrets', namespace: 'shop', name }), {
      code: 'INVALID_OBJECT',
    });
  }
});
