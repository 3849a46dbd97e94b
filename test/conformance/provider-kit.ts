/**
 * What every provider owes the engine, as tests. A provider joins by a fixture; its own semantics (which
 * answer means what) are tested beside it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import {
  type Connection,
  type Provider,
  ProviderError,
  type ProviderPorts,
  type StoreContext,
} from '../../providers/contract.ts';
import { closeOutbound } from '../../providers/http.ts';
import { providers } from '../../providers/registry.ts';
import { eventually } from '../harness/eventually.ts';

/** Secrets by key; each is the text of a JSON object. */
export type Secrets = Readonly<Record<string, string>>;

export interface ProviderFixture {
  readonly provider: Provider<unknown>;
  readonly store: StoreContext;
  readonly ports: ProviderPorts;
  /** Stores these secrets and returns the block (unparsed) of a store that reads them. */
  prepare(secrets: Secrets): Promise<unknown>;
  /** Blocks that pass the schema and have to be refused, with the path that is to blame. */
  readonly refused: readonly { readonly block: unknown; readonly path: readonly (string | number)[] }[];
  /** Code of a missing property. */
  readonly missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND' | 'PROVIDER_NOT_FOUND';
  /** Makes the server hang until what it returns is called; undefined for a provider without a server. */
  readonly hang?: () => () => void;
  /** Texts that must never be printed: tokens and credentials. */
  readonly sentinels: readonly string[];
  /** Gives back servers. */
  close(): Promise<void>;
}

const BIG = 'x€'.repeat(256 * 1024);
const NASTY = 'p"ä€\n: {} \u0000 </script> \u{1f600} \u2028';

const SECRETS = {
  app: JSON.stringify({ username: 'u', password: 'p', 'dotted.key': 'exact', dotted: { key: 'path' } }),
  typed: '{"n":9007199254740991,"f":1.5,"yes":true,"none":null,"list":[1,{"a":"b"}],"empty":""}',
  nasty: JSON.stringify({ [`k-${'ä'}`]: NASTY, plain: NASTY }),
  'ordner/schlüssel mit leer?#%&+': '{"odd":"name"}',
  big: JSON.stringify({ big: BIG }),
  ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`many/${i}`, JSON.stringify({ i: `v${i}` })])),
} satisfies Secrets;

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((kind) => /^(TCP|TLS)/.test(kind) && !/Server/.test(kind)).length;

/** Registers the tests. `start` is called once, before the first of them. */
export function providerConformance(name: string, start: () => Promise<ProviderFixture>): void {
  describe(`provider ${name} keeps the contract`, () => {
    let fixture: ProviderFixture;
    let config: unknown;
    let connection: Connection;
    const soon = (): AbortSignal => AbortSignal.timeout(20_000);
    const connect = (): Promise<Connection> =>
      fixture.provider.connect(config, fixture.store, fixture.ports, soon());
    const read = (key: string) => connection.read({ key }, soon());

    /** Runs what must fail, and checks what holds for every error. */
    async function failure(work: () => unknown): Promise<ProviderError> {
      const error = await (async () => work())().then(
        () => assert.fail('nothing was thrown'),
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof ProviderError, inspect(error));
      assert.doesNotMatch(error.message, /[\n\r]/);
      const printed = `${inspect(error, { depth: 12, showHidden: true })}${JSON.stringify(error)}`;
      for (const sentinel of fixture.sentinels)
        assert.ok(!printed.includes(sentinel), 'a credential is in an error');
      return error;
    }

    before(async () => {
      fixture = await start();
      config = fixture.provider.schema.parse(await fixture.prepare(SECRETS));
      connection = await connect();
    });
    after(async () => {
      await connection.close();
      await fixture.close();
      await closeOutbound();
    });

    test('is registered under its name', () => assert.equal(providers.get(name), fixture.provider));

    test('accepts its own block, and names what is wrong in others', () => {
      assert.deepEqual(fixture.provider.validateConfig(config, fixture.store), []);
      for (const { block, path } of fixture.refused) {
        const problems = fixture.provider.validateConfig(fixture.provider.schema.parse(block), fixture.store);
        assert.ok(
          problems.some(
            (problem) => JSON.stringify(problem.path) === JSON.stringify(path) && problem.message !== '',
          ),
          `${JSON.stringify(path)} in ${JSON.stringify(problems)}`,
        );
      }
    });

    test('names remote objects and uses, the same each time, without a credential', () => {
      const { provider, store } = fixture;
      const keys = Object.keys(SECRETS).map((key) => provider.canonicalKey(config, { key }));
      assert.equal(new Set(keys).size, keys.length);
      assert.deepEqual(
        Object.keys(SECRETS).map((key) => provider.canonicalKey(config, { key })),
        keys,
      );
      const identity = provider.identity(config, store);
      assert.equal(provider.identity(structuredClone(config), { ...store }), identity);
      for (const sentinel of fixture.sentinels) assert.ok(!identity.includes(sentinel));
      assert.ok(Array.isArray(provider.dependencies(config, store)));
      assert.equal(provider.canValidate(config, store), true);
    });

    test('passes its live check', () => connection.validate(soon()));

    test('get: the whole secret is its JSON, number for number', async () => {
      for (const key of ['app', 'typed', 'nasty'] as const) {
        const text = (await read(key)).get(undefined).revealText();
        assert.deepEqual(JSON.parse(text), JSON.parse(SECRETS[key]));
      }
    });

    test('get: properties', async () => {
      const app = await read('app');
      for (const [property, value] of [
        ['username', 'u'],
        ['dotted.key', 'exact'],
        ['dotted', '{"key":"path"}'],
      ] as const) {
        assert.equal(app.get(property).revealText(), value);
        assert.equal(app.get(property).revealText(), value, 'a second time');
      }
      const typed = await read('typed');
      for (const [property, value] of [
        ['n', '9007199254740991'],
        ['f', '1.5'],
        ['yes', 'true'],
        ['none', ''],
        ['empty', ''],
        ['list', '[1,{"a":"b"}]'],
        ['list.1.a', 'b'],
        ['list.0', '1'],
      ] as const) {
        assert.equal(typed.get(property).revealText(), value, property);
      }
    });

    test('get: paths of gjson', async () => {
      const typed = await read('typed');
      for (const [property, value] of [
        ['list.#', '2'],
        ['list.#(a=="b").a', 'b'],
        ['[n,yes]', '[9007199254740991,true]'],
        ['list|@reverse|1', '1'],
      ] as const) {
        assert.equal(typed.get(property).revealText(), value, property);
      }
    });

    test('get: a property that is not there', async () => {
      const app = await read('app');
      for (const property of ['nope', 'dotted.nope', 'username.deeper', '#(a=="b")']) {
        assert.equal((await failure(() => app.get(property))).code, fixture.missingProperty);
      }
    });

    test('getMap: the members, strings bare', async () => {
      const map = async (key: string, property?: string) =>
        Object.fromEntries(
          [...(await read(key)).getMap(property)].map(([k, value]) => [k, value.revealText()]),
        );
      assert.deepEqual(await map('app'), {
        username: 'u',
        password: 'p',
        'dotted.key': 'exact',
        dotted: '{"key":"path"}',
      });
      assert.deepEqual(await map('app', 'dotted'), { key: 'path' });
      assert.deepEqual(await map('typed'), {
        n: '9007199254740991',
        f: '1.5',
        yes: 'true',
        none: '',
        list: '[1,{"a":"b"}]',
        empty: '',
      });
      const app = await read('app');
      assert.equal((await failure(() => app.getMap('username'))).code, 'PROVIDER_INVALID_RESPONSE');
      assert.equal((await failure(() => app.getMap('nope'))).code, fixture.missingProperty);
    });

    test('values come byte for byte, and are not printed', async () => {
      const nasty = await read('nasty');
      const value = nasty.get('plain');
      assert.deepEqual(value.revealBytes(), Buffer.from(NASTY));
      assert.deepEqual(nasty.getMap(undefined).get('k-ä')?.revealBytes(), Buffer.from(NASTY));
      assert.equal(
        String(value) + JSON.stringify([value]) + inspect(value),
        '[redacted]["[redacted]"][redacted]',
      );
      const printed = inspect([await read('app'), connection], { depth: 12, showHidden: true });
      for (const sentinel of ['"u"', "'u'", ...fixture.sentinels])
        assert.ok(!printed.includes(sentinel), sentinel);
    });

    test('a key with blanks and signs that mean something in a URL', async () => {
      const secret = await read('ordner/schlüssel mit leer?#%&+');
      assert.equal(secret.get('odd').revealText(), 'name');
    });

    test('a value of 1 MB', async () => {
      assert.equal((await read('big')).get('big').revealText(), BIG);
    });

    test('a secret that does not exist is not found, and nothing else', async () => {
      const error = await failure(() => read('no/such/secret'));
      assert.equal(error.code, 'PROVIDER_NOT_FOUND');
      assert.match(error.message, /no\/such\/secret/);
    });

    test('find: by name, in order, each with the name that policies know it by', async () => {
      const found = await connection.find({ nameRegexp: '^many/1?[0-9]$' }, soon());
      const keys = Array.from({ length: 20 }, (_, i) => `many/${i}`).sort();
      assert.deepEqual(
        found.map(({ key }) => key),
        keys,
      );
      for (const { key, canonicalKey, object } of found) {
        assert.equal(canonicalKey, fixture.provider.canonicalKey(config, { key }));
        assert.deepEqual(JSON.parse(object.get(undefined).revealText()), { i: `v${key.slice(5)}` });
      }
      assert.deepEqual(await connection.find({ nameRegexp: '^no-such-name$' }, soon()), []);
      assert.equal((await connection.find({ nameRegexp: 'schlüssel' }, soon())).length, 1);
      assert.doesNotMatch(inspect(found, { depth: 12, showHidden: true }), /"v1"|'v1'|:"v/);
    });

    test('find: an expression that does not compile', async () => {
      const error = await failure(() => connection.find({ nameRegexp: 'a(' }, soon()));
      assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
      assert.match(error.message, /missing closing \)/);
      assert.equal(fixture.provider.validateFind(config, { nameRegexp: '.*' }), undefined);
    });

    test('50 reads at once are answered each with its own', async () => {
      const values = await Promise.all(
        Array.from({ length: 50 }, async (_, i) => (await read(`many/${i}`)).get('i').revealText()),
      );
      assert.deepEqual(
        values,
        Array.from({ length: 50 }, (_, i) => `v${i}`),
      );
    });

    test('200 rounds of connect, read and close leave no sockets', async () => {
      await closeOutbound();
      const sockets = openSockets();
      for (let round = 0; round < 200; round++) {
        const one = await connect();
        assert.equal((await one.read({ key: 'app' }, soon())).get('username').revealText(), 'u');
        await one.close();
        await one.close();
      }
      assert.ok(
        openSockets() - sockets <= 4,
        `${openSockets() - sockets} sockets after 200 rounds one after the other`,
      );
      await closeOutbound();
      await eventually(() => openSockets() <= sockets, { what: 'the sockets to be closed', timeout: 3_000 });
    });

    test('what is cancelled stops with an error of the union', async () => {
      const gone = AbortSignal.abort();
      for (const work of [
        () => connection.read({ key: 'app' }, gone),
        () => connection.find({ nameRegexp: '.*' }, gone),
        () => connection.validate(gone),
        () =>
          fixture.provider
            .connect(config, fixture.store, fixture.ports, gone)
            .then((one) => one.read({ key: 'app' }, gone)),
      ]) {
        assert.equal((await failure(work)).code, 'PROVIDER_TIMEOUT');
      }
    });

    test('a server that hangs costs the caller no more than its deadline', async (context) => {
      if (fixture.hang === undefined) return context.diagnostic('this provider has no server');
      const resume = fixture.hang();
      try {
        const started = performance.now();
        const error = await failure(() => connection.read({ key: 'app' }, AbortSignal.timeout(300)));
        assert.equal(error.code, 'PROVIDER_TIMEOUT');
        assert.ok(performance.now() - started < 1_500, `${performance.now() - started} ms`);
      } finally {
        resume();
      }
      assert.equal((await read('app')).get('username').revealText(), 'u');
    });
  });
}
