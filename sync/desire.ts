/** From fetched values to the Secret that should exist, with the templates read and rendered. */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { toSyncError } from './errors.ts';
import { render } from './render.ts';
import { type DesiredSecret, shape } from './shape.ts';
import { type TemplateReader, templateSources } from './template-sources.ts';

/**
 * @param values what the provider gave, by key
 * @throws SyncError stage `apply`, as ESO words it: a template that fails is a Secret that cannot be updated
 */
export async function desire(
  es: ExternalSecret,
  values: ReadonlyMap<string, SecretValue>,
  templates: TemplateReader,
  clock: Clock,
  signal: AbortSignal,
): Promise<DesiredSecret> {
  try {
    if (es.spec.target?.template === undefined) return shape(es, values, undefined);
    const sources = await templateSources(es.metadata.namespace ?? '', es.spec, templates, signal);
    return shape(es, values, await render(es.spec, values, sources, clock, signal));
  } catch (error) {
    throw toSyncError('apply', error);
  }
}
