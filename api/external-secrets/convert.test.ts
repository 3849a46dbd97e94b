import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { validValue, withDefaults } from '../../test/arbitraries/structural.ts';
import { toStructural } from '../crd/structural.ts';
import type { JsonObject } from '../json.ts';
import { parseObject } from '../json.ts';
import { convertObject } from './convert.ts';
import { ANNOTATION_CONVERSION, SERVED_VERSIONS, type ServedVersion } from './names.ts';
import { externalSecretSpec as externalSecretV1 } from './v1/external-secret.ts';
import { storeSpec as storeV1 } from './v1/secret-store.ts';
import { externalSecretSpec as externalSecretV1alpha1 } from './v1alpha1/external-secret.ts';
import { storeSpec as storeV1alpha1 } from './v1alpha1/secret-store.ts';
import { externalSecretSpec as externalSecretV1beta1 } from './v1beta1/external-secret.ts';
import { storeSpec as storeV1beta1 } from './v1beta1/secret-store.ts';

const STORE = {
  v1: toStructural(storeV1({})),
  v1beta1: toStructural(storeV1beta1({})),
  v1alpha1: toStructural(storeV1alpha1({})),
};
const SCHEMAS = {
  ExternalSecret: {
    v1: toStructural(externalSecretV1),
    v1beta1: toStructural(externalSecretV1beta1),
    v1alpha1: toStructural(externalSecretV1alpha1),
  },
  SecretStore: STORE,
  ClusterSecretStore: STORE,
};
type Kind = keyof typeof SCHEMAS;
const KINDS = Object.keys(SCHEMAS) as Kind[];
const OLDER = ['v1beta1', 'v1alpha1'] as const;

const METADATA = {
  name: 'x',
  namespace: 'n',
  uid: 'u',
  generation: 3,
  labels: { a: 'b' },
  finalizers: ['f'],
};

const objectOf = (
  kind: Kind,
  version: ServedVersion,
  spec: unknown,
  metadata: object = METADATA,
): JsonObject => ({
  apiVersion: `external-secrets.io/${version}`,
  kind,
  metadata,
  spec,
  status: { capabilities: 'ReadOnly' },
});
const convert = (object: JsonObject, version: ServedVersion) =>
  convertObject(object, `external-secrets.io/${version}`);
const annotationsOf = (object: JsonObject) =>
  (object['metadata'] as { annotations?: Record<string, string> }).annotations;
const parked = (object: JsonObject): unknown => {
  const text = annotationsOf(object)?.[ANNOTATION_CONVERSION];
  return text === undefined ? undefined : JSON.parse(text);
};
/** -0 and null prototypes do not survive the wire, so they are no difference. */
const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

describe('round trips of random valid specs', () => {
  for (const kind of KINDS) {
    for (const older of OLDER) {
      it(`${kind}: v1 -> ${older} -> v1 is the same object`, () => {
        const schema = SCHEMAS[kind].v1;
        fc.assert(
          fc.property(validValue(schema), (spec) => {
            const stored = deepFreeze(wire(objectOf(kind, 'v1', withDefaults(schema, spec)))) as JsonObject;
            const shown = wire(convert(stored, older)) as JsonObject;
            const back = convert(shown, 'v1');
            const restored = { ...back, spec: withDefaults(schema, back['spec']) };
            assert.deepEqual(wire(restored), wire(stored));
          }),
          { numRuns: 300 },
        );
      });

      it(`${kind}: ${older} -> v1 -> ${older} is the same object, with nothing parked on v1`, () => {
        const schema = SCHEMAS[kind][older];
        fc.assert(
          fc.property(validValue(schema), (spec) => {
            const applied = deepFreeze(wire(objectOf(kind, older, withDefaults(schema, spec)))) as JsonObject;
            const hub = wire(convert(applied, 'v1')) as JsonObject;
            assert.deepEqual(hub['metadata'], METADATA);
            assert.deepEqual(wire(convert(hub, older)), wire(applied));
          }),
          { numRuns: 300 },
        );
      });
    }

    it(`${kind}: v1beta1 -> v1alpha1 -> v1beta1 is the same object`, () => {
      const schema = SCHEMAS[kind].v1beta1;
      fc.assert(
        fc.property(validValue(schema), (spec) => {
          const applied = wire(objectOf(kind, 'v1beta1', withDefaults(schema, spec))) as JsonObject;
          const back = convert(wire(convert(applied, 'v1alpha1')) as JsonObject, 'v1beta1');
          assert.deepEqual(wire({ ...back, spec: withDefaults(schema, back['spec']) }), applied);
        }),
      );
    });
  }
});

describe('any object is converted', () => {
  /** A valid spec with arbitrary JSON in place of some of its parts. */
  const broken = (kind: Kind, version: ServedVersion) =>
    fc
      .tuple(
        validValue(SCHEMAS[kind][version]),
        fc.array(fc.tuple(fc.nat(40), fc.jsonValue()), { maxLength: 3 }),
      )
      .map(([spec, faults]) => {
        const faultAt = new Map(faults);
        let position = 0;
        return JSON.parse(JSON.stringify(spec), (_name, value: unknown) => {
          const fault = faultAt.get(position++);
          return fault ?? value;
        }) as unknown;
      });

  for (const kind of KINDS) {
    it(`${kind}: nothing is lost of an invalid v1 object`, () => {
      const schema = SCHEMAS[kind].v1;
      fc.assert(
        fc.property(broken(kind, 'v1'), fc.constantFrom(...OLDER), (spec, older) => {
          const stored = objectOf(kind, 'v1', withDefaults(schema, spec));
          const back = convert(wire(convert(stored, older)) as JsonObject, 'v1');
          assert.deepEqual(wire(withDefaults(schema, back['spec'])), wire(stored['spec']));
        }),
        { numRuns: 500 },
      );
    });

    it(`${kind}: invalid objects and annotations never throw`, () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...SERVED_VERSIONS),
          fc.constantFrom(...SERVED_VERSIONS),
          fc.oneof(broken(kind, 'v1alpha1'), fc.jsonValue()),
          fc.oneof(
            fc.string(),
            fc.json(),
            fc.json().map((text) => `{"data":[[0,${text}]],"dataFrom":${text}}`),
          ),
          fc.oneof(fc.constant(undefined), fc.jsonValue()),
          (from, to, spec, annotation, metadata) => {
            const annotations = { [ANNOTATION_CONVERSION]: annotation };
            convert(objectOf(kind, from, spec, { ...METADATA, annotations }), to);
            convert({ ...objectOf(kind, from, spec), metadata }, to);
            convert({ apiVersion: `external-secrets.io/${from}`, kind }, to);
          },
        ),
        { numRuns: 500 },
      );
    });
  }

  it('a kind or version that is not served is named', () => {
    assert.throws(
      () =>
        convertObject(
          { apiVersion: 'external-secrets.io/v1', kind: 'PushSecret' },
          'external-secrets.io/v1beta1',
        ),
      {
        code: 'INVALID_OBJECT',
        message:
          'cannot convert kind "PushSecret": only ExternalSecret, SecretStore, ClusterSecretStore are converted',
      },
    );
    assert.throws(
      () =>
        convertObject(
          { apiVersion: 'external-secrets.io/v1', kind: 'SecretStore' },
          'external-secrets.io/v2',
        ),
      {
        code: 'INVALID_OBJECT',
        message:
          'cannot convert apiVersion "external-secrets.io/v2": external-secrets.io is served as v1, v1beta1, v1alpha1',
      },
    );
  });
});

describe('ExternalSecret v1alpha1', () => {
  const target = { name: 't', creationPolicy: 'Owner' };

  it('S97: dataFrom [{key}] is v1 dataFrom [{extract: {key}}], without an annotation in either direction', () => {
    const stored = objectOf('ExternalSecret', 'v1alpha1', {
      target,
      dataFrom: [{ key: 'x', property: 'p' }],
    });
    const hub = convert(stored, 'v1');
    assert.deepEqual(hub['spec'], { target, dataFrom: [{ extract: { key: 'x', property: 'p' } }] });
    assert.equal(hub['metadata'], stored['metadata']);
    assert.deepEqual(convert(hub, 'v1alpha1'), stored);
  });

  it('a default of v1 that v1alpha1 cannot say is not parked', () => {
    const template = {
      engineVersion: 'v2',
      mergePolicy: 'Replace',
      templateFrom: [{ target: 'Data', secret: { name: 's', items: [{ key: 'k', templateAs: 'Values' }] } }],
    };
    const hub = objectOf('ExternalSecret', 'v1', {
      target: { ...target, deletionPolicy: 'Retain', template },
    });
    const shown = convert(hub, 'v1alpha1');
    assert.equal(parked(shown), undefined);
    assert.deepEqual(shown['spec'], {
      target: {
        ...target,
        template: { engineVersion: 'v2', templateFrom: [{ secret: { name: 's', items: [{ key: 'k' }] } }] },
      },
    });
  });

  it('a template without engineVersion is for v1 there, and stays so on the hub', () => {
    const applied = objectOf('ExternalSecret', 'v1alpha1', {
      target: { ...target, template: { data: { a: '{{ .b }}' } } },
    });
    const hub = convert(applied, 'v1');
    assert.deepEqual((hub['spec'] as { target: { template: object } }).target.template, {
      engineVersion: 'v1',
      data: { a: '{{ .b }}' },
    });
    assert.equal(externalSecretV1.safeParse(hub['spec']).success, false);
    const ofV1 = objectOf('ExternalSecret', 'v1', {
      target: { ...target, template: { data: { a: '{{ .b }}' } } },
    });
    const shown = convert(ofV1, 'v1alpha1');
    assert.deepEqual((shown['spec'] as { target: { template: object } }).target.template, {
      engineVersion: 'v2',
      data: { a: '{{ .b }}' },
    });
  });

  const hub = objectOf('ExternalSecret', 'v1', {
    refreshPolicy: 'OnChange',
    target: {
      ...target,
      deletionPolicy: 'Delete',
      template: { engineVersion: 'v2', mergePolicy: 'Merge', metadata: { finalizers: ['f'] } },
    },
    data: [
      { secretKey: 'a', remoteRef: { key: 'k1', decodingStrategy: 'Base64' } },
      { secretKey: 'b', remoteRef: { key: 'k2' }, sourceRef: { storeRef: { name: 'other' } } },
      { secretKey: 'c', remoteRef: { key: 'k3' } },
    ],
    dataFrom: [
      { find: { path: 'p' } },
      { extract: { key: 'x' }, rewrite: [{ regexp: { source: 'a', target: 'b' } }] },
      { extract: { key: 'y' } },
    ],
  });
  const shown = convert(hub, 'v1alpha1');
  const shownSpec = shown['spec'] as { target: object; data: object[]; dataFrom: object[] };
  const edited = (spec: object) =>
    convert({ ...shown, spec: { ...shownSpec, ...spec } }, 'v1')['spec'] as Record<string, never>;

  it('parks only what it cannot say, as compact JSON', () => {
    assert.deepEqual(shown['spec'], {
      target: { ...target, template: { engineVersion: 'v2', metadata: {} } },
      data: [
        { secretKey: 'a', remoteRef: { key: 'k1' } },
        { secretKey: 'b', remoteRef: { key: 'k2' } },
        { secretKey: 'c', remoteRef: { key: 'k3' } },
      ],
      dataFrom: [{ key: 'x' }, { key: 'y' }],
    });
    assert.equal(
      annotationsOf(shown)?.[ANNOTATION_CONVERSION],
      '{"refreshPolicy":"OnChange",' +
        '"data":[[0,{"secretKey":"a","remoteRef":{"key":"k1","decodingStrategy":"Base64"}}],' +
        '[1,{"secretKey":"b","remoteRef":{"key":"k2"},"sourceRef":{"storeRef":{"name":"other"}}}]],' +
        '"dataFrom":[[0,{"find":{"path":"p"}}],' +
        '[1,{"extract":{"key":"x"},"rewrite":[{"regexp":{"source":"a","target":"b"}}]}]],' +
        '"target":{"deletionPolicy":"Delete","template":{"mergePolicy":"Merge","metadata":{"finalizers":["f"]}}}}',
    );
    assert.deepEqual(convert(shown, 'v1'), hub);
  });

  it('an edited element is what the edit says; its neighbours keep what was hidden', () => {
    const [a, b, c] = shownSpec.data;
    assert.deepEqual(edited({ data: [{ secretKey: 'a', remoteRef: { key: 'NEW' } }, b, c] })['data'], [
      { secretKey: 'a', remoteRef: { key: 'NEW' } },
      { secretKey: 'b', remoteRef: { key: 'k2' }, sourceRef: { storeRef: { name: 'other' } } },
      { secretKey: 'c', remoteRef: { key: 'k3' } },
    ]);
    assert.deepEqual(edited({ data: [c, { secretKey: 'd', remoteRef: { key: 'k4' } }, a] })['data'], [
      { secretKey: 'c', remoteRef: { key: 'k3' } },
      { secretKey: 'd', remoteRef: { key: 'k4' } },
      { secretKey: 'a', remoteRef: { key: 'k1', decodingStrategy: 'Base64' } },
    ]);
  });

  it('elements that cannot be shown stay, whatever happens to the others', () => {
    assert.deepEqual(edited({ dataFrom: [] })['dataFrom'], [{ find: { path: 'p' } }]);
    assert.deepEqual(edited({ dataFrom: undefined })['dataFrom'], [{ find: { path: 'p' } }]);
    assert.deepEqual(edited({ dataFrom: [{ key: 'y' }, { key: 'z' }] })['dataFrom'], [
      { find: { path: 'p' } },
      { extract: { key: 'y' } },
      { extract: { key: 'z' } },
    ]);
  });

  it('of two elements that look alike each gets its own back', () => {
    const twins = objectOf('ExternalSecret', 'v1', {
      dataFrom: [
        { extract: { key: 'x' } },
        { extract: { key: 'x', decodingStrategy: 'Auto' } },
        { extract: { key: 'x', decodingStrategy: 'Base64' } },
      ],
    });
    assert.deepEqual(convert(convert(twins, 'v1alpha1'), 'v1'), twins);
    const behindHidden = objectOf('ExternalSecret', 'v1', {
      dataFrom: [
        { find: { path: 'p' } },
        { extract: { key: 'x' } },
        { extract: { key: 'x', decodingStrategy: 'Auto' } },
      ],
    });
    assert.deepEqual(convert(convert(behindHidden, 'v1alpha1'), 'v1'), behindHidden);
  });

  it('what belonged to a removed template goes with it, and what is written wins', () => {
    assert.deepEqual(edited({ target })['target'], { ...target, deletionPolicy: 'Delete' });
    assert.deepEqual(edited({ target: { ...target, deletionPolicy: 'Merge' } })['target'], {
      ...target,
      deletionPolicy: 'Merge',
    });
    // Clients that drop empty objects do not lose what was hidden in them.
    assert.deepEqual(
      edited({ target: { ...target, template: { engineVersion: 'v2' } } })['target'],
      (hub['spec'] as { target: object }).target,
    );
  });

  it('without the annotation the object is what it shows', () => {
    const bare = convert({ ...shown, metadata: METADATA }, 'v1');
    assert.deepEqual(bare['spec'], {
      target: { ...target, template: { engineVersion: 'v2', metadata: {} } },
      data: shownSpec.data,
      dataFrom: [{ extract: { key: 'x' } }, { extract: { key: 'y' } }],
    });
  });

  it('a stray copy of the annotation on a v1 object has no effect', () => {
    const stray = {
      ...METADATA,
      annotations: { keep: 'me', [ANNOTATION_CONVERSION]: '{"refreshPolicy":"OnChange"}' },
    };
    const plain = convert(objectOf('ExternalSecret', 'v1', { target }, stray), 'v1alpha1');
    assert.deepEqual(annotationsOf(plain), { keep: 'me' });
  });

  it('an annotation that nests without end is ignored', () => {
    const deep = `{"data":[[0,${'['.repeat(100_000)}${']'.repeat(100_000)}]],"refreshPolicy":"OnChange"}`;
    const annotations = { [ANNOTATION_CONVERSION]: deep };
    const spec = { target, data: [{ secretKey: 'a', remoteRef: { key: 'k' } }] };
    const back = convert(objectOf('ExternalSecret', 'v1alpha1', spec, { ...METADATA, annotations }), 'v1');
    assert.deepEqual(back['spec'], spec);
    assert.equal(annotationsOf(back), undefined);
  });

  it('brackets inside of strings do not count as depth', () => {
    const literal = objectOf('ExternalSecret', 'v1', {
      target: { template: { engineVersion: 'v2', templateFrom: [{ literal: `${'[{'.repeat(500)}\\"` }] } },
    });
    assert.deepEqual(convert(convert(literal, 'v1alpha1'), 'v1'), literal);
  });
});

describe('stores', () => {
  const provider = { vault: { server: 'https://vault.example.com' } };
  const store = (spec: object) => objectOf('SecretStore', 'v1', { provider, ...spec });
  const interval = (object: JsonObject) => (object['spec'] as { refreshInterval?: unknown }).refreshInterval;

  it('v1beta1 shows a duration in whole seconds, rounded up, and keeps its spelling', () => {
    for (const [text, seconds] of [
      ['90s', 90],
      ['1h30m', 5400],
      ['1.5s', 2],
      ['0', 0],
      ['soon', undefined],
    ] as const) {
      const shown = convert(store({ refreshInterval: text }), 'v1beta1');
      assert.equal(interval(shown), seconds);
      assert.deepEqual(parked(shown), { refreshInterval: text });
      assert.equal(interval(convert(shown, 'v1')), text);
    }
    const edited = convert(store({ refreshInterval: '90s' }), 'v1beta1');
    assert.equal(interval(convert({ ...edited, spec: { provider, refreshInterval: 60 } }, 'v1')), 60);
    assert.equal(interval(convert({ ...edited, spec: { provider } }, 'v1')), undefined);
  });

  it('seconds are said in every version as they are', () => {
    const shown = convert(store({ refreshInterval: 300 }), 'v1beta1');
    assert.equal(interval(shown), 300);
    assert.equal(parked(shown), undefined);
  });

  it('v1alpha1 parks conditions and refreshInterval', () => {
    const spec = { conditions: [{ namespaces: ['a'] }], refreshInterval: 300 };
    const shown = convert(store(spec), 'v1alpha1');
    assert.deepEqual(shown['spec'], { provider });
    assert.deepEqual(parked(shown), { refreshInterval: 300, conditions: [{ namespaces: ['a'] }] });
    assert.deepEqual(convert(shown, 'v1'), store(spec));
  });

  it('integers beyond 2^53 keep their digits, shown and parked', () => {
    const text =
      '{"apiVersion":"external-secrets.io/v1","kind":"SecretStore","spec":{"provider":{"akeyless":{"id":12345678901234567890}},' +
      '"refreshInterval":98765432109876543210}}';
    const shown = JSON.stringify(convert(parseObject(text) as JsonObject, 'v1alpha1'));
    assert.match(shown, /"id":12345678901234567890\}/);
    const back = convert(parseObject(shown) as JsonObject, 'v1');
    assert.equal(JSON.stringify(back['spec']), JSON.stringify((parseObject(text) as JsonObject)['spec']));
  });
});

it('a conversion of an object with 40 entries takes less than 0.3 ms', () => {
  const data = Array.from({ length: 40 }, (_, index) => ({
    secretKey: `key-${index}`,
    remoteRef: {
      key: `path/to/secret-${index}`,
      property: 'value',
      ...(index % 4 === 0 && { decodingStrategy: 'Base64' }),
    },
  }));
  const hub = objectOf('ExternalSecret', 'v1', {
    refreshPolicy: 'OnChange',
    target: { name: 't', deletionPolicy: 'Delete' },
    data,
  });
  const round = () => convert(convert(hub, 'v1alpha1'), 'v1');
  for (let count = 0; count < 500; count++) round();
  const before = process.cpuUsage();
  for (let count = 0; count < 500; count++) round();
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1000 / 1000 < 0.3, `${(user + system) / 1000 / 1000} ms each`);
});
