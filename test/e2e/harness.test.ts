import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBalancer } from '../harness/balancer.ts';
import { startBed } from '../harness/bed.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { type HttpAnswer, httpRequest } from '../harness/http.ts';
import { listeningAddresses } from '../harness/listening.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { startProduct } from '../harness/product.ts';

describe('control plane', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await startControlPlane({ audit: true });
  });
  after(() => cp.stop());

  test('kubectl talks to it, and both have the version of go.mod', async () => {
    const version = JSON.parse(await cp.kubectlOutput(['version', '-o', 'json'])) as Record<
      string,
      { gitVersion: string }
    >;
    const pinned = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync('test/control-plane/go.mod', 'utf8'))?.[1];
    assert.equal(version['serverVersion']?.gitVersion, pinned);
    assert.equal(version['clientVersion']?.gitVersion, pinned);
  });

  test('a failing kubectl reports its code and stderr', async () => {
    const { code, stdout, stderr } = await cp.kubectl(['get', 'secret', 'absent']);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /secrets "absent" not found/);
    await assert.rejects(cp.kubectlOutput(['get', 'secret', 'absent']), /secrets "absent" not found/);
  });

  test('RBAC holds for ServiceAccounts, by impersonation and by token', async () => {
    await cp.kubectlOutput(['create', 'serviceaccount', 'nobody']);
    const as = await cp.kubectl(['get', 'secrets'], { as: 'system:serviceaccount:default:nobody' });
    assert.match(as.stderr, /Forbidden/);
    const kubeconfig = cp.writeKubeconfig('nobody', await cp.serviceAccountToken('default', 'nobody'));
    const { stderr } = await cp.kubectl(['get', 'secrets'], { kubeconfig });
    assert.match(stderr, /User "system:serviceaccount:default:nobody" cannot list resource "secrets"/);
  });

  test(
    'controllers run: namespaces end, dependents are collected, quotas are counted',
    needsGarbageCollection(),
    async () => {
      await cp.kubectlOutput(['create', 'namespace', 'work']);
      await eventually(() => cp.kubectlOutput(['get', 'serviceaccount', 'default', '-n', 'work']));
      await eventually(() => cp.kubectlOutput(['get', 'configmap', 'kube-root-ca.crt', '-n', 'work']));

      await cp.kubectlOutput(['create', 'configmap', 'owner', '-n', 'work']);
      const owner = await cp.request<{ metadata: { uid: string } }>(
        'GET',
        '/api/v1/namespaces/work/configmaps/owner',
      );
      const ownerReferences = [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.body.metadata.uid },
      ];
      const made = await cp.request('POST', '/api/v1/namespaces/work/secrets', {
        metadata: { name: 'dependent', ownerReferences },
      });
      assert.equal(made.status, 201);
      await cp.kubectlOutput(['delete', 'configmap', 'owner', '-n', 'work']);
      await eventually(
        async () => (await cp.request('GET', '/api/v1/namespaces/work/secrets/dependent')).status === 404,
        { timeout: 30_000, what: 'garbage collection' },
      );

      await cp.kubectlOutput(['create', 'quota', 'none', '--hard=secrets=0', '-n', 'work']);
      await eventually(async () => {
        const { status, body } = await cp.request<{ message?: string }>(
          'POST',
          '/api/v1/namespaces/work/secrets',
          {
            metadata: { generateName: 'over-' },
          },
        );
        return status === 403 && body.message?.includes('exceeded quota');
      });

      await cp.kubectlOutput(['delete', 'namespace', 'work']);
      assert.match((await cp.kubectl(['get', 'namespace', 'work'])).stderr, /not found/);
    },
  );

  test('the audit log names user, verb and object', async () => {
    await cp.request('GET', '/api/v1/namespaces/default/secrets/audited');
    const event = cp.auditEvents().find(({ objectRef }) => objectRef?.name === 'audited');
    assert.equal(event?.verb, 'get');
    assert.equal(event.user.username, 'admin');
    assert.equal(event.responseStatus?.code, 404);
  });

  test('the API server can be stopped and comes back with its data', async () => {
    await cp.kubectlOutput(['create', 'configmap', 'kept']);
    await cp.stopApiServer();
    await assert.rejects(cp.request('GET', '/readyz'));
    await cp.startApiServer();
    await cp.kubectlOutput(['get', 'configmap', 'kept']);
  });

  test('nothing of it listens beyond loopback', { skip: process.platform !== 'linux' }, () => {
    for (const running of Object.values(cp.processes)) {
      assert.deepEqual(listeningAddresses(running.pid), ['127.0.0.1'], running.name);
    }
  });
});

describe('OpenBao', () => {
  let bao: OpenBao;
  before(async () => {
    bao = await startOpenBao({ audit: true });
  });
  after(() => bao.stop());

  test('reads are counted by path, and the log holds no value', async () => {
    await bao.write('counted', { key: 'SENTINEL' });
    for (let i = 0; i < 3; i++) {
      const { body } = await bao.request<{ data: { data: object } }>('GET', 'secret/data/counted');
      assert.deepEqual(body.data.data, { key: 'SENTINEL' });
    }
    assert.equal(bao.auditCounts()['read secret/data/counted'], 3);
    assert.ok(!JSON.stringify(bao.auditLines()).includes('SENTINEL'));
  });

  test('paused it hangs, resumed it answers', async () => {
    bao.pause();
    let answer: Promise<number>;
    try {
      answer = bao.request('GET', 'sys/health').then(({ status }) => status);
      assert.equal(await Promise.race([answer, sleep(300, 'silence')]), 'silence');
    } finally {
      // Or the tests after a failure of this one would wait for ever.
      bao.resume();
    }
    assert.equal(await answer, 200);
  });

  test('sealed it says 503, unsealed it has its data', async () => {
    await bao.write('sealed', { key: 'v' });
    await bao.seal();
    assert.equal((await bao.request('GET', 'secret/data/sealed')).status, 503);
    await bao.unseal();
    assert.equal((await bao.request('GET', 'secret/data/sealed')).status, 200);
  });

  test('stopped it refuses, started again it has the same address and is empty', async () => {
    await bao.write('lost', { key: 'v' });
    const { address } = bao;
    await bao.stop();
    await assert.rejects(httpRequest('GET', `${address}/v1/sys/health`), /ECONNREFUSED/);
    await bao.start();
    assert.equal(bao.address, address);
    assert.equal((await bao.request('GET', 'secret/data/lost')).status, 404);
  });

  test('with TLS its CA has to be trusted', async () => {
    await using secure = await startOpenBao({ tls: true });
    assert.match(secure.address, /^https:/);
    await secure.write('app', { key: 'v' });
    await assert.rejects(httpRequest('GET', `${secure.address}/v1/sys/health`), /certificate/);
  });
});

describe('product', () => {
  const secretless = { metadata: { generateName: 'try-' }, spec: { secretStoreRef: { name: 'absent' } } };
  const create = (cp: ControlPlane, data: unknown[]): Promise<HttpAnswer<{ message?: string }>> =>
    cp.request('POST', '/apis/external-secrets.io/v1/namespaces/default/externalsecrets', {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      ...secretless,
      spec: { ...secretless.spec, data },
    });

  test('two webhooks behind the balancer: hooks answer while one of them is left', async () => {
    await using bed = await startBed({ product: { webhooks: 2, poller: false } });
    const { cp, product } = bed;
    const [first, second] = product.webhooks;
    assert.ok(first?.port !== undefined && second?.port !== undefined);
    // A mistake that the schema has nothing against: only the hook knows it.
    const wrong = [{ secretKey: 'a', remoteRef: { key: '' } }];
    const refused = async (): Promise<void> => {
      const { status, body } = await create(cp, wrong);
      assert.equal(status, 422, body.message ?? 'no message');
      assert.match(body.message ?? '', /validate\.externalsecret\.external-secrets\.io/);
    };
    await refused();
    await first.kill();
    await refused();
    await first.start();
    await second.stop();
    await refused();
    assert.ok((product.balancer?.connections(first.port) ?? 0) > 0);
    await first.kill();
    assert.match((await create(cp, wrong)).body.message ?? '', /failed calling webhook/);
  });

  test('without configurations and conversion nothing of ours is asked', async () => {
    await using cp = await startControlPlane();
    await using product = await startProduct(cp, {
      configurations: false,
      conversion: false,
      webhooks: 0,
      namespace: 'elsewhere',
    });
    assert.equal(product.namespace, 'elsewhere');
    const { status } = await create(cp, [{ secretKey: 'a', remoteRef: { key: 'a' } }]);
    assert.equal(status, 201);
    const { stdout } = await cp.kubectl([
      'get',
      'validatingwebhookconfigurations,mutatingwebhookconfigurations',
    ]);
    assert.equal(stdout, '');
    assert.ok(product.poller.isRunning());
  });
});

describe('balancer', () => {
  async function echoServer(name: string): Promise<{ port: number; close(): void }> {
    const server = createServer((socket) => socket.end(name));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    return { port: address.port, close: () => server.close() };
  }

  async function askTwice(port: number): Promise<string[]> {
    const answers = [];
    for (let i = 0; i < 2; i++) {
      const socket = createConnection(port, '127.0.0.1');
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      await once(socket, 'close');
      answers.push(text);
    }
    return answers.toSorted();
  }

  test('shares connections out, and passes a dead or removed backend by', async () => {
    const a = await echoServer('a');
    const b = await echoServer('b');
    const balancer = await startBalancer([a.port]);
    balancer.add(b.port);
    assert.deepEqual(await askTwice(balancer.port), ['a', 'b']);
    b.close();
    assert.deepEqual(await askTwice(balancer.port), ['a', 'a']);
    balancer.remove(b.port);
    assert.deepEqual(await askTwice(balancer.port), ['a', 'a']);
    assert.equal(balancer.connections(a.port), 5);
    balancer.remove(a.port);
    assert.deepEqual(await askTwice(balancer.port), ['', '']);
    a.close();
    await balancer.stop();
  });
});

describe('what a crash left behind', () => {
  test('is ended and removed by the next start', { skip: process.platform !== 'linux' }, async () => {
    const script = `
      import { startOpenBao } from './test/harness/openbao.ts';
      import { runDirectory } from './test/harness/run-directory.ts';
      const bao = await startOpenBao();
      console.log(JSON.stringify({ pid: bao.pid, directory: runDirectory() }));`;
    const run = (): ReturnType<typeof spawn> =>
      spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const firstLine = async (
      child: ReturnType<typeof spawn>,
    ): Promise<{ pid: number; directory: string }> => {
      assert.ok(child.stdout !== null);
      const [data] = (await once(child.stdout, 'data')) as [Buffer];
      return JSON.parse(data.toString()) as { pid: number; directory: string };
    };

    const crashing = run();
    const left = await firstLine(crashing);
    crashing.kill('SIGKILL');
    await once(crashing, 'exit');
    assert.ok(existsSync(`/proc/${left.pid}`), 'the orphan lives on');

    const next = run();
    const own = await firstLine(next);
    await eventually(() => !existsSync(`/proc/${left.pid}`));
    assert.ok(!existsSync(left.directory));
    assert.ok(existsSync(`/proc/${own.pid}`));

    next.kill('SIGTERM');
    await once(next, 'exit');
    assert.ok(!existsSync(`/proc/${own.pid}`), 'a signal leaves nothing');
    assert.ok(!existsSync(own.directory));
  });
});
