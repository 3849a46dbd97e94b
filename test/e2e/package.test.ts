/** The package as its users get it, as docs/cli.md says: run by npx without a network, as one file, asked by a real bash. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { packageEsa } from '../../tools/package.ts';
import { ROOT } from '../../tools/setup/paths.mjs';

const directory = mkdtempSync(join(tmpdir(), 'esa-package-'));
after(() => rmSync(directory, { recursive: true }));
const bin = join(directory, 'bin');
let tarball = '';

function shell(script: string, env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
    cwd: directory,
    env: {
      PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      HOME: directory,
      npm_config_cache: join(directory, 'cache'),
      npm_config_update_notifier: 'false',
      ...env,
    },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

before(async () => {
  tarball = await packageEsa(join(directory, 'dist'));
  mkdirSync(bin);
  symlinkSync(join(directory, 'dist', 'package', 'esa.mjs'), join(bin, 'esa'));
});

test('npx runs it from the tarball, on a machine that has nothing else', () => {
  const { status, stdout, stderr } = shell(
    `cd "$(mktemp -d)" && npx --offline --yes --package ${tarball} esa version`,
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^esa \d+\.\d+\.\d+ \(Node\.js 24\./);
});

test('the commands of docs/cli.md run it, and install it for good', () => {
  const page = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8');
  const [, block = ''] = /^```sh\n(npx .*?)^```$/ms.exec(page) ?? [];
  const workplace = mkdtempSync(join(directory, 'checkout-'));
  mkdirSync(join(workplace, 'dist/npm'), { recursive: true });
  copyFileSync(tarball, join(workplace, 'dist/npm', basename(tarball)));
  mkdirSync(join(workplace, 'deploy'));
  const prefix = join(workplace, 'prefix');
  const env = { npm_config_offline: 'true', npm_config_yes: 'true', npm_config_prefix: prefix };
  const { status, stderr } = shell(`set -e; cd ${workplace}\n${block}`, env);
  assert.equal(status, 0, stderr);
  for (const name of ['esa', 'kubectl-esa', 'kubectl_complete-esa'])
    assert.ok(statSync(join(prefix, 'bin', name)).mode & 0o100);
});

test('it is one file without dependencies, which runs wherever it lies', () => {
  const alone = mkdtempSync(join(directory, 'alone-'));
  copyFileSync(join(directory, 'dist', 'package', 'esa.mjs'), join(alone, 'esa.mjs'));
  const manifest = `apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: a, namespace: b}
spec:
  secretStoreRef: {name: s}
  data: [{secretKey: k, remoteRef: {key: r}}]
`;
  writeFileSync(join(alone, 'a.yaml'), manifest);
  const lint = shell(`cd ${alone} && ./esa.mjs lint a.yaml`);
  assert.deepEqual([lint.status, lint.stderr], [0, '1 object in 1 file: 0 errors, 0 warnings\n']);
  // Password hashes are made in a thread, whose program is inside of the file.
  writeFileSync(
    join(alone, 'a.yaml'),
    `${manifest}  target: {template: {data: {h: '{{ bcrypt .k | len }}'}}}\n`,
  );
  const render = shell(`cd ${alone} && ./esa.mjs render -f a.yaml --values '{"k": "b"}'`);
  assert.equal(render.status, 0, render.stderr);
  assert.match(render.stdout, /h: NjA=/);
  assert.ok(statSync(join(alone, 'esa.mjs')).mode & 0o100);
});

test('the package names no dependency, and nothing of this machine', () => {
  const folder = join(directory, 'dist', 'package');
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  assert.equal(manifest['dependencies'], undefined);
  assert.ok(!readFileSync(join(folder, 'esa.mjs'), 'utf8').includes(join(import.meta.dirname, '..', '..')));
});

/** What is typed, word by word, and what may follow. */
const COMPLETIONS: readonly (readonly [typed: readonly string[], expected: readonly string[]])[] = [
  [['re'], ['refresh', 'render']],
  [['policy', ''], ['test']],
  [['lint', '--str'], ['--strict']],
  [
    ['lint', '-o', ''],
    ['text', 'json', 'github'],
  ],
  [['lint', '--output=t'], ['--output=text']],
  [['completion', 'z'], ['zsh']],
];
const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ');

test('bash completes commands, flags and choices', () => {
  const script = COMPLETIONS.map(([typed]) => {
    // It takes --flag=value for three words, and completes the last one.
    const words = ['esa', ...typed].flatMap((word) => word.split(/(?==)|(?<==)/));
    return `COMP_WORDS=(${quoted(words)}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); $completer; echo "\${COMPREPLY[*]}"`;
  });
  const { status, stdout, stderr } = shell(
    [
      'set -e; source <(esa completion bash); complete -p esa',
      // What bash itself would call.
      'completer="$(complete -p esa | sed "s/.*-F \\([^ ]*\\) .*/\\1/")"',
      ...script,
    ].join('\n'),
  );
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'complete -F _esa esa',
    ...COMPLETIONS.map(([, expected]) => expected.map((word) => word.replace(/^--\w+=/, '')).join(' ')),
  ]);
});

// Neither shell is there on every machine; what their scripts hand to esa is all that they offer.
const WORDS = { bash: `"\${words[@]}"`, zsh: `"\${(@)words[2,CURRENT]}"`, fish: '$words[2..-1]' };

test('zsh and fish ask esa what bash asks it, and take the answer as it is; each understands its script, where it is there', () => {
  for (const [name, words] of Object.entries(WORDS)) {
    const { stdout: script } = shell(`esa completion ${name} | tee script`);
    const calls = [...script.matchAll(/\besa __complete (.*?) 2>/g)].map(([, call]) => call);
    assert.deepEqual(calls, [`-- ${words}`]);
    const syntax = shell(`! command -v ${name} >/dev/null || ${name} -n script`);
    assert.equal(syntax.status, 0, syntax.stderr);
  }
  // Bash alone takes a flag and its value apart, and has its answer cut.
  const answers = COMPLETIONS.filter(([typed]) => typed.some((word) => /=|^re$/.test(word)));
  assert.equal(answers.length, 2);
  for (const [typed, expected] of answers) {
    const { stdout } = shell(`esa __complete -- ${quoted(typed)}`);
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines.pop() ?? '', /^:[04]$/);
    assert.deepEqual(
      lines.map((line) => line.replace(/\t.*/, '')),
      expected,
    );
  }
});

test('esa exits with 2 and one line where Node.js is too old', () => {
  const old = join(directory, 'old');
  symlinkSync(process.execPath, old);
  const preload = join(directory, 'old.cjs');
  writeFileSync(preload, "Object.defineProperty(process.versions, 'node', { value: '20.1.0' });");
  const { status, stderr } = shell(`${old} --require ${preload} ${join(bin, 'esa')} version`);
  assert.equal(status, 2);
  assert.match(stderr, /^esa needs Node\.js 24 or newer; this is v[\d.]+\n$/);
});
