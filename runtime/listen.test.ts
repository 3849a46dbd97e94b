import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
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

/** Runs a command for which the kernel has no IPv6: a filter on socket(2) answers EAFNOSUPPORT. */
const WITHOUT_IPV6 = `
import ctypes, os, struct, sys
LOAD, EQUAL, RETURN, NR_SOCKET, AF_INET6, REFUSE, ALLOW = 0x20, 0x15, 0x06, 41, 10, 0x00050000 | 97, 0x7fff0000
step = lambda code, k, yes=0, no=0: struct.pack('HBBI', code, yes, no, k)
steps = [step(LOAD, 0), step(EQUAL, NR_SOCKET, 0, 3), step(LOAD, 16), step(EQUAL, AF_INET6, 0, 1)]
steps += [step(RETURN, REFUSE), step(RETURN, ALLOW)]
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_char_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(steps), b''.join(steps)))) == 0
os.execv(sys.argv[1], sys.argv[1:])
`;

test('a node without IPv6: every address is every address of IPv4', {
  skip: process.platform !== 'linux' || process.arch !== 'x64',
}, () => {
  const program = `
      import { createServer } from 'node:net';
      import { listen } from ${JSON.stringify(join(import.meta.dirname, 'listen.ts'))};
      const server = createServer();
      await listen(server, { address: '::', port: 0, flag: 'port' });
      console.log(server.address().address);
      server.close();`;
  const args = ['-c', WITHOUT_IPV6, process.execPath, '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
  assert.equal(stdout, '0.0.0.0\n', stderr);
});
