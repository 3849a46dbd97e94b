/** Which functions the text of a template calls. */
import { LRUCache } from 'lru-cache';
import { BUILTINS } from '../template/builtins.ts';
import { FUNCTIONS } from '../template/functions/index.ts';
import { identifiers } from '../template/nodes.ts';
import { parse } from '../template/parse.ts';
import { fromUtf8 } from '../template/value.ts';

/** True if templates have such a function, of sprig, of ESO or of Go itself. */
export const isTemplateFunction = (name: string): boolean => FUNCTIONS.has(name) || BUILTINS.has(name);

/** By text; several policies ask about the same templates at each refresh. */
const known = new LRUCache<string, ReadonlySet<string>>({ max: 1000, maxSize: 4 << 20 });

/**
 * Names of the functions that a template names, reached or not, each once. Empty for a text that cannot be
 * parsed: it renders nothing, and the rules on templates say why.
 */
export function functionsOf(text: string): ReadonlySet<string> {
  const before = known.get(text);
  if (before !== undefined) return before;
  const names = namesIn(text);
  known.set(text, names, { size: text.length + 1 });
  return names;
}

function namesIn(text: string): ReadonlySet<string> {
  try {
    const trees = parse('template', fromUtf8(text), {
      left: '{{',
      right: '}}',
      isFunction: isTemplateFunction,
    });
    return new Set([...trees.values()].flatMap(identifiers));
  } catch {
    return new Set();
  }
}
