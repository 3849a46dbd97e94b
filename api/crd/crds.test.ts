import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RE2JS } from 're2js';
import { z } from 'zod';
import { PROVIDER_KEYS } from '../external-secrets/provider-keys.ts';
import { buildCrds, type CustomResourceDefinition } from './crds.ts';
import type { StructuralSchema } from './structural.ts';

const conversion = { namespace: 'ns', serviceName: 'svc' };
const crds = buildCrds({
  providers: { fake: z.strictObject({ data: z.array(z.string()) }).describe('A fake.') },
  conversion,
});

const named = (kind: string): CustomResourceDefinition => {
  const crd = crds.find(({ spec }) => spec.names.kind === kind);
  assert.ok(crd);
  return crd;
};

const specOf = (kind: string, version: string): StructuralSchema => {
  const found = named(kind).spec.versions.find(({ name }) => name === version);
  const spec = found?.schema.openAPIV3Schema.properties?.['spec'];
  assert.ok(spec);
  return spec;
};

/** The schema at a path such as `data[].remoteRef`. */
function at(schema: StructuralSchema, path: string): StructuralSchema | undefined {
  let current: StructuralSchema | undefined = schema;
  for (const part of path.split('.')) {
    current = current?.properties?.[part.replace('[]', '')];
    if (part.endsWith('[]')) current = current?.items;
  }
  return current;
}

function* nodes(schema: StructuralSchema): Generator<StructuralSchema> {
  yield schema;
  for (const member of Object.values(schema.properties ?? {})) yield* nodes(member);
  if (schema.items !== undefined) yield* nodes(schema.items);
  if (schema.additionalProperties !== undefined) yield* nodes(schema.additionalProperties);
}

describe('the definitions', () => {
  it('are of the four kinds, with the names users know', () => {
    assert.deepEqual(
      crds.map(({ metadata, spec: { names, scope } }) => [
        metadata.name,
        metadata.labels,
        names.kind,
        names.singular,
        names.shortNames,
        names.categories,
        scope,
      ]),
      [
        ['externalsecrets', 'ExternalSecret', 'es', 'Namespaced'],
        ['secretstores', 'SecretStore', 'ss', 'Namespaced'],
        ['clustersecretstores', 'ClusterSecretStore', 'css', 'Cluster'],
        ['clusterexternalsecrets', 'ClusterExternalSecret', 'ces', 'Cluster'],
      ].map(([plural, kind, short, scope]) => [
        `${plural}.external-secrets.io`,
        { 'external-secrets.io/component': 'controller' },
        kind,
        kind?.toLowerCase(),
        [short],
        ['external-secrets'],
        scope,
      ]),
    );
  });

  it('serve every version through the conversion webhook and store v1', () => {
    for (const { spec } of crds.filter((crd) => crd !== named('ClusterExternalSecret'))) {
      assert.deepEqual(
        spec.versions.map(({ name, served, storage, subresources }) => [name, served, storage, subresources]),
        [
          ['v1', true, true, { status: {} }],
          ['v1beta1', true, false, { status: {} }],
          ['v1alpha1', true, false, { status: {} }],
        ],
      );
      assert.deepEqual(spec.conversion, {
        strategy: 'Webhook',
        webhook: {
          conversionReviewVersions: ['v1'],
          clientConfig: { service: { namespace: 'ns', name: 'svc', port: 443 } },
        },
      });
    }
  });

  it('serve v1 only without a conversion webhook', () => {
    for (const { spec } of buildCrds({ providers: {}, conversion: 'None' })) {
      assert.deepEqual(spec.conversion, { strategy: 'None' });
      if (spec.names.kind === 'ClusterExternalSecret') continue;
      assert.deepEqual(
        spec.versions.filter(({ served }) => served).map(({ name }) => name),
        ['v1'],
      );
    }
  });

  it('show the columns of External Secrets Operator in every version', () => {
    const columns = (kind: string) =>
      new Set(
        named(kind).spec.versions.map((version) =>
          version.additionalPrinterColumns.map(({ name, type }) => `${name}:${type}`).join(', '),
        ),
      );
    assert.deepEqual(
      columns('ExternalSecret'),
      new Set([
        'StoreType:string, Store:string, Refresh Interval:string, Status:string, Ready:string, Last Sync:date',
      ]),
    );
    for (const kind of ['SecretStore', 'ClusterSecretStore']) {
      assert.deepEqual(
        columns(kind),
        new Set(['AGE:date, Status:string, Capabilities:string, Ready:string']),
      );
    }
  });

  it('have patterns that RE2 compiles', () => {
    const patterns = crds.flatMap(({ spec }) =>
      spec.versions.flatMap(({ schema }) => [...nodes(schema.openAPIV3Schema)].map(({ pattern }) => pattern)),
    );
    const distinct = new Set(patterns.filter((pattern) => pattern !== undefined));
    assert.equal(distinct.size, 4);
    for (const pattern of distinct) assert.doesNotThrow(() => RE2JS.compile(pattern), pattern);
  });
});

describe('ExternalSecret', () => {
  it('selects by fields in the versions where the API server can', () => {
    assert.deepEqual(
      named('ExternalSecret').spec.versions.map(({ selectableFields }) => selectableFields?.length),
      [4, 4, undefined],
    );
  });

  for (const version of ['v1', 'v1beta1', 'v1alpha1']) {
    it(`${version} has no default for the strategies`, () => {
      const strategies = new Set([
        'metadataPolicy',
        'conversionStrategy',
        'decodingStrategy',
        'nullBytePolicy',
        'valuesDecodingStrategy',
      ]);
      let seen = 0;
      for (const node of nodes(specOf('ExternalSecret', version))) {
        for (const [name, member] of Object.entries(node.properties ?? {})) {
          if (!strategies.has(name)) continue;
          seen += 1;
          assert.equal(member.default, undefined, name);
          assert.ok(member.enum, name);
        }
      }
      assert.ok(seen > 0);
    });
  }

  it('v1 has the defaults of External Secrets Operator', () => {
    const spec = specOf('ExternalSecret', 'v1');
    const defaults = {
      refreshInterval: '1h0m0s',
      target: { creationPolicy: 'Owner', deletionPolicy: 'Retain' },
      'target.creationPolicy': 'Owner',
      'target.deletionPolicy': 'Retain',
      'target.template.engineVersion': 'v2',
      'target.template.mergePolicy': 'Replace',
      'target.template.templateFrom[].target': 'Data',
      'target.template.templateFrom[].configMap.items[].templateAs': 'Values',
      'data[].sourceRef.generatorRef.apiVersion': 'generators.external-secrets.io/v1alpha1',
      'dataFrom[].rewrite[].merge.into': '',
      'dataFrom[].rewrite[].merge.priorityPolicy': 'Strict',
      'dataFrom[].rewrite[].merge.conflictPolicy': 'Error',
      'dataFrom[].rewrite[].merge.strategy': 'Extract',
      'target.immutable': undefined,
      refreshPolicy: undefined,
      'secretStoreRef.kind': undefined,
    };
    for (const [path, value] of Object.entries(defaults)) {
      const schema = at(spec, path);
      assert.ok(schema, path);
      assert.deepEqual(schema.default, value, path);
    }
  });

  it('requires nothing of a spec in v1, and store and target in v1alpha1', () => {
    assert.equal(specOf('ExternalSecret', 'v1').required, undefined);
    assert.deepEqual(specOf('ExternalSecret', 'v1alpha1').required, ['secretStoreRef', 'target']);
  });

  it('allows the generators of ESO and SecretGenerator', () => {
    const kinds = at(specOf('ExternalSecret', 'v1beta1'), 'dataFrom[].sourceRef.generatorRef.kind')?.enum;
    assert.equal(kinds?.length, 19);
    assert.ok(
      kinds.includes('SecretGenerator') && kinds.includes('Password') && kinds.includes('ClusterGenerator'),
    );
  });

  it('v1alpha1 has a list of references in dataFrom and engine v1 as the default', () => {
    const spec = specOf('ExternalSecret', 'v1alpha1');
    assert.deepEqual(Object.keys(at(spec, 'dataFrom[]')?.properties ?? {}), [
      'key',
      'property',
      'version',
      'conversionStrategy',
    ]);
    assert.equal(at(spec, 'target.template.engineVersion')?.default, 'v1');
    assert.deepEqual(at(spec, 'target.template.engineVersion')?.enum, ['v1', 'v2']);
    assert.equal(spec.properties?.['refreshPolicy'], undefined);
  });
});

describe('ClusterExternalSecret', () => {
  it('is served as v1 and v1beta1, which are the same, by the API server alone', () => {
    const { versions, conversion: strategy } = named('ClusterExternalSecret').spec;
    assert.deepEqual(strategy, { strategy: 'None' });
    assert.deepEqual(
      versions.map(({ name, served, storage }) => [name, served, storage]),
      [
        ['v1', true, true],
        ['v1beta1', true, false],
      ],
    );
    assert.deepEqual(versions[0]?.schema, versions[1]?.schema);
  });

  it('embeds the spec of an ExternalSecret, with its defaults and rules', () => {
    const spec = specOf('ClusterExternalSecret', 'v1');
    assert.deepEqual(spec.required, ['externalSecretSpec']);
    const { description: _, ...embedded } = at(spec, 'externalSecretSpec') ?? {};
    const { description: __, ...own } = specOf('ExternalSecret', 'v1');
    assert.deepEqual(embedded, own);
    assert.ok(embedded['x-kubernetes-validations']);
    assert.deepEqual(Object.keys(spec.properties ?? {}).sort(), [
      'externalSecretMetadata',
      'externalSecretName',
      'externalSecretSpec',
      'namespaceSelector',
      'namespaceSelectors',
      'namespaces',
      'refreshTime',
    ]);
  });

  it('shows the columns of External Secrets Operator', () => {
    for (const { additionalPrinterColumns } of named('ClusterExternalSecret').spec.versions) {
      assert.deepEqual(
        additionalPrinterColumns.map(({ name }) => name),
        ['Store', 'Refresh Interval', 'Ready'],
      );
    }
  });
});

describe('stores', () => {
  for (const kind of ['SecretStore', 'ClusterSecretStore']) {
    for (const version of ['v1', 'v1beta1', 'v1alpha1']) {
      it(`${kind} ${version} declares every provider, of which exactly one is set`, () => {
        const provider = at(specOf(kind, version), 'provider');
        assert.deepEqual(Object.keys(provider?.properties ?? {}), PROVIDER_KEYS);
        assert.equal(provider?.minProperties, 1);
        assert.equal(provider?.maxProperties, 1);
        for (const [name, schema] of Object.entries(provider?.properties ?? {})) {
          const open = schema['x-kubernetes-preserve-unknown-fields'];
          assert.equal(open, name === 'fake' ? undefined : true, name);
        }
        assert.deepEqual(specOf(kind, version).required, ['provider']);
      });
    }
  }

  it('have refreshInterval as text or seconds in v1, as seconds in v1beta1, not in v1alpha1', () => {
    assert.equal(at(specOf('SecretStore', 'v1'), 'refreshInterval')?.['x-kubernetes-int-or-string'], true);
    assert.equal(at(specOf('SecretStore', 'v1beta1'), 'refreshInterval')?.type, 'integer');
    assert.equal(at(specOf('SecretStore', 'v1alpha1'), 'refreshInterval'), undefined);
    assert.equal(at(specOf('SecretStore', 'v1alpha1'), 'conditions'), undefined);
  });

  it('declare the 43 providers of ESO, two that it dropped, and express', () => {
    assert.equal(PROVIDER_KEYS.length, 46);
    assert.ok(PROVIDER_KEYS.includes('express'));
  });
});
