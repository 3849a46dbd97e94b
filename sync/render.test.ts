import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as streamText } from 'node:stream/consumers';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import { externalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import { type Rendered, render } from './render.ts';
import { RenderThread, threadOptions } from './render-threads.ts';
import { templateSources } from './template-sources.ts';

const noObjects = { configMap: async () => undefined, secret: async () => undefined };
const never = new AbortController().signal;

interface Template {
  readonly data?: Readonly<Record<string, string>>;
  readonly literal?: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Renders as the engine does, from the spec on. */
async function rendered({ data, literal, values = { a: 'v' }, signal = never }: Template): Promise<Rendered> {
  const spec = externalSecretSpec.parse({
    secretStoreRef: { name: 's' },
    dataFrom: [{ extract: { key: 'k' } }],
    target: {
      template: { ...(data && { data }), ...(literal !== undefined && { templateFrom: [{ literal }] }) },
    },
  });
  const sources = await templateSources('ns', spec, noObjects, never);
  const input = new Map(Object.entries(values).map(([key, text]) => [key, SecretValue.fromText(text)]));
  return render(spec, input, sources, systemClock, signal);
}

const text = async (template: string, values?: Readonly<Record<string, string>>): Promise<string> =>
  (await rendered({ data: { k: template }, ...(values && { values }) })).data?.get('k')?.revealText() ?? '';

async function failure(template: Template): Promise<EsaError> {
  try {
    await rendered(template);
  } catch (error) {
    if (error instanceof EsaError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'nothing failed' });
}

const times = (count: number, part: string): string => part.repeat(count);
/** A list of lists of lists ..., each holding the one before `copies` times. */
const nested = (levels: number, copies: number, then: string): string =>
  `{{ $d := list 1 }}{{ range ${levels} }}{{ $d = list${times(copies, ' $d')} }}{{ end }}${then}`;
/** Doubles a text forty times. */
const doubled = (step: string): string =>
  `{{ $s := "x" }}{{ range 40 }}{{ $s = ${step} }}{{ end }}{{ $s | len }}`;
const inLoop = (made: string, call: string): string =>
  `{{ $s := ${made} }}{{ range 1000000 }}{{ $x := ${call} }}{{ end }}`;

const GREEDY: Readonly<Record<string, string>> = {
  'a range over a list of a hundred million': '{{ range $i, $x := until 100000000 }}{{ end }}',
  'a range over a number': '{{ range 100000000 }}{{ end }}',
  'ranges in a range': '{{ range 10000 }}{{ range 10000 }}{{ end }}{{ end }}',
  'deep recursion through define': '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
  'recursion through two':
    '{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ with . }}{{ template "a" . }}{{ end }}{{ end }}{{ template "a" . }}',
  'repeat of 100 MB': '{{ repeat 100000000 "x" }}',
  'repeat of repeat': '{{ "x" | repeat 10000 | repeat 10000 | repeat 10000 }}',
  'printf of itself': doubled('printf "%s%s" $s $s'),
  'cat of itself': doubled('cat $s $s'),
  'a list of itself': '{{ $l := list "a" }}{{ range 40 }}{{ $l = concat $l $l }}{{ end }}',
  'join of long texts':
    '{{ $s := repeat 100000 "x" }}{{ $l := list }}{{ range 1000 }}{{ $l = append $l $s }}{{ end }}{{ join "," $l | len }}',
  'append without end': '{{ $l := list }}{{ range 100000 }}{{ $l = append $l . }}{{ end }}',
  'wide numbers': `{{ printf "${times(40, '%1000000d')}"${times(40, ' 1')} }}`,
  'hexadecimal of megabytes': '{{ printf "% #x" (repeat 8000000 "a") }}',
  'quotes of megabytes': '{{ printf "%q" (repeat 8000000 "\\x01") }}',
  'HTML of megabytes': '{{ html (repeat 8000000 "<") }}',
  'JavaScript of megabytes': '{{ js (repeat 8000000 "<") }}',
  'quoted signs of megabytes': '{{ regexQuoteMeta (repeat 8000000 ".") }}',
  'a regular expression in a loop':
    '{{ range $i := until 100000 }}{{ regexMatch (printf "%d[a-z]{500}x" $i) "a" }}{{ end }}',
  'a replacement between all letters':
    '{{ regexReplaceAll "" (repeat 1000000 "a") "bbbbbbbbbbbbbbbbbbbbbbb" }}',
  'a map that holds itself, printed': '{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ print $d }}',
  'a map that holds itself, copied': '{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ deepCopy $d | len }}',
  'lists of lists, as JSON': nested(40, 2, '{{ toJson $d | len }}'),
  'lists of lists, printed': nested(40, 2, '{{ print $d | len }}'),
  'lists of lists, as YAML': nested(40, 2, '{{ toYaml $d | len }}'),
  'a deep list, as JSON': nested(100_000, 1, '{{ toJson $d | len }}'),
  'a deep list, printed': nested(100_000, 1, '{{ print $d | len }}'),
  'random bytes': '{{ randBytes 100000000 | len }}',
  'random letters': '{{ randAlphaNum 100000000 | len }}',
  'a date in a loop': inLoop('now', 'dateInZone "Mon Jan" $s "Europe/Vienna"'),
  'a duration in a loop': inLoop('repeat 1000000 "1h"', 'durationRound $s'),
  'JSON in a loop': inLoop('repeat 100000 "1"', 'fromJson $s'),
  'a map that grows': '{{ $d := dict }}{{ range 10000000 }}{{ $_ := set $d (toString .) "x" }}{{ end }}',
  parentheses: `{{ ${times(50_000, '(')}1${times(50_000, ')')} }}`,
  'blocks in blocks': `${times(50_000, '{{ if .a }}')}${times(50_000, '{{ end }}')}`,
  'a source of too many words': `{{ print ${times(200_000, '1 ')}}}`,
  'a pipeline without end': `{{ 1${times(100_000, ' | print')} }}`,
};

/** Renders templates and writes `[code, message]` of each as a line; stands in the parent's input. */
const CHILD = `
  import { systemClock } from ${JSON.stringify(new URL('../api/clock.ts', import.meta.url).href)};
  import { SecretValue } from ${JSON.stringify(new URL('../api/secret-value.ts', import.meta.url).href)};
  import { render } from ${JSON.stringify(new URL('./render.ts', import.meta.url).href)};
  for (const text of ${JSON.stringify(Object.values(GREEDY))}) {
    const source = { path: ['k'], label: 'k', text, target: 'data', key: 'k', decoding: 'None' };
    const spec = { target: { template: { data: { k: text } } } };
    const answer = await render(spec, new Map([['a', SecretValue.fromText('v')]]), [source], systemClock, new AbortController().signal).then(
      () => ['rendered'],
      ({ code, message }) => [code, message],
    );
    process.stdout.write(JSON.stringify(answer) + '\\n');
  }
`;

test('greedy templates are refused by the budget, and a process with a heap of 64 MB lives on', async (t) => {
  const child = spawn(process.execPath, ['--max-old-space-size=64', '--input-type=module', '-'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(CHILD);
  const answers = (await streamText(child.stdout)).split('\n');
  for (const [index, name] of Object.keys(GREEDY).entries()) {
    await t.test(name, () => {
      const answer = answers[index];
      assert.ok(answer, 'the process died of it, or of one before');
      const [code, message = ''] = JSON.parse(answer) as string[];
      assert.equal(code, 'TEMPLATE_BUDGET', message);
      assert.match(message, /^k: unable to (parse|execute) template at key k: template: k:\d+:/);
      assert.ok(message.length < 2500);
    });
  }
});

test('text of megabytes beyond the loop is made in a thread, and stays within the budget there', async () => {
  assert.equal(await text('{{ repeat 400000 "abcdefghij" | len }}'), '4000000');
  assert.equal(await text('{{ range 100000 }}{{ end }}done'), 'done');
  assert.equal(await text('{{ $n := 0 }}{{ range 30000 }}{{ $n = add $n 1 }}{{ end }}{{ $n }}'), '30000');
});

const MARKS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
];

/** What a polluted prototype would show. */
const assertClean = (): void => {
  assert.deepEqual(Object.keys(Object.prototype), []);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  assert.equal(Object.getPrototypeOf({}), Object.prototype);
};

test('names of parts of JavaScript are keys like any other, or no keys at all', async () => {
  const root = await failure({ data: { k: '{{ $_ := set . "__proto__" "x" }}{{ .a }}' } });
  assert.equal(root.code, 'TEMPLATE_EXEC');
  assert.match(
    root.message,
    /wrong type for value; expected map\[string\]interface \{\}; got map\[string\]string/,
  );
  for (const mark of MARKS) {
    assert.match(
      (await failure({ data: { k: `{{ .${mark} }}` } })).message,
      new RegExp(`map has no entry for key "${mark}"`),
    );
    assert.match((await failure({ data: { k: `{{ (dict).${mark} }}` } })).message, /map has no entry/);
    assert.equal(await text(`{{ index . "${mark}" }}`), '');
    assert.equal(await text(`{{ hasKey (dict) "${mark}" }}`), 'false');
    assert.equal(await text(`{{ get (dict) "${mark}" }}`), '');
    assert.equal(
      await text(`{{ $d := dict }}{{ $_ := set $d "${mark}" "x" }}{{ $d.${mark} }}{{ toJson $d }}`),
      `x{"${mark}":"x"}`,
    );
    assert.equal(
      await text(`{{ $d := dict "${mark}" (dict "polluted" "y") }}{{ $d }}{{ keys $d }}`),
      `map[${mark}:map[polluted:y]][${mark}]`,
    );
    assert.equal(
      await text(
        `{{ unset (dict "${mark}" 1) "${mark}" }}{{ pluck "${mark}" (dict) }}{{ pick (dict) "${mark}" }}`,
      ),
      'map[][]map[]',
    );
    assert.equal(await text(`{{ .${mark} }}`, { [mark]: 'mine' }), 'mine');
    assertClean();
  }
});

test('nothing that is read or merged reaches a prototype', async () => {
  const json =
    '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "a": {"__proto__": {"polluted": 1}}}';
  const yaml =
    '__proto__: {polluted: 1}\nconstructor: {prototype: {polluted: 1}}\na:\n  __proto__: {polluted: 1}\n';
  const compact =
    '{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}},"constructor":{"prototype":{"polluted":1}}}';
  assert.equal(await text('{{ .json | fromJson | toJson }}', { json }), compact);
  assert.equal(await text('{{ .yaml | fromYaml | toJson }}', { yaml }), compact);
  for (const merge of ['merge', 'mergeOverwrite', 'mustMerge', 'mustMergeOverwrite'])
    assert.equal(await text(`{{ ${merge} (dict "a" (dict)) (fromJson .json) | toJson }}`, { json }), compact);
  assert.equal(
    await text('{{ .json | fromJson | deepCopy | toYaml | fromYaml | toJson }}', { json }),
    compact,
  );
  assert.equal(await text('{{ (index (.json | fromJson) "__proto__").polluted }}', { json }), '1');
  const made = await rendered({ literal: '__proto__: x\nconstructor: y\n' });
  assert.deepEqual([...(made.data?.keys() ?? [])], ['__proto__', 'constructor']);
  assertClean();
});

test('regular expressions take time in proportion to the text', async () => {
  const values = { a: times(2000, 'a'), x: times(2000, 'x') };
  assert.equal(await text('{{ regexMatch "(a+)+$" (printf "%sb" .a) }}', values), 'false');
  assert.equal(await text('{{ regexFindAll "(x+x+)+y" .x -1 }}', values), '[]');
  assert.equal(await text('{{ regexMatch "(.*)(.*)(.*)(.*)(.*)[^a]" .a }}', values), 'false');
});

test('widths of Go: more than a million is no width', async () => {
  assert.equal(await text('{{ printf "%999999999d" 1 }}'), '%!(NOVERB)%!(EXTRA int=1)');
  assert.equal(await text('{{ printf "%*d" 100000000 1 }}'), '%!(BADWIDTH)1');
  assert.equal(await text('{{ printf "%1000000d" 1 | len }}'), '1000000');
});

test('JSON that is nested too deep, and YAML with aliases of aliases, are said to be', async () => {
  const deep = await failure({
    data: { k: '{{ mustFromJson .a }}' },
    values: { a: times(20_000, '[') + times(20_000, ']') },
  });
  assert.match(deep.code, /^TEMPLATE_(EXEC|BUDGET)$/);
  assert.doesNotMatch(deep.message, /\[\[\[/);
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
  for (const [index, name] of Array.from('bcdefgh').entries())
    bomb.push(
      `${name}: &${name} [${Array(9)
        .fill(`*${'abcdefg'.charAt(index)}`)
        .join(', ')}]`,
    );
  const aliases = await failure({ literal: `${bomb.join('\n')}\n` });
  assert.match(
    aliases.message,
    /literal: could not unmarshal template to 'map\[string\]\[\]byte': .*excessive aliasing/,
  );
  assert.match(await text('{{ (fromYaml .a).Error }}', { a: bomb.join('\n') }), /excessive aliasing/);
});

test('keys and values of a size that no Secret has are refused', async () => {
  const { code } = await failure({
    literal: '{{ range $i, $_ := until 100 }}k{{ $i }}: {{ $.a }}\n{{ end }}',
    values: { a: times(30_000, 'x') },
  });
  assert.equal(code, 'TEMPLATE_BUDGET');
  const made = await rendered({ literal: 'k: {{ .a }}', values: { a: times(300_000, 'x') } });
  assert.equal(made.data?.get('k')?.byteLength, 300_000);
});

test('the event loop turns while a key of 4096 bits is made', async () => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  const pem = await text('{{ genPrivateKey "rsa" }}');
  clearInterval(timer);
  assert.match(pem, /^-----BEGIN RSA PRIVATE KEY-----\n/);
  // Held for the whole time, it would have turned once or not at all.
  assert.ok(turns > 5, `${turns} turns`);
});

test('errors of a thread are those of the loop', async () => {
  const slow = await failure({ data: { k: '{{ .missing }}', l: '{{ bcrypt .a }}' } });
  const quick = await failure({ data: { k: '{{ .missing }}' } });
  assert.equal(slow.code, 'TEMPLATE_EXEC');
  assert.equal(slow.message, quick.message);
});

test('a caller out of time gets DEADLINE, at once and while others have the threads', async () => {
  const abort = new AbortController();
  const slow = { data: { k: times(50, '{{ bcrypt "x" }}') }, signal: abort.signal };
  const waiting = [failure(slow), failure(slow), failure(slow)];
  setTimeout(() => abort.abort(), 20);
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ code }) => code),
    ['DEADLINE', 'DEADLINE', 'DEADLINE'],
  );
  assert.match(await text('{{ bcrypt "x" }}'), /^\$2a\$/);
});

test('a thread that takes too long, or too much memory, is over its budget', async () => {
  const job = { values: new Map(), sources: [] };
  await assert.rejects(new RenderThread(64).render(job, never, 1), {
    code: 'TEMPLATE_BUDGET',
    message: 'the templates took longer than 0.001 s; make fewer or smaller keys in them',
  });
  const text =
    '{{ $d := dict }}{{ range $i := until 60000 }}{{ $_ := set $d (toString $i) (list $i $i $i $i) }}{{ end }}';
  const large = {
    ...job,
    sources: [{ path: ['k'], label: 'k', text, target: 'data', key: 'k', decoding: 'None' } as const],
  };
  await assert.rejects(new RenderThread(16).render(large, never, 60_000), {
    code: 'TEMPLATE_BUDGET',
    message: 'the templates need more than 16 MB of memory',
  });
});

test('a thread has nothing of the environment, the arguments and the flags of the process', async () => {
  const options = threadOptions(64);
  const code =
    "require('node:worker_threads').parentPort.postMessage([process.env, process.argv.slice(2), process.execArgv])";
  const worker = new Worker(code, { ...options, eval: true });
  const [seen] = await once(worker, 'message');
  assert.deepEqual(seen, [{}, [], []]);
  await worker.terminate();
});
