import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import { externalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import { type Rendered, render } from './render.ts';
import { templateSources } from './template-sources.ts';

const VALUE = 'sntnl value!';
const KEPT = '\n{{ sntnlFunction .password }}';
const never = new AbortController().signal;

/** Renders a template over the value, as the engine does. */
async function rendered(template: object): Promise<Rendered> {
  const spec = externalSecretSpec.parse({
    secretStoreRef: { name: 's' },
    dataFrom: [{ extract: { key: 'k' } }],
    target: { template },
  });
  const reader = {
    configMap: async () => undefined,
    secret: async () => new Map([['a', Buffer.from(KEPT)]]),
  };
  const sources = await templateSources('ns', spec, reader, never);
  return render(spec, new Map([['password', SecretValue.fromText(VALUE)]]), sources, systemClock, never);
}

async function refusal(template: object): Promise<EsaError> {
  const error = await rendered(template).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof EsaError);
  assert.ok(!`${error.message} ${String(error.cause)}`.includes('sntnl'), error.message);
  return error;
}

const literal = (target: string, text: string): object => ({ templateFrom: [{ target, literal: text }] });

test('a label, a key or a name that is rendered from a value is refused before the API server repeats it', async () => {
  for (const [template, message] of [
    [{ metadata: { labels: { team: '{{ .password }}' } } }, /label "team" is not valid after rendering/],
    [literal('Labels', 'a: "{{ .password }}"'), /a label is not valid/],
    [literal('Labels', '"{{ .password }}": a'), /a label name is not valid/],
    [literal('Annotations', '"{{ .password }}": a'), /an? annotation name is not valid/],
    [literal('Data', '"{{ .password }}": a'), /a key is not valid/],
  ] as const) {
    const error = await refusal(template);
    assert.equal(error.code, 'TEMPLATE_RESULT');
    assert.match(error.message, message);
  }
});

test('what Kubernetes allows passes', async () => {
  const { data, labels, annotations } = await rendered({
    data: { 'a.b-c_D': 'x' },
    metadata: {
      labels: { 'example.com/Name': 'v1.2_3-x', empty: '' },
      annotations: { 'Example.com/x': '{{ .password }}' },
    },
  });
  assert.deepEqual([...(data?.keys() ?? [])], ['a.b-c_D']);
  assert.deepEqual(labels, { 'example.com/Name': 'v1.2_3-x', empty: '' });
  assert.deepEqual(annotations, { 'Example.com/x': VALUE });
});

test('an error in a template that is kept in a Secret says the line and nothing of the text', async () => {
  const items = [{ key: 'a' }];
  const error = await refusal({ templateFrom: [{ secret: { name: 'templates', items } }] });
  assert.equal(error.code, 'TEMPLATE_PARSE');
  assert.match(error.message, /secret\.items\[0\]: unable to parse template at key a: line 2, not repeated/);
});
