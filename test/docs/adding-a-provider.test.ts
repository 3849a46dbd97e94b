/** docs/adding-a-provider.md is followed to the letter, in a copy of the repository without the provider. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../../tools/setup/paths.mjs';
import { runCommand } from '../harness/command.ts';

const PAGE = 'docs/adding-a-provider.md';
const TABLE = 'docs/providers/README.md';
const FIXTURE = 'test/e2e/providers-express.test.ts';

interface Block {
  readonly file: string;
  readonly language: string;
  readonly text: string;
}

/** The blocks that have a file before them. */
function blocksOf(page: string): Block[] {
  const found = page.matchAll(/^`([^`\n]+)`:\n\n```(\w+)\n([\s\S]*?)^```$/gm);
  return [...found].map(([, file = '', language = '', text = '']) => ({ file, language, text }));
}

const read = (root: string, file: string): string => readFileSync(join(root, file), 'utf8');

/** A diff block as the lines that it leaves, and those that it found. */
const sides = (diff: string): { before: string; after: string } => {
  const lines = diff.split('\n').filter((line) => line !== '');
  const text = (kept: readonly string[]): string => kept.map((line) => `${line.slice(1)}\n`).join('');
  return { before: text(lines.filter((line) => !line.startsWith('+'))), after: text(lines) };
};

function replaceOnce(text: string, from: string, to: string): string {
  assert.equal(text.split(from).length, 2, `stands there once: ${from}`);
  return text.replace(from, () => to);
}

describe('adding a provider, as the page says', () => {
  const blocks = blocksOf(read(ROOT, PAGE));
  let copy: string;

  before(() => {
    copy = mkdtempSync(join(tmpdir(), 'esa-provider-'));
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    for (const file of listed.split('\0').filter((one) => /\.(ts|mjs|mts|json|md)$/.test(one))) {
      mkdirSync(join(copy, dirname(file)), { recursive: true });
      cpSync(join(ROOT, file), join(copy, file));
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  });
  after(() => rmSync(copy, { recursive: true, force: true }));

  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    runCommand(process.execPath, args, { cwd: copy, env, timeout: 100_000 });

  test('S86 the page holds the files as they are, and a line of the registry', () => {
    assert.ok(blocks.length >= 6);
    for (const { file, language, text } of blocks) {
      if (language === 'diff')
        assert.ok(read(ROOT, file).includes(sides(text).after), `${file} has the lines`);
      else assert.equal(text, read(ROOT, file), `${PAGE} shows ${file} as it is`);
    }
  });

  test('without it the provider is refused by name; with the blocks the kit passes', async () => {
    const row = read(ROOT, TABLE)
      .split('\n')
      .find((line) => line.startsWith('| `express`'));
    assert.ok(row !== undefined);
    writeFileSync(join(copy, TABLE), replaceOnce(read(copy, TABLE), `${row}\n`, ''));
    rmSync(join(copy, 'providers/express'), { recursive: true });
    rmSync(join(copy, FIXTURE));
    for (const { file, language, text } of blocks) {
      if (language !== 'diff') continue;
      const { before: found, after: left } = sides(text);
      writeFileSync(join(copy, file), replaceOnce(read(copy, file), left, found));
    }
    const ask =
      "import('./providers/registry.ts').then(({ providerOf }) => console.log(JSON.stringify(providerOf({ express: { host: 'http://x' } }))))";
    const { stdout } = await run(['--input-type=module', '-e', ask]);
    assert.match(stdout, /provider express is not supported yet/);

    for (const { file, language, text } of blocks) {
      mkdirSync(join(copy, dirname(file)), { recursive: true });
      const { before: found, after: left } = sides(text);
      const written = language === 'diff' ? replaceOnce(read(copy, file), found, left) : text;
      writeFileSync(join(copy, file), written);
    }
    const kit = await run(['tools/test.ts', FIXTURE], { ESA_TABLE: 'write' });
    assert.equal(kit.code, 0, `${kit.stdout}${kit.stderr}`);
    assert.match(kit.stdout, /^\d\d passed, 0 failed$/m);
    assert.ok(read(copy, TABLE).includes(`${row}\n`), 'the row is the one that stands in the table');
  });
});
