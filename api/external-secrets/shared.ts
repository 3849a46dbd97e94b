/**
 * Shapes that several kinds, versions and providers use. Names, bounds and patterns are those of
 * External Secrets Operator 2.9; the structural schemas of the CRDs are generated from them
 * (api/crd/structural.ts), so a `.describe()` here is what `kubectl explain` prints.
 */
import { z } from 'zod';

const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;

/** Name of an object: a DNS subdomain of at most 253 characters. */
export const objectName = () => z.string().min(1).max(253).regex(DNS_SUBDOMAIN);
/** Name of a namespace: a DNS label of at most 63 characters. */
export const namespaceName = () => z.string().min(1).max(63).regex(DNS_LABEL);
/** Key of a Secret or ConfigMap. */
export const dataKey = () => z.string().min(1).max(253).regex(CONFIG_KEY);
/** RFC 3339 time as the API server writes it; the API server checks the format, so zod does not. */
export const dateTime = () => z.string().meta({ format: 'date-time' });
/** A number of whole units, or text such as a Go duration. */
export const intOrString = () => z.union([z.int(), z.string()]).meta({ 'x-kubernetes-int-or-string': true });
/** Any object; nothing in it is checked and nothing is pruned. */
export const opaqueObject = () => z.record(z.string(), z.unknown());

/** A strict object of optional members of which exactly one is set, as min/maxProperties 1 in the CRD. */
export function exactlyOne<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const names = Object.keys(shape);
  return z
    .strictObject(shape)
    .refine((value) => Object.keys(value).length === 1, {
      error:
        names.length > 6
          ? 'exactly one member must be set'
          : `exactly one of ${names.join(', ')} must be set`,
    })
    .meta({ minProperties: 1, maxProperties: 1 });
}

/** A key of a Secret, as stores and generators refer to it. */
export const secretKeySelector = z
  .strictObject({
    name: objectName().optional().describe('Name of the Secret.'),
    namespace: namespaceName()
      .optional()
      .describe(
        'Namespace of the Secret. A SecretStore may only name its own. In a ClusterSecretStore, absent means ' +
          'the namespace of the ExternalSecret that uses the store.',
      ),
    key: dataKey()
      .optional()
      .describe(
        'Key in the data of the Secret. Some fields have a default for it, for others it is required.',
      ),
  })
  .describe('A key of a Secret.');
export type SecretKeySelector = z.input<typeof secretKeySelector>;

/** A ServiceAccount whose token is requested. */
export const serviceAccountSelector = z
  .strictObject({
    name: objectName().describe('Name of the ServiceAccount.'),
    namespace: namespaceName()
      .optional()
      .describe(
        'Namespace of the ServiceAccount. A SecretStore may only name its own. In a ClusterSecretStore, absent ' +
          'means the namespace of the ExternalSecret that uses the store.',
      ),
    audiences: z
      .array(z.string())
      .optional()
      .describe('Audiences of the requested token, beside those that the provider asks for by itself.'),
  })
  .describe('A ServiceAccount.');
export type ServiceAccountSelector = z.input<typeof serviceAccountSelector>;

/** Where the certificates of a private CA are kept. */
export const caProvider = z
  .strictObject({
    type: z.enum(['Secret', 'ConfigMap']).describe('Kind of the object that holds the certificates.'),
    name: objectName().describe('Name of the Secret or ConfigMap.'),
    key: dataKey().optional().describe('Key that holds the certificates (PEM).'),
    namespace: namespaceName()
      .optional()
      .describe('Namespace of the object. Only in a ClusterSecretStore, and required there.'),
  })
  .describe('Where the certificates of a private CA are kept.');
export type CAProvider = z.input<typeof caProvider>;

/** metav1.LabelSelector. */
export const labelSelector = z
  .strictObject({
    matchLabels: z
      .record(z.string(), z.string())
      .optional()
      .describe('Labels that must all have these values.'),
    matchExpressions: z
      .array(
        z.strictObject({
          key: z.string().describe('The label that the rule is about.'),
          operator: z.string().describe('In, NotIn, Exists or DoesNotExist.'),
          values: z.array(z.string()).optional().describe('Values for In and NotIn; empty for the others.'),
        }),
      )
      .optional()
      .describe('Rules that must all hold.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** One condition in a status, as ESO writes it. */
export const statusCondition = z.strictObject({
  type: z.string().describe('Ready.'),
  status: z.string().describe('True, False or Unknown.'),
  reason: z.string().optional().describe('One word for programs.'),
  message: z.string().optional().describe('A sentence for people.'),
  lastTransitionTime: dateTime().optional().describe('When `status` last changed.'),
});
export type StatusCondition = z.input<typeof statusCondition>;
