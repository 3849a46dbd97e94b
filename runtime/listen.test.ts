import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { listen } from './listen.ts';

const ADDRESS = '127.0.0.1';

test('it says which port it has, and goes on if a connection cannot be taken', async () => {
  const server = createServer();
  const port = await listen(server, { address: ADDRESS, port: 0, flag: 'port' });
  assert.ok(port > 0);
  server.emit('error', new Error('accept EMFILE'));
  assert.ok(server.listening);
  server.close();
});

test('a port in use and an address of elsewhere: where, by which flag, why, and what to do', async () => {
  const first = createServer();
  const port = await listen(first, { address: ADDRESS, port: 0, flag: 'port' });
  await assert.rejects(listen(createServer(), { address: ADDRESS, port, flag: 'metrics-port' }), {
    code: 'CONFIGURATION',
    message: `cannot listen on 127.0.0.1:${port} (--metrics-port): EADDRINUSE: another program listens there; end it, or choose another port`,
  });
  first.close();
  await assert.rejects(listen(createServer(), { address: '192.0.2.1', port: 8443, flag: 'port' }), {
    code: 'CONFIGURATION',
    message:
      'cannot listen on 192.0.2.1:8443 (--port): EADDRNOTAVAIL: this machine has no such address; correct --bind-address',
  });
});
