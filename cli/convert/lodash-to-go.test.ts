// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what lodash's templates are written with
/** Each template is rendered by both languages with the same values, and gives the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseTemplate } from '../../template/engine.ts';
import { FUNCTIONS } from '../../template/functions/index.ts';
import { renderLodash } from '../../template/lodash/lodash.ts';
import { fromUtf8, GoMap, mapOf, T, toUtf8 } from '../../template/value.ts';
import { lodashBase64ToGo, lodashToGo } from './lodash-to-go.ts';

const DATA = {
  s1: '{"intKey":11,"objKey":{"strKey":"hello wide world","bKey":true}}',
  s2: '{"arrKey":[1,2,3],"names":["ann","bob"]}',
  user: 'Änn {{ }} b',
  empty: '',
  b64: 'cMOk',
  'with-dash': 'd',
};
const KEYS = new Set(Object.keys(DATA));

function renderGo(text: string): string {
  const entries = new Map(Object.entries(DATA).map(([key, value]) => [key, fromUtf8(value)]));
  const template = parseTemplate('t', text, FUNCTIONS);
  assert.deepEqual(template.callProblems(), []);
  return toUtf8(template.execute(new GoMap(mapOf(T.string), entries)));
}

describe('what is simple gives the same as a Go template', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['text {{ as }} it is', 'text {{ "{{" }} as }} it is'],
    ['<%= data.user %>|${data.user}', '{{ .user }}|{{ .user }}'],
    ['<%= data["with-dash"] %>', '{{ index . "with-dash" }}'],
    ['<%= data.none %>', '{{ index . "none" }}'],
    ['<%= JSON.parse(data.s1).intKey %>', '{{ (fromJson .s1).intKey }}'],
    ['<%= JSON.parse(data.s2).arrKey[1] %>', '{{ index ((fromJson .s2).arrKey) 1 }}'],
    ['<%= JSON.parse(data.s1)["intKey"].toString() %>', '{{ (fromJson .s1).intKey }}'],
    [
      '<%= JSON.parse(data.s1).objKey.strKey.replace(" ", "-") %>',
      '{{ regexReplaceAll "(?s)^(.*?) " ((fromJson .s1).objKey.strKey) "${1}-" }}',
    ],
    [
      '<%= JSON.parse(data.s1).objKey.strKey.replace(/ /g, "_") %>',
      '{{ replace " " "_" ((fromJson .s1).objKey.strKey) }}',
    ],
    ['<%= data.user.replaceAll("n", "N").toUpperCase() %>', '{{ upper (replace "n" "N" .user) }}'],
    ['<%= data.user.trim().toLowerCase() %>', '{{ lower (trim .user) }}'],
    ['<%= "a" + data.user + `-${data.b64}` %>', 'a{{ .user }}-{{ .b64 }}'],
    ['<%= data.empty || "default" %>', '{{ .empty | default "default" }}'],
    ['<%= data.user ? "yes" : "no" %>', '{{ if .user }}yes{{ else }}no{{ end }}'],
    ['<%= Buffer.from(data.user).toString("base64") %>', '{{ b64enc .user }}'],
    ['<%= Buffer.from(data.b64, "base64").toString() %>', '{{ b64dec .b64 }}'],
    ['<%= JSON.stringify(JSON.parse(data.s2)) %>', '{{ toRawJson (fromJson .s2) }}'],
    ['<%= yaml.dump(JSON.parse(data.s2).names[0]) %>', '{{ toYaml (index ((fromJson .s2).names) 0) }}\n'],
    [
      '<% if (data.user === "x" || !data.empty) { %>a<% } else if (data.user) { %>b<% } %>',
      '{{ if or (eq .user "x") (not .empty) }}a{{ else }}{{ if .user }}b{{ end }}{{ end }}',
    ],
    [
      '<% JSON.parse(data.s2).names.forEach((name, i) => { %><%= i %>=<%= name %>;<% }) %>',
      '{{ range $i, $name := (fromJson .s2).names }}{{ $i }}={{ $name }};{{ end }}',
    ],
    [
      '<% for (const name of JSON.parse(data.s2).names) { %><%= name.toUpperCase() %> <% } %>',
      '{{ range $_, $name := (fromJson .s2).names }}{{ upper $name }} {{ end }}',
    ],
    [
      '<% Object.entries(JSON.parse(data.s2)).forEach(([k, v]) => { %><%= k %><%= v.length %> <% }) %>',
      '{{ range $k, $v := fromJson .s2 }}{{ $k }}{{ len $v }} {{ end }}',
    ],
    [
      '<%= yaml.dump(JSON.parse(data.s1).objKey.strKey) %>\n<% let s2 = JSON.parse(data.s2) %><% s2.arrKey.forEach((e, i) => { %>arr_<%= i %>: <%= e %>\n<% }) %>`\n',
      '{{ toYaml ((fromJson .s1).objKey.strKey) }}\n\n{{ $s2 := fromJson .s2 }}{{ range $i, $e := $s2.arrKey }}arr_{{ $i }}: {{ $e }}\n{{ end }}`\n',
    ],
  ];
  for (const [lodash, go] of cases) {
    test(lodash, () => {
      const translated = lodashToGo(lodash, KEYS);
      assert.equal(translated.ok ? translated.text : translated.reason, go);
      assert.equal(renderGo(go), renderLodash(lodash, new Map(Object.entries(DATA))));
    });
  }
});

describe('what stands in base64 gives what is encoded', () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      '<%= Buffer.from(JSON.parse(data.s1).objKey.strKey).toString("base64") %>\n',
      '{{ (fromJson .s1).objKey.strKey }}',
    ],
    ['<%= data.b64 %>', '{{ .b64 | b64dec }}'],
  ];
  for (const [lodash, go] of cases) {
    test(lodash, () => {
      const translated = lodashBase64ToGo(lodash, KEYS);
      assert.equal(translated.ok ? translated.text : translated.reason, go);
      const encoded = renderLodash(lodash, new Map(Object.entries(DATA)));
      assert.equal(renderGo(go), Buffer.from(encoded, 'base64').toString());
    });
  }

  test('of one part', () => {
    for (const text of ['aGk=<%= data.b64 %>', '<%= data.b64 %><%= data.b64 %>'])
      assert.deepEqual(lodashBase64ToGo(text, KEYS), {
        ok: false,
        reason: text.startsWith('a')
          ? 'base64 of several parts has no simple counterpart in a Go template'
          : 'base64 of several parts',
      });
  });
});

describe('what is not simple is named', () => {
  for (const text of [
    '<%- data.user %>',
    '<%= data.user.split("").length %>',
    '<%= data.user.replace(/n+/g, "x") %>',
    '<%= data.user.replace(/n/, "x") %>',
    '<%= data.user.replaceAll("n", "$&") %>',
    '<%= 1 + 1 %>',
    '<% if (JSON.parse(data.s1).intKey === 11) { %>x<% } %>',
    '<% for (let i = 0; i < 2; i++) { %>x<% } %>',
    '<%= JSON.parse(data.s2).names.map((n) => n) %>',
    '<%= encodeURIComponent(data.user) %>',
    '<%= JSON.parse(data.s1)?.intKey %>',
    '<%= JSON.stringify(data.s1, null, 2) %>',
  ]) {
    test(text, () => {
      const translated = lodashToGo(text, KEYS);
      assert.match(
        translated.ok ? translated.text : translated.reason,
        /has no simple counterpart in a Go template$/,
      );
    });
  }

  test('what no template may say, in its words', () =>
    assert.deepEqual(lodashToGo('<%= process.env %>', KEYS), {
      ok: false,
      reason: 'line 1, column 5: there is no process: the fetched values are the members of data',
    }));

  test('what may come out differently', () => {
    const notes = (text: string): readonly string[] => {
      const translated = lodashToGo(text, KEYS);
      return translated.ok ? translated.notes.map((note) => note.split(' ')[0] ?? '') : [];
    };
    assert.deepEqual(notes('<%= data.user %>'), []);
    assert.deepEqual(notes('<%= JSON.parse(data.s1).intKey %>'), ['a', 'numbers']);
    assert.deepEqual(notes('<%= JSON.stringify(JSON.parse(data.s1)) %>'), ['members']);
  });
});
