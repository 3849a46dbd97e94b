import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { type ParseOptions, parseTemplate, type Template } from './engine.ts';
import { TemplateError } from './errors.ts';
import { FUNCTIONS } from './functions/index.ts';
import { GoMap, mapOf, T } from './value.ts';

const rootOf = (data: Readonly<Record<string, string>>): GoMap =>
  new GoMap(mapOf(T.string), new Map(Object.entries(data)));

const template = (text: string, options?: ParseOptions): Template =>
  parseTemplate('k', text, FUNCTIONS, options);

const render = (text: string, data: Readonly<Record<string, string>> = {}): string =>
  template(text).execute(rootOf(data));

function failure(work: () => unknown): TemplateError {
  let result: unknown;
  try {
    result = work();
  } catch (thrown) {
    assert.ok(thrown instanceof TemplateError, String(thrown));
    return thrown;
  }
  assert.fail(`it did not fail: ${String(result)}`);
}

test('a template is parsed once for each name, text, delimiters and functions', () => {
  assert.equal(template('{{ .a }}'), template('{{ .a }}'));
  assert.notEqual(template('{{ .a }}'), parseTemplate('other', '{{ .a }}', FUNCTIONS));
  assert.notEqual(template('{{ .a }}'), parseTemplate('k', '{{ .a }}', new Map(FUNCTIONS)));
  assert.notEqual(template('{{ .a }}'), template('{{ .a }}', { left: '[[', right: ']]' }));
});

test('other delimiters; empty ones are the usual', () => {
  const options = { left: '[[', right: ']]' };
  assert.equal(template('{{ .a }}[[- " x" -]]  y', options).execute(rootOf({})), '{{ .a }} xy');
  assert.equal(template('{{ 1 }}', { left: '', right: '' }).execute(rootOf({})), '1');
});

test('an error has its place: line, byte column and offset', () => {
  const parse = failure(() => template('é\n  {{ nosuch }}'));
  assert.equal(parse.code, 'TEMPLATE_PARSE');
  assert.equal(parse.message, 'template: k:2: function "nosuch" not defined');
  assert.deepEqual(parse.position, { name: 'k', line: 2, column: 5, offset: 8 });
  const run = failure(() => render('a\n{{ .b.c }}', { b: 'x' }));
  assert.equal(run.code, 'TEMPLATE_EXEC');
  assert.equal(run.phase, 'exec');
  assert.deepEqual(run.position, { name: 'k', line: 2, column: 5, offset: 7 });
});

test('no value of the data is in a message', () => {
  const secret = 's3cr3t-value';
  for (const text of [
    '{{ range .a }}{{ end }}',
    '{{ fail .a }}',
    '{{ index (list 1) (atoi .n) }}',
    '{{ range $i, $x := atoi .n }}{{ end }}',
    '{{ eq (dict .a .a) (list .a) }}',
    '{{ eq (list .a) (list .a) }}',
    '{{ mustFromJson .a }}',
    '{{ mustToDate "2006" .a }}',
    '{{ mustRegexMatch (print "(" .a) "x" }}',
    '{{ .a | semver }}',
    '{{ .a | call }}',
    '{{ slice .a 1000 (atoi .n) }}',
    '{{ .a.b }}',
    '{{ upper (list .a) }}',
    '{{ decryptAES .a .a }}',
  ]) {
    const { message } = failure(() => `${text} ${render(text, { a: secret, n: '918273645' })}`);
    assert.ok(!message.includes(secret) && !message.includes('918273645'), `${text}: ${message}`);
  }
});

test('a percent sign in the name of a template is no directive, as it is in Go', () => {
  const parse = failure(() => parseTemplate('a%d', '{{ nosuch }}', FUNCTIONS));
  assert.equal(parse.message, 'template: a%d:1: function "nosuch" not defined');
  const run = failure(() => parseTemplate('a%d%', '{{ .x }}', FUNCTIONS).execute(rootOf({})));
  assert.equal(run.message, 'template: a%d%:1:3: executing "a%d%" at <.x>: map has no entry for key "x"');
});

test('a template that names a slow function is slow, wherever it stands', () => {
  const functions = new Map(FUNCTIONS);
  functions.set('crawl', { params: [], result: T.string, slow: true, call: () => '' });
  for (const text of [
    '{{ crawl }}',
    '{{ if (print (crawl)) }}{{ end }}',
    '{{ define "x" }}{{ range list 1 }}{{ else }}{{ with crawl.a }}{{ end }}{{ end }}{{ end }}',
    '{{ template "x" crawl }}',
  ]) {
    assert.equal(parseTemplate('k', text, functions).slow, true, text);
  }
  assert.equal(parseTemplate('k', '{{ "crawl" }}', functions).slow, false);
});

const nested = (count: number): string => `{{ ${'('.repeat(count)}1${')'.repeat(count)} }}`;

const GREEDY: Readonly<Record<string, string>> = {
  'a long list': '{{ range $i, $x := until 100000000 }}{{ end }}',
  'a long range': '{{ range 100000000 }}{{ end }}',
  'ranges within each other': '{{ range 10000 }}{{ range 10000 }}{{ $x := . }}{{ end }}{{ end }}',
  'a template that calls itself': '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}',
  'one that does so deep in blocks': `{{ define "r" }}${'{{ with 1 }}'.repeat(100)}{{ template "r" . }}${'{{ end }}'.repeat(100)}{{ end }}{{ template "r" . }}`,
  'one that does so deep in parentheses': `{{ define "r" }}{{ if ${'(and true '.repeat(200)}true${')'.repeat(200)} }}{{ template "r" . }}{{ end }}{{ end }}{{ template "r" . }}`,
  'a long repeat': '{{ repeat 100000000 "a" }}',
  'a text that doubles': '{{ $x := "aaaaaaaaaaaaaaaa" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}',
  'wide directives': `{{ printf "${'%1000000d'.repeat(50)}" ${'1 '.repeat(50)} }}`,
  'much output': `{{ $x := repeat 100000 "a" }}{{ range 1000 }}{{ $x }}{{ end }}`,
  'a map within itself': '{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ $d }}',
  'many parentheses': nested(100000),
  'many blocks': `${'{{ if 1 }}'.repeat(50000)}${'{{ end }}'.repeat(50000)}`,
  'many else-ifs': `{{ if 0 }}${'{{ else if 0 }}'.repeat(50000)}{{ end }}`,
  'many definitions': `${'{{ block "a" . }}'.repeat(50000)}`,
};

for (const [what, text] of Object.entries(GREEDY)) {
  test(`too much, and refused at once: ${what}`, () => {
    const before = process.cpuUsage();
    const { code, message } = failure(() => render(text));
    const { user, system } = process.cpuUsage(before);
    assert.equal(code, 'TEMPLATE_BUDGET', message);
    assert.ok(user + system < 2_000_000, `took ${user + system} µs`);
  });
}

test('greedy templates stay within 64 MB', () => {
  const program = `
    const { parseTemplate } = await import(${JSON.stringify(import.meta.resolve('./engine.ts'))});
    const { FUNCTIONS } = await import(${JSON.stringify(import.meta.resolve('./functions/index.ts'))});
    const { GoMap, mapOf, T } = await import(${JSON.stringify(import.meta.resolve('./value.ts'))});
    const root = new GoMap(mapOf(T.string), new Map());
    const run = (text) => { try { parseTemplate('k', text, FUNCTIONS).execute(root); } catch {} };
    run('{{ print "warm" }}');
    const before = process.resourceUsage().maxRSS;
    for (const text of ${JSON.stringify(Object.values(GREEDY))}) { run(text); gc(); }
    console.log(process.resourceUsage().maxRSS - before);`;
  const grown = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-'], {
    input: program,
    encoding: 'utf8',
  });
  assert.ok(Number(grown) < 64 * 1024, `grew by ${grown} KiB`);
});

test('limits can be given', () => {
  const limits = { steps: 10, output: 5, allocated: 5, templates: 2 };
  assert.equal(template('12345').execute(rootOf({}), { limits }), '12345');
  for (const text of ['123456', '{{ range 11 }}{{ end }}', '{{ "a" | printf "%9s" }}']) {
    const { code } = failure(() => template(text).execute(rootOf({}), { limits }));
    assert.equal(code, 'TEMPLATE_BUDGET', text);
  }
});

test('as deep as allowed: the stack holds', () => {
  assert.equal(render(nested(249)), '1');
  assert.equal(render(`${'{{ if 1 }}'.repeat(249)}x${'{{ end }}'.repeat(249)}`), 'x');
  const chain = '{{ define "r" }}{{ if gt . 0 }}{{ template "r" (sub . 1) }}{{ else }}end{{ end }}{{ end }}';
  assert.equal(render(`${chain}{{ template "r" 98 }}`), 'end');
});

test('nothing of JavaScript can be reached', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'prototype', 'length']) {
    const missing = failure(() => render(`{{ .${name} }}`));
    assert.match(missing.message, /map has no entry for key/);
    assert.match(failure(() => render(`{{ ("a").${name} }}`)).message, /can't evaluate field/);
    assert.match(failure(() => render(`{{ (list 1).${name} }}`)).message, /can't evaluate field/);
    assert.equal(render(`{{ index . "${name}" }}`), '');
    if (!FUNCTIONS.has(name)) {
      assert.match(failure(() => render(`{{ ${name} }}`)).message, /function ".*" not defined/);
    }
    assert.match(failure(() => render(`{{ template "${name}" }}`)).message, /template ".*" not defined/);
  }
  assert.equal(
    render('{{ $d := dict }}{{ $_ := set $d "__proto__" (dict "polluted" "x") }}{{ $d.__proto__.polluted }}'),
    'x',
  );
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
});
