/** The manifests of all articles. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from '../../harness/control-plane.ts';
import type { OpenBao } from '../../harness/openbao.ts';
import { warningsIn } from './kubectl.ts';
import { applyManifests, namespace, readSeed } from './vault.ts';

/** What is wrong in an article is said by name, and nothing else is said against it. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'seed001-externalsecret-config.as-printed.yaml':
    /no store is named|no key "\w+" is fetched|^ +(\w+: \{\{|\^+)/,
  'seed001-externalsecret-rotating.as-printed.yaml': /either data or dataFrom should be specified/,
};

/** Namespaces that the articles take for granted; applied, so that they may be there. */
export async function applySeedNamespaces(cp: ControlPlane): Promise<void> {
  const names = ['tenant-a', 'tenant-b', 'load-001', 'datadog'];
  const { code, stderr } = await applyManifests(
    cp,
    names.map((name) => namespace(name)),
  );
  assert.equal(code, 0, stderr);
}

/** Of kubectl, about a namespace that a test has made without it. */
const NOT_APPLIED = /is missing the kubectl\.kubernetes\.io\/last-applied-configuration annotation/;

export const SEED_FILES: readonly string[] = readdirSync(join(import.meta.dirname, '../seeds')).filter(
  (file) => file.endsWith('.yaml'),
);

export const isRefused = (file: string): boolean => REFUSED[file] !== undefined;

/** Applies a file strictly; it is taken, or refused with the words that it has to be refused with. */
export async function assertApplies(cp: ControlPlane, openBao: OpenBao, file: string): Promise<void> {
  const cause = REFUSED[file];
  const { code, stderr } = await applyManifests(cp, readSeed(file, { openBao }));
  // The values and credentials of most do not exist here; the schema has nothing to say.
  for (const warning of warningsIn(stderr).filter((text) => !NOT_APPLIED.test(text)))
    assert.match(warning, /is not made yet, retrying|(Ref|serviceAccount)\.(name|key): .*not found$/);
  const errors = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: '));
  if (cause === undefined) {
    assert.deepEqual(errors, []);
    assert.equal(code, 0);
  } else {
    assert.equal(code, 1);
    for (const line of errors.filter((text) => !text.endsWith('is invalid: '))) assert.match(line, cause);
  }
}
