/** Pages of docs/ that are made from the whole of the product: reference, indexes, dependencies. */
import { globSync } from 'node:fs';
import { renderDecisions } from './decisions.ts';
import { renderDependencies } from './dependencies/page.ts';
import { renderDocsIndex } from './docs-index.ts';
import { referencePages } from './reference/pages.ts';
import { ROOT } from './setup/paths.mjs';

/** The index is the last one: it has the titles of the others. */
export const PRODUCT_PAGES: readonly {
  readonly file: string;
  readonly source: string;
  readonly render: () => string;
}[] = [
  { file: 'docs/decisions/README.md', source: 'docs/decisions', render: renderDecisions },
  {
    file: 'docs/dependencies.md',
    source: 'package.json and tools/dependencies',
    render: () => renderDependencies(),
  },
  ...[...referencePages()].map(([file, text]) => ({ file, source: 'the schemas', render: () => text })),
  { file: 'docs/README.md', source: 'docs and tools/docs-index.ts', render: renderDocsIndex },
];

/** Pages in folders of ours that nothing makes any more. */
export function leftoverPages(): readonly string[] {
  const made = new Set(PRODUCT_PAGES.map(({ file }) => file));
  return globSync('docs/reference/**/*.md', { cwd: ROOT }).filter((file) => !made.has(file));
}
