import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { controlPlaneDirectory, hasControllerManager } from '../../tools/setup/paths.mjs';
import { eventually } from '../harness/eventually.ts';
import { listeningAddresses } from '../harness/listening.ts';
import { type Dev, runDemo, runScript, startDev } from './support/dev.ts';

/** The first block of commands below a heading. */
function commandsOf(file: string, heading: string): string {
  const text = readFileSync(file, 'utf8').split(`## ${heading}\n`)[1] ?? '';
  const [, commands = ''] = /```sh\n([\s\S]*?)```/.exec(text) ?? [];
  assert.notEqual(commands, '', `${file} has no commands below ${heading}`);
  return commands;
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe('make dev', () => {
  let dev: Dev;
  before(async () => {
    dev = await startDev();
    assert.equal((await dev.shell('kubectl create namespace demo')).code, 0);
  });
  after(async () => {
    if (dev.child.exitCode !== null) return;
    dev.child.kill('SIGTERM');
    await once(dev.child, 'exit');
  });

  test('its env has all that a shell needs, for this user only', async () => {
    assert.equal(statSync(dev.envFile).mode & 0o777, 0o600);
    const { stdout } = await dev.shell('kubectl get crd -o name && bao kv put -format=json secret/x a=b');
    assert.match(stdout, /externalsecrets\.external-secrets\.io/);
    const names = ['WEBHOOK_PID', 'WEBHOOK_LOG', 'POLLER_PID', 'POLLER_LOG', 'METRICS_URL'];
    const { stdout: values } = await dev.shell(names.map((name) => `echo "\${${name}:?}"`).join('\n'));
    const [webhookPid = '', webhookLog = '', pollerPid = '', pollerLog = ''] = values.split('\n');
    assert.ok(isAlive(Number(webhookPid)) && isAlive(Number(pollerPid)));
    assert.ok(existsSync(webhookLog) && existsSync(pollerLog));
    const aws = ['AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION'];
    assert.equal((await dev.shell(aws.map((name) => `: "\${${name}:?}"`).join('\n'))).code, 0);
  });

  test('the commands of docs/operating.md for stored versions', async () => {
    const commands = commandsOf('docs/operating.md', 'Clusters that stored an older version');
    const { code, stderr } = await dev.shell(`set -e\n${commands}`);
    assert.equal(code, 0, stderr);
  });

  test('nothing of it listens beyond loopback', { skip: process.platform !== 'linux' }, async () => {
    const { stdout } = await dev.shell(`echo $WEBHOOK_PID; echo $POLLER_PID; pgrep -P ${dev.child.pid}`);
    const pids = new Set(stdout.split('\n').map(Number));
    assert.ok(pids.size >= 5, 'etcd, kube-apiserver, OpenBao, webhook, poller, and controllers if any');
    for (const pid of pids) assert.deepEqual(listeningAddresses(pid), ['127.0.0.1'], String(pid));
  });

  test('the webhook can be stopped and started from another shell', async () => {
    const answer = async (): Promise<string> =>
      (await dev.shell('kubectl create --dry-run=server -f examples/refused/store.yaml')).stderr;
    const before = (await dev.shell('echo $WEBHOOK_PID')).stdout;
    assert.equal((await dev.shell('eval "$WEBHOOK_STOP_CMD"')).code, 0);
    assert.ok(!isAlive(Number(before)));
    assert.match(await answer(), /failed calling webhook/);
    assert.equal((await dev.shell('eval "$WEBHOOK_START_CMD"')).code, 0);
    assert.ok(isAlive(Number((await dev.shell('echo $WEBHOOK_PID')).stdout)), 'the env names the new pid');
    await eventually(async () => (await answer()).includes('spec.provider.vault.server'));
  });

  test('a second one beside it gets its own folder, and a signal leaves nothing of it', async () => {
    const second = await startDev();
    assert.notEqual(second.envFile, dev.envFile);
    const pids = (await second.shell('echo $WEBHOOK_PID; echo $POLLER_PID')).stdout.split('\n').map(Number);
    assert.equal((await second.shell('kubectl get namespace demo')).code, 1, 'another cluster');
    second.child.kill('SIGINT');
    await once(second.child, 'exit');
    assert.ok(!existsSync(second.envFile));
    for (const pid of pids) assert.ok(!isAlive(pid));
    assert.equal((await dev.shell('kubectl get namespace demo')).code, 0, 'the first one goes on');
  });
});

test('without OpenBao and AWS: the tour runs on the provider fake and says what it leaves out', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'empty-cache-'));
  // Only the backends are missing: the control plane is the one that is there.
  const { BAO_BIN: _, ...rest } = process.env;
  const env = { ...rest, XDG_CACHE_HOME: cache, KUBEBUILDER_ASSETS: controlPlaneDirectory() };
  const unreachable = {
    ...env,
    PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
    PIP_NO_INDEX: '',
    PIP_FIND_LINKS: '',
  };

  const strict = await runScript(['tools/setup.mjs', 'openbao'], unreachable);
  assert.equal(strict.code, 1);
  assert.match(strict.output, /^set-up failed: OpenBao/m);
  const tolerant = await runScript(['tools/setup.mjs', '--tolerant'], unreachable);
  assert.equal(tolerant.code, 0, tolerant.output);
  assert.match(tolerant.output, /left out: OpenBao[\s\S]*left out: AWS emulators/);

  const { code, output } = await runDemo([], env);
  assert.equal(code, 0, output);
  assert.match(output, /^No OpenBao on this machine: [^\n]*`fake`/m);
  assert.match(output, /^No stand-in for AWS on this machine/m);
  assert.match(output, /create of examples\/fake\/3-external-secret\.yaml/);
  const counts = hasControllerManager()
    ? '7 steps held, 0 failed, 1 skipped'
    : '6 steps held, 0 failed, 2 skipped';
  assert.ok(output.includes(`\n${counts}\n`), output);
  rmSync(cache, { recursive: true });
});

test('a program on an older Node says in one line what to do', async () => {
  // The check itself, as an older Node would meet it.
  const script = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' });
    const { requireNode } = await import('./tools/require-node.mjs'); requireNode('webhook/main.mjs');`;
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', script], (error, _stdout, text) =>
      resolve({ code: error?.code, stderr: text }),
    );
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^webhook\/main\.mjs needs Node 24 or newer, this is 20\.1\.0: run `make setup`[^\n]*\n$/,
  );
});
