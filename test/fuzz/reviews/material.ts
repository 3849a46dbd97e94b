/** What reviews are made of: manifests that people write, and random values of every served schema. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import { buildCrds } from '../../../api/crd/crds.ts';
import { buildGeneratorCrds } from '../../../api/crd/generator-crds.ts';
import { buildPolicyCrd } from '../../../api/crd/policy-crd.ts';
import type { StructuralSchema } from '../../../api/crd/structural.ts';
import { providerSchemas } from '../../../providers/registry.ts';
import { ROOT } from '../../../tools/setup/paths.mjs';
import { validValue, withDefaults } from '../../arbitraries/structural.ts';
import type { Random } from '../random.ts';
import type { Json } from './mutations.ts';

export type JsonRecord = { [name: string]: Json };

/** A kind in one of its served versions. */
export interface ServedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Of the whole object. */
  readonly schema: StructuralSchema;
}

export const SERVED_KINDS: readonly ServedKind[] = [
  ...buildCrds({ providers: providerSchemas, conversion: { namespace: 'n', serviceName: 's' } }),
  ...buildGeneratorCrds(),
  buildPolicyCrd(),
].flatMap(({ spec: { group, names, scope, versions } }) =>
  versions
    .filter(({ served }) => served)
    .map(({ name, schema }) => ({
      group,
      version: name,
      kind: names.kind,
      plural: names.plural,
      namespaced: scope === 'Namespaced',
      schema: schema.openAPIV3Schema,
    })),
);

export const apiVersionOf = ({ group, version }: ServedKind): string => `${group}/${version}`;

/** Where the objects of the bed are; see prepareTarget. */
export const WHERE = 'fuzz';
const SEEDS = ['test/e2e/seeds', 'examples/fake', 'examples/vault-token', 'examples/aws-keys'];

/** Objects of our kinds from the repository's own manifests, and some that use much of the schema. */
function readManifests(): readonly JsonRecord[] {
  const known = new Set<unknown>(SERVED_KINDS.map(({ kind }) => kind));
  return SEEDS.flatMap((directory) =>
    readdirSync(join(ROOT, directory))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .flatMap((file) =>
        parseAllDocuments(readFileSync(join(ROOT, directory, file), 'utf8')).map(
          (document) => document.toJS() as JsonRecord | null,
        ),
      ),
  ).filter((object) => object !== null && known.has(object['kind'])) as JsonRecord[];
}

const externalSecret = (
  spec: JsonRecord,
  version = 'v1',
  annotations: JsonRecord = { team: 'a' },
): JsonRecord => ({
  apiVersion: `external-secrets.io/${version}`,
  kind: 'ExternalSecret',
  metadata: { name: 'app', namespace: WHERE, annotations },
  spec,
});
const DATA: Json = [{ secretKey: 'password', remoteRef: { key: 'fuzzed', property: 'password' } }];

/** Those that reach what the bed holds: stores that exist, generators, templates, targets in the way. */
const OWN: readonly JsonRecord[] = [
  externalSecret({ refreshInterval: '1h', secretStoreRef: { name: 'vault' }, data: DATA }),
  externalSecret({ secretStoreRef: { name: 'shared', kind: 'ClusterSecretStore' }, data: DATA }),
  externalSecret({ secretStoreRef: { name: 'missing' }, data: DATA }, 'v1', {
    'external-secrets-admission.io/require-sync': 'true',
  }),
  externalSecret({ secretStoreRef: { name: 'fake' }, dataFrom: [{ extract: { key: 'map' } }] }),
  externalSecret({ secretStoreRef: { name: 'fake' }, dataFrom: [{ find: { name: { regexp: '^a+' } } }] }),
  externalSecret({
    target: {
      name: 'rendered',
      creationPolicy: 'Owner',
      template: {
        type: 'Opaque',
        engineVersion: 'v2',
        metadata: { labels: { a: '{{ .password | b64enc }}' }, annotations: { b: 'c' } },
        data: { url: 'https://{{ .password | urlquery }}@{{ .host | default "x" }}' },
        templateFrom: [{ configMap: { name: 'templates', items: [{ key: 'a' }] } }],
      },
    },
    secretStoreRef: { name: 'vault' },
    data: DATA,
    dataFrom: [{ extract: { key: 'fuzzed' }, rewrite: [{ regexp: { source: 'pass(.*)', target: 'x$1' } }] }],
  }),
  externalSecret({
    dataFrom: [
      {
        sourceRef: {
          generatorRef: {
            apiVersion: 'generators.external-secrets.io/v1alpha1',
            kind: 'Password',
            name: 'pw',
          },
        },
      },
    ],
  }),
  externalSecret({ secretStoreRef: { name: 'vault' }, target: { name: 'foreign' }, data: DATA }),
  externalSecret({
    secretStoreRef: { name: 'vault' },
    target: { creationPolicy: 'Merge', name: 'foreign' },
    data: DATA,
  }),
  externalSecret(
    {
      secretStoreRef: { name: 'vault' },
      target: { template: { templateFrom: [{ configMap: { name: 'x', items: [{ key: 'k' }] } }] } },
      dataFrom: [{ key: 'app' }],
    },
    'v1alpha1',
    {
      'external-secrets-admission.io/conversion-data':
        '{"refreshPolicy":"OnChange","dataFrom":[[1,{"find":{}}]]}',
    },
  ),
  {
    apiVersion: 'external-secrets.io/v1beta1',
    kind: 'SecretStore',
    metadata: { name: 'store', namespace: WHERE },
    spec: {
      refreshInterval: 30,
      conditions: [{ namespaceRegexes: ['^team-.*'], namespaceSelector: { matchLabels: { a: 'b' } } }],
      provider: {
        vault: {
          server: 'https://vault.example.com',
          path: 'secret',
          version: 'v2',
          caProvider: { type: 'ConfigMap', name: 'ca', key: 'ca.crt' },
          auth: { kubernetes: { mountPath: 'kubernetes', role: 'r', serviceAccountRef: { name: 's' } } },
        },
      },
    },
  },
  {
    apiVersion: 'external-secrets-admission.io/v1alpha1',
    kind: 'ClusterSecretPolicy',
    metadata: { name: 'policy' },
    spec: { keys: { patterns: ['{{namespace}}/*'] }, effect: 'Deny', refreshInterval: { minimum: '1m' } },
  },
];

export class Material {
  readonly manifests: readonly JsonRecord[] = [...readManifests(), ...OWN];
  readonly #random: Random;
  readonly #samples = new Map<ServedKind, JsonRecord[]>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** The kind of an object; undefined if it is none that is served. */
  kindOf(object: JsonRecord): ServedKind | undefined {
    return SERVED_KINDS.find(
      (served) => served.kind === object['kind'] && apiVersionOf(served) === object['apiVersion'],
    );
  }

  /** A random object of this kind that its schema allows, with the schema's defaults. */
  sample(kind: ServedKind): JsonRecord {
    const waiting = this.#samples.get(kind) ?? [];
    if (waiting.length === 0) waiting.push(...this.#draw(kind));
    this.#samples.set(kind, waiting);
    return waiting.pop() ?? {};
  }

  #draw(kind: ServedKind): JsonRecord[] {
    const { spec } = kind.schema.properties ?? {};
    if (spec === undefined) return [{}];
    const specs = fc.sample(validValue(spec), { numRuns: 32, seed: this.#random.below(2 ** 31) });
    return specs.map((value) => ({
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: {
        name: `s-${this.#random.below(50)}`,
        ...(kind.namespaced ? { namespace: WHERE } : {}),
      },
      // By the wire, as the API server sends it: without prototypes and undefined members.
      spec: JSON.parse(JSON.stringify(withDefaults(spec, value))) as Json,
    }));
  }
}
