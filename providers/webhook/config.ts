/** The block spec.provider.webhook, and the spec of the generator Webhook, which differs in its references only. */
import { z } from 'zod';
import { caProvider, secretKeySelector } from '../../api/external-secrets/shared.ts';
import { webhookShape } from '../../api/generators/v1alpha1/webhook.ts';

export const webhookConfigSchema = z
  .strictObject(webhookShape(secretKeySelector, caProvider))
  .describe('Any HTTP server: templates make the request, and a JSONPath picks from the answer.');

export type WebhookConfig = z.output<typeof webhookConfigSchema>;
