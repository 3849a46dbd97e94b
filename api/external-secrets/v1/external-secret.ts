/**
 * ExternalSecret v1, the hub: fields, defaults, enums and patterns of External Secrets Operator 2.9.
 * The four strategies (metadataPolicy, conversionStrategy, decodingStrategy, nullBytePolicy) have no default
 * on purpose: a default that the API server writes is a difference that GitOps tools fight for ever.
 */
import { z } from 'zod';
import { GENERATOR_REF_KINDS } from '../../generators/names.ts';
import type { KES_API_VERSION } from '../../kubernetes-client/names.ts';
import type { KesPart } from '../../kubernetes-client/part.ts';
import type { ObjectMeta } from '../../meta.ts';
import { DATA_FROM_RULES, SPEC_RULES, TARGET_RULES, TEMPLATE_RULES } from '../cel.ts';
import { STORE_KINDS } from '../names.ts';
import { dataKey, dateTime, exactlyOne, objectName, statusCondition } from '../shared.ts';

const CRON = /^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$/;

export const conversionStrategy = z
  .enum(['Default', 'Unicode'])
  .describe(
    'What becomes of characters that a key of a Secret cannot have: Default makes them `_`, Unicode `_Uxxxx_`.',
  );
const decodingStrategy = z
  .enum(['Auto', 'Base64', 'Base64URL', 'None'])
  .describe('How values are decoded after the read. Absent means None.');
const nullBytePolicy = z
  .enum(['Ignore', 'Fail'])
  .describe('Fail refuses values that contain a NUL byte. Absent means Ignore.');

/** Shared by v1 and the older versions. */
export const storeRef = z
  .strictObject({
    name: objectName().optional().describe('Name of the store.'),
    kind: z.enum(STORE_KINDS).optional().describe('Kind of the store. Absent means SecretStore.'),
  })
  .describe('The store that values are read from, unless an entry names its own.');

const remoteRef = z.strictObject({
  key: z.string().describe('Name or path of the secret at the provider.'),
  property: z
    .string()
    .optional()
    .describe('One member of the secret, if it is an object. Absent means all of it.'),
  version: z
    .string()
    .optional()
    .describe('Version of the secret, in the words of the provider. Absent means the latest.'),
  metadataPolicy: z
    .enum(['None', 'Fetch'])
    .optional()
    .describe('Fetch reads the metadata (tags, labels) instead of the value. Absent means None.'),
  conversionStrategy: conversionStrategy.optional(),
  decodingStrategy: decodingStrategy.optional(),
  nullBytePolicy: nullBytePolicy.optional(),
});

const generatorRef = z
  .strictObject({
    apiVersion: z
      .string()
      .default('generators.external-secrets.io/v1alpha1')
      .describe('API group and version of the generator.'),
    kind: z.enum(GENERATOR_REF_KINDS).describe('Kind of the generator.'),
    name: objectName().describe('Name of the generator.'),
  })
  .describe('A generator that makes the values.');

const sourceRef = exactlyOne({
  storeRef: storeRef.optional(),
  generatorRef: generatorRef.optional(),
}).describe('Another source than spec.secretStoreRef, for this entry only.');

const dataEntry = z.strictObject({
  secretKey: dataKey().describe('Key in the Secret that is made.'),
  remoteRef: remoteRef.describe('What to read.'),
  sourceRef: sourceRef.optional(),
});

const find = z.strictObject({
  path: z.string().optional().describe('Where the search starts.'),
  name: z
    .strictObject({ regexp: z.string().optional().describe('Regular expression (RE2).') })
    .optional()
    .describe('Finds secrets by name.'),
  tags: z.record(z.string(), z.string()).optional().describe('Finds secrets that carry all of these tags.'),
  conversionStrategy: conversionStrategy.optional(),
  decodingStrategy: decodingStrategy.optional(),
  nullBytePolicy: nullBytePolicy.optional(),
});

const rewriteStep = exactlyOne({
  merge: z
    .strictObject({
      into: z
        .string()
        .default('')
        .describe('Key of the merged object; only for strategy JSON, and required there.'),
      priority: z
        .array(z.string())
        .optional()
        .describe('Keys whose members win over those of all others; of these the last one wins.'),
      priorityPolicy: z
        .enum(['IgnoreNotFound', 'Strict'])
        .default('Strict')
        .describe('Whether a key of `priority` that was not read is an error.'),
      conflictPolicy: z
        .enum(['Ignore', 'Error'])
        .default('Error')
        .describe('Whether two members of one name are an error.'),
      strategy: z
        .enum(['Extract', 'JSON'])
        .default('Extract')
        .describe('Extract makes each member a key; JSON writes the merged object under the key `into`.'),
    })
    .optional()
    .describe('Merges the members of all values, which must be JSON objects.'),
  regexp: z
    .strictObject({
      source: z.string().describe('Regular expression (RE2).'),
      target: z.string().describe('Replacement for every match; $1 is the first group.'),
    })
    .optional()
    .describe('Replaces in every key what the expression matches.'),
  transform: z
    .strictObject({ template: z.string().describe('Template of the new key; .value is the old one.') })
    .optional()
    .describe('Makes every key anew from a template.'),
});

const dataFromEntry = z
  .strictObject({
    extract: remoteRef.optional().describe('Reads one secret; each of its members becomes a key.'),
    find: find.optional().describe('Reads every secret that matches; each becomes a key.'),
    rewrite: z.array(rewriteStep).optional().describe('Changes the keys, step by step.'),
    sourceRef: sourceRef.optional(),
  })
  .meta(DATA_FROM_RULES);

const templateItem = z.strictObject({
  key: dataKey().describe('Key of the ConfigMap or Secret.'),
  templateAs: z
    .enum(['Values', 'KeysAndValues'])
    .default('Values')
    .describe(
      'Values: the text is the template of one value. KeysAndValues: it renders to YAML with keys and values.',
    ),
});

const templateRef = z.strictObject({
  name: objectName().describe('Name of the object, in the namespace of the ExternalSecret.'),
  items: z.array(templateItem).describe('The keys to read templates from.'),
});

const templateFromEntry = z.strictObject({
  configMap: templateRef.optional().describe('Reads templates from a ConfigMap.'),
  secret: templateRef.optional().describe('Reads templates from a Secret.'),
  literal: z.string().optional().describe('A template that renders to YAML with keys and values.'),
  target: z
    .string()
    .default('Data')
    .describe('What is filled: Data, Annotations or Labels of the Secret (or a path, with target.manifest).'),
  valuesDecodingStrategy: decodingStrategy
    .optional()
    .describe('How rendered values are decoded. Absent means None.'),
});

const template = z
  .strictObject({
    type: z
      .string()
      .optional()
      .describe('Type of the Secret. Absent means Opaque. It cannot be changed later.'),
    engineVersion: z
      .enum(['v2'], {
        error: 'only template engine v2 is supported: port the templates to it, then set engineVersion: v2',
      })
      .default('v2')
      .describe('Version of the template language.'),
    mergePolicy: z
      .enum(['Replace', 'Merge'])
      .default('Replace')
      .describe(
        'Replace: only rendered keys go into the Secret. Merge: the keys that were read go there too.',
      ),
    metadata: z
      .strictObject({
        annotations: z
          .record(z.string(), z.string())
          .optional()
          .describe('Annotations; each value is a template.'),
        labels: z.record(z.string(), z.string()).optional().describe('Labels; each value is a template.'),
        finalizers: z.array(z.string()).optional().describe('Finalizers that are added and never removed.'),
      })
      .optional()
      .describe('Metadata of the Secret. With a template, nothing is copied from the ExternalSecret.'),
    data: z
      .record(z.string(), z.string())
      .optional()
      .describe('Keys of the Secret; each value is a template.'),
    templateFrom: z
      .array(templateFromEntry)
      .optional()
      .describe('More templates, from elsewhere; later ones win.'),
  })
  .meta(TEMPLATE_RULES);

const CREATION_POLICIES = ['Owner', 'Orphan', 'Merge', 'None', 'CreateOrMerge'] as const;
export const creationPolicy = z
  .enum(CREATION_POLICIES)
  .default('Owner')
  .describe(
    'Owner: make the Secret and own it. Orphan: make it, keep it when the ExternalSecret goes. Merge: add keys ' +
      'to a Secret of others. CreateOrMerge: the same, making it if need be. None: make nothing.',
  );
export const targetName = objectName()
  .optional()
  .describe('Name of the Secret. Absent means the name of the ExternalSecret.');
export const immutable = z
  .boolean()
  .optional()
  .describe('Makes the Secret immutable; later changes are not written.');

const target = z
  .strictObject({
    name: targetName,
    creationPolicy,
    deletionPolicy: z
      .enum(['Delete', 'Merge', 'Retain'])
      .default('Retain')
      .describe(
        'When the provider says that its secrets are gone. Delete: delete the Secret. Merge: remove the keys. ' +
          'Retain: keep it and report an error.',
      ),
    immutable,
    template: template.optional().describe('Blueprint of the Secret.'),
    manifest: z
      .strictObject({
        apiVersion: z.string().min(1).describe('API version of the object.'),
        kind: z.string().min(1).describe('Kind of the object.'),
      })
      .optional()
      .describe('Makes an object of another kind than Secret. Not supported: it is refused.'),
  })
  .meta(TARGET_RULES);

const syncWindows = z.strictObject({
  kind: z
    .enum(['allow', 'deny'])
    .describe('allow: refresh only within the windows. deny: only outside of them.'),
  windows: z
    .array(
      z.strictObject({
        schedule: z
          .string()
          .min(1)
          .regex(CRON)
          .describe('When the window opens: cron with five fields in UTC, or a word such as @daily.'),
        duration: z.string().describe('How long it stays open (Go duration, e.g. 8h).'),
      }),
    )
    .min(1)
    .describe('The windows.'),
});

export const externalSecretSpec = z
  .strictObject({
    secretStoreRef: storeRef.optional(),
    target: target
      .default({ creationPolicy: 'Owner', deletionPolicy: 'Retain' })
      .describe('The Secret that is made.'),
    refreshPolicy: z
      .enum(['CreatedOnce', 'Periodic', 'OnChange'])
      .optional()
      .describe(
        'Periodic (when absent): read again each refreshInterval. OnChange: only when this object changes. ' +
          'CreatedOnce: only the first time.',
      ),
    refreshInterval: z
      .string()
      .default('1h0m0s')
      .describe('How often values are read again (Go duration, e.g. 90s or 1h30m). 0 means once.'),
    syncWindows: syncWindows
      .optional()
      .describe('Times at which the refresh by interval may or may not run.'),
    data: z
      .array(dataEntry)
      .optional()
      .describe('Single values: each names a key of the Secret and what to read for it.'),
    dataFrom: z
      .array(dataFromEntry)
      .optional()
      .describe(
        'Many values at once. Later entries win over earlier ones, and `data` wins over all of them.',
      ),
  })
  .meta(SPEC_RULES);

const leaseRecord = z
  .strictObject({
    generator: z
      .strictObject({
        kind: z.enum(GENERATOR_REF_KINDS).describe('Kind of the generator.'),
        name: z.string().describe('Name of the generator.'),
      })
      .describe('The generator that made the values.'),
    id: z.string().describe('What its server knows the lease by. It gives no access.'),
    renewTime: dateTime().describe('When the values are made anew.'),
    expireTime: dateTime().describe('When the values end.'),
  })
  .describe('A lease of generated values.');

export const externalSecretStatus = z.strictObject({
  refreshTime: dateTime().nullable().optional().describe('When the last successful refresh began.'),
  syncedResourceVersion: z
    .string()
    .optional()
    .describe('Generation of this object and hash of its labels and annotations at the last refresh.'),
  conditions: z.array(statusCondition).optional().describe('Whether the Secret is in sync.'),
  binding: z
    .strictObject({ name: z.string().default('').describe('Name of the Secret.') })
    .optional()
    .describe('The Secret, as a Provisioned Service of servicebinding.io.')
    .meta({ 'x-kubernetes-map-type': 'atomic' }),
  leases: z.array(leaseRecord).optional().describe('Leases of generated values, those in use first.'),
});

// The types are those of objects as they are stored: a default that an older version could not say may be
// missing when the object was stored before this version existed.
export type ExternalSecretSpec = z.input<typeof externalSecretSpec>;
export type ExternalSecretStatus = z.input<typeof externalSecretStatus>;
export type LeaseRecord = z.input<typeof leaseRecord>;
export type StoreRef = z.input<typeof storeRef>;
export type GeneratorRef = z.input<typeof generatorRef>;
export type SourceRef = z.input<typeof sourceRef>;
export type RemoteRefSpec = z.input<typeof remoteRef>;
export type DataEntry = z.input<typeof dataEntry>;
export type DataFromEntry = z.input<typeof dataFromEntry>;
export type FindSpec = z.input<typeof find>;
export type RewriteStep = z.input<typeof rewriteStep>;
export type TargetSpec = z.input<typeof target>;
export type TemplateSpec = z.input<typeof template>;
export type TemplateFromEntry = z.input<typeof templateFromEntry>;
export type SyncWindows = z.input<typeof syncWindows>;
export type CreationPolicy = (typeof CREATION_POLICIES)[number];
export type DeletionPolicy = NonNullable<TargetSpec['deletionPolicy']>;
export type RefreshPolicy = NonNullable<ExternalSecretSpec['refreshPolicy']>;
export type ConversionStrategy = z.infer<typeof conversionStrategy>;
export type DecodingStrategy = z.infer<typeof decodingStrategy>;
export type NullBytePolicy = z.infer<typeof nullBytePolicy>;

export interface ExternalSecret {
  /** The second is that of an ExternalSecret of KES in the form of the hub. */
  readonly apiVersion: 'external-secrets.io/v1' | typeof KES_API_VERSION;
  readonly kind: 'ExternalSecret';
  readonly metadata: ObjectMeta;
  /** `kes` is never on the wire; see api/kubernetes-client/to-hub.ts. */
  readonly spec: ExternalSecretSpec & { readonly kes?: KesPart | undefined };
  readonly status?: ExternalSecretStatus | undefined;
}
