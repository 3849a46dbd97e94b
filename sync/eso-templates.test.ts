// The cases of External Secrets Operator's template tests (eso.md 9.4), through the engine as a sync runs it. What
// each function makes is compared with Go in template/corpus.test.ts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { type ExternalSecretSpec, externalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import { render } from './render.ts';
import { templateSources } from './template-sources.ts';

const never = new AbortController().signal;
const VALUES = { plain: 'text', encoded: 'dGV4dA==', number: '42', json: '{"a":{"b":"c"},"l":[1,2]}' };
/** The public key of the example in RFC 7517, appendix A.1. */
const JWK =
  '{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}';

const configMaps: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  templates: { file: 'is {{ .plain }}', pairs: 'a: {{ .plain }}\n{{ .plain }}: "{{ .number }}"' },
};

type Template = NonNullable<NonNullable<ExternalSecretSpec['target']>['template']>;

async function rendered(template: object, values: Readonly<Record<string, string>> = VALUES) {
  const spec = externalSecretSpec.parse({
    secretStoreRef: { name: 's' },
    dataFrom: [{ extract: { key: 'k' } }],
    target: { template: template as Template },
  });
  const reader = {
    configMap: async (_namespace: string, name: string) => configMaps[name],
    secret: async (_namespace: string, name: string) =>
      name === 'templates' ? new Map([['file', Buffer.from('of a Secret: {{ .plain }}')]]) : undefined,
  };
  const sources = await templateSources('ns', spec, reader, never);
  const input = new Map(Object.entries(values).map(([key, text]) => [key, SecretValue.fromText(text)]));
  const { data, labels, annotations } = await render(spec, input, sources, systemClock, never);
  const texts = Object.fromEntries([...(data ?? [])].map(([key, value]) => [key, value.revealText()]));
  return { data: texts, labels, annotations };
}

const dataOf = async (template: object): Promise<Readonly<Record<string, string>>> =>
  (await rendered(template)).data;

describe('9.4 Execute', () => {
  for (const [what, text, expected] of [
    ['a value', '{{ .plain }}', 'text'],
    ['base64 decoded', '{{ .encoded | b64dec }}', 'text'],
    ['base64 encoded', '{{ .plain | b64enc }}', 'dGV4dA=='],
    ['toString', '{{ .plain | toString | upper }}', 'TEXT'],
    ['fromJson and back', '{{ (.json | fromJson).a | toJson }}', '{"b":"c"}'],
    ['sprig', '{{ .plain | replace "t" "T" | quote }} {{ add 1 (.number | int) }}', '"TexT" 43'],
    ['jwk to PEM', '{{ jwkPublicKeyPem .jwk | splitList "\\n" | first }}', '-----BEGIN PUBLIC KEY-----'],
    ['what trims', '{{- range $i, $v := list 1 2 }}{{ if $i }},{{ end }}{{ $v }}{{ end -}}', '1,2'],
  ] as const) {
    test(what, async () => {
      const { data } = await rendered({ data: { k: text } }, { ...VALUES, jwk: JWK });
      assert.deepEqual(data, { k: expected });
    });
  }

  for (const [what, text, message] of [
    [
      'a missing key',
      '{{ .absent }}',
      /: unable to execute template at key k: template: k:1:3: executing "k" at <\.absent>: map has no entry for key "absent"/,
    ],
    ['a template that does not parse', '{{ .plain', /: unable to parse template at key k: template: k:1: /],
    ['a function that is not there', '{{ .plain | nope }}', /function "nope" not defined/],
    ['getHostByName', '{{ getHostByName "localhost" }}', /function "getHostByName" not defined/],
    ['a PKCS#12 file that is none', '{{ .plain | pkcs12key }}', /pkcs12key/],
    ['a JWK that is none', '{{ .plain | jwkPublicKeyPem }}', /jwkPublicKeyPem/],
  ] as const) {
    test(`${what}: an error with its place`, () =>
      assert.rejects(rendered({ data: { k: text } }), (error: Error) => {
        assert.match(error.message, message);
        return true;
      }));
  }
});

describe('9.4 targets and scopes', () => {
  test('the case of a target does not count', async () => {
    for (const target of ['Labels', 'labels', 'LABELS'])
      assert.deepEqual((await rendered({ templateFrom: [{ literal: 'a: b', target }] })).labels, { a: 'b' });
    for (const target of ['Annotations', 'annotations', 'aNNotations'])
      assert.deepEqual((await rendered({ templateFrom: [{ literal: 'a: b', target }] })).annotations, {
        a: 'b',
      });
    for (const target of ['Data', 'data', ''])
      assert.deepEqual(await dataOf({ templateFrom: [{ literal: 'a: b', target }] }), { a: 'b' });
  });

  test('KeysAndValues: the whole text is rendered, then read as YAML', async () => {
    const items = [{ key: 'pairs', templateAs: 'KeysAndValues' }];
    assert.deepEqual(await dataOf({ templateFrom: [{ configMap: { name: 'templates', items } }] }), {
      a: 'text',
      text: '42',
    });
  });

  test('KeysAndValues that render to no map', () =>
    assert.rejects(rendered({ templateFrom: [{ literal: '- {{ .plain }}' }] }), (error: Error) => {
      assert.doesNotMatch(error.message, /text/);
      return true;
    }));

  test('Values: the key of the item is that of the Secret, from ConfigMap and Secret', async () => {
    const from = (kind: string): object => ({ [kind]: { name: 'templates', items: [{ key: 'file' }] } });
    assert.deepEqual(await dataOf({ templateFrom: [from('configMap')] }), { file: 'is text' });
    assert.deepEqual(await dataOf({ templateFrom: [from('secret')] }), { file: 'of a Secret: text' });
    // The later one wins.
    assert.deepEqual(await dataOf({ templateFrom: [from('secret'), from('configMap')] }), {
      file: 'is text',
    });
  });

  test('an invalid scope is refused by the schema', () => {
    const items = [{ key: 'pairs', templateAs: 'Nonsense' }];
    const template = { templateFrom: [{ configMap: { name: 'templates', items } }] };
    assert.equal(externalSecretSpec.safeParse({ target: { template } }).success, false);
  });

  test('values that were rendered are decoded', async () => {
    for (const [valuesDecodingStrategy, expected] of [
      ['Base64', 'text'],
      ['Auto', 'text'],
      ['None', 'dGV4dA=='],
    ] as const) {
      const entry = { literal: 'k: {{ .encoded }}', valuesDecodingStrategy };
      assert.deepEqual(await dataOf({ templateFrom: [entry] }), { k: expected });
    }
    const url = { literal: 'k: Zm9vP2Jhcj9-', valuesDecodingStrategy: 'Base64URL' };
    assert.deepEqual(await dataOf({ templateFrom: [url] }), { k: 'foo?bar?~' });
    await assert.rejects(
      rendered({ templateFrom: [{ literal: 'k: "{{ .plain }}!"', valuesDecodingStrategy: 'Base64' }] }),
      (error: Error) => /Base64/.test(error.message) && !/text!/.test(error.message),
    );
  });

  test('templates about metadata only leave no data, as in ESO; with mergePolicy Merge what was read stays', async () => {
    const templateFrom = [{ literal: 'a: b', target: 'Labels' }];
    assert.deepEqual(await dataOf({ templateFrom }), {});
    assert.deepEqual(await dataOf({ templateFrom, mergePolicy: 'Merge' }), VALUES);
  });
});
