/** What every provider's find needs: the name expression, limits, and reads side by side. */
import { compileGoRegexp, type GoRegexp, GoRegexpError } from '../api/go-regexp.ts';
import { FIND_LIMITS, type FoundObject, ProviderError } from './contract.ts';
import { compareUtf8 } from './go-json.ts';

/** @throws ProviderError PROVIDER_INVALID_CONFIG for what is no RE2 expression */
export function nameExpression(source: string): GoRegexp {
  try {
    return compileGoRegexp(source);
  } catch (error) {
    if (!(error instanceof GoRegexpError)) throw error;
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `could not compile find.name.regexp [${source}]: ${error.message}`,
    );
  }
}

const tooMany = (what: string): ProviderError =>
  new ProviderError(
    'PROVIDER_INVALID_CONFIG',
    `the find comes upon more than ${what}; narrow it with find.path, find.name.regexp or find.tags`,
  );

/** @throws ProviderError PROVIDER_INVALID_CONFIG if so many names are more than one find may look at */
export function checkNames(count: number): void {
  if (count > FIND_LIMITS.names) throw tooMany(`${FIND_LIMITS.names} names`);
}

/** Requests of one find at once: a store has limits of its own, and others want to read too. */
const AT_ONCE = 8;

/**
 * Runs `work` for every item, some at once, and keeps the order. The first failure stops what has not begun.
 */
export async function inParallel<In, Out>(
  items: readonly In[],
  work: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = [];
  const rest = items.entries();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) {
      if (failed) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}

/**
 * Reads what a find matched and puts it in order.
 * @param read undefined for a secret that is gone, or has no value: it is left out
 * @throws ProviderError PROVIDER_INVALID_CONFIG beyond the limits; as `read`
 */
export async function readFound<Match>(
  matches: readonly Match[],
  read: (match: Match) => Promise<FoundObject | undefined>,
): Promise<FoundObject[]> {
  if (matches.length > FIND_LIMITS.objects) throw tooMany(`${FIND_LIMITS.objects} secrets`);
  let bytes = 0;
  const found = await inParallel(matches, async (match) => {
    const one = await read(match);
    bytes += one?.object.get(undefined).byteLength ?? 0;
    if (bytes > FIND_LIMITS.bytes) throw tooMany(`${FIND_LIMITS.bytes} bytes`);
    return one;
  });
  return found.filter((one) => one !== undefined).sort((a, b) => compareUtf8(a.key, b.key));
}
