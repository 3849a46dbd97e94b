/**
 * SecretStore and ClusterSecretStore v1, which have one spec. The schemas of the providers' blocks are given
 * by the caller: they live with the providers, above this room.
 */
import { z } from 'zod';
import type { ObjectMeta } from '../../meta.ts';
import type { StoreKind } from '../names.ts';
import { PROVIDER_KEYS } from '../provider-keys.ts';
import {
  exactlyOne,
  intOrString,
  labelSelector,
  namespaceName,
  opaqueObject,
  statusCondition,
} from '../shared.ts';

/** Schemas of providers' blocks by their key in spec.provider. */
export type ProviderSchemas = Readonly<Record<string, z.ZodType>>;

/** spec.provider: exactly one member. A key without a schema may hold anything, so that it can be refused by name. */
function providerBlock(schemas: ProviderSchemas) {
  const keys = [...new Set([...PROVIDER_KEYS, ...Object.keys(schemas)])].sort();
  const shape: Record<string, z.ZodOptional<z.ZodType>> = {};
  for (const key of keys) {
    const schema = schemas[key];
    shape[key] =
      schema === undefined
        ? opaqueObject().optional().describe('Not supported yet: a store with it is refused.')
        : schema.optional();
  }
  return exactlyOne(shape).describe('The provider; exactly one.');
}

const retrySettings = z
  .strictObject({
    maxRetries: z.int32().optional().describe('How often a failed request is repeated.'),
    retryInterval: z.string().optional().describe('Time between two tries (Go duration).'),
  })
  .describe('Retries of requests to the provider.');

export const storeConditions = z
  .array(
    z.strictObject({
      namespaceSelector: labelSelector.optional().describe('Namespaces by label.'),
      namespaces: z.array(namespaceName()).optional().describe('Namespaces by name.'),
      namespaceRegexes: z
        .array(z.string())
        .optional()
        .describe('Namespaces by regular expression (RE2), which is not anchored: write ^ and $.'),
    }),
  )
  .describe(
    'Namespaces that may use a ClusterSecretStore: those that any member of any item matches. Absent means all.',
  );

const controller = z
  .string()
  .describe('Controller class that serves the store. Absent means that every controller does.');

/** The spec of both kinds of store, with the schemas of the providers that exist. */
export function storeSpec(providers: ProviderSchemas) {
  return z.strictObject({
    controller: controller.optional(),
    provider: providerBlock(providers),
    retrySettings: retrySettings.optional(),
    refreshInterval: intOrString()
      .optional()
      .describe(
        'How often the store itself is checked: seconds, or a Go duration. Absent or 0 means the default.',
      ),
    conditions: storeConditions.optional(),
  });
}

export const storeStatus = z.strictObject({
  conditions: z.array(statusCondition).optional().describe('Whether the store can be used.'),
  capabilities: z.string().optional().describe('ReadOnly, WriteOnly or ReadWrite.'),
});

// Written out, because the shape of `provider` is only known at run time.
export interface SecretStoreSpec {
  readonly controller?: string | undefined;
  /** Exactly one member; its value is what the schema of that provider says. */
  readonly provider: Readonly<Record<string, unknown>>;
  readonly retrySettings?: z.input<typeof retrySettings> | undefined;
  /** Seconds, or a Go duration. */
  readonly refreshInterval?: number | string | undefined;
  readonly conditions?: StoreCondition[] | undefined;
}
export type StoreCondition = z.input<typeof storeConditions>[number];
export type StoreStatus = z.input<typeof storeStatus>;

export interface SecretStore {
  readonly apiVersion: 'external-secrets.io/v1';
  readonly kind: StoreKind;
  readonly metadata: ObjectMeta;
  readonly spec: SecretStoreSpec;
  readonly status?: StoreStatus | undefined;
}
