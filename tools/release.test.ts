/** What a release needs to agree on; that the chart has the same version is for the tests of the chart. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './setup/paths.mjs';

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const { version, license } = JSON.parse(read('package.json')) as { version: string; license: string };
const changelog = read('CHANGELOG.md');

test('package.json and lockfile have one version', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: { '': { version: string } };
  };
  assert.deepEqual([lock.version, lock.packages[''].version], [version, version]);
});

test('the changelog has the version with its date, newest first, and what is not released yet before it', () => {
  const entries = [...changelog.matchAll(/^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$/gm)];
  const [first, newest] = entries;
  assert.deepEqual([first?.[1], first?.[2]], ['Unreleased', undefined]);
  assert.equal(
    newest?.[1],
    version,
    `CHANGELOG.md: version ${version} of package.json has no entry, or is not the newest`,
  );
  const dates = entries.slice(1).map(([, , date]) => date);
  assert.ok(dates.every((date) => date !== undefined));
  assert.deepEqual(dates, dates.toSorted().toReversed());
  for (const [, heading = ''] of changelog.matchAll(/^### (.+)$/gm))
    assert.ok(['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'].includes(heading), heading);
});

test('the licence is the one that package.json names', () => {
  assert.equal(license, 'Apache-2.0');
  const text = read('LICENSE');
  assert.match(text, /Apache License\s+Version 2\.0, January 2004/);
  assert.match(text, /END OF TERMS AND CONDITIONS/);
});
