/** Templates and values in, bytes out; what the event loop and the render thread share. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../api/clock.ts';
import { EsaError, toEsaError } from '../api/errors.ts';
import { formatFieldPath } from '../api/problem.ts';
import { SecretValue } from '../api/secret-value.ts';
import { DEFAULT_LIMITS, type Limits } from '../template/budget.ts';
import { parseTemplate, type Template } from '../template/engine.ts';
import { budgetError, TemplateError } from '../template/errors.ts';
import { GoError } from '../template/function.ts';
import { FUNCTIONS } from '../template/functions/index.ts';
import { unmarshalStringMap } from '../template/go-yaml.ts';
import { fromUtf8, GoMap, mapOf, T, toUtf8 } from '../template/value.ts';
import type { TemplateSource } from './template-sources.ts';
import { decodeValue } from './values.ts';

/** All that a rendering needs, and nothing that cannot be sent to a thread. */
export interface RenderJob {
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly sources: readonly TemplateSource[];
}

export interface RenderResult {
  readonly data: ReadonlyMap<string, Uint8Array>;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

/** What each of the templates of a job may use up. */
export interface RenderLimits {
  readonly template: Partial<Limits>;
  /** For a text that renders to keys and values: steps of reading it. */
  readonly yaml: number;
}

const MiB = 1 << 20;

/** On the event loop: some tens of milliseconds at worst, far more than real templates take. */
export const LOOP_LIMITS: RenderLimits = {
  template: { steps: 50_000, allocated: 4 * MiB, output: 4 * MiB },
  yaml: 100_000,
};
/** In a thread; YAML of two megabytes is more than a Secret holds. */
export const THREAD_LIMITS: RenderLimits = { template: DEFAULT_LIMITS, yaml: 10_000_000 };

/** The loop is given back after this time; the budget of one template is of the same order. */
const TURN_MS = 10;

/** Templates that took more than the event loop gives. Their next values may be as large: the loop is not asked again. */
const heavy = new WeakSet<Template>();

/** ESO names the template of a key by the key, and one that renders to YAML by its own text. */
const parse = ({ key, text }: TemplateSource): Template => parseTemplate(key ?? text, text, FUNCTIONS);

/** True if a template may hold, or once held, the event loop for long. What does not parse is quick to fail. */
export const isSlow = (sources: readonly TemplateSource[]): boolean =>
  sources.some((source) => {
    try {
      const template = parse(source);
      return template.slow || heavy.has(template);
    } catch {
      return false;
    }
  });

/**
 * @param limits with LOOP_LIMITS, `isSlow` says after TEMPLATE_BUDGET whether a thread may do what the loop may not
 * @throws EsaError as `render`; nothing is returned unless all templates render
 */
export async function renderSources(
  { values, sources }: RenderJob,
  clock: Clock,
  signal: AbortSignal,
  limits: RenderLimits,
): Promise<RenderResult> {
  const data = new Map<string, Uint8Array>();
  const labels = new Map<string, string>();
  const annotations = new Map<string, string>();
  let turn = performance.now();
  for (const source of sources) {
    if (performance.now() - turn > TURN_MS) {
      await nextTurn();
      turn = performance.now();
    }
    signal.throwIfAborted();
    for (const [key, text] of renderOne(source, values, clock, limits)) {
      const value = SecretValue.fromBytes(Buffer.from(text, 'latin1'));
      if (source.target === 'data') data.set(key, decodeValue(key, value, source.decoding).revealBytes());
      else (source.target === 'labels' ? labels : annotations).set(key, toUtf8(text));
    }
  }
  return { data, labels, annotations };
}

/** Keys, and values as Go strings. Each template gets values of its own: `set` in one is nothing to the next. */
function renderOne(
  source: TemplateSource,
  values: ReadonlyMap<string, Uint8Array>,
  clock: Clock,
  limits: RenderLimits,
): ReadonlyMap<string, string> {
  const root = new Map<string, string>();
  for (const [key, bytes] of values) root.set(fromUtf8(key), Buffer.from(bytes).toString('latin1'));
  const at = formatFieldPath(source.path);
  const what = source.key === undefined ? 'template' : `template at key ${source.key}`;
  const reworded = (error: unknown, words: (message: string) => string): EsaError =>
    rewordedError(error, words, isSecret(source));
  let template: Template;
  try {
    template = parse(source);
  } catch (error) {
    throw reworded(error, (message) => `${at}: unable to parse ${what}: ${message}`);
  }
  let text: string;
  try {
    text = template.execute(new GoMap(mapOf(T.string), root), { clock, limits: limits.template });
  } catch (error) {
    noteHeavy(template, error);
    throw reworded(error, (message) => `${at}: unable to execute ${what}: ${message}`);
  }
  if (source.key !== undefined) return new Map([[source.key, text]]);
  try {
    return unmarshalStringMap(text, spender(limits.yaml));
  } catch (error) {
    noteHeavy(template, error);
    throw reworded(
      error,
      (message) => `${at}: could not unmarshal template to 'map[string][]byte': ${message}`,
    );
  }
}

function noteHeavy(template: Template, error: unknown): void {
  if (error instanceof EsaError && error.code === 'TEMPLATE_BUDGET') heavy.add(template);
}

function spender(limit: number): (steps: number) => void {
  let left = limit;
  return (steps) => {
    left -= steps;
    if (left < 0) throw budgetError(`its keys and values take more than ${limit} steps to read`);
  };
}

/** Go puts the source into its messages, and the source may be large. */
const MAX_MESSAGE = 2000;

/** The text of the template is itself what a Secret holds. */
const isSecret = ({ path }: TemplateSource): boolean => path.at(-3) === 'secret';

/** @param hidden nothing of the template may be repeated, only the line */
function rewordedError(thrown: unknown, words: (message: string) => string, hidden: boolean): EsaError {
  const error =
    thrown instanceof GoError ? new EsaError('TEMPLATE_EXEC', thrown.message) : toEsaError(thrown);
  if (hidden) {
    const line = error instanceof TemplateError ? error.position?.line : undefined;
    const place = line === undefined ? '' : `line ${line}, `;
    return new EsaError(error.code, words(`${place}not repeated here, since its text is kept in a Secret`));
  }
  const { message } = error;
  const shown =
    message.length > MAX_MESSAGE
      ? `${message.slice(0, MAX_MESSAGE / 2)}...${message.slice(-MAX_MESSAGE / 2)}`
      : message;
  return new EsaError(error.code, words(shown), { cause: error });
}
