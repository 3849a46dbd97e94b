import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { run } from './run.ts';

const directory = mkdtempSync(join(tmpdir(), 'esa-crds-'));
after(() => rmSync(directory, { recursive: true }));

async function crds(...args: string[]): Promise<string> {
  let out = '';
  const terminal = {
    out: (text: string) => {
      out += text;
    },
    error: () => {},
    readInput: async () => Buffer.from(''),
  };
  assert.equal(await run(['crds', ...args], terminal), 0);
  return out;
}

interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly conversion: { readonly webhook?: { readonly clientConfig: { readonly service: unknown } } };
    readonly versions: readonly { readonly served: boolean }[];
  };
}

const parsed = (text: string): Crd[] => parseAllDocuments(text).map((document) => document.toJS() as Crd);
const byName = (a: Crd, b: Crd): number => (a.metadata.name < b.metadata.name ? -1 : 1);

test('they are those of deploy/crds', async () => {
  const folder = join(import.meta.dirname, '../deploy/crds');
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const files = names.map((name) => parse(readFileSync(join(folder, name), 'utf8')) as Crd);
  assert.deepEqual(parsed(await crds()).sort(byName), files.sort(byName));
});

test('where the webhook is can be said, or that there is none', async () => {
  const [first] = parsed(await crds('--system-namespace', 'ops', '--service', 'hook'));
  const { service } = first?.spec.conversion.webhook?.clientConfig ?? {};
  assert.deepEqual(service, { name: 'hook', namespace: 'ops', port: 443 });
  const alone = parsed(await crds('--no-conversion'));
  assert.ok(alone.every(({ spec }) => spec.conversion.webhook === undefined));
  assert.equal(alone[0]?.spec.versions.filter(({ served }) => served).length, 1);
});

test('as a list, in files, and with that of KES', async () => {
  const list = JSON.parse(await crds('-o', 'json', '--kes')) as { kind: string; items: Crd[] };
  assert.equal(list.kind, 'List');
  assert.ok(list.items.some(({ metadata }) => metadata.name === 'externalsecrets.kubernetes-client.io'));
  const names = (await crds('--directory', directory)).trim().split('\n');
  assert.equal(names.length, readdirSync(directory).length);
  const first = parse(readFileSync(names[0] ?? '', 'utf8')) as Crd;
  assert.equal(names[0], join(directory, `${first.metadata.name}.yaml`));
});
