/** Rebuilds providers/testdata/gjson.golden.json from gjson.cases.json: `node test/oracles/go-gjson/goldens.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromUtf8, toUtf8 } from '../../../template/value.ts';
import { startOracle } from './oracle.ts';

const testdata = join(import.meta.dirname, '../../../providers/testdata');
const { documents, cases } = JSON.parse(readFileSync(join(testdata, 'gjson.cases.json'), 'utf8')) as {
  documents: Record<string, string>;
  cases: [document: string, path: string][];
};

/** Texts of the golden are UTF-8; a case whose answer is not has no place in it. */
function readable(text: string): string {
  if (fromUtf8(toUtf8(text)) !== text) throw new Error('an answer is no UTF-8');
  return toUtf8(text);
}

const oracle = startOracle();
const answers = oracle.ask(
  cases.map(([document, path]) => ({ json: fromUtf8(documents[document] ?? ''), path: fromUtf8(path) })),
);
oracle.close();
const golden = answers.map((answer, index) => {
  if (answer === 'panic') throw new Error(`gjson panics at ${JSON.stringify(cases[index])}`);
  if (answer === undefined) return null;
  const [raw, text] = [readable(answer.raw), readable(answer.text)];
  return raw === text ? [answer.type, raw] : [answer.type, raw, text];
});
writeFileSync(
  join(testdata, 'gjson.golden.json'),
  `[\n${golden.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`,
);
