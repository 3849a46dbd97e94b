/** README.md, followed word by word: its blocks in their order, in a clone of the checkout. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hasControllerManager, helmDirectory, ROOT } from '../../tools/setup/paths.mjs';
import { type Block, blocksOf, commandsOf, isAsPrinted } from '../docs/blocks.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';

const blocks = blocksOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
const [demo, dev, secondShell, manifest, mistakes, install, ...more] = blocks;
const CHECKOUT = 'external-secrets-admission';

/** A repository with the work tree as it is, not as it was committed last. */
function snapshot(directory: string): void {
  cpSync(ROOT, directory, {
    recursive: true,
    filter: (source) => !['node_modules', '.git', '.dev', '.cache', 'dist'].includes(relative(ROOT, source)),
  });
  const git = (...args: string[]): unknown =>
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], {
      cwd: directory,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'all');
}

describe('README.md, word by word', () => {
  const place = mkdtempSync(join(tmpdir(), 'readme-'));
  const checkout = join(place, CHECKOUT);
  let env: NodeJS.ProcessEnv;
  const running: ChildProcess[] = [];

  /** Starts a block in a shell and resolves with all that it printed, as soon as that matches. */
  const start = async (block: Block | undefined, cwd: string, until: RegExp): Promise<string> => {
    const child = spawn('bash', ['-euc', block?.text ?? ''], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${output}`);
        if (!until.test(output)) throw new Error(`printed so far: ${output}`);
        return true;
      },
      { timeout: 240_000, what: String(until) },
    );
    return output;
  };
  /** Ctrl-C, as at a terminal: to the whole group. */
  const interrupt = async (): Promise<void> => {
    const child = running.pop();
    if (child?.pid === undefined || child.exitCode !== null) return;
    process.kill(-child.pid, 'SIGINT');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  const shell = (script: string): { code: number; output: string } => {
    const run = `exec 2>&1\n${script}`;
    try {
      return {
        code: 0,
        output: execFileSync('bash', ['-euc', run], { cwd: checkout, env, encoding: 'utf8' }),
      };
    } catch (error) {
      const { status, stdout } = error as { status: number; stdout: string };
      return { code: status, output: stdout };
    }
  };

  before(() => {
    const origin = join(place, 'origin');
    snapshot(origin);
    // What a user downloads is taken from here: the repository, and after the clone its packages.
    const hooks = join(place, 'template/hooks');
    mkdirSync(hooks, { recursive: true });
    writeFileSync(
      join(hooks, 'post-checkout'),
      `#!/bin/sh\nln -s ${join(ROOT, 'node_modules')} node_modules\n`,
      {
        mode: 0o755,
      },
    );
    env = { ...process.env, GIT_TEMPLATE_DIR: join(place, 'template') };
    execFileSync('git', ['clone', '--quiet', `file://${origin}`, checkout], { env, stdio: 'inherit' });
  });
  after(async () => {
    while (running.length > 0) await interrupt();
    rmSync(place, { recursive: true, force: true });
  });

  test('it has these blocks and no others', () => {
    assert.deepEqual(
      blocks.map(({ language }) => language),
      ['sh', 'sh', 'sh', 'yaml', 'console', 'sh'],
      'a new block has to be followed here',
    );
    assert.deepEqual(more, []);
  });

  test('make demo: every step of the tour holds, and it stays up', async (t) => {
    const output = await start(demo, checkout, /It stays up until Ctrl-C/);
    assert.match(
      output,
      hasControllerManager()
        ? /^9 steps held, 0 failed$/m
        : /^8 steps held, 0 failed, 1 skipped\n {2}kubectl delete/m,
    );
    t.diagnostic(/create returned: .*/.exec(output)?.[0] ?? '');
    await interrupt();
  });

  test('make dev, and in a second shell a first secret', async () => {
    await start(dev, checkout, /^ {2}\. \.dev\/env\s/m);
    const { code, output } = shell(secondShell?.text ?? '');
    assert.equal(code, 0, output);
    assert.match(output, /^database-credentials +Opaque +2 /m);
    const read = "kubectl -n demo get secret database-credentials -o jsonpath='{.data.password}' | base64 -d";
    assert.equal(shell(`. .dev/env\n${read}`).output, 'one');
  });

  test('the manifest that it shows is the one that was applied', () => {
    const file = join(checkout, '.dev/examples/vault-token/3-external-secret.yaml');
    assert.equal(manifest?.text, readFileSync(file, 'utf8'));
  });

  test('a change, and a mistake', async () => {
    for (const { script, printed = '' } of commandsOf(mistakes?.text ?? '')) {
      const { output } = shell(`. .dev/env\n${script}`);
      if (!isAsPrinted(printed, output, { blanks: true })) assert.equal(output, printed);
    }
    const read = "kubectl -n demo get secret database-credentials -o jsonpath='{.data.password}' | base64 -d";
    await eventually(() => shell(`. .dev/env\n${read}`).output === 'two', {
      timeout: 30_000,
      what: 'the changed value',
    });
    await interrupt();
  });

  test('helm install on an empty cluster', async () => {
    await using cp = await startControlPlane({ controllerManager: false });
    env = {
      ...env,
      KUBECONFIG: cp.kubeconfig,
      PATH: [join(helmDirectory(), 'helm'), process.env['PATH']].join(delimiter),
    };
    const { code, output } = shell(install?.text ?? '');
    assert.equal(code, 0, output);
    assert.match(output, /^STATUS: deployed$/m);
    const found = await cp.kubectlOutput([
      'get',
      'deployments',
      '-n',
      'external-secrets-system',
      '-o',
      'name',
    ]);
    assert.equal(found.trim().split('\n').length, 2);
  });
});
