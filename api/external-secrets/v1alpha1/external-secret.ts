/**
 * ExternalSecret v1alpha1, as External Secrets Operator served it up to 0.16: dataFrom is a list of plain
 * references, and there is no deletionPolicy, no find, no generator, no rewriting. Enums list every value of
 * v1, so that what a client reads in this version it can also write back.
 */
import { z } from 'zod';
import { SPEC_RULES, TEMPLATE_RULES } from '../cel.ts';
import { dataKey, exactlyOne, objectName } from '../shared.ts';
import {
  conversionStrategy,
  creationPolicy,
  immutable,
  storeRef,
  targetName,
} from '../v1/external-secret.ts';

// The status has to be that of v1: an update in this version would otherwise drop what it cannot say.
export { externalSecretStatus } from '../v1/external-secret.ts';

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
  conversionStrategy: conversionStrategy.optional(),
});

const templateRef = z.strictObject({
  name: objectName().describe('Name of the object, in the namespace of the ExternalSecret.'),
  items: z
    .array(z.strictObject({ key: dataKey().describe('Key of the ConfigMap or Secret.') }))
    .describe('The keys to read templates from.'),
});

const template = z
  .strictObject({
    type: z
      .string()
      .optional()
      .describe('Type of the Secret. Absent means Opaque. It cannot be changed later.'),
    engineVersion: z
      .enum(['v1', 'v2'])
      .default('v1')
      .describe('Version of the template language. Only v2 is supported; templates for v1 are refused.'),
    metadata: z
      .strictObject({
        annotations: z
          .record(z.string(), z.string())
          .optional()
          .describe('Annotations; each value is a template.'),
        labels: z.record(z.string(), z.string()).optional().describe('Labels; each value is a template.'),
      })
      .optional()
      .describe('Metadata of the Secret. With a template, nothing is copied from the ExternalSecret.'),
    data: z
      .record(z.string(), z.string())
      .optional()
      .describe('Keys of the Secret; each value is a template.'),
    templateFrom: z
      .array(
        exactlyOne({
          configMap: templateRef.optional().describe('Reads templates from a ConfigMap.'),
          secret: templateRef.optional().describe('Reads templates from a Secret.'),
        }),
      )
      .optional()
      .describe('More templates, from elsewhere; later ones win.'),
  })
  .meta(TEMPLATE_RULES);

export const externalSecretSpec = z
  .strictObject({
    secretStoreRef: storeRef,
    target: z
      .strictObject({
        name: targetName,
        creationPolicy,
        immutable,
        template: template.optional().describe('Blueprint of the Secret.'),
      })
      .describe('The Secret that is made.'),
    refreshInterval: z
      .string()
      .default('1h')
      .describe('How often values are read again (Go duration, e.g. 90s or 1h30m). 0 means once.'),
    data: z
      .array(
        z.strictObject({
          secretKey: dataKey().describe('Key in the Secret that is made.'),
          remoteRef: remoteRef.describe('What to read.'),
        }),
      )
      .optional()
      .describe('Single values: each names a key of the Secret and what to read for it.'),
    dataFrom: z
      .array(remoteRef)
      .optional()
      .describe(
        'Whole secrets: each member becomes a key. Later entries win, and `data` wins over all of them.',
      ),
  })
  .meta(SPEC_RULES);
