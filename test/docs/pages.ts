/** The pages that users read. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Page, readPage } from './blocks.ts';

/** Every page of ours, from the root of the repository, in alphabetical order. */
export const pageFiles = (): readonly string[] =>
  globSync(['*.md', 'docs/**/*.md', 'deploy/**/*.md', 'examples/**/*.md'], {
    cwd: ROOT,
    exclude: (name) => ['node_modules', '.cache', '.dev', 'dist'].includes(name),
  }).toSorted((a, b) => (a < b ? -1 : 1));

export const pageText = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** Pages by file, read; only these if any are named. */
export const readPages = (files: readonly string[] = pageFiles()): readonly Page[] =>
  files.map((file) => readPage(file, pageText(file)));
