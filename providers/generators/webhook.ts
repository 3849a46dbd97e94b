/** Webhook: the members of the JSON object that a call of any HTTP server answers with. */
import { type WebhookSpec, webhookSpec } from '../../api/generators/v1alpha1/webhook.ts';
import type { Problem } from '../../api/problem.ts';
import { WebhookClient } from '../webhook/client.ts';
import { WebhookObject } from '../webhook/object.ts';
import { validateWebhookConfig } from '../webhook/validate.ts';
import type { Generator } from './contract.ts';

/** Which namespace it is for is not known yet: that references stay there is seen when they are followed. */
const ANYWHERE = { kind: 'ClusterSecretStore', namespace: undefined } as const;

export const webhookGenerator: Generator<WebhookSpec> = {
  kind: 'Webhook',
  schema: webhookSpec,
  validateSpec: (spec): readonly Problem[] =>
    // A caProvider without a namespace means that of the ExternalSecret here.
    validateWebhookConfig(spec, ANYWHERE).filter(({ rule }) => rule !== 'store-ref-namespace'),

  async generate(spec, { store, ports }, signal) {
    const { caProvider } = spec;
    const namespace = caProvider?.namespace ?? store.callerNamespace;
    const config = caProvider === undefined ? spec : { ...spec, caProvider: { ...caProvider, namespace } };
    const client = await WebhookClient.open(config, store, ports, signal);
    const { body, jsonPath } = await client.call({ key: '' }, signal);
    return new WebhookObject(body, jsonPath, client.label('')).getMap();
  },
};
