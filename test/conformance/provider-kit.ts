/**
 * What every provider owes the engine, as tests. A provider joins by a fixture in one file: the store, a server with
 * secrets, and in `traits` what it does otherwise than most. Its own semantics (which answer means what) are tested
 * beside it. What was shown is its row in docs/providers/README.md: `ESA_TABLE=write node tools/test.ts FILE` writes
 * the row, every other run compares it, and `make test` prints all rows.
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
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { providers } from '../../providers/registry.ts';
import { eventually } from '../harness/eventually.ts';
import { type Column, Row } from './provider-table.ts';
import { wireCases } from './wire-cases.ts';

/** Secrets by key; each is the text of a JSON object. */
export type Secrets = Readonly<Record<string, string>>;

/** What a provider may do otherwise than most; the defaults are in DEFAULT_TRAITS. */
export interface Traits {
  /**
   * What a secret is. `json`: the text of an object, whose members may be anything. `texts`: an object whose members
   * are texts (a Secret of Kubernetes); `prepare` stores other members as their JSON text, null as an empty text.
   */
  readonly members: 'json' | 'texts';
  /**
   * What `property` looks up. `gjson`: a key, else a path. `key-gjson`: a key, else a key and a path into its value.
   * `none`: the value does not depend on it.
   */
  readonly property: 'gjson' | 'key-gjson' | 'none';
  /** Criteria that a find may have. Without any, every find is refused before it is tried. */
  readonly find: readonly ('name' | 'tags' | 'path')[];
  /**
   * The property under which metadata (metadataPolicy Fetch) shows the tag `team` that `tag` has set. `none`: every
   * such reference is refused before it is tried. `untried`: the fixture cannot set tags.
   */
  readonly metadata: { readonly team: string } | 'none' | 'untried';
  /** `any`: keys hold any sign. `names`: letters, digits and `-`, and `keyOf` says what becomes of others. */
  readonly keys: 'any' | 'names';
  /** Bytes of the largest value that is tried. */
  readonly bigBytes: number;
  /** True if an answer of any content is a value, so that none can be wrong. */
  readonly raw: boolean;
}

const DEFAULT_TRAITS: Traits = {
  members: 'json',
  property: 'gjson',
  find: ['name'],
  metadata: 'untried',
  keys: 'any',
  bigBytes: 1024 * 1024,
  raw: false,
};

export interface ProviderFixture {
  readonly provider: Provider<unknown>;
  readonly store: StoreContext;
  readonly ports: ProviderPorts;
  /** Name of the row in the table, where one provider has several; its own name if absent. */
  readonly label?: string;
  readonly traits?: Partial<Traits>;
  /** The key at the provider of what the kit calls so (`many/1`); the same if absent. Without a collision. */
  keyOf?(name: string): string;
  /** Stores these secrets (their keys are those of `keyOf`) and returns the block (unparsed) of a store that reads them. */
  prepare(secrets: Secrets): Promise<unknown>;
  /** Stores a secret that is these bytes, and says which key and property read it; absent if it can only hold text. */
  prepareBytes?(bytes: Uint8Array): Promise<{ key: string; property?: string }>;
  /** Puts tags (labels, custom metadata) onto a secret; absent if there are none. */
  tag?(key: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /** Blocks that pass the schema and have to be refused, with the path that is to blame. */
  readonly refused: readonly { readonly block: unknown; readonly path: readonly (string | number)[] }[];
  /** Code of a missing property. */
  readonly missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND' | 'PROVIDER_NOT_FOUND';
  /** Makes the server hang until what it returns is called; undefined for a provider without a server. */
  readonly hang?: () => () => void;
  /**
   * The block of a store that reads from the server at this URL, whose CA is this PEM (undefined: trust nothing but
   * the system); undefined if a store cannot name a CA. The kit then answers itself: with redirects, failures, and over TLS. May change what is process-wide;
   * nothing but `close` comes after the last call. Absent for a provider without a server.
   */
  at?(url: string, ca: string | undefined): unknown;
  /** Texts that must never be printed: tokens and credentials. */
  readonly sentinels: readonly string[];
  /** Gives back servers. */
  close(): Promise<void>;
}

const NASTY = 'p"ä€\n: {} \u0000 </script> \u{1f600} \u2028';
const ODD_KEY = 'ordner/schlüssel mit leer?#%&+';
const ROUNDS = 1_000;
const ROUNDS_AT_ONCE = 10;

const bigText = (bytes: number): string => 'x€'.repeat(bytes / 4);

function secretsOf({ bigBytes, keys, members }: Traits): Secrets {
  const json = members === 'json';
  return {
    app: JSON.stringify({ username: 'u', password: 'p', 'dotted.key': 'exact', dotted: { key: 'path' } }),
    typed: '{"n":9007199254740991,"f":1.5,"yes":true,"none":null,"list":[1,{"a":"b"}],"empty":""}',
    nasty: JSON.stringify({ ...(json ? { 'k-ä': NASTY } : {}), plain: NASTY }),
    big: JSON.stringify({ big: bigText(bigBytes) }),
    ...(keys === 'any' ? { [ODD_KEY]: '{"odd":"name"}' } : {}),
    ...Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [`many/${i}`, JSON.stringify({ i: `v${i}` })]),
    ),
  };
}

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((kind) => /^(TCP|TLS)/.test(kind) && !/Server/.test(kind)).length;

/** Registers the tests. `start` is called once, before the first of them. */
export function providerConformance(name: string, start: () => Promise<ProviderFixture>): void {
  describe(`provider ${name} keeps the contract`, () => {
    let fixture: ProviderFixture;
    let traits: Traits;
    let secrets: Secrets;
    let config: unknown;
    let connection: Connection;
    const row = new Row();
    const keyOf = (key: string): string => fixture.keyOf?.(key) ?? key;
    const soon = (): AbortSignal => AbortSignal.timeout(20_000);
    const connect = (one: unknown = config): Promise<Connection> =>
      fixture.provider.connect(one, fixture.store, fixture.ports, soon());
    const read = (key: string) => connection.read({ key: keyOf(key) }, soon());

    /** A test that fills a column of the provider's row: with what it returns. */
    const shows = (column: Column, title: string, run: () => Promise<string>): void => {
      test(title, async () => row.set(column, await run()));
    };

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
      configureOutbound({ allowLoopback: true });
      fixture = await start();
      traits = { ...DEFAULT_TRAITS, ...fixture.traits };
      secrets = secretsOf(traits);
      const stored = Object.fromEntries(Object.entries(secrets).map(([key, text]) => [keyOf(key), text]));
      config = fixture.provider.schema.parse(await fixture.prepare(stored));
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
      const all = (): string[] =>
        Object.keys(secrets).map((key) => provider.canonicalKey(config, { key: keyOf(key) }));
      const keys = all();
      assert.equal(new Set(keys).size, keys.length);
      assert.deepEqual(all(), keys);
      const identity = provider.identity(config, store);
      assert.equal(provider.identity(structuredClone(config), { ...store }), identity);
      for (const sentinel of fixture.sentinels) assert.ok(!identity.includes(sentinel));
      assert.ok(Array.isArray(provider.dependencies(config, store)));
      assert.equal(provider.canValidate(config, store), true);
    });

    shows('live check', 'passes its live check', async () => {
      await connection.validate(soon());
      return 'yes';
    });

    shows('whole secret', 'get: the whole secret is its JSON, number for number', async () => {
      for (const key of ['app', 'typed', 'nasty'] as const) {
        const stored = JSON.parse(secrets[key] ?? '') as Record<string, unknown>;
        const text = (await read(key)).get(undefined).revealText();
        assert.deepEqual(JSON.parse(text), traits.members === 'json' ? stored : textsOf(stored));
      }
      return 'yes';
    });

    shows('property', 'get: properties', async () => {
      const app = await read('app');
      const typed = await read('typed');
      if (traits.property === 'none') {
        assert.equal(app.get('username').revealText(), app.get(undefined).revealText());
        return 'no';
      }
      const inApp = [
        ['username', 'u'],
        ['dotted.key', 'exact'],
        ['dotted', '{"key":"path"}'],
      ] as const;
      const inTyped = [
        ['n', '9007199254740991'],
        ['f', '1.5'],
        ['yes', 'true'],
        ['none', ''],
        ['empty', ''],
        ['list', '[1,{"a":"b"}]'],
        ['list.1.a', 'b'],
        ['list.0', '1'],
      ] as const;
      for (const [object, cases] of [
        [app, inApp],
        [typed, inTyped],
      ] as const) {
        for (const [property, value] of cases) {
          assert.equal(object.get(property).revealText(), value, property);
          assert.equal(object.get(property).revealText(), value, 'a second time');
        }
      }
      return 'yes';
    });

    shows('gjson', 'get: paths of gjson', async () => {
      if (traits.property === 'none') return 'no';
      const typed = await read('typed');
      const anywhere = [
        ['[n,yes]', '[9007199254740991,true]'],
        ['list|@reverse|1', '1'],
      ] as const;
      for (const [property, value] of [
        ['list.#', '2'],
        ['list.#(a=="b").a', 'b'],
        ...(traits.property === 'gjson' ? anywhere : []),
      ] as const) {
        assert.equal(typed.get(property).revealText(), value, property);
      }
      return traits.property === 'gjson' ? 'yes' : 'below a key';
    });

    test('get: a property that is not there', async () => {
      const app = await read('app');
      if (traits.property === 'none') return;
      for (const property of ['nope', 'dotted.nope', 'username.deeper', '#(a=="b")']) {
        assert.equal((await failure(() => app.get(property))).code, fixture.missingProperty);
      }
    });

    shows('map', 'getMap: the members, strings bare', async () => {
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
      assert.deepEqual(await map('typed'), {
        n: '9007199254740991',
        f: '1.5',
        yes: 'true',
        none: '',
        list: '[1,{"a":"b"}]',
        empty: '',
      });
      if (traits.property === 'none') return 'yes';
      // ESO's provider for Kubernetes leaves texts inside of an object as JSON writes them.
      assert.deepEqual(await map('app', 'dotted'), { key: traits.members === 'json' ? 'path' : '"path"' });
      const app = await read('app');
      assert.equal((await failure(() => app.getMap('username'))).code, 'PROVIDER_INVALID_RESPONSE');
      assert.equal((await failure(() => app.getMap('nope'))).code, fixture.missingProperty);
      return 'yes';
    });

    shows('Fetch', 'metadataPolicy Fetch', async () => {
      const { metadata } = traits;
      if (metadata === 'none') {
        const why = fixture.provider.validateRef?.(config, { key: keyOf('app'), metadata: true });
        assert.equal(typeof why, 'string');
        const error = await failure(() => connection.read({ key: keyOf('app'), metadata: true }, soon()));
        assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
        return 'no';
      }
      if (metadata === 'untried' || fixture.tag === undefined) return '-';
      await fixture.tag(keyOf('app'), { team: 'kit' });
      const object = await connection.read({ key: keyOf('app'), metadata: true }, soon());
      assert.equal(object.get(metadata.team).revealText(), 'kit');
      assert.doesNotMatch(object.get(undefined).revealText(), /username|password/);
      return 'yes';
    });

    shows('unicode', 'values come byte for byte, and are not printed', async () => {
      const nasty = await read('nasty');
      const members = nasty.getMap(undefined);
      const value = members.get('plain');
      assert.ok(value !== undefined);
      assert.deepEqual(value.revealBytes(), Buffer.from(NASTY));
      if (traits.property !== 'none') assert.deepEqual(nasty.get('plain').revealBytes(), Buffer.from(NASTY));
      if (traits.members === 'json') assert.deepEqual(members.get('k-ä')?.revealBytes(), Buffer.from(NASTY));
      assert.equal(
        String(value) + JSON.stringify([value]) + inspect(value),
        '[redacted]["[redacted]"][redacted]',
      );
      const printed = inspect([await read('app'), connection], { depth: 12, showHidden: true });
      for (const sentinel of ['"u"', "'u'", ...fixture.sentinels])
        assert.ok(!printed.includes(sentinel), sentinel);
      return 'yes';
    });

    shows('bytes', 'a value that is no text', async () => {
      if (fixture.prepareBytes === undefined) return '-';
      const bytes = Buffer.from([0, 255, 254, 1, 128, 10, 13]);
      const { key, property } = await fixture.prepareBytes(bytes);
      assert.deepEqual((await connection.read({ key }, soon())).get(property).revealBytes(), bytes);
      return 'yes';
    });

    shows('any key', 'a key with blanks and signs that mean something in a URL', async () => {
      if (traits.keys === 'names') return '-';
      assert.equal((await read(ODD_KEY)).getMap(undefined).get('odd')?.revealText(), 'name');
      return 'yes';
    });

    shows('big value', 'a value of 1 MB, or as much as a secret holds', async () => {
      const big = (await read('big')).getMap(undefined).get('big')?.revealText();
      assert.ok(big === bigText(traits.bigBytes), `${big?.length} characters`);
      const kib = traits.bigBytes / 1024;
      return kib === 1024 ? 'yes' : `${kib} KiB`;
    });

    shows('absent', 'a secret that does not exist is not found, and nothing else', async () => {
      const key = keyOf('no/such/secret');
      const error = await failure(() => connection.read({ key }, soon()));
      assert.equal(error.code, 'PROVIDER_NOT_FOUND');
      assert.ok(error.message.includes(key), error.message);
      return 'yes';
    });

    shows('find name', 'find: by name, in order, each with the name that policies know it by', async () => {
      if (!traits.find.includes('name')) return refusesFind({ nameRegexp: '.*' });
      const found = await connection.find({ nameRegexp: `^${keyOf('many/')}1?[0-9]$` }, soon());
      const keys = Array.from({ length: 20 }, (_, i) => keyOf(`many/${i}`)).sort();
      assert.deepEqual(
        found.map(({ key }) => key),
        keys,
      );
      for (const { key, canonicalKey, object } of found) {
        assert.equal(canonicalKey, fixture.provider.canonicalKey(config, { key }));
        const i = key.slice(keyOf('many/').length);
        assert.deepEqual(JSON.parse(object.get(undefined).revealText()), { i: `v${i}` });
      }
      assert.deepEqual(await connection.find({ nameRegexp: '^no-such-name$' }, soon()), []);
      if (traits.keys === 'any')
        assert.equal((await connection.find({ nameRegexp: 'schlüssel' }, soon())).length, 1);
      assert.doesNotMatch(inspect(found, { depth: 12, showHidden: true }), /"v1"|'v1'|:"v/);
      const error = await failure(() => connection.find({ nameRegexp: 'a(' }, soon()));
      assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
      assert.match(error.message, /missing closing \)/);
      assert.equal(fixture.provider.validateFind(config, { nameRegexp: '.*' }), undefined);
      return 'yes';
    });

    shows('find tags', 'find: by tags, all of which count', async () => {
      if (!traits.find.includes('tags')) {
        return fixture.traits?.find === undefined ? '-' : refusesFind({ tags: { team: 'kit' } });
      }
      assert.ok(fixture.tag !== undefined, 'the fixture cannot set tags');
      await fixture.tag(keyOf('many/3'), { team: 'find', tier: 'a' });
      await fixture.tag(keyOf('many/4'), { team: 'find', tier: 'b' });
      const find = async (tags: Record<string, string>): Promise<string[]> =>
        (await connection.find({ tags }, soon())).map(({ key }) => key);
      assert.deepEqual(await find({ team: 'find' }), [keyOf('many/3'), keyOf('many/4')]);
      assert.deepEqual(await find({ team: 'find', tier: 'b' }), [keyOf('many/4')]);
      assert.deepEqual(await find({ team: 'nobody' }), []);
      return 'yes';
    });

    shows('find path', 'find: below a path', async () => {
      if (!traits.find.includes('path')) {
        if (fixture.traits?.find === undefined) return '-';
        // Beside a name, some have ESO's users used to a path that does nothing: then it warns or refuses.
        return traits.find.includes('name') ? 'no' : refusesFind({ path: 'many' });
      }
      const found = await connection.find({ path: 'many', nameRegexp: '.' }, soon());
      assert.equal(found.length, 50);
      return 'yes';
    });

    async function refusesFind(request: Parameters<Connection['find']>[0]): Promise<string> {
      assert.equal(typeof fixture.provider.validateFind(config, request), 'string');
      const error = await failure(() => connection.find(request, soon()));
      assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
      return 'no';
    }

    shows('50 at once', '50 reads at once are answered each with its own', async () => {
      const values = await Promise.all(
        Array.from({ length: 50 }, async (_, i) =>
          (await read(`many/${i}`)).getMap(undefined).get('i')?.revealText(),
        ),
      );
      assert.deepEqual(
        values,
        Array.from({ length: 50 }, (_, i) => `v${i}`),
      );
      return 'yes';
    });

    shows('1,000 rounds', `${ROUNDS} rounds of connect, read and close leave no sockets (S87)`, async () => {
      await closeOutbound();
      const sockets = openSockets();
      for (let round = 0; round < ROUNDS; round += ROUNDS_AT_ONCE) {
        await Promise.all(
          Array.from({ length: ROUNDS_AT_ONCE }, async () => {
            const one = await connect();
            const object = await one.read({ key: keyOf('app') }, soon());
            assert.equal(object.getMap(undefined).get('username')?.revealText(), 'u');
            await one.close();
            await one.close();
          }),
        );
      }
      assert.ok(openSockets() - sockets <= 2 * ROUNDS_AT_ONCE, `${openSockets() - sockets} sockets`);
      await closeOutbound();
      await eventually(() => openSockets() <= sockets, { what: 'the sockets to be closed', timeout: 10_000 });
      return 'yes';
    });

    shows('cancelled', 'what is cancelled stops with an error of the union', async () => {
      const gone = AbortSignal.abort();
      const key = keyOf('app');
      for (const work of [
        () => connection.read({ key }, gone),
        ...(traits.find.length === 0 ? [] : [() => connection.find({ nameRegexp: '.*' }, gone)]),
        () => connection.validate(gone),
        () =>
          fixture.provider
            .connect(config, fixture.store, fixture.ports, gone)
            .then((one) => one.read({ key }, gone)),
      ]) {
        assert.equal((await failure(work)).code, 'PROVIDER_TIMEOUT');
      }
      return 'yes';
    });

    shows('hanging', 'a server that hangs costs the caller no more than its deadline', async () => {
      if (fixture.hang === undefined) return '-';
      const resume = fixture.hang();
      try {
        const started = performance.now();
        const error = await failure(() => connection.read({ key: keyOf('app') }, AbortSignal.timeout(300)));
        assert.equal(error.code, 'PROVIDER_TIMEOUT');
        assert.ok(performance.now() - started < 1_500, `${performance.now() - started} ms`);
      } finally {
        resume();
      }
      assert.equal((await read('app')).getMap(undefined).get('username')?.revealText(), 'u');
      return 'yes';
    });

    wireCases({
      shows,
      failure,
      raw: () => traits.raw,
      at: () => fixture.at?.bind(fixture),
      async readAt(block) {
        const one = await connect(fixture.provider.schema.parse(block));
        try {
          return (await one.read({ key: keyOf('app') }, soon())).get(undefined);
        } finally {
          await one.close();
        }
      },
    });

    test('its row in docs/providers/README.md says so', (context) => {
      const text = row.text(fixture.label ?? name);
      context.diagnostic(text);
      row.check(fixture.label ?? name);
    });
  });
}

/** What a secret whose members are texts holds in place of these members. */
export const textsOf = (members: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(members).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value),
    ]),
  );
