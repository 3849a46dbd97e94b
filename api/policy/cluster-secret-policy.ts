/**
 * ClusterSecretPolicy v1alpha1: what the ExternalSecrets of a namespace may use, in the words of an admin.
 * Every member but namespaceSelector and effect is a rule; its name is the rule's id in refusals, events and
 * metrics. A rule that is absent allows everything.
 */
import { z } from 'zod';
import { OUR_GROUP, STORE_KINDS } from '../external-secrets/names.ts';
import { exactlyOne } from '../external-secrets/shared.ts';
import { creationPolicy } from '../external-secrets/v1/external-secret.ts';
import type { ObjectMeta } from '../meta.ts';

export const POLICY_GROUP = OUR_GROUP;
export const POLICY_VERSION = 'v1alpha1';
export const POLICY_KIND = 'ClusterSecretPolicy';
export const POLICY_PLURAL = 'clustersecretpolicies';

const EFFECTS = ['Deny', 'Warn', 'Audit'] as const;
export type Effect = (typeof EFFECTS)[number];

/** More than anybody writes, few enough that a review stays quick. */
const MAX_ITEMS = 256;
const MAX_TEXT = 512;

const text = () => z.string().min(1).max(MAX_TEXT);

const selectorRule = z.strictObject({
  key: z.string().min(1).max(317).describe('The label that the rule is about.'),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How the label is compared.'),
  values: z
    .array(z.string().max(63))
    .max(MAX_ITEMS)
    .optional()
    .describe('Values for In and NotIn; empty for the others.'),
});

const namespaceSelector = z
  .strictObject({
    matchLabels: z
      .record(z.string(), z.string())
      .optional()
      .describe('Labels that must all have these values.'),
    matchExpressions: z.array(selectorRule).max(MAX_ITEMS).optional().describe('Rules that must all hold.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' });

const storePattern = z.strictObject({
  kind: z.enum(STORE_KINDS).optional().describe('Kind of the store. Absent means either.'),
  name: text().describe('Name of the store; `*` stands for any characters.'),
});

const keyPattern = exactlyOne({
  glob: text()
    .optional()
    .describe(
      'Pattern of the whole key: `*` stands for any characters but `/`, `**` for any. `{{namespace}}` is the ' +
        'namespace of the ExternalSecret.',
    ),
  regexp: text()
    .optional()
    .describe(
      'Regular expression (RE2) that the whole key has to match. `{{namespace}}` is the namespace of the ' +
        'ExternalSecret.',
    ),
});

const serverPattern = z
  .strictObject({
    scheme: z.enum(['https', 'http']).optional().describe('Scheme of the URL. Absent means either.'),
    host: text()
      .optional()
      .describe(
        'Name or address of the host: `*` stands for any characters but a dot, `**` for any. Absent means any.',
      ),
    network: text()
      .optional()
      .describe(
        'Network (CIDR) that the address has to be in to which the connection is made. Absent means any.',
      ),
  })
  .meta({ minProperties: 1 });

const labelPattern = z.strictObject({
  key: z.string().min(1).max(317).describe('Key of the label.'),
  values: z
    .array(z.string().max(63))
    .min(1)
    .max(MAX_ITEMS)
    .optional()
    .describe('Values that it may have. Absent means any.'),
});

const list = <T extends z.ZodType>(item: T) => z.array(item).max(MAX_ITEMS).optional();

export const clusterSecretPolicySpec = z.strictObject({
  namespaceSelector: namespaceSelector
    .optional()
    .describe('The namespaces that the policy is about, by their labels. Absent means every namespace.'),
  effect: z
    .enum(EFFECTS)
    .default('Deny')
    .describe(
      'Deny refuses at admission, and reads nothing for what is stored already. Warn admits with a warning. ' +
        'Audit says nothing to the user: there are an event, a metric and an audit annotation.',
    ),
  stores: list(storePattern).describe('Stores that may be used.'),
  providers: list(text()).describe('Providers whose stores may be used: vault, aws, ...'),
  keys: list(keyPattern).describe('Remote secrets that may be read, by their canonical key.'),
  servers: list(serverPattern).describe('Servers that stores may lead to. All parts of an entry must hold.'),
  refreshInterval: z
    .strictObject({
      minimum: z
        .string()
        .max(64)
        .regex(/^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/)
        .describe('Shortest interval that is allowed (Go duration). Reading once or on changes always is.'),
    })
    .optional()
    .describe('How often values may be read again.'),
  creationPolicies: list(creationPolicy.unwrap()).describe(
    'Values of target.creationPolicy that are allowed.',
  ),
  deletionPolicies: list(z.enum(['Delete', 'Merge', 'Retain'])).describe(
    'Values of target.deletionPolicy that are allowed.',
  ),
  secretTypes: list(text()).describe('Types of Secrets that may be made; one without a type is Opaque.'),
  requiredLabels: list(labelPattern).describe('Labels that an ExternalSecret must have.'),
  maximumKeys: z.int().min(1).max(100_000).optional().describe('Keys that a Secret may have at most.'),
  forbiddenTemplateFunctions: list(text()).describe('Functions that templates must not call.'),
});

export type ClusterSecretPolicySpec = z.input<typeof clusterSecretPolicySpec>;
export type KeyPattern = z.input<typeof keyPattern>;
export type ServerPattern = z.input<typeof serverPattern>;

/** The rules, in the order of the spec. */
export type PolicyRule = Exclude<keyof ClusterSecretPolicySpec, 'namespaceSelector' | 'effect'>;

export interface ClusterSecretPolicy {
  readonly apiVersion: 'external-secrets-admission.io/v1alpha1';
  readonly kind: 'ClusterSecretPolicy';
  readonly metadata: ObjectMeta;
  readonly spec: ClusterSecretPolicySpec;
}
