/** Lodash templates: the values of fetched keys in a text, `<%= data.key %>`. Anything more is refused. */
import type { Budget } from '../budget.ts';
import { TemplateError } from '../errors.ts';
import { fromUtf8 } from '../value.ts';

/** What is wrong with a text, without running it. */
export interface LodashProblem {
  readonly kind: 'syntax' | 'budget';
  readonly message: string;
}

const TAG = /<%=\s*data(?:\.([A-Za-z_$][\w$]*)|\["([^"\\]+)"\])\s*%>/g;
const DELIMITER = /<%|\$\{/;

/** True if a text has anything to run; one without is printed as it is. */
export const isLodash = (text: string): boolean => DELIMITER.test(text);

/** What no value could heal: syntax, and whatever a template may not use. */
export function checkLodash(text: string): LodashProblem | undefined {
  return DELIMITER.test(text.replaceAll(TAG, ''))
    ? { kind: 'syntax', message: 'only <%= data.key %> is supported' }
    : undefined;
}

/**
 * Renders a text.
 * @param data the fetched values by key, decoded as UTF-8
 * @throws TemplateError TEMPLATE_PARSE for what checkLodash reports
 */
export function renderLodash(text: string, data: ReadonlyMap<string, string>, budget?: Budget): string {
  const problem = checkLodash(text);
  if (problem !== undefined) {
    throw new TemplateError('TEMPLATE_PARSE', {
      phase: 'parse',
      goText: fromUtf8(`template: ${problem.message}`),
      position: { name: 'template', line: 1 },
    });
  }
  budget?.spend(1);
  return text.replaceAll(TAG, (_, name?: string, quoted?: string) => data.get(name ?? quoted ?? '') ?? '');
}
