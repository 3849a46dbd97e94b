/** The CustomResourceDefinition of kubernetes-external-secrets, built from its zod schema. */
import { KES_API_VERSION, KES_GROUP, KES_PLURAL, KES_VERSION } from '../kubernetes-client/names.ts';
import { kesSpec, kesStatus } from '../kubernetes-client/v1/external-secret.ts';
import { type CustomResourceDefinition, objectSchema } from './crds.ts';

const KIND = {
  kind: 'ExternalSecret',
  description: 'ExternalSecret makes a Secret from values that a backend keeps, and keeps it up to date.',
};

/** One version and no conversion, with the names and columns that KES has. */
export function buildKesCrd(): CustomResourceDefinition {
  const schema = objectSchema(KIND, KES_API_VERSION, { spec: kesSpec, status: kesStatus });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${KES_PLURAL}.${KES_GROUP}`,
      labels: { 'app.kubernetes.io/part-of': 'external-secrets-admission' },
    },
    spec: {
      group: KES_GROUP,
      names: {
        kind: KIND.kind,
        listKind: `${KIND.kind}List`,
        plural: KES_PLURAL,
        singular: KIND.kind.toLowerCase(),
        shortNames: ['es'],
        categories: ['external-secrets'],
      },
      scope: 'Namespaced',
      conversion: { strategy: 'None' },
      versions: [
        {
          name: KES_VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { ...schema, required: ['spec'] } },
          subresources: { status: {} },
          additionalPrinterColumns: [
            { name: 'Last Sync', type: 'date', jsonPath: '.status.lastSync' },
            { name: 'status', type: 'string', jsonPath: '.status.status' },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  };
}
