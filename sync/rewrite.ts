/** dataFrom[].rewrite: new keys for what an entry read (eso.md 2.6), step by step. No error holds a value. */
import { EsaError, toEsaError } from '../api/errors.ts';
import type { RewriteStep } from '../api/external-secrets/v1/index.ts';
import { compileGoRegexp, GoRegexpError } from '../api/go-regexp.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { compareUtf8 } from '../providers/go-json.ts';
import { DEFAULT_LIMITS } from '../template/budget.ts';
import { parseTemplate } from '../template/engine.ts';
import { FUNCTIONS } from '../template/functions/index.ts';
import { fromUtf8, GoMap, mapOf, T, toUtf8 } from '../template/value.ts';
import { mergeValues } from './rewrite-merge.ts';

type Values = ReadonlyMap<string, SecretValue>;

/**
 * Applies the steps in order. Where two keys become one, the one that is later in byte order wins (in ESO it is up
 * to the random order of Go's maps).
 * @throws EsaError REWRITE, TEMPLATE_PARSE, TEMPLATE_EXEC, TEMPLATE_BUDGET; the message names the step
 */
export function rewriteKeys(values: Values, steps: readonly RewriteStep[]): Values {
  let current = values;
  for (const [index, step] of steps.entries()) {
    try {
      current = applyStep(current, step);
    } catch (thrown) {
      const { code, message } = toEsaError(thrown);
      throw new EsaError(code, `failed rewrite operation[${index}]: ${message}`, { cause: thrown });
    }
  }
  return current;
}

function applyStep(values: Values, { merge, regexp, transform }: RewriteStep): Values {
  if (merge !== undefined) return mergeValues(values, merge);
  if (regexp !== undefined) return renamed(values, replacer(regexp));
  if (transform !== undefined) return renamed(values, transformer(transform.template, values.size));
  return values;
}

function renamed(values: Values, rename: (key: string) => string): Values {
  const sorted = [...values].sort(([a], [b]) => compareUtf8(a, b));
  return new Map(sorted.map(([key, value]) => [rename(key), value]));
}

function replacer({ source, target }: { source: string; target: string }): (key: string) => string {
  try {
    const regexp = compileGoRegexp(source);
    return (key) => regexp.replaceAll(key, target);
  } catch (error) {
    if (!(error instanceof GoRegexpError)) throw error;
    throw new EsaError('REWRITE', `regexp failed with failed to compile: ${error.message}`);
  }
}

/** Steps that each key may have at least, however many there are. */
const MIN_STEPS = 5_000;

/** Renders the template with `.value`, the key; all keys together have the budget of one template. */
function transformer(text: string, keys: number): (key: string) => string {
  const template = parseTemplate('transform', text, FUNCTIONS);
  if (template.slow) {
    throw new EsaError(
      'TEMPLATE_BUDGET',
      'transform failed: the template of a key must not make keys, certificates or password hashes',
    );
  }
  const limits = { steps: Math.max(MIN_STEPS, Math.floor(DEFAULT_LIMITS.steps / Math.max(1, keys))) };
  return (key) => {
    const data = new GoMap(mapOf(T.string), new Map([['value', fromUtf8(key)]]));
    try {
      return toUtf8(template.execute(data, { limits }));
    } catch (thrown) {
      const { code, message } = toEsaError(thrown);
      throw new EsaError(
        code,
        `transform failed with failed to execute template for key ${JSON.stringify(key)}: ${message}`,
        { cause: thrown },
      );
    }
  };
}
