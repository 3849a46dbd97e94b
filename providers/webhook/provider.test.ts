import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { Connection, ProviderError, RemoteRef, StoreContext } from '../contract.ts';
import { closeOutbound, configureOutbound } from '../http.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { webhookConfigSchema } from './config.ts';
import { webhookProvider } from './provider.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 'hook',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

describe('webhook', () => {
  let server: Server;
  let origin = '';
  let answer: { status?: number; headers?: Record<string, string>; body?: string };
  let asked: { line: string; headers: IncomingHttpHeaders; body: string }[];
  let cluster: MemoryCluster;

  before(async () => {
    configureOutbound({ allowLoopback: true });
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
        response.writeHead(answer.status ?? 200, answer.headers ?? {}).end(answer.body ?? 'value');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    await closeOutbound();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    configureOutbound({ allowLoopback: false });
  });
  beforeEach(() => {
    answer = {};
    asked = [];
    cluster = new MemoryCluster()
      .set('Secret', 'team/login', { user: 'me', token: 'SENTINEL/+ &ä', host: '127.0.0.1' })
      .label('team/login', { 'external-secrets.io/type': 'webhook' })
      .set('Secret', 'team/plain', { token: 'x' });
  });

  const login = { secrets: [{ name: 'login', secretRef: { name: 'login' } }] };
  const connect = (block: object, context: StoreContext = store): Promise<Connection> =>
    webhookProvider.connect(webhookConfigSchema.parse(block), context, cluster.ports, soon());
  const read = async (block: object, ref: Partial<RemoteRef> = {}, context: StoreContext = store) =>
    (await connect(block, context)).read({ key: 'k', ...ref }, soon());
  const at = (path: string, more: object = {}): object => ({ url: `${origin}${path}`, ...more });
  const fails = (code: string, message: RegExp) => (error: ProviderError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(
      `${inspect(error, { depth: 9, showHidden: true })}${JSON.stringify(error)}`,
      /SENTINEL/,
    );
    return true;
  };

  describe('the request', () => {
    test('url, with what is inserted escaped, headers and body, which are not', async () => {
      await read(
        at('/{{ .remoteRef.key }}/{{ .login.user }}?p={{ .remoteRef.property }}&t={{ .login.token }}', {
          ...login,
          method: 'POST',
          headers: { 'X-Who': 'u {{ .login.user }} {{ .remoteRef.namespace }}' },
          body: '{"token": "{{ .login.token }}", "version": "{{ .remoteRef.version }}"}',
        }),
        { key: 'a/b c?ü', property: 'x&y', version: '7' },
      );
      const [one] = asked;
      assert.equal(one?.line, 'POST /a%2Fb%20c%3F%C3%BC/me?p=x%26y&t=SENTINEL%2F%2B%20%26%C3%A4');
      assert.equal(one?.headers['x-who'], 'u me team');
      assert.equal(one?.body, '{"token": "SENTINEL/+ &ä", "version": "7"}');
    });

    test('functions of templates: Basic credentials', async () => {
      const headers = { Authorization: 'Basic {{ printf "%s:pw" .login.user | b64enc }}' };
      await read(at('/x', { ...login, headers }));
      assert.equal(asked[0]?.headers.authorization, `Basic ${Buffer.from('me:pw').toString('base64')}`);
    });

    test('no key leaves the folder that the URL names', async () => {
      for (const key of ['..', '.']) {
        await assert.rejects(
          read(at('/team/{{ .remoteRef.key }}/value'), { key }),
          fails('PROVIDER_INVALID_CONFIG', /a segment \. or \.\./),
        );
      }
      await read(at('/team/{{ .remoteRef.key }}/value'), { key: '%2e%2e/x' });
      assert.deepEqual(
        asked.map(({ line }) => line),
        ['GET /team/%252e%252e%2Fx/value'],
      );
    });

    test('a header that a Secret breaks is named, its value is not', async () => {
      cluster.set('Secret', 'team/login', { token: 'SENTINEL\nX-Admin: 1' });
      const headers = { 'X-Token': '{{ .login.token }}' };
      await assert.rejects(
        read(at('/x', { ...login, headers })),
        fails('PROVIDER_INVALID_CONFIG', /headers\.X-Token becomes a value that no header can have/),
      );
      assert.deepEqual(asked, []);
    });

    test('a Secret has to be labelled for webhooks', async () => {
      const secrets = [{ name: 'plain', secretRef: { name: 'plain' } }];
      await assert.rejects(
        connect(at('/x', { secrets })),
        fails(
          'PROVIDER_INVALID_CONFIG',
          /Secret team\/plain: must carry the label external-secrets\.io\/type: webhook/,
        ),
      );
    });

    test('the host may come from a Secret, and is then not in an error', async () => {
      const url = origin.replace('127.0.0.1', '{{ .login.host }}');
      const block = { ...login, url: `${url}/{{ .remoteRef.key }}` };
      assert.equal((await read(block)).get(undefined).revealText(), 'value');
      await (await connect(block)).validate(soon());
      cluster.set('Secret', 'team/login', { host: 'SENTINEL.invalid' });
      await assert.rejects(read(block), (error: ProviderError) => {
        assert.doesNotMatch(error.message, /sentinel/i);
        return fails('PROVIDER_UNREACHABLE', /^webhook \(host from a template\): read k: /)(error);
      });
    });

    test('errors of templates name the field, and no value', async () => {
      await assert.rejects(
        read(at('/x', { ...login, headers: { A: '{{ fail .login.token }}' } })),
        fails('PROVIDER_INVALID_CONFIG', /the template of headers\.A: /),
      );
    });

    test('its own time limit', async () => {
      const slow = createServer(() => undefined);
      await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`;
      try {
        await assert.rejects(
          read({ url, timeout: '50ms' }),
          fails('PROVIDER_TIMEOUT', /no answer before the deadline/),
        );
      } finally {
        slow.closeAllConnections();
        slow.close();
      }
    });
  });

  describe('the answer', () => {
    const value = async (body: string, jsonPath?: string): Promise<string> => {
      answer = { body };
      const result = jsonPath === undefined ? {} : { result: { jsonPath } };
      return (await read(at('/x', result))).get(undefined).revealText();
    };
    const map = async (body: string, jsonPath?: string): Promise<Record<string, string>> => {
      answer = { body };
      const result = jsonPath === undefined ? {} : { result: { jsonPath } };
      const members = (await read(at('/x', result))).getMap(undefined);
      return Object.fromEntries([...members].map(([key, one]) => [key, one.revealText()]));
    };

    test('4.9 one value', async () => {
      const body =
        '{"s":"text","t":true,"n":null,"f":1.5,"h":2.5,"m":-0.4,"i":12345678901234567890,"e":1e3,"l":[[],["x"]],"first":[["x"],"y"],"none":[],"o":{"b":"<","a":[1]}}';
      assert.equal(await value(body), body);
      for (const [path, expected] of [
        ['$.s', 'text'],
        ['$.t', 'true'],
        ['$.n', ''],
        // ESO writes numbers without decimals, half to even.
        ['$.f', '2'],
        ['$.h', '2'],
        ['$.m', '-0'],
        ['$.i', '12345678901234567890'],
        ['$.e', '1000'],
        ['$.first', 'x'],
        ['$.o', '{"a":[1],"b":"\\u003c"}'],
        ['$..a', '1'],
        ['s', 'text'],
      ] as const) {
        assert.equal(await value(body, path), expected, path);
      }
      for (const path of ['$.none', '$.l', '$..nothing'])
        await assert.rejects(
          value(body, path),
          fails('PROVIDER_INVALID_RESPONSE', /filter worked but didn't get any result/),
        );
      await assert.rejects(
        value(body, '$.nothing'),
        fails('PROVIDER_INVALID_RESPONSE', /result\.jsonPath: /),
      );
      await assert.rejects(
        value('SENTINEL', '$.s'),
        fails('PROVIDER_INVALID_RESPONSE', /the answer is no JSON/),
      );
    });

    test('4.9 a map: of the body, of a part, and of a text that holds one', async () => {
      const members = { s: 'x', n: '', f: '1.5', i: '12345678901234567890', o: '{"a":1}' };
      const object = '{"s":"x","n":null,"f":1.50,"i":12345678901234567890,"o":{"a":1}}';
      assert.deepEqual(await map(object), members);
      assert.deepEqual(await map(`{"data":${object}}`, '$.data'), members);
      assert.deepEqual(await map(JSON.stringify({ text: object }), '$.text'), members);
      for (const body of ['[1]', '1', 'null'])
        await assert.rejects(
          map(body),
          fails('PROVIDER_INVALID_RESPONSE', /failed to get response \(wrong type: /),
        );
    });

    test('jsonPath is a template', async () => {
      answer = { body: '{"a":"one","b":"two"}' };
      const block = at('/x', { result: { jsonPath: '$.{{ .remoteRef.property }}' } });
      assert.equal((await read(block, { property: 'b' })).get('b').revealText(), 'two');
    });

    for (const [status, code, message] of [
      [404, 'PROVIDER_NOT_FOUND', /: read k: no such secret \(404\)$/],
      [304, 'PROVIDER_INVALID_RESPONSE', /endpoint gave error 304/],
      [500, 'PROVIDER_UNREACHABLE', /endpoint gave error 500/],
      [400, 'PROVIDER_INVALID_RESPONSE', /endpoint gave error 400/],
    ] as const) {
      test(`status ${status}`, async () => {
        answer = { status, body: 'SENTINEL' };
        const block = at('/{{ .login.token }}', login);
        await assert.rejects(read(block), fails(code, message));
      });
    }
  });

  describe('what a store is', () => {
    const parse = (block: object) => webhookConfigSchema.parse(block);
    const cluster_ = { ...store, kind: 'ClusterSecretStore', namespace: undefined } as const;

    test('a canonical key has what templates read, and only that', () => {
      const ref = { key: 'k', property: 'a/b', version: '7' };
      const key = (path: string): string => webhookProvider.canonicalKey(parse(at(path)), ref);
      assert.equal(key('/{{ .remoteRef.key }}'), 'k');
      assert.equal(key('/{{ .remoteRef.key }}/{{ .remoteRef.version }}'), 'k?version=7');
      assert.equal(key('/{{ .remoteRef.property }}'), 'k?property=a%2Fb');
      assert.equal(key('/{{ with .remoteRef }}{{ .version }}{{ end }}'), 'k?property=a%2Fb&version=7');
      assert.equal(key('/{{ toJson . }}'), 'k?property=a%2Fb&version=7');
      assert.equal(webhookProvider.readsProperty?.(parse(at('/{{ .remoteRef.property }}'))), true);
      assert.equal(webhookProvider.readsProperty?.(parse(at('/{{ .remoteRef.key }}'))), false);
    });

    test('two namespaces share what does not depend on them', () => {
      const identity = (path: string, callerNamespace: string): string =>
        webhookProvider.identity(parse(at(path)), { ...cluster_, callerNamespace });
      assert.equal(identity('/{{ .remoteRef.key }}', 'a'), identity('/{{ .remoteRef.key }}', 'b'));
      const namespaced = '/{{ .remoteRef.namespace }}';
      assert.notEqual(identity(namespaced, 'a'), identity(namespaced, 'b'));
      assert.equal(
        webhookProvider.canValidate(parse(at(namespaced)), { ...cluster_, callerNamespace: undefined }),
        false,
      );
      assert.equal(
        webhookProvider.canValidate(parse(at('/x', login)), { ...cluster_, callerNamespace: undefined }),
        false,
      );
    });

    test('credentials in the open are in no identity, and Secrets of the store in its dependencies', () => {
      const config = parse(at('/x', { ...login, headers: { A: 'SENTINEL' } }));
      assert.doesNotMatch(webhookProvider.identity(config, store), /SENTINEL/);
      assert.deepEqual(webhookProvider.dependencies(config, store), [
        {
          kind: 'Secret',
          namespace: 'team',
          name: 'login',
          path: ['secrets', 0, 'secretRef'],
          key: undefined,
        },
      ]);
      assert.deepEqual(webhookProvider.servers(config).map(String), [`${origin}/`]);
      assert.deepEqual(webhookProvider.servers(parse({ url: 'https://{{ .login.host }}/' })), []);
    });
  });
});
