/** Every link within the repository leads somewhere. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../tools/setup/paths.mjs';
import { anchorsOf, linksOf } from './links.ts';
import { pageFiles, pageText } from './pages.ts';

const OUTSIDE = /^(https?:|mailto:)/;
const known = new Map<string, ReadonlySet<string>>();
const anchorsIn = (file: string): ReadonlySet<string> => {
  const anchors = known.get(file) ?? anchorsOf(pageText(file));
  known.set(file, anchors);
  return anchors;
};

/** What is wrong with a link, undefined if nothing is. */
function faultOf(page: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : posix.normalize(posix.join(dirname(page), decodeURI(path)));
  if (file.startsWith('..')) return 'leads out of the repository';
  if (!existsSync(join(ROOT, file))) return `there is no ${file}`;
  if (anchor === undefined) return undefined;
  if (statSync(join(ROOT, file)).isDirectory() || !file.endsWith('.md'))
    return 'an anchor of what is no page';
  return anchorsIn(file).has(anchor) ? undefined : `${file} has no heading #${anchor}`;
}

test('every relative link and every anchor of all pages is there', () => {
  const faults: string[] = [];
  let count = 0;
  for (const page of pageFiles())
    for (const { line, target } of linksOf(pageText(page))) {
      if (OUTSIDE.test(target)) continue;
      count += 1;
      const fault = faultOf(page, target);
      if (fault !== undefined) faults.push(`${page}:${line}: ${target}: ${fault}`);
    }
  assert.ok(count > 100);
  assert.deepEqual(faults, []);
});

test('every page of docs/ can be reached from docs/README.md', () => {
  const seen = new Set<string>();
  const visit = (page: string): void => {
    if (seen.has(page)) return;
    seen.add(page);
    for (const { target } of linksOf(pageText(page))) {
      const [path = ''] = target.split('#');
      if (OUTSIDE.test(target) || !path.endsWith('.md')) continue;
      visit(posix.normalize(posix.join(dirname(page), path)));
    }
  };
  visit('docs/README.md');
  assert.deepEqual(
    pageFiles().filter((file) => file.startsWith('docs/') && !seen.has(file)),
    [],
  );
});

test('links are read from text, images and HTML, not from code; lines count on', () => {
  const page = '[a](b.md)\n```sh\n[x](y)\n```\n`[x](y)` ![i](c.svg) <img src="d.svg">\n';
  assert.deepEqual(linksOf(page), [
    { line: 1, target: 'b.md' },
    { line: 5, target: 'c.svg' },
    { line: 5, target: 'd.svg' },
  ]);
});

test('anchors are those of GitHub', () => {
  const page =
    '# A page\n## `esa lint`, and "more"\n## [Linked](x.md) words\n## A page\n```sh\n# no heading\n```\n';
  assert.deepEqual([...anchorsOf(page)], ['a-page', 'esa-lint-and-more', 'linked-words', 'a-page-1']);
});
