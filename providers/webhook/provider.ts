/** The provider webhook: any HTTP server, by templates. */
import { createHash } from 'node:crypto';
import { allFollowable, dependenciesOf, referenceIdentity } from '../block-references.ts';
import {
  type Connection,
  type Provider,
  ProviderError,
  type RemoteObject,
  type RemoteRef,
} from '../contract.ts';
import { cancelled } from '../http-errors.ts';
import { WebhookClient } from './client.ts';
import { type WebhookConfig, webhookConfigSchema } from './config.ts';
import { WebhookObject } from './object.ts';
import { fieldsRead } from './templates.ts';
import { fixedServer, referencesOf, validateWebhookConfig } from './validate.ts';

const NO_FIND = 'find is not implemented by provider webhook';
const NO_METADATA = 'provider webhook has no metadata: metadataPolicy must not be Fetch';

class WebhookConnection implements Connection {
  readonly #client: WebhookClient;

  constructor(client: WebhookClient) {
    this.#client = client;
  }

  async read(ref: RemoteRef, signal: AbortSignal): Promise<RemoteObject> {
    if (ref.metadata === true) throw new ProviderError('PROVIDER_INVALID_CONFIG', NO_METADATA);
    const { body, jsonPath } = await this.#client.call(ref, signal);
    return new WebhookObject(body, jsonPath, this.#client.label(ref.key));
  }

  async find(): Promise<never> {
    throw new ProviderError('PROVIDER_INVALID_CONFIG', NO_FIND);
  }

  validate(signal: AbortSignal): Promise<void> {
    return this.#client.reach(signal);
  }

  async close(): Promise<void> {
    // Sockets are pooled for the whole process.
  }
}

/** What else of a reference says which object is meant, because templates read it. */
function address(config: WebhookConfig, ref: RemoteRef): string {
  const read = fieldsRead(config);
  const parts = (['property', 'version'] as const).flatMap((field) => {
    const value = ref[field];
    return read.has(field) && value !== undefined ? [`${field}=${encodeURIComponent(value)}`] : [];
  });
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

export const webhookProvider: Provider<WebhookConfig> = {
  name: 'webhook',
  schema: webhookConfigSchema,
  capabilities: 'ReadWrite',
  validateConfig: validateWebhookConfig,
  validateRef: (_config, ref) => (ref.metadata === true ? NO_METADATA : undefined),
  validateFind: () => NO_FIND,

  /** The key; where templates read the property or the version, these too, as a query. */
  canonicalKey: (config, ref) => `${ref.key}${address(config, ref)}`,
  readsProperty: (config) => fieldsRead(config).has('property'),

  identity(config, store) {
    // Only as a digest: headers and body may hold credentials in the open.
    const block = createHash('sha256').update(JSON.stringify(config)).digest('base64url');
    const namespace = fieldsRead(config).has('namespace') ? store.callerNamespace : undefined;
    return JSON.stringify([
      'webhook',
      fixedServer(config)?.origin ?? '',
      block,
      referenceIdentity(referencesOf(config), store),
      namespace ?? '',
    ]);
  },

  servers(config) {
    const server = fixedServer(config);
    return server === undefined ? [] : [server];
  },

  dependencies: (config, store) => dependenciesOf(referencesOf(config), store),
  canValidate(config, store) {
    const namespaced = store.kind === 'ClusterSecretStore' && fieldsRead(config).has('namespace');
    return allFollowable(referencesOf(config), store) && (!namespaced || store.callerNamespace !== undefined);
  },

  async connect(config, store, ports, signal): Promise<Connection> {
    if (signal.aborted) throw cancelled(`${store.kind} ${store.name}`, signal);
    return new WebhookConnection(await WebhookClient.open(config, store, ports, signal));
  },
};
