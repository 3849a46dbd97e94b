/** spec of Webhook v1alpha1, and the shape that it shares with the provider of that name. */
import { z } from 'zod';
import { dataKey, objectName } from '../../external-secrets/shared.ts';

/** The fields; the two kinds of references are those of a store or of a generator. */
export function webhookShape<Selector extends z.ZodType, Ca extends z.ZodType>(selector: Selector, ca: Ca) {
  return {
    url: z.string().describe('URL to call, a template; what it inserts is escaped.'),
    method: z.string().optional().describe('HTTP method; GET when left out.'),
    headers: z.record(z.string(), z.string()).optional().describe('Headers; their values are templates.'),
    body: z.string().optional().describe('Body of the request, a template.'),
    timeout: z.string().optional().describe('Longest time of the request (Go duration).'),
    result: z
      .strictObject({
        jsonPath: z
          .string()
          .optional()
          .describe('JSONPath of the value in the answer, a template; left out, the whole body.'),
      })
      .optional()
      .describe('What of the answer is the value.'),
    secrets: z
      .array(
        z.strictObject({
          name: z.string().describe('Name of the Secret in templates: {{ .name.key }}.'),
          secretRef: selector.describe(
            'The Secret; it must carry the label external-secrets.io/type: webhook.',
          ),
        }),
      )
      .optional()
      .describe('Secrets that templates may use.'),
    auth: z
      .strictObject({
        ntlm: z
          .strictObject({
            usernameSecret: selector.describe('Key of a Secret that holds the user name.'),
            passwordSecret: selector.describe('Key of a Secret that holds the password.'),
          })
          .optional()
          .describe('NTLM; not supported, a store with it is refused.'),
      })
      .optional()
      .describe('Authentication of the request; most servers take a header.'),
    caBundle: z.string().optional().describe('CA certificates of the server: PEM in base64, or PEM.'),
    caProvider: ca.optional(),
  };
}

/** A Secret of the namespace of the ExternalSecret. */
const ownSecret = z.strictObject({
  name: objectName().optional().describe('Name of the Secret.'),
  key: dataKey().optional().describe('Key in the data of the Secret; templates see all of its keys.'),
});

const ownCa = z
  .strictObject({
    type: z.enum(['Secret', 'ConfigMap']).describe('Kind of the object that holds the certificates.'),
    name: objectName().describe('Name of the Secret or ConfigMap.'),
    key: dataKey().optional().describe('Key that holds the certificates (PEM).'),
    namespace: z
      .string()
      .min(1)
      .max(63)
      .optional()
      .describe('Namespace of the object: that of the ExternalSecret, or absent.'),
  })
  .describe('Where the certificates of a private CA are kept.');

export const webhookSpec = z
  .strictObject(webhookShape(ownSecret, ownCa))
  .describe('Values of the JSON object that a call of any HTTP server answers with.');
export type WebhookSpec = z.output<typeof webhookSpec>;
