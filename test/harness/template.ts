/** Templates for tests: rendered over text, and refused. */
import assert from 'node:assert/strict';
import { parseTemplate } from '../../template/engine.ts';
import { TemplateError } from '../../template/errors.ts';
import { FUNCTIONS } from '../../template/functions/index.ts';
import { fromUtf8, GoMap, mapOf, T, toUtf8 } from '../../template/value.ts';

type TemplateData = Readonly<Record<string, string>>;

const rootOf = (data: TemplateData): GoMap =>
  new GoMap(
    mapOf(T.string),
    new Map(Object.entries(data).map(([key, value]) => [fromUtf8(key), fromUtf8(value)])),
  );

/** What the template makes of the data, keys and values being text. */
export const render = (template: string, data: TemplateData = {}): string =>
  toUtf8(parseTemplate('k', template, FUNCTIONS).execute(rootOf(data)));

/** The error that the template must end with. */
export function refusal(template: string, data: TemplateData = {}): TemplateError {
  try {
    render(template, data);
  } catch (thrown) {
    if (thrown instanceof TemplateError) return thrown;
    throw thrown;
  }
  return assert.fail(`no error: ${template}`);
}
