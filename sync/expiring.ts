/** Values of generators that expire before the ExternalSecret has new ones made. */
import { isDeepStrictEqual } from 'node:util';
import { formatGoDuration, parseGoDuration } from '../api/duration.ts';
import { toEsaError } from '../api/errors.ts';
import type { ExternalSecret, ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { CrossObjectContext, Finding } from './cross-object.ts';
import { resolveGenerator } from './generators.ts';
import { plan } from './plan.ts';

/** Milliseconds between two refreshes by time; undefined: there is none. */
function intervalOf({ refreshPolicy = 'Periodic', refreshInterval }: ExternalSecretSpec): number | undefined {
  const interval = parseGoDuration(refreshInterval ?? '1h') ?? 0;
  return refreshPolicy === 'Periodic' && interval > 0 ? interval : undefined;
}

/** What decides it, as far as it stands in the object. */
const subjectOf = ({ spec }: ExternalSecret): unknown => [
  intervalOf(spec),
  (spec.dataFrom ?? []).map(({ sourceRef }) => sourceRef?.generatorRef),
];

/**
 * Never a reason to refuse: the values are good when they are made.
 * @param before the stored object on UPDATE; only what is new is said
 */
export async function expiryFindings(
  es: ExternalSecret,
  before: ExternalSecret | undefined,
  { generators, controllerClass, onUnread }: CrossObjectContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const namespace = es.metadata.namespace ?? '';
  const used = plan(es).reads.flatMap(({ source, path }) =>
    source.kind === 'generator' ? [{ ref: source.ref, path }] : [],
  );
  if (used.length === 0) return [];
  if (before !== undefined && isDeepStrictEqual(subjectOf(es), subjectOf(before))) return [];
  const interval = intervalOf(es.spec);
  const found = await Promise.all(
    used.map(async ({ ref, path }): Promise<Finding[]> => {
      try {
        const { generator, spec } = await resolveGenerator(
          ref,
          namespace,
          generators,
          controllerClass,
          signal,
        );
        const life = generator.lifeMs?.(spec);
        if (life === undefined || (interval !== undefined && interval < life)) return [];
        const when =
          interval === undefined ? 'they are not made anew by time' : 'refreshInterval is not shorter';
        const message = `what it gives expires after ${formatGoDuration(life)}, and ${when}`;
        return [{ rule: 'generator-expires', path: [...path, 'name'], message }];
      } catch (thrown) {
        // Others say that it is missing, or wrong.
        onUnread(toEsaError(thrown));
        return [];
      }
    }),
  );
  return found.flat();
}
