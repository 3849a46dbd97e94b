/**
 * The cases that External Secrets Operator's end-to-end suite runs against every provider, under its names, as
 * one table: what stands at the provider, what the ExternalSecret says, what the Secret holds.
 */
import type { Manifest } from './support/cluster.ts';

/** How a provider holds and finds what the cases want. */
export interface Dialect {
  /** remoteRef of a secret that is a text and no JSON. */
  readonly text: (key: string) => object;
  /** What a find gives for such a secret. */
  readonly foundText: (text: string) => string;
  /** The whole name of a remote key, which finds go by; the key itself if absent. */
  readonly named?: (key: string) => string;
}

/** What stands at the provider: a text, or an object that is written as its JSON. */
export interface RemoteSecret {
  readonly value: string | Readonly<Record<string, unknown>>;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface CommonCase {
  /** As ESO calls it. */
  readonly name: string;
  readonly remote: Readonly<Record<string, RemoteSecret>>;
  /** ConfigMaps beside the ExternalSecret, by name. */
  readonly configMaps?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Without store, interval and the name of the target. */
  readonly spec: object;
  readonly target?: object;
  /** True: spec.target names no Secret. */
  readonly ownName?: true;
  readonly expected: {
    readonly data: Readonly<Record<string, string>>;
    /** Opaque if it is left out. */
    readonly type?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  /** What a provider needs for it beside reading and finding by name. */
  readonly needs?: 'tags' | 'path';
}

const json = (value: Readonly<Record<string, unknown>>): RemoteSecret => ({ value });
const text = (value: string): RemoteSecret => ({ value });
const at = (key: string, property?: string): object => ({
  key,
  ...(property === undefined ? {} : { property }),
});
const entry = (secretKey: string, remoteRef: object): object => ({ secretKey, remoteRef });

const DOCKER = '{"auths":{"registry.example.com":{"auth":"dTpw","password":"p","username":"u"}}}';
const SSH_KEY = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU=',
  'bm90IGEga2V5IGF0IGFsbA==',
  '-----END OPENSSH PRIVATE KEY-----',
  '',
].join('\n');
const PERSON = {
  name: { first: 'Tom', last: 'Anderson' },
  friends: [
    { first: 'Dale', last: 'Murphy' },
    { first: 'Roger', last: 'Craig' },
  ],
};

/** The cases in the words of one provider. Remote keys begin with the case's own folder. */
export function commonCases({
  text: textRef,
  foundText,
  named = (key) => key,
}: Dialect): readonly CommonCase[] {
  const foundKey = (key: string): string => named(key).replaceAll('/', '_');
  return [
    {
      name: 'SimpleDataSync',
      remote: { 'simple/one': text('first value'), 'simple/two': text('second value') },
      spec: { data: [entry('one', textRef('simple/one')), entry('two', textRef('simple/two'))] },
      expected: { data: { one: 'first value', two: 'second value' } },
    },
    {
      name: 'SyncWithoutTargetName',
      remote: { 'unnamed/one': text('value') },
      spec: { data: [entry('one', textRef('unnamed/one'))] },
      ownName: true,
      expected: { data: { one: 'value' } },
    },
    {
      name: 'JSONDataWithProperty',
      remote: { 'property/one': json({ foo: '1', bar: 'x' }), 'property/two': json({ foo: '2' }) },
      spec: { data: [entry('one', at('property/one', 'foo')), entry('two', at('property/two', 'foo'))] },
      expected: { data: { one: '1', two: '2' } },
    },
    {
      name: 'JSONDataWithoutTargetName',
      remote: { 'property-unnamed/one': json({ foo: '1' }) },
      spec: { data: [entry('one', at('property-unnamed/one', 'foo'))] },
      ownName: true,
      expected: { data: { one: '1' } },
    },
    {
      name: 'JSONDataWithTemplate',
      remote: { 'template/one': json({ foo: '1' }), 'template/two': json({ bar: 'two' }) },
      spec: { data: [entry('one', at('template/one', 'foo')), entry('two', at('template/two', 'bar'))] },
      target: {
        template: {
          metadata: { labels: { example: 'of-{{ .two }}' }, annotations: { example: '{{ .two | upper }}!' } },
          data: { my: 'one {{ .one }}, two {{ .two | toString }}' },
        },
      },
      expected: {
        data: { my: 'one 1, two two' },
        labels: { example: 'of-two' },
        annotations: { example: 'TWO!' },
      },
    },
    {
      name: 'JSONDataWithTemplateFromLiteral',
      remote: { 'literal/one': json({ foo: '1' }), 'literal/two': json({ bar: 'two' }) },
      spec: { data: [entry('one', at('literal/one', 'foo')), entry('two', at('literal/two', 'bar'))] },
      target: {
        template: { templateFrom: [{ literal: 'first: "{{ .one }}"\n{{ .two }}-key: {{ .two }}' }] },
      },
      expected: { data: { first: '1', 'two-key': 'two' } },
    },
    {
      name: 'TemplateFromConfigmaps',
      remote: { 'config-maps/one': json({ foo: '1', bar: 'two' }) },
      configMaps: {
        'common-values': { 'app.conf': 'foo={{ .foo }}\nbar={{ .bar }}\n' },
        'common-pairs': {
          pairs: '{{ range $k, $v := . }}\ncopy-{{ $k }}: {{ $v | quote }}\n{{ end }}',
          labels: 'tier: {{ .bar }}',
          annotations: 'note: "{{ .foo }} and {{ .bar }}"',
        },
      },
      spec: { dataFrom: [{ extract: at('config-maps/one') }] },
      target: {
        template: {
          templateFrom: [
            { configMap: { name: 'common-values', items: [{ key: 'app.conf' }] } },
            { configMap: { name: 'common-pairs', items: [{ key: 'pairs', templateAs: 'KeysAndValues' }] } },
            {
              target: 'Labels',
              configMap: { name: 'common-pairs', items: [{ key: 'labels', templateAs: 'KeysAndValues' }] },
            },
            {
              target: 'Annotations',
              configMap: {
                name: 'common-pairs',
                items: [{ key: 'annotations', templateAs: 'KeysAndValues' }],
              },
            },
          ],
        },
      },
      expected: {
        data: { 'app.conf': 'foo=1\nbar=two\n', 'copy-foo': '1', 'copy-bar': 'two' },
        labels: { tier: 'two' },
        annotations: { note: '1 and two' },
      },
    },
    {
      name: 'JSONDataFromSync',
      remote: { 'extract/one': json({ foo: '1', bar: 'two', empty: '' }) },
      spec: { dataFrom: [{ extract: at('extract/one') }] },
      expected: { data: { foo: '1', bar: 'two', empty: '' } },
    },
    {
      name: 'JSONDataFromExtractProperty',
      remote: { 'extract-property/one': json({ other: 'x', db: { host: 'db.example.com', port: 5432 } }) },
      spec: { dataFrom: [{ extract: at('extract-property/one', 'db') }] },
      expected: { data: { host: 'db.example.com', port: '5432' } },
    },
    {
      name: 'JSONDataFromRewrite',
      remote: { 'rewrite/one': json({ username: 'u', address: 'a' }) },
      spec: {
        dataFrom: [
          {
            extract: at('rewrite/one'),
            rewrite: [{ regexp: { source: '(.*)', target: 'my_$1' } }],
          },
        ],
      },
      expected: { data: { my_username: 'u', my_address: 'a' } },
    },
    {
      name: 'NestedJSONWithGJSON',
      remote: { 'nested/one': json(PERSON) },
      spec: {
        data: [
          entry('first', at('nested/one', 'name.first')),
          entry('friend', at('nested/one', 'friends.1.first')),
        ],
        dataFrom: [{ extract: at('nested/one', 'friends.0') }],
      },
      // `first` of the extract is overwritten: data comes after dataFrom.
      expected: { data: { first: 'Tom', friend: 'Roger', last: 'Murphy' } },
    },
    {
      name: 'DockerJSONConfig',
      remote: { 'docker/one': json(JSON.parse(DOCKER) as Record<string, unknown>) },
      spec: { data: [entry('config', at('docker/one'))] },
      target: {
        template: {
          type: 'kubernetes.io/dockerconfigjson',
          data: { '.dockerconfigjson': '{{ .config | toString }}' },
        },
      },
      expected: { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': DOCKER } },
    },
    {
      name: 'DataPropertyDockerconfigJSON',
      remote: { 'docker-property/one': json({ dockerconfig: DOCKER, other: 'x' }) },
      spec: { data: [entry('config', at('docker-property/one', 'dockerconfig'))] },
      target: {
        template: {
          type: 'kubernetes.io/dockerconfigjson',
          data: { '.dockerconfigjson': '{{ .config | toString }}' },
        },
      },
      expected: { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': DOCKER } },
    },
    {
      name: 'SSHKeySync',
      remote: { 'ssh/one': text(SSH_KEY) },
      spec: { data: [entry('key', textRef('ssh/one'))] },
      target: {
        template: { type: 'kubernetes.io/ssh-auth', data: { 'ssh-privatekey': '{{ .key | toString }}' } },
      },
      expected: { type: 'kubernetes.io/ssh-auth', data: { 'ssh-privatekey': SSH_KEY } },
    },
    {
      name: 'SSHKeySyncDataProperty',
      remote: { 'ssh-property/one': json({ ssh: SSH_KEY }) },
      spec: { data: [entry('ssh-privatekey', at('ssh-property/one', 'ssh'))] },
      target: { template: { type: 'kubernetes.io/ssh-auth' } },
      expected: { type: 'kubernetes.io/ssh-auth', data: { 'ssh-privatekey': SSH_KEY } },
    },
    {
      name: 'DecodingPolicySync',
      remote: {
        'decoding/one': json({ std: 'Zm9vP2Jhcj8=', url: 'Zm9vP2Jhcj9-', plain: 'neither of them!' }),
      },
      spec: {
        data: [
          entry('base64', { ...at('decoding/one', 'std'), decodingStrategy: 'Base64' }),
          entry('base64url', { ...at('decoding/one', 'url'), decodingStrategy: 'Base64URL' }),
          entry('auto', { ...at('decoding/one', 'url'), decodingStrategy: 'Auto' }),
          entry('auto-plain', { ...at('decoding/one', 'plain'), decodingStrategy: 'Auto' }),
          entry('none', { ...at('decoding/one', 'std'), decodingStrategy: 'None' }),
        ],
      },
      expected: {
        data: {
          base64: 'foo?bar?',
          base64url: 'foo?bar?~',
          auto: 'foo?bar?~',
          'auto-plain': 'neither of them!',
          none: 'Zm9vP2Jhcj8=',
        },
      },
    },
    {
      name: 'FindByName',
      remote: {
        'find-name/one': text('1'),
        'find-name/two': text('2'),
        'find-name-not/three': text('3'),
      },
      spec: { dataFrom: [{ find: { name: { regexp: `^${named('find-name/')}.+` } } }] },
      expected: {
        data: { [foundKey('find-name/one')]: foundText('1'), [foundKey('find-name/two')]: foundText('2') },
      },
    },
    {
      name: 'FindByNameAndRewrite',
      remote: { 'find-rewrite/one': text('1'), 'find-rewrite/two': text('2') },
      spec: {
        dataFrom: [
          {
            find: { name: { regexp: `^${named('find-rewrite/')}` } },
            rewrite: [{ regexp: { source: `^${named('find-rewrite/')}(.*)$`, target: 'found-$1' } }],
          },
        ],
      },
      expected: { data: { 'found-one': foundText('1'), 'found-two': foundText('2') } },
    },
    {
      name: 'FindByNameWithPath',
      needs: 'path',
      remote: { 'find-path/in/one': text('1'), 'find-path/out/one': text('2') },
      spec: { dataFrom: [{ find: { path: named('find-path/in'), name: { regexp: 'one$' } } }] },
      expected: { data: { [foundKey('find-path/in/one')]: foundText('1') } },
    },
    {
      name: 'FindByTag',
      needs: 'tags',
      remote: {
        'find-tag/one': { ...text('1'), tags: { group: 'tagged', name: 'one' } },
        'find-tag/two': { ...text('2'), tags: { group: 'tagged' } },
        'find-tag/three': { ...text('3'), tags: { group: 'other' } },
        'find-tag/four': text('4'),
      },
      spec: { dataFrom: [{ find: { tags: { group: 'tagged' } } }] },
      expected: {
        data: { [foundKey('find-tag/one')]: foundText('1'), [foundKey('find-tag/two')]: foundText('2') },
      },
    },
    {
      name: 'FindByTagWithPath',
      needs: 'tags',
      remote: {
        'find-tag-path/in/one': { ...text('1'), tags: { kind: 'wanted' } },
        'find-tag-path/in/two': { ...text('2'), tags: { kind: 'other' } },
        'find-tag-path/out/one': { ...text('3'), tags: { kind: 'wanted' } },
      },
      spec: { dataFrom: [{ find: { path: named('find-tag-path/in'), tags: { kind: 'wanted' } } }] },
      expected: { data: { [foundKey('find-tag-path/in/one')]: foundText('1') } },
    },
  ];
}

export const configMap = (where: string, name: string, data: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: where },
  data,
});
