import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import { test } from 'node:test';
import { reachFrom } from './address.ts';
import { UsageError } from './options.ts';

/** Nobody listens there: no address is learnt from a connection. */
const NOBODY = 'https://127.0.0.1:9';

test('an own address is listened on alone, any other name on all of them', async () => {
  assert.equal((await reachFrom(NOBODY, '127.0.0.1')).listen, '127.0.0.1');
  assert.equal((await reachFrom(NOBODY, 'localhost')).listen, '127.0.0.1');
  assert.equal((await reachFrom(NOBODY, 'tunnel.example.com')).listen, '0.0.0.0');
  const found = await reachFrom(NOBODY, undefined);
  assert.ok(isIPv4(found.host) && found.listen === found.host && found.port > 0);
});

test('what a Service cannot lead to is refused', async () => {
  for (const host of ['fd00::2', 'Host', 'a b', ''])
    await assert.rejects(reachFrom(NOBODY, host), UsageError);
});
