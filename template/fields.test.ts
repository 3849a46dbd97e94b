import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTemplate } from './engine.ts';
import { FUNCTIONS } from './functions/index.ts';

/** `key`, `key?` if it is only possibly read, `[key]` if by index; `*` if the root is used as a whole. */
function reads(text: string): string {
  const { reads: found, whole } = parseTemplate('k', text, FUNCTIONS).fields();
  const shown = found.map(({ key, how, certain }) => {
    const name = how === 'index' ? `[${key}]` : key;
    return certain ? name : `${name}?`;
  });
  return [...shown, ...(whole ? ['*'] : [])].join(' ');
}

const CASES: readonly (readonly [template: string, reads: string])[] = [
  ['text', ''],
  ['{{ .a }}{{ .b.c }}{{ $.d }}', 'a b d'],
  ['{{ .a | upper | printf "%s%s" .b }}', 'a b'],
  ['{{ print (.a) (upper .b) }}', 'a b'],
  ['{{ index . "a-b" }}{{ index $ "c" }}{{ index .d "e" }}', '[a-b] [c] d'],
  ['{{ (index . "a") }}{{ index (.) "b" }}', '[a] [b]'],
  ['{{ if .a }}{{ .b }}{{ else }}{{ .c }}{{ end }}{{ .d }}', 'a b? c? d'],
  ['{{ if .a }}x{{ else if .b }}y{{ end }}', 'a b?'],
  ['{{ and .a .b }}{{ or .c .d }}', 'a b? c d?'],
  ['{{ with .a }}{{ .x }}{{ $.b }}{{ else }}{{ .c }}{{ end }}', 'a b? c?'],
  ['{{ range .a }}{{ .x }}{{ $.b }}{{ else }}{{ .c }}{{ end }}', 'a b? c?'],
  ['{{ with . }}{{ .a }}{{ end }}', 'a?'],
  ['{{ with $x := . }}{{ $x.a }}{{ .b }}{{ end }}', 'a? b?'],
  ['{{ $r := . }}{{ $r.a }}{{ with 1 }}{{ $r.b }}{{ end }}', 'a b?'],
  ['{{ $r := . }}{{ $r := .a }}{{ $r.b }}', 'a'],
  ['{{ range $k, $v := . }}{{ $k }}{{ end }}', '*'],
  ['{{ toJson . }}{{ get $ "a" }}', '*'],
  ['{{ (.).a }}{{ ($).b }}', 'a b'],
  ['{{ template "t" . }}{{ define "t" }}{{ .a }}{{ $.b }}{{ end }}', 'a b'],
  ['{{ template "t" .c }}{{ define "t" }}{{ .a }}{{ $.b }}{{ end }}', 'c'],
  ['{{ template "t" }}{{ define "t" }}{{ .a }}{{ end }}', ''],
  ['{{ define "t" }}{{ .a }}{{ end }}', ''],
  ['{{ if .a }}{{ template "t" . }}{{ end }}{{ define "t" }}{{ .b }}{{ template "t" . }}{{ end }}', 'a b?'],
  ['{{ block "t" . }}{{ .a }}{{ end }}', 'a'],
];

for (const [text, expected] of CASES) {
  test(`reads of ${text}`, () => {
    assert.equal(reads(text), expected);
  });
}

test('a read has its offset in bytes, where the key stands', () => {
  const source = 'é {{ .host }}\n{{ index . "port" }}';
  const { reads: found } = parseTemplate('k', source, FUNCTIONS).fields();
  const at = (text: string): string =>
    Buffer.from(source)
      .subarray(found.find(({ key }) => key === text)?.offset)
      .toString();
  assert.ok(at('host').startsWith('.host'));
  assert.ok(at('port').startsWith('"port"'));
});
