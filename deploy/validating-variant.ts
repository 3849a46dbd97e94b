/** The webhook configurations for `--materialise-in=validating`, made from those of deploy/manifests. */
import { isMap, isSeq, parseAllDocuments } from 'yaml';

const HEADER = `# Generated from deploy/manifests/webhook-configurations.yaml by deploy/generate.ts; do not edit.
# For clusters whose webhook runs with --materialise-in=validating: apply it in place of that file, and delete the
# MutatingWebhookConfiguration zz-external-secrets-admission.
`;

/**
 * Moves the webhooks of the mutating configuration, as they are, to the end of the validating one.
 * @param manifests YAML of exactly one configuration of each kind
 * @returns YAML of the validating configuration
 * @throws Error if `manifests` does not hold the two
 */
export function validatingVariant(manifests: string): string {
  const documents = parseAllDocuments(manifests);
  const webhooksOf = (kind: string) => {
    const [found, ...more] = documents.filter((document) => document.get('kind') === kind);
    const webhooks = found?.get('webhooks');
    if (found === undefined || more.length > 0 || !isSeq(webhooks)) throw new Error(`want one ${kind}`);
    return { document: found, webhooks };
  };
  const validating = webhooksOf('ValidatingWebhookConfiguration');
  for (const webhook of webhooksOf('MutatingWebhookConfiguration').webhooks.items) {
    // Validating webhooks are called once, so they have no such field.
    if (isMap(webhook)) webhook.delete('reinvocationPolicy');
    validating.webhooks.add(webhook);
  }
  validating.document.commentBefore = null;
  return HEADER + validating.document.toString({ lineWidth: 110, flowCollectionPadding: false });
}
