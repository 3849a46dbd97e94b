/** What spec.template of KES makes of a Secret; pure. Keys are not templates, nor is anything in a list. */
import type { Clock } from '../../api/clock.ts';
import { EsaError, toEsaError } from '../../api/errors.ts';
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import type { KesSpec } from '../../api/kubernetes-client/v1/external-secret.ts';
import { formatFieldPath } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { isBase64 } from '../../policy/kes-template.ts';
import { labelKeyError, labelValueError } from '../../policy/label-syntax.ts';
import { Budget, DEFAULT_LIMITS } from '../../template/budget.ts';
import { renderLodash } from '../../template/lodash/lodash.ts';
import { checkKeys } from '../keys.ts';
import type { Rendered } from '../render.ts';

const membersOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {});

/**
 * @param values what was fetched; all of it stands in the Secret
 * @returns data in which fetched keys beat those of template.data, and template.stringData beats both
 * @throws EsaError TEMPLATE_PARSE, TEMPLATE_EXEC, TEMPLATE_BUDGET, TEMPLATE_RESULT, INVALID_KEYS; never with a value
 */
export function renderKes(
  { template = {} }: KesSpec,
  values: ReadonlyMap<string, SecretValue>,
  clock: Clock,
): Rendered {
  const metadata = membersOf(template['metadata']);
  const texts = new Map([...values].map(([key, value]) => [key, value.revealText()]));
  const budget = new Budget(clock, DEFAULT_LIMITS);
  const rendered = (map: unknown, path: readonly string[]): (readonly [string, string])[] =>
    Object.entries(membersOf(map)).map(([key, text]) => {
      if (typeof text !== 'string') return [key, String(text)];
      try {
        return [key, renderLodash(text, texts, budget)];
      } catch (thrown) {
        const error = toEsaError(thrown);
        const where = formatFieldPath(['spec', 'template', ...path, key]);
        throw new EsaError(error.code, `${where}: ${error.message}`, { cause: error });
      }
    });
  const data = new Map<string, SecretValue>();
  for (const [key, text] of rendered(template['data'], ['data'])) {
    if (!isBase64(text))
      throw new EsaError('TEMPLATE_RESULT', `spec.template.data.${key}: the result is not base64`);
    data.set(key, SecretValue.fromBytes(Buffer.from(text, 'base64')));
  }
  for (const [key, value] of values) data.set(key, value);
  for (const [key, text] of rendered(template['stringData'], ['stringData']))
    data.set(key, SecretValue.fromText(text));
  const labels = rendered(metadata['labels'], ['metadata', 'labels']);
  for (const [key, text] of labels) {
    const reason = labelKeyError(key) ?? labelValueError(text);
    if (reason !== undefined)
      throw new EsaError('TEMPLATE_RESULT', `spec.template.metadata.labels.${key}: ${reason}`);
  }
  return {
    data: checkKeys(data),
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(rendered(metadata['annotations'], ['metadata', 'annotations'])),
  };
}
