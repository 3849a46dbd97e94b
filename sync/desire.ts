/** From fetched values to the Secret that should exist, with the templates read and rendered. */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { kesOf } from '../api/kubernetes-client/part.ts';
import type { SecretValue } from '../api/secret-value.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import { toSyncError } from './errors.ts';
import { renderKes } from './kes/template.ts';
import type { NamespacePolicies } from './policies.ts';
import { enforce } from './policy-gate.ts';
import { render } from './render.ts';
import { type DesiredSecret, shape } from './shape.ts';
import { type TemplateReader, templateSources } from './template-sources.ts';

export interface Desired {
  readonly secret: DesiredSecret;
  /** What policies say about it without denying it. */
  readonly verdicts: readonly Verdict[];
}

/**
 * @param values what the provider gave, by key
 * @param policies judge the templates that stand in other objects, and the number of keys that result
 * @throws SyncError stage `apply`, as ESO words it: a template that fails is a Secret that cannot be updated;
 *   stage `fetch` with POLICY_DENIED
 */
export async function desire(
  es: ExternalSecret,
  values: ReadonlyMap<string, SecretValue>,
  templates: TemplateReader,
  clock: Clock,
  policies: NamespacePolicies,
  signal: AbortSignal,
): Promise<Desired> {
  try {
    const kes = kesOf(es);
    if (kes !== undefined)
      return counted(shape(es, values, renderKes(kes.spec, values, clock)), [], policies);
    if (es.spec.target?.template === undefined) return counted(shape(es, values, undefined), [], policies);
    const sources = await templateSources(es.metadata.namespace ?? '', es.spec, templates, signal);
    const elsewhere = sources.filter(({ path }) => path.includes('configMap') || path.includes('secret'));
    const verdicts = enforce(policies.judge({ templates: elsewhere }), false);
    const rendered = await render(es.spec, values, sources, clock, signal);
    return counted(shape(es, values, rendered), verdicts, policies);
  } catch (error) {
    throw toSyncError('apply', error);
  }
}

function counted(secret: DesiredSecret, verdicts: readonly Verdict[], policies: NamespacePolicies): Desired {
  return {
    secret,
    verdicts: [...verdicts, ...enforce(policies.judge({ keyCount: secret.data.size }), false)],
  };
}
