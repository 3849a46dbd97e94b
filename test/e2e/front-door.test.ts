import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../harness/eventually.ts';
import { listeningAddresses } from '../harness/listening.ts';

interface Dev {
  readonly child: ChildProcess;
  /** Path of its file of exports. */
  readonly envFile: string;
  /** Runs a script in a shell that has sourced that file. */
  shell(script: string): Promise<{ code: number; stdout: string; stderr: string }>;
}

async function startDev(): Promise<Dev> {
  const child = spawn(process.execPath, ['tools/dev.ts'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const envFile = await eventually(() => /^ {2}\. (\S+env)/m.exec(output)?.[1], {
    timeout: 120_000,
    what: '`make dev`',
  });
  const shell: Dev['shell'] = (script) =>
    new Promise((resolve) => {
      execFile('bash', ['-c', `. ${envFile}\n${script}`], (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout: stdout.trim(), stderr }),
      );
    });
  return { child, envFile, shell };
}

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

  test('the README’s first secret: its commands, as they stand there', async () => {
    const folder = dirname(dev.envFile);
    // The README speaks of the first `make dev` of a checkout.
    const commands = commandsOf('README.md', 'A first secret').replaceAll('.dev/', `${folder}/`);
    const { code, stdout, stderr } = await dev.shell(`set -e\n${commands}`);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^database-credentials +Opaque +2 /m);
    const read = "kubectl -n demo get secret database-credentials -o jsonpath='{.data.password}' | base64 -d";
    assert.equal((await dev.shell(read)).stdout, 'one');
  });

  test('the commands of docs/operating.md for stored versions', async () => {
    const commands = commandsOf('docs/operating.md', 'Clusters that stored an older version');
    const { code, stderr } = await dev.shell(`set -e\n${commands}`);
    assert.equal(code, 0, stderr);
  });

  test('nothing of it listens beyond loopback', { skip: process.platform !== 'linux' }, async () => {
    const { stdout } = await dev.shell(`echo $WEBHOOK_PID; echo $POLLER_PID; pgrep -P ${dev.child.pid}`);
    const pids = new Set(stdout.split('\n').map(Number));
    assert.ok(pids.size >= 6, 'etcd, kube-apiserver, kube-controller-manager, OpenBao, webhook, poller');
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

test('make demo ONCE=1: every step of the tour holds', async (t) => {
  const child = spawn(process.execPath, ['tools/demo.ts', '--once'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0, output);
  assert.match(output, /8 steps held, 0 failed/);
  t.diagnostic(/create returned: .*/.exec(output)?.[0] ?? '');
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
