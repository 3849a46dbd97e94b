/** The CustomResourceDefinitions, built from the zod schemas: what deploy/crds/ holds. */
import { z } from 'zod';
import { GROUP, HUB_VERSION, SERVED_VERSIONS, type ServedVersion } from '../external-secrets/names.ts';
import * as clusterExternalSecretV1 from '../external-secrets/v1/cluster-external-secret.ts';
import * as externalSecretV1 from '../external-secrets/v1/external-secret.ts';
import type { ProviderSchemas } from '../external-secrets/v1/secret-store.ts';
import * as storeV1 from '../external-secrets/v1/secret-store.ts';
import * as externalSecretV1alpha1 from '../external-secrets/v1alpha1/external-secret.ts';
import * as storeV1alpha1 from '../external-secrets/v1alpha1/secret-store.ts';
import * as externalSecretV1beta1 from '../external-secrets/v1beta1/external-secret.ts';
import * as storeV1beta1 from '../external-secrets/v1beta1/secret-store.ts';
import { type StructuralSchema, toStructural } from './structural.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
}

export interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
  readonly subresources?: { readonly status: Record<string, never> };
  readonly additionalPrinterColumns: readonly PrinterColumn[];
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
}

export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
      readonly categories: readonly string[];
    };
    readonly scope: 'Namespaced' | 'Cluster';
    readonly conversion: Conversion;
    readonly versions: readonly CustomResourceVersion[];
  };
}

type Conversion =
  | { readonly strategy: 'None' }
  | {
      readonly strategy: 'Webhook';
      readonly webhook: {
        readonly conversionReviewVersions: readonly string[];
        readonly clientConfig: {
          readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
        };
      };
    };

export interface CrdOptions {
  /** Schemas of the providers' blocks by their key in spec.provider. */
  readonly providers: ProviderSchemas;
  /** The Service of the conversion webhook, or 'None': then only the hub version is served. */
  readonly conversion: { readonly namespace: string; readonly serviceName: string } | 'None';
}

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly scope: 'Namespaced' | 'Cluster';
  readonly description: string;
  readonly columns: readonly PrinterColumn[];
  readonly selectableFields?: readonly string[];
  /** All versions of the kind have one schema, so that the API server needs nobody to convert between them. */
  readonly sameSchema?: true;
  /** A version that is missing does not exist. */
  readonly schemas: (
    providers: ProviderSchemas,
  ) => Partial<Record<ServedVersion, { spec: z.ZodType; status: z.ZodType }>>;
}

const readyColumn = (name: string, field: string): PrinterColumn => ({
  name,
  type: 'string',
  jsonPath: `.status.conditions[?(@.type=="Ready")].${field}`,
});

const STORE = {
  columns: [
    { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    readyColumn('Status', 'reason'),
    { name: 'Capabilities', type: 'string', jsonPath: '.status.capabilities' },
    readyColumn('Ready', 'status'),
  ],
  schemas: (providers: ProviderSchemas) => ({
    v1: { spec: storeV1.storeSpec(providers), status: storeV1.storeStatus },
    v1beta1: { spec: storeV1beta1.storeSpec(providers), status: storeV1beta1.storeStatus },
    v1alpha1: { spec: storeV1alpha1.storeSpec(providers), status: storeV1alpha1.storeStatus },
  }),
} as const;

const KINDS: readonly Kind[] = [
  {
    kind: 'ExternalSecret',
    plural: 'externalsecrets',
    shortName: 'es',
    scope: 'Namespaced',
    description: 'ExternalSecret makes a Secret from values that a provider keeps, and keeps it up to date.',
    columns: [
      { name: 'StoreType', type: 'string', jsonPath: '.spec.secretStoreRef.kind' },
      { name: 'Store', type: 'string', jsonPath: '.spec.secretStoreRef.name' },
      { name: 'Refresh Interval', type: 'string', jsonPath: '.spec.refreshInterval' },
      readyColumn('Status', 'reason'),
      readyColumn('Ready', 'status'),
      { name: 'Last Sync', type: 'date', jsonPath: '.status.refreshTime' },
    ],
    selectableFields: [
      '.spec.secretStoreRef.name',
      '.spec.secretStoreRef.kind',
      '.spec.target.name',
      '.spec.refreshInterval',
    ],
    schemas: () => ({
      v1: { spec: externalSecretV1.externalSecretSpec, status: externalSecretV1.externalSecretStatus },
      v1beta1: {
        spec: externalSecretV1beta1.externalSecretSpec,
        status: externalSecretV1beta1.externalSecretStatus,
      },
      v1alpha1: {
        spec: externalSecretV1alpha1.externalSecretSpec,
        status: externalSecretV1alpha1.externalSecretStatus,
      },
    }),
  },
  {
    kind: 'SecretStore',
    plural: 'secretstores',
    shortName: 'ss',
    scope: 'Namespaced',
    description: 'SecretStore says how to reach a provider, for the ExternalSecrets of its namespace.',
    ...STORE,
  },
  {
    kind: 'ClusterSecretStore',
    plural: 'clustersecretstores',
    shortName: 'css',
    scope: 'Cluster',
    description: 'ClusterSecretStore says how to reach a provider, for ExternalSecrets of any namespace.',
    ...STORE,
  },
  {
    kind: 'ClusterExternalSecret',
    plural: 'clusterexternalsecrets',
    shortName: 'ces',
    scope: 'Cluster',
    description: 'ClusterExternalSecret makes one ExternalSecret in each of the namespaces that it selects.',
    columns: [
      { name: 'Store', type: 'string', jsonPath: '.spec.externalSecretSpec.secretStoreRef.name' },
      { name: 'Refresh Interval', type: 'string', jsonPath: '.spec.refreshTime' },
      readyColumn('Ready', 'status'),
    ],
    sameSchema: true,
    schemas: () => {
      const { clusterExternalSecretSpec: spec, clusterExternalSecretStatus: status } =
        clusterExternalSecretV1;
      return { v1: { spec, status }, v1beta1: { spec, status } };
    },
  },
];

/** The definitions of the kinds in every served version; v1 is stored. */
export function buildCrds(options: CrdOptions): CustomResourceDefinition[] {
  return KINDS.map((kind) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}`, labels: { 'external-secrets.io/component': 'controller' } },
    spec: {
      group: GROUP,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: [kind.shortName],
        categories: ['external-secrets'],
      },
      scope: kind.scope,
      conversion: conversion(kind.sameSchema ? 'None' : options.conversion),
      versions: versions(kind, options),
    },
  }));
}

function conversion(options: CrdOptions['conversion']): Conversion {
  if (options === 'None') return { strategy: 'None' };
  return {
    strategy: 'Webhook',
    webhook: {
      conversionReviewVersions: ['v1'],
      // caBundle and path are the webhook's own to fill in (certs/), so that a new apply leaves them alone.
      clientConfig: { service: { namespace: options.namespace, name: options.serviceName, port: 443 } },
    },
  };
}

function versions(kind: Kind, options: CrdOptions): CustomResourceVersion[] {
  const schemas = kind.schemas(options.providers);
  return SERVED_VERSIONS.flatMap((name) => {
    const schema = schemas[name];
    if (schema === undefined) return [];
    return {
      name,
      served: options.conversion !== 'None' || name === HUB_VERSION || kind.sameSchema === true,
      storage: name === HUB_VERSION,
      schema: { openAPIV3Schema: objectSchema(kind, `${GROUP}/${HUB_VERSION}`, schema) },
      subresources: { status: {} },
      additionalPrinterColumns: kind.columns,
      // Not in v1alpha1: a list that is the same in all versions is refused by the API server when the schemas
      // differ ("may only be set when validations.schema is included", seen with 1.36).
      ...(kind.selectableFields &&
        name !== 'v1alpha1' && {
          selectableFields: kind.selectableFields.map((jsonPath) => ({ jsonPath })),
        }),
    };
  });
}

/**
 * Schema of a whole object.
 * @param example an apiVersion that the kind is served in
 * @param schemas status undefined: the kind has none
 */
export function objectSchema(
  kind: Pick<Kind, 'kind' | 'description'>,
  example: string,
  schemas: { readonly spec: z.ZodType; readonly status?: z.ZodType },
): StructuralSchema {
  const { spec, status } = schemas;
  return toStructural(
    z
      .strictObject({
        apiVersion: z.string().optional().describe(`Group and version, for example ${example}.`),
        kind: z.string().optional().describe(`${kind.kind}.`),
        metadata: z.strictObject({}).optional(),
        spec: spec.optional().describe('What is wanted.'),
        ...(status && {
          status: status.optional().describe('What was found. Written by the controller only.'),
        }),
      })
      .describe(kind.description),
  );
}
