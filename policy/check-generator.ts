/** The judgement on an object that is a generator. */
import type { GeneratorRefKind } from '../api/generators/names.ts';
import { below, type Problem } from '../api/problem.ts';
import { generatorOf } from '../providers/generators/registry.ts';

/**
 * A kind that is not supported yet is admitted with a word about it: manifests of ESO's users apply, and what refers
 * to it is refused by name.
 * @param spec as it stands in the object
 */
export function checkGenerator(
  kind: GeneratorRefKind,
  spec: unknown,
): { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] } {
  const choice = generatorOf(kind, spec);
  if (choice.ok) return { problems: [], warnings: [] };
  const problems = below(['spec'], choice.problems);
  return choice.unsupported ? { problems: [], warnings: problems } : { problems, warnings: [] };
}
