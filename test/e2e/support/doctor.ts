/** `esa doctor` in tests: it is called, what it found is read, and the commands of its remedies are run as they are printed. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FindingId } from '../../../cli/doctor/catalogue.ts';
import type { Finding } from '../../../cli/doctor/finding.ts';
import { run } from '../../../cli/run.ts';
import { helmDirectory, ROOT } from '../../../tools/setup/paths.mjs';
import type { Bed } from '../../harness/bed.ts';
import { runCommand } from '../../harness/command.ts';
import { manifestText, productManifests } from '../../harness/install.ts';
import { temporaryDirectory } from '../../harness/run-directory.ts';

export interface Report {
  readonly code: number;
  readonly findings: readonly Finding[];
  readonly checks: readonly {
    readonly name: string;
    readonly seen: string;
    readonly unseen: readonly string[];
  }[];
  readonly text: string;
}

/** Calls `esa doctor -o json` in this process. */
export async function examine(kubeconfig: string, args: readonly string[] = []): Promise<Report> {
  let text = '';
  let complaint = '';
  const code = await run(['doctor', '--kubeconfig', kubeconfig, '-o', 'json', ...args], {
    out: (part) => {
      text += part;
    },
    error: (part) => {
      complaint += part;
    },
    readInput: () => Promise.reject(new Error('nothing is read')),
  });
  assert.ok(code < 2, complaint);
  return { ...(JSON.parse(text) as Omit<Report, 'code' | 'text'>), code, text };
}

/** Ids of findings that count, each once. */
export const gravities = ({ findings }: Report): readonly FindingId[] => [
  ...new Set(findings.filter(({ severity }) => severity !== 'note').map(({ id }) => id)),
];

/**
 * A folder as whoever follows the remedies has it: the manifests of the release, kubectl, esa and helm, and the cluster as
 * the current one. Only what needs a node differs, as in the bed: the Service leads to this machine.
 */
export class Workplace {
  readonly directory = temporaryDirectory('workplace');
  readonly #env: Readonly<Record<string, string>>;

  constructor({ cp, product }: Bed, webhookPort: number) {
    for (const folder of ['bin', 'deploy/manifests', 'deploy/moving'])
      mkdirSync(join(this.directory, folder), { recursive: true });
    const manifests = productManifests({ namespace: product.namespace, webhookPort });
    const others = manifests.filter(({ kind }) => kind !== 'CustomResourceDefinition');
    writeFileSync(join(this.directory, 'deploy/manifests/all.json'), manifestText(others));
    const finalizers = 'deploy/moving/namespace-finalizers.yaml';
    copyFileSync(join(ROOT, finalizers), join(this.directory, finalizers));
    symlinkSync(cp.kubectlBinary, join(this.directory, 'bin/kubectl'));
    symlinkSync(join(helmDirectory(), 'helm', 'helm'), join(this.directory, 'bin/helm'));
    // The Service of the bed has no port of its own: whoever calls it names that of the process.
    const program = `'${process.execPath}' '${join(ROOT, 'cli/main.mjs')}' "$@"`;
    const esa = `#!/bin/sh\nif [ "$1" = crds ]; then ${program} | sed 's/port: 443$/port: ${webhookPort}/'; else exec ${program}; fi\n`;
    writeFileSync(join(this.directory, 'bin/esa'), esa);
    chmodSync(join(this.directory, 'bin/esa'), 0o755);
    this.#env = {
      // As the pages call the context.
      KUBECONFIG: cp.writeKubeconfig('prod', cp.adminToken),
      HOME: this.directory,
      PATH: [join(this.directory, 'bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(':'),
    };
  }

  write(file: string, text: string): void {
    const path = join(this.directory, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** @returns what it printed @throws AssertionError if it does not end with 0 */
  async run(command: string, stdin = ''): Promise<string> {
    const options = { cwd: this.directory, env: this.#env, stdin, timeout: 120_000 };
    // Ours is no pipe to the kernel, and cannot be opened as /dev/stdin.
    const script = stdin === '' ? command : `cat | { ${command}; }`;
    const { code, stdout, stderr } = await runCommand('sh', ['-c', script], options);
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
    return stdout;
  }
}
