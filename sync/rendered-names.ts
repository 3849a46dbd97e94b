/**
 * What templates made has to be good before it goes to the API server, which repeats what it refuses in its own audit
 * log: a label or a key may be rendered from a value. Rules of Kubernetes: data keys, label values, qualified names.
 */
import { EsaError } from '../api/errors.ts';
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { RenderResult } from './render-sources.ts';

const DATA_KEY = /^[-._a-zA-Z0-9]{1,253}$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const QUALIFIED_NAME =
  /^(?:(?=[^/]{1,253}\/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

type Names = Readonly<Record<string, unknown>> | undefined;

/**
 * @throws EsaError TEMPLATE_RESULT; only names that stand in the spec are repeated
 */
export function checkRendered(spec: ExternalSecretSpec, { data, labels, annotations }: RenderResult): void {
  const { data: dataTemplates, metadata } = spec.target?.template ?? {};
  const refuse = (what: string, key: string, written: Names, wants: string): never => {
    const which = written !== undefined && Object.hasOwn(written, key) ? `${what} "${key}"` : `a ${what}`;
    throw new EsaError(
      'TEMPLATE_RESULT',
      `spec.target.template: ${which} is not valid after rendering (it may be a value and is not repeated): ${wants}`,
    );
  };
  for (const key of data.keys())
    if (!DATA_KEY.test(key)) refuse('key', key, dataTemplates, 'at most 253 of -._a-zA-Z0-9');
  for (const [key, value] of labels) {
    if (!QUALIFIED_NAME.test(key))
      refuse('label name', key, metadata?.labels, 'prefix/name as in Kubernetes');
    if (!LABEL_VALUE.test(value))
      refuse('label', key, metadata?.labels, 'at most 63 of -._a-zA-Z0-9, letter or digit at both ends');
  }
  // The API server compares annotation names without regard to case.
  for (const key of annotations.keys())
    if (!QUALIFIED_NAME.test(key.toLowerCase()))
      refuse('annotation name', key, metadata?.annotations, 'prefix/name as in Kubernetes');
}
