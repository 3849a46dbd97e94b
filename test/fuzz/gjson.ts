/**
 * Compares providers/gjson.ts with the Go module on random documents and paths: `node test/fuzz/gjson.ts
 * [--seed=N] [--cases=N] [--invalid]`. With --invalid the documents are broken at random places; @pretty is left out
 * then, for how it sets broken JSON is nobody's business. Ends with 1 where anything differs, and prints the smallest.
 */
import { parseArgs } from 'node:util';
import { GjsonLimitError, gjson } from '../../providers/gjson.ts';
import { type Answer, type Question, startOracle } from '../oracles/go-gjson/oracle.ts';

/** Small generator of pseudo-random numbers (mulberry32), so that a seed names a run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof randomOf>;
const pick = <T>(random: Random, list: readonly T[]): T => {
  const item = list[random(list.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};

const KEYS = [
  'a',
  'b',
  'c',
  'ab',
  'a.b',
  'a*',
  '',
  '0',
  '1',
  '#',
  'n"q',
  'b\\\\s',
  '\xc3\xa4',
  '@this',
  'x|y',
  'null',
];
const KEY_TEXTS: readonly string[] = [
  ...KEYS.map((key) => JSON.stringify(key)),
  '"\\u0061"',
  '"a\\/b"',
  '"\\ud83d\\ude00"',
];
const SCALARS = [
  '0',
  '1',
  '-1',
  '2',
  '10',
  '1.50',
  '-0',
  '1e3',
  '1E-7',
  '12345678901234567890',
  '1e400',
  '0.1',
  'true',
  'false',
  'null',
  '""',
  '"a"',
  '"b"',
  '"ab"',
  '"true"',
  '"0"',
  '"T"',
  '"a.b"',
  '"<x>&"',
  '"\\u00e9\\n\\"q\\""',
  '"\\\\"',
  '"\\\\\\""',
  '"\xc3\xa9"',
  '"{\\"a\\":1}"',
  '"[1,2]"',
  '"\xff"',
  '"\\ud800"',
  '"\xe2\x80\xa8"',
];
const SPACES = ['', '', '', '', ' ', '\n', '\t ', ' \r\n '];

function document(random: Random, depth: number): string {
  const space = (): string => pick(random, SPACES);
  const kind = depth <= 0 ? 9 : random(10);
  const count = random(5);
  const items = (make: () => string): string =>
    Array.from({ length: count }, () => `${space()}${make()}${space()}`).join(',');
  if (kind < 4)
    return `{${items(() => `${pick(random, KEY_TEXTS)}${space()}:${space()}${document(random, depth - 1)}`)}}`;
  if (kind < 8) return `[${items(() => document(random, depth - 1))}]`;
  return pick(random, SCALARS);
}

const MODIFIERS = [
  '@this',
  '@reverse',
  '@keys',
  '@values',
  '@valid',
  '@flatten',
  '@flatten:{"deep":true}',
  '@join',
  '@join:{"preserve":true}',
  '@tostr',
  '@fromstr',
  '@group',
  '@dig:a',
  '@dig:#',
  '@pretty',
  '@ugly',
  '@pretty:{"sortKeys":true}',
  '@pretty:{"indent":"\\t","prefix":" ","width":20}',
  '@pretty:{"width":0}',
  '@nosuch',
  '@this:x',
  '@dig:a.b',
  '@dig:#(a=1)',
];
const OPERATORS = ['==', '=', '!=', '<', '<=', '>', '>=', '%', '!%', '!', ''];
const VALUES = [
  '"a"',
  '"ab"',
  'a',
  '1',
  '1.5',
  '-1',
  '0',
  'true',
  'false',
  'null',
  '~true',
  '~false',
  '~null',
  '~*',
  '~x',
  '"*"',
  'a*',
  '"?"',
  '"\\""',
  '""',
  '',
  '"a.b"',
  '#(a)',
  '"<"',
  '[',
  'inf',
  '0x1p1',
];

function query(random: Random, depth: number): string {
  const inner =
    random(3) === 0 ? '' : random(3) === 0 && depth > 0 ? query(random, depth - 1) : path(random, 1);
  const blank = random(6) === 0 ? ' ' : '';
  const [open, close] = random(5) === 0 ? '[]' : '()';
  return `#${open}${inner}${blank}${pick(random, OPERATORS)}${blank}${pick(random, VALUES)}${close}${random(2) === 0 ? '#' : ''}`;
}

function component(random: Random, depth: number): string {
  switch (random(16)) {
    case 0:
    case 1:
      return pick(random, ['0', '1', '2', '01', '-1', '99', '18446744073709551616']);
    case 2:
    case 3:
      return '#';
    case 4:
    case 5:
      return query(random, depth);
    case 6:
      return pick(random, MODIFIERS);
    case 7:
      return pick(random, ['*', 'a*', '?', '*b', 'a?b', '\\*', 'a\\*', '*\\*', '??*', '\xc3\xa4*', '*a*']);
    case 8: {
      if (depth <= 0) return 'a';
      const parts = Array.from({ length: random(4) }, () => {
        const name = pick(random, ['', '', '"n":', 'n:', '"\\u0061":', '<:']);
        return `${name}${path(random, depth - 1)}`;
      });
      return random(2) === 0 ? `[${parts.join(',')}]` : `{${parts.join(',')}}`;
    }
    case 9:
      return pick(random, ['!"lit"', '!1', '!true', '!null', '!{"a":1}', '![1,2]', '!nope', '!NaN', '!']);
    case 10:
      return pick(random, [
        'a\\.b',
        'a\\|',
        '\\',
        'a#',
        '.',
        '..',
        '|',
        '(',
        ')',
        '{',
        '[',
        '"',
        '@',
        '#(',
        '#(a',
        '{a',
        '[a]x',
        ':',
      ]);
    default:
      return pick(random, KEYS);
  }
}

function path(random: Random, depth: number): string {
  let out = random(12) === 0 ? '..' : '';
  const count = 1 + random(4);
  for (let i = 0; i < count; i++)
    out += (i === 0 ? '' : random(4) === 0 ? '|' : '.') + component(random, depth);
  return out;
}

function broken(random: Random, text: string): string {
  let out = text;
  for (let i = random(3); i >= 0; i--) {
    const at = random(out.length + 1);
    const junk = pick(random, [
      '',
      '',
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\',
      'n',
      'nan',
      '(',
      ' ',
      '1',
      't',
      '\x01',
    ]);
    out = out.slice(0, at) + junk + out.slice(at + random(2));
  }
  return out;
}

const ours = ({ json, path: asked }: Question): Answer | undefined | 'limit' => {
  try {
    const found = gjson(json, asked);
    const names = {
      null: 'Null',
      false: 'False',
      number: 'Number',
      string: 'String',
      true: 'True',
      json: 'JSON',
    };
    return found && { type: names[found.type], raw: found.raw, text: found.text };
  } catch (error) {
    if (error instanceof GjsonLimitError) return 'limit';
    throw error;
  }
};

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '200000' },
    invalid: { type: 'boolean', default: false },
  },
});
const random = randomOf(Number(values.seed));
const oracle = startOracle();
const total = Number(values.cases);
let limits = 0;
let found = 0;
try {
  for (let done = 0; done < total; ) {
    const questions = Array.from({ length: Math.min(20_000, total - done) }, (): Question => {
      const json = document(random, 4);
      return { json: values.invalid ? broken(random, json) : json, path: path(random, 2) };
    });
    const different: { question: Question; go: unknown; here: unknown }[] = [];
    for (const [index, go] of oracle.ask(questions).entries()) {
      const question = questions[index];
      if (question === undefined || go === 'panic') continue;
      if (values.invalid && question.path.includes('@pretty')) continue;
      const here = ours(question);
      if (here === 'limit') limits++;
      else if (JSON.stringify(here) !== JSON.stringify(go)) different.push({ question, go, here });
      if (go !== undefined) found++;
    }
    const smallest = different.sort(
      (a, b) =>
        a.question.json.length + a.question.path.length - b.question.json.length - b.question.path.length,
    );
    if (smallest.length > 0) {
      console.log(`${smallest.length} of ${questions.length} differ; the smallest:`);
      for (const one of smallest.slice(0, 10)) console.log(JSON.stringify(one));
      process.exitCode = 1;
      break;
    }
    done += questions.length;
  }
  console.log(JSON.stringify({ seed: values.seed, cases: total, found, limits, invalid: values.invalid }));
} finally {
  oracle.close();
}
