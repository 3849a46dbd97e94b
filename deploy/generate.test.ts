import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RE2JS } from 're2js';
import { parse } from 'yaml';
import type { CustomResourceDefinition } from '../api/crd/crds.ts';
import type { StructuralSchema } from '../api/crd/structural.ts';
import { renderCrds, staleFiles, writeFiles } from './generate.ts';

function* nodes(schema: StructuralSchema, path: string): Generator<[string, StructuralSchema]> {
  yield [path, schema];
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    yield* nodes(member, `${path}.${name}`);
  if (schema.items !== undefined) yield* nodes(schema.items, `${path}[]`);
  if (schema.additionalProperties !== undefined) yield* nodes(schema.additionalProperties, `${path}.*`);
}

const crds = [...renderCrds().values()].map((text) => parse(text) as CustomResourceDefinition);

for (const crd of crds) {
  describe(crd.metadata.name, () => {
    it('has only patterns that RE2 compiles', () => {
      for (const version of crd.spec.versions) {
        for (const [path, { pattern }] of nodes(version.schema.openAPIV3Schema, version.name)) {
          if (pattern !== undefined) assert.doesNotThrow(() => RE2JS.compile(pattern), path);
        }
      }
    });

    it('describes every field', () => {
      for (const version of crd.spec.versions) {
        const bare = [...nodes(version.schema.openAPIV3Schema, version.name)].filter(
          ([path, schema]) => schema.description === undefined && !/(\[\]|\.\*|\.metadata)$/.test(path),
        );
        assert.deepEqual(
          bare.map(([path]) => path),
          [],
        );
      }
    });

    it('fits into the annotation that kubectl apply keeps (262144 bytes), with room to grow', () => {
      assert.ok(JSON.stringify(crd).length < 200_000);
    });
  });
}

it('files are written, found out of date, and left-overs are removed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'generate-'));
  try {
    const wanted = new Map([
      ['a.yaml', 'a\n'],
      ['b.yaml', 'b\n'],
    ]);
    assert.deepEqual(await staleFiles(join(directory, 'absent'), wanted), ['a.yaml', 'b.yaml']);
    assert.deepEqual(await writeFiles(directory, wanted), ['a.yaml', 'b.yaml']);
    assert.deepEqual(await writeFiles(directory, wanted), []);
    await writeFile(join(directory, 'b.yaml'), 'edited\n');
    await writeFile(join(directory, 'old.yaml'), 'old\n');
    assert.deepEqual(await staleFiles(directory, wanted), ['b.yaml', 'old.yaml']);
    await writeFiles(directory, wanted);
    assert.deepEqual(await readdir(directory), ['a.yaml', 'b.yaml']);
  } finally {
    await rm(directory, { recursive: true });
  }
});
