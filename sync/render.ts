/** Renders target.template: on the event loop where that is quick, in a thread where it may not be. */
import type { Clock } from '../api/clock.ts';
import { toEsaError } from '../api/errors.ts';
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import { isSlow, LOOP_LIMITS, type RenderJob, type RenderResult, renderSources } from './render-sources.ts';
import { renderInThread } from './render-threads.ts';
import { checkRendered } from './rendered-names.ts';
import type { TemplateSource } from './template-sources.ts';

/** What the templates of an ExternalSecret made. */
export interface Rendered {
  /** Undefined: no template is about data, which then is what was fetched. */
  readonly data: ReadonlyMap<string, SecretValue> | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * @param values what was fetched: the root of every template
 * @param sources in the order of `templateSources`
 * @throws EsaError TEMPLATE_PARSE, TEMPLATE_EXEC, TEMPLATE_BUDGET, TEMPLATE_RESULT, INVALID_KEYS; the message names the place of the
 *   template, and never holds a value
 */
export async function render(
  spec: ExternalSecretSpec,
  values: ReadonlyMap<string, SecretValue>,
  sources: readonly TemplateSource[],
  clock: Clock,
  signal: AbortSignal,
): Promise<Rendered> {
  const template = spec.target?.template;
  // Even if all of templateFrom is about labels, as in ESO: then the Secret has no data (eso.md 2.7).
  const aboutData = Object.keys(template?.data ?? {}).length > 0 || (template?.templateFrom ?? []).length > 0;
  const job: RenderJob = {
    values: new Map([...values].map(([key, value]) => [key, value.revealBytes()])),
    sources,
  };
  const result = isSlow(sources) ? await renderInThread(job, signal) : await onLoop(job, clock, signal);
  checkRendered(spec, result);
  const { data, labels, annotations } = result;
  const made = new Map<string, SecretValue>(template?.mergePolicy === 'Merge' ? values : []);
  for (const [key, bytes] of data) made.set(key, SecretValue.fromBytes(bytes));
  return {
    data: aboutData ? made : undefined,
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
  };
}

/** What the loop cannot give a thread may still have. */
async function onLoop(job: RenderJob, clock: Clock, signal: AbortSignal): Promise<RenderResult> {
  try {
    return await renderSources(job, clock, signal, LOOP_LIMITS);
  } catch (error) {
    if (toEsaError(error).code !== 'TEMPLATE_BUDGET' || !isSlow(job.sources)) throw error;
    return renderInThread(job, signal);
  }
}
