import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal, render } from '../../test/harness/template.ts';

const MIB = 1 << 20;

/** Far above what the machine needs, far below what a missing limit would take. */
const MOST_MS = 2000;
const MOST_BYTES = 64 * MIB;

const GREEDY: readonly string[] = [
  '{{ range $i, $x := until 100000000 }}{{ end }}',
  '{{ until 9223372036854775807 }}',
  '{{ untilStep -9223372036854775808 9223372036854775807 1 }}',
  '{{ seq 100000000 }}',
  '{{ repeat 100000000 "x" }}',
  '{{ repeat 4611686018427387904 "x" }}',
  '{{ indent 100000000 "x" }}',
  '{{ nindent 1000000 .lines }}',
  '{{ replace "" .text .text }}',
  '{{ replace "x" .text .text }}',
  '{{ join .text (until 100000) }}',
  '{{ wrapWith 1 .text .text }}',
  '{{ randAlphaNum 1000000000 }}',
  '{{ chunk 1 (until 1000000) }}',
  '{{ range until 100000 }}{{ int $.digits }}{{ end }}',
  '{{ range until 100000 }}{{ atoi $.digits }}{{ end }}',
  '{{ range until 100000 }}{{ fromJson $.text }}{{ end }}',
  '{{ range until 100000 }}{{ snakecase $.text }}{{ end }}',
  '{{ $d := dict }}{{ range $i := until 100000 }}{{ $_ := set $d (toString $i) (list $i) }}{{ $_ := toJson $d }}{{ end }}',
  '{{ $l := list }}{{ range until 100000 }}{{ $l = append $l 1 }}{{ end }}',
  '{{ $l := list (dict) }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}{{ uniq $l }}',
  '{{ $s := "x" }}{{ range until 40 }}{{ $s = cat $s $s }}{{ end }}{{ $s }}',
  '{{ $s := "x" }}{{ range until 40 }}{{ $s = quote $s $s }}{{ end }}{{ $s }}',
];

test('a greedy template is refused before it takes time or memory', () => {
  const data = { text: 'x'.repeat(10_000), lines: '\n'.repeat(1000), digits: '0'.repeat(10_000) };
  for (const template of GREEDY) {
    const before = process.memoryUsage().rss;
    const start = performance.now();
    assert.equal(refusal(template, data).code, 'TEMPLATE_BUDGET', template);
    const took = performance.now() - start;
    assert.ok(took < MOST_MS, `${took} ms: ${template}`);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < MOST_BYTES, `${grown / MIB} MiB: ${template}`);
  }
});

test('what real templates do with large values stays within the limits', () => {
  const text = 'line of text with words\n'.repeat(10_000);
  const json = JSON.stringify(
    Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`key-${i}`, text.slice(0, 50)])),
  );
  assert.equal(render('{{ .text | upper | trim | quote | len }}', { text }), '250000');
  assert.equal(render('{{ .text | indent 4 | len }}', { text }), '280004');
  assert.equal(render('{{ .json | fromJson | toPrettyJson | fromJson | keys | len }}', { json }), '1000');
  assert.equal(
    render('{{ range $k, $v := fromJson .json }}{{ $k | upper }}{{ end }}', { json }).slice(0, 5),
    'KEY-0',
  );
  assert.equal(render('{{ splitList "\\n" .text | uniq | len }}', { text }), '2');
});
