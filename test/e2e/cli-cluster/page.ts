/** The commands of a page, and `esa` as a plugin of kubectl; called by cli-cluster.test.ts. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../../../tools/setup/paths.mjs';
import { type CommandResult, runCommand } from '../../harness/command.ts';
import { eventually } from '../../harness/eventually.ts';
import { clusterSecretStore, externalSecret, passwordOf, prepare, vaultProvider } from '../support/vault.ts';
import { bed, cluster, esa, HOUR } from './desk.ts';

/** @param file of the page, from the root of the repository */
export function describePage(file: string): void {
  describe(`${file}, and kubectl esa`, () => {
    const where = 'shop';
    const bin = mkdtempSync(join(tmpdir(), 'esa-bin-'));
    after(() => rmSync(bin, { recursive: true }));

    before(async () => {
      await prepare(cluster, bed.openBao, where);
      await bed.openBao.write('shop/db', { password: 'x' });
      const auth = { tokenSecretRef: { name: 'vault-token', key: 'token', namespace: where } };
      await cluster.create(
        clusterSecretStore('vault', { provider: vaultProvider(bed.openBao.address, { auth }) }),
      );
      await cluster.create(externalSecret(where, 'database', { ...HOUR, ...passwordOf('shop/db') }));
      await cluster.synced(where, 'database', 20_000);
      const script = (name: string, line: string): void => {
        writeFileSync(join(bin, name), `#!/bin/sh\nexec ${line}\n`);
        chmodSync(join(bin, name), 0o755);
      };
      const program = `${process.execPath} ${join(ROOT, 'cli', 'main.mjs')}`;
      script('esa', `${program} "$@"`);
      script('kubectl-esa', `${program} "$@"`);
      script('kubectl_complete-esa', 'esa __complete -- "$@"');
      script('kubectl', `${bed.cp.kubectlBinary} "$@"`);
    });

    /** A cluster that is kept busy answers some commands too late for them, and completion after two seconds. */
    const comes = (check: () => Promise<void>): Promise<unknown> =>
      eventually(() => check().then(() => true), { what: 'the command does it', timeout: 180_000 });

    const shell = (line: string): Promise<CommandResult> =>
      runCommand('bash', ['--norc', '-c', `set -o pipefail; ${line}`], {
        env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, KUBECONFIG: bed.cp.kubeconfig, HOME: bin },
        // All definitions at once take their time where much else runs.
        timeout: 180_000,
      });

    test('every command that the page shows against a cluster does what it says', async () => {
      const page = readFileSync(join(ROOT, file), 'utf8');
      const lines = [...page.matchAll(/^```sh\n(.*?)^```$/gms)]
        .flatMap(([, block = '']) => block.trimEnd().split('\n'))
        .filter((line) => /^(kubectl )?esa (explain|refresh|who-uses|crds)\b/.test(line));
      assert.ok(lines.length >= 11, lines.join('\n'));
      for (const line of lines) {
        await comes(async () => {
          const result = /^esa [^|]*$/.test(line) ? await esa(line.split(' ').slice(1)) : await shell(line);
          const said = 'error' in result ? result.error + result.out : result.stderr + result.stdout;
          assert.equal(result.code, 0, `${line}\n${said}`);
        });
      }
    });

    test('kubectl finds it as a plugin, and asks it for completions', async () => {
      const explained = await shell('kubectl esa explain database -n shop');
      assert.equal(explained.code, 0, explained.stderr);
      assert.match(explained.stdout, /^ExternalSecret shop\/database is synced/);
      const commands = await shell('kubectl __complete esa ref');
      assert.match(commands.stdout, /^refresh\t/m, commands.stderr);
      await comes(async () => {
        const names = await shell('kubectl __complete esa explain -n shop da');
        assert.match(names.stdout, /^database$/m, names.stderr);
      });
      await comes(async () => {
        const stores = await shell('esa __complete -- refresh -n shop --store va');
        assert.equal(stores.stdout, 'vault\n:4\n');
      });
    });
  });
}
