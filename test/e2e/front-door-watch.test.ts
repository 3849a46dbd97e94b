import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../tools/setup/paths.mjs';
import { eventually } from '../harness/eventually.ts';
import { startDev } from './support/dev.ts';

test('WATCH=1 make dev: programs follow their sources', async (t) => {
  // A copy of the checkout, so that nobody else meets the mistakes that are made here.
  const copy = mkdtempSync(join(tmpdir(), 'checkout-'));
  cpSync(ROOT, copy, {
    recursive: true,
    filter: (source) => !['node_modules', '.git', '.dev', '.cache'].includes(relative(ROOT, source)),
  });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const dev = await startDev({ args: ['--watch'], cwd: copy });
  t.after(async () => {
    dev.child.kill('SIGTERM');
    if (dev.child.exitCode === null) await once(dev.child, 'exit');
    rmSync(copy, { recursive: true });
  });
  const pids = async (): Promise<string[]> =>
    (await dev.shell('echo $WEBHOOK_PID; echo $POLLER_PID')).stdout.split('\n');
  const edit = (file: string, text: string): string => {
    const before = readFileSync(join(copy, file), 'utf8');
    writeFileSync(join(copy, file), before + text);
    return before;
  };
  let read = dev.output().length;
  /** The next lines that are printed, once `pattern` matches them. */
  const printed = (pattern: RegExp): Promise<string> =>
    eventually(
      () => {
        const text = dev.output().slice(read);
        if (!pattern.test(text)) throw new Error(`printed: ${text}`);
        read += text.length;
        return text;
      },
      { timeout: 60_000, what: String(pattern) },
    );
  const refused = async (): Promise<string> =>
    (await dev.shell('kubectl create --dry-run=server -f examples/refused/store.yaml')).stderr;

  assert.equal((await dev.shell('kubectl create namespace demo')).code, 0);
  const [webhook, poller] = await pids();
  edit('webhook/server.ts', '// changed\n');
  await printed(/^webhook restarted in [\d.]+ s: webhook\/server\.ts$/m);
  const [newWebhook, samePoller] = await pids();
  assert.notEqual(newWebhook, webhook);
  assert.equal(samePoller, poller, 'the poller does not load webhook/');
  // Same port, certificate trusted, path known.
  assert.match(await refused(), /spec\.provider\.vault\.server/);

  const good = edit('api/errors.ts', 'const = ;\n');
  const broken = await printed(
    /webhook cannot load[\s\S]*poller cannot load|poller cannot load[\s\S]*webhook cannot load/,
  );
  assert.match(broken, /^webhook cannot load api\/errors\.ts; the old one goes on until the next change$/m);
  assert.match(broken, /SyntaxError/);
  assert.deepEqual(await pids(), [newWebhook, poller]);
  assert.match(await refused(), /spec\.provider\.vault\.server/);
  writeFileSync(join(copy, 'api/errors.ts'), `${good}// mended\n`);
  await printed(/webhook restarted[\s\S]*poller restarted|poller restarted[\s\S]*webhook restarted/);
  assert.match(await refused(), /spec\.provider\.vault\.server/);

  assert.equal((await dev.shell('eval "$POLLER_STOP_CMD"')).code, 0);
  edit('poller/queue.ts', '// changed\n');
  await printed(/^poller is stopped; poller\/queue\.ts counts from its next start$/m);
  assert.equal((await dev.shell('eval "$POLLER_START_CMD"')).code, 0);
});
