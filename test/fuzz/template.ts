/**
 * Random templates through our engine and through Go, compared to the byte:
 *
 *   node test/fuzz/template.ts --minutes 5 --seed 1 [--without 'functionA|functionB'] [--dry-run]
 *
 * A difference is made small and added to template/testdata/fuzz.cases.jsonl with Go's answer, so that the corpus
 * test fails until it is mended; --dry-run only prints it. Exit code 1 if there was one.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseTemplate } from '../../template/engine.ts';
import { TemplateError } from '../../template/errors.ts';
import { FUNCTIONS } from '../../template/functions/index.ts';
import { fromUtf8, GoMap, mapOf, T, toUtf8 } from '../../template/value.ts';
import { Oracle, type Verdict } from './oracle.ts';
import { Random } from './random.ts';
import { simpler } from './simpler-template.ts';
import { type Data, type Generated, TemplateGenerator } from './template-generator.ts';

const testdata = join(import.meta.dirname, '../../template/testdata');
const casesFile = join(testdata, 'fuzz.cases.jsonl');
const goldenFile = join(testdata, 'fuzz.golden.jsonl');

/** How many different differences are looked for before it gives up. */
const MAX_DIFFERENCES = 25;

const rootOf = (data: Data): GoMap =>
  new GoMap(
    mapOf(T.string),
    new Map(Object.entries(data).map(([key, value]) => [fromUtf8(key), fromUtf8(value)])),
  );

/** Our answer; undefined if the template is beyond our budgets, which Go does not have. */
function ours({ template, data }: Generated): Verdict | undefined {
  try {
    return { out: parseTemplate('k', template, FUNCTIONS).execute(rootOf(data)) };
  } catch (thrown) {
    if (!(thrown instanceof TemplateError)) return { error: `thrown: ${String(thrown)}` };
    return thrown.code === 'TEMPLATE_BUDGET' ? undefined : { error: thrown.goText };
  }
}

/** Differences that are known and listed in docs/differences.md. */
const isListed = ({ out = '', error = '' }: Verdict): boolean =>
  // Addresses of Go's memory, and its own limit of time.
  /0x[0-9a-f]{9,}/.test(out + error) || error === 'oracle: timeout';

/** The parsers of these functions word their errors themselves; what counts is that they refuse, and where. */
const OWN_WORDS =
  /^(template: .* error calling (?:jwk\w+|\w*pkcs12\w*|\w*Pkcs12\w*|\w*PKCS12\w*|filter\w+|certSANs|rsaDecrypt|urlParse|decryptAES): ).*$/s;

const comparable = (error: string | undefined): string | undefined => error?.replace(OWN_WORDS, '$1');

/** Go's slices have more room than their length, and `slice` reaches into it (docs/differences.md). */
const BEYOND = /slice: reflect\.Value\.Slice: slice index out of bounds$/;

const isSame = (expected: Verdict, actual: Verdict): boolean =>
  (expected.out === actual.out && comparable(expected.error) === comparable(actual.error)) ||
  (BEYOND.test(actual.error ?? '') && !BEYOND.test(expected.error ?? ''));

interface Difference {
  readonly expected: Verdict;
  readonly actual: Verdict;
}

/** The two answers, if they differ and should not. */
async function difference(one: Generated, oracle: Oracle): Promise<Difference | undefined> {
  const actual = ours(one);
  if (actual === undefined) return undefined;
  const expected = await oracle.ask(one.template, one.data);
  if (expected === undefined || isListed(expected) || isSame(expected, actual)) return undefined;
  return { expected, actual };
}

/** Rendered, refused by the parser or failed. */
const kindOf = ({ out, error = '' }: Verdict): string =>
  out !== undefined ? 'out' : error.includes('executing') ? 'exec' : 'parse';

/** How many smaller templates are tried for one difference. */
const MAX_ATTEMPTS = 1500;

/** Takes pieces away, large ones first, as long as the answers still differ in the same way. */
async function shrink(one: Generated, first: Difference, oracle: Oracle): Promise<Generated> {
  let smallest = one;
  let attempts = 0;
  const way = ({ expected, actual }: Difference): string => `${kindOf(expected)} ${kindOf(actual)}`;
  const attempt = async (candidate: Generated): Promise<boolean> => {
    // Most pieces leave nonsense, which need not be asked about unless nonsense is what it is about.
    const answer = ours(candidate);
    if (answer === undefined || kindOf(answer) !== kindOf(first.actual) || ++attempts > MAX_ATTEMPTS)
      return false;
    const found = await difference(candidate, oracle);
    if (found === undefined || way(found) !== way(first)) return false;
    smallest = candidate;
    return true;
  };
  for (const key of Object.keys(one.data)) {
    const { [key]: _, ...data } = smallest.data;
    await attempt({ ...smallest, data });
  }
  for (let again = true; again; ) {
    again = false;
    for (const template of simpler(smallest.template)) {
      again = await attempt({ ...smallest, template });
      if (again) break;
    }
  }
  for (let size = 8; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.template.length; ) {
      const { template } = smallest;
      const shorter = template.slice(0, at) + template.slice(at + size);
      if (!(await attempt({ ...smallest, template: shorter }))) at += size;
    }
  }
  return smallest;
}

const known = (): Set<string> =>
  new Set(
    existsSync(casesFile)
      ? readFileSync(casesFile, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => (JSON.parse(line) as Generated).template)
      : [],
  );

/** Differences that look alike are one: places, numbers and texts do not count. */
const likeness = ({ expected, actual }: Difference): string =>
  [expected, actual]
    .map((verdict) => `${kindOf(verdict)} ${verdict.error ?? ''}`)
    .join('\n')
    .replaceAll(/executing .* at <.*>: |"[^"]*"|\d+/g, '');

const isText = (goString: string): boolean => fromUtf8(toUtf8(goString)) === goString;

function golden(id: string, { out, error }: Verdict): object {
  const encode = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  if (error !== undefined)
    return isText(error) ? { id, error: toUtf8(error) } : { id, error64: encode(error) };
  const text = out ?? '';
  return isText(text) ? { id, out: toUtf8(text) } : { id, out64: encode(text) };
}

function record(id: string, one: Generated, expected: Verdict): void {
  appendFileSync(casesFile, `${JSON.stringify({ id, template: one.template, data: one.data })}\n`);
  appendFileSync(goldenFile, `${JSON.stringify(golden(id, expected))}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      without: { type: 'string', default: '' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const end = performance.now() + Number(values.minutes) * 60_000;
  const without = new RegExp(`^(?:${values.without})$`);
  const functions = new Map([...FUNCTIONS].filter(([name]) => !without.test(name)));
  const generator = new TemplateGenerator(new Random(seed), functions);
  using oracle = new Oracle();
  const seen = known();
  const alike = new Set<string>();
  const counts = { templates: 0, rendered: 0, refused: 0, differences: 0 };
  while (performance.now() < end && counts.differences < MAX_DIFFERENCES) {
    const batch = Array.from({ length: 200 }, () => generator.next());
    const found = await Promise.all(batch.map((one) => difference(one, oracle)));
    for (const [i, one] of batch.entries()) {
      counts.templates++;
      const answer = ours(one);
      if (answer?.out !== undefined) counts.rendered++;
      if (answer === undefined) counts.refused++;
      const first = found[i];
      if (first === undefined || alike.has(likeness(first))) continue;
      if (first.expected.error !== undefined) alike.add(likeness(first));
      const small = await shrink(one, first, oracle);
      const verdicts = await difference(small, oracle);
      if (verdicts === undefined || seen.has(small.template)) continue;
      seen.add(small.template);
      counts.differences++;
      console.log(JSON.stringify({ ...small, ...verdicts }));
      if (!values['dry-run']) record(`fuzz-${seed}-${counts.templates}`, small, verdicts.expected);
    }
  }
  console.log(JSON.stringify({ seed, ...counts }));
  process.exitCode = counts.differences > 0 ? 1 : 0;
}

await main();
