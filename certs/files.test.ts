import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newState } from './authority.ts';
import { buildAuthority, buildLeaf } from './build.ts';
import { FileLeaf } from './files.ts';

const HOUR = 3_600_000;
const now = Date.now();
const directory = mkdtempSync(join(tmpdir(), 'certificate-files-'));
after(() => rmSync(directory, { recursive: true }));
const authority = await buildAuthority(now, 100 * HOUR);
const state = await newState(() => Promise.resolve(authority));
const [one, two] = await Promise.all([1, 2].map(() => buildLeaf(authority, ['hook.x.svc'], now, 10 * HOUR)));
const foreign = await buildLeaf(authority, ['other.x.svc'], now, HOUR);
assert.ok(one && two);

let version = 0;
/** As kubelet does: a new directory, and `..data` is turned to it by a rename. */
function mount(content: Record<string, string>): void {
  const data = `..${version++}`;
  mkdirSync(join(directory, data));
  for (const [name, text] of Object.entries(content)) writeFileSync(join(directory, data, name), text);
  symlinkSync(data, join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
}
for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, join(directory, name));
const pair = ({ cert, key }: { cert: string; key: string }) => ({ 'tls.crt': cert, 'tls.key': key });

test('files are taken when they fit, kept when new ones do not, and each problem is said once', async () => {
  const problems: string[] = [];
  const looks: boolean[] = [];
  const note = (fields: object): void => {
    problems.push('problem' in fields ? String(fields.problem) : 'read');
  };
  const leaf = new FileLeaf({
    files: { cert: join(directory, 'tls.crt'), key: join(directory, 'tls.key') },
    dnsNames: ['hook.x.svc'],
    log: { info: note, warn: note, error: note },
    onLook: (usable) => looks.push(usable),
  });
  const look = async (time = now) => (await leaf.renew(state, time))?.cert;
  assert.equal(await look(), undefined);
  assert.equal(await look(), undefined);
  mount(pair(one));
  assert.equal(await look(), one.cert);
  assert.equal(await look(), undefined, 'no news');
  mount(pair({ ...two, key: one.key }));
  assert.equal(await look(), undefined);
  mount(pair(foreign));
  assert.equal(await look(), undefined);
  mount({ 'tls.crt': 'garbage', 'tls.key': two.key });
  assert.equal(await look(), undefined);
  mount(pair(two));
  assert.equal(await look(now + 20 * HOUR), undefined, 'it has expired');
  assert.equal(await look(), two.cert);
  assert.equal(await look(now + 20 * HOUR), undefined, 'what is served is judged by readiness, not here');
  assert.deepEqual(
    problems.map((problem) => problem.replaceAll(/20\S+/g, 'T')),
    [
      'it cannot be read (ENOENT)',
      'read',
      'its key does not fit',
      'it is not valid for hook.x.svc',
      'it cannot be read',
      'it is valid from T to T only',
      'read',
    ],
  );
  assert.deepEqual(looks, [false, false, true, true, false, false, false, false, true, true]);
});
