// Every case of testdata/*.cases.jsonl against what Go made of it (testdata/*.golden.jsonl, rebuilt with
// test/oracles/go-template/goldens.ts).
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataOf, type TemplateCase, type TemplateGolden } from '../test/oracles/go-template/goldens.ts';
import { parseTemplate } from './engine.ts';
import { TemplateError } from './errors.ts';
import type { FunctionMap } from './function.ts';
import { FUNCTIONS } from './functions/index.ts';
import { fromUtf8, GoMap, mapOf, T, toUtf8 } from './value.ts';

const testdata = join(import.meta.dirname, 'testdata');

const read = (file: string): string => readFileSync(join(testdata, file), 'utf8');

const lines = <Line>(file: string): Line[] =>
  read(file)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

const standard = JSON.parse(read('data.json')) as Record<string, string>;

const rootOf = (one: TemplateCase): GoMap =>
  new GoMap(
    mapOf(T.string),
    new Map(
      Object.entries(dataOf(one, standard)).map(([key, value]) => [
        fromUtf8(key),
        Buffer.from(value, 'base64').toString('latin1'),
      ]),
    ),
  );

const NONE: FunctionMap = new Map();

/** Text where it can be read, so that a failure is too. */
const shown = (goString: string): string =>
  fromUtf8(toUtf8(goString)) === goString
    ? toUtf8(goString)
    : `base64 ${Buffer.from(goString, 'latin1').toString('base64')}`;

function ours(one: TemplateCase): { out?: string; error?: string } {
  try {
    return {
      out: shown(
        parseTemplate('k', one.template, one.plain === true ? NONE : FUNCTIONS).execute(rootOf(one)),
      ),
    };
  } catch (thrown) {
    if (!(thrown instanceof TemplateError)) throw thrown;
    return { error: shown(thrown.goText) };
  }
}

const theirs = ({ out, out64, error, error64 }: TemplateGolden): { out?: string; error?: string } => {
  const failure = error ?? (error64 === undefined ? undefined : `base64 ${error64}`);
  return failure === undefined ? { out: out ?? `base64 ${out64 ?? ''}` } : { error: failure };
};

for (const file of readdirSync(testdata).filter((name) => name.endsWith('.cases.jsonl'))) {
  const area = file.slice(0, -'.cases.jsonl'.length);
  test(`templates as Go renders them: ${area}`, () => {
    const goldens = new Map(
      lines<TemplateGolden>(`${area}.golden.jsonl`).map((golden) => [golden.id, golden]),
    );
    const different = lines<TemplateCase>(file).flatMap((one) => {
      const golden = goldens.get(one.id);
      assert.ok(golden !== undefined, `${one.id} has no golden: run goldens.ts ${area}`);
      const expected = theirs(golden);
      const actual = ours(one);
      const same = expected.out === actual.out && expected.error === actual.error;
      return same ? [] : [{ id: one.id, template: one.template, expected, actual }];
    });
    assert.deepEqual(different, []);
  });
}
