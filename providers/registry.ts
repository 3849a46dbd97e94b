/**
 * The providers there are, one line each. A new one is a folder with its schema and implementation, and a
 * line in `providers`; one whose schema comes first has a line in `announced` until it is built.
 */
import type { z } from 'zod';
import type { Problem } from '../api/problem.ts';
import { awsConfigSchema, validateAwsConfig } from './aws/config.ts';
import type { Provider, StoreContext } from './contract.ts';
import { fakeProvider } from './fake/provider.ts';
import { parseWith } from './schema-problems.ts';
import { vaultProvider } from './vault/provider.ts';

// Sound without the type of the block: a provider only ever gets one that its own schema has parsed.
const registered: readonly Provider<unknown>[] = [fakeProvider, vaultProvider];

/** Every provider by its key in spec.provider. */
export const providers: ReadonlyMap<string, Provider<unknown>> = new Map(registered.map((p) => [p.name, p]));

interface Announced {
  readonly schema: z.ZodType;
  readonly problems: (config: unknown, store: StoreScope) => Problem[];
}
const announce = <Config>(
  schema: z.ZodType<Config>,
  validateConfig: (config: Config, store: StoreScope) => Problem[],
): Announced => ({
  schema,
  problems(config, store) {
    const parsed = parseWith(schema, config);
    return parsed.ok ? validateConfig(parsed.value, store) : parsed.problems;
  },
});

/** Declared in the CRDs and validated, but not built yet. */
const announced: ReadonlyMap<string, Announced> = new Map([
  ['aws', announce(awsConfigSchema, validateAwsConfig)],
]);

/** Schema of each provider's block, for the CRDs. */
export const providerSchemas: Record<string, z.ZodType> = Object.fromEntries([
  ...[...providers].map(([name, provider]) => [name, provider.schema] as const),
  ...[...announced].map(([name, { schema }]) => [name, schema] as const),
]);

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

/** The provider of a store with its parsed block, or what is wrong; paths are relative to spec.provider. */
export type ProviderChoice =
  | {
      readonly ok: true;
      readonly name: string;
      readonly config: unknown;
      readonly provider: Provider<unknown>;
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const supportedNames = (): string => [...providers.keys()].sort().join(', ');

function namesIn(block: unknown): string[] {
  if (typeof block !== 'object' || block === null) return [];
  return Object.entries(block).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [name],
  );
}

const refuse = (problem: Problem): ProviderChoice => ({ ok: false, problems: [problem] });

/**
 * Picks the provider out of spec.provider and parses its block. Pure; the rules that go beyond the schema
 * are in `providerProblems`.
 */
export function providerOf(block: unknown): ProviderChoice {
  const names = namesIn(block);
  const [name] = names;
  if (name === undefined) {
    return refuse({
      path: [],
      reason: 'FieldValueRequired',
      message: `a store needs exactly one provider, found none; supported: ${supportedNames()}`,
    });
  }
  if (names.length > 1) {
    return refuse({
      path: [],
      reason: 'FieldValueInvalid',
      message: `a store needs exactly one provider, found ${names.length} (${names.sort().join(', ')})`,
    });
  }
  const provider = providers.get(name);
  if (provider === undefined) {
    return refuse({
      path: [name],
      reason: 'FieldValueNotSupported',
      message: `provider ${name} is not supported yet; supported: ${supportedNames()}`,
    });
  }
  const parsed = parseWith(provider.schema, (block as Record<string, unknown>)[name]);
  if (parsed.ok) return { ok: true, name, config: parsed.value, provider };
  return { ok: false, problems: parsed.problems.map((problem) => prefixed(name, problem)) };
}

const prefixed = (name: string, problem: Problem): Problem => ({ ...problem, path: [name, ...problem.path] });

/** Everything that is wrong with spec.provider of this store, without I/O; empty if it may be admitted. */
export function providerProblems(block: unknown, store: StoreScope): Problem[] {
  const choice = providerOf(block);
  if (choice.ok) {
    return choice.provider
      .validateConfig(choice.config, store)
      .map((problem) => prefixed(choice.name, problem));
  }
  const [name] = namesIn(block);
  const declared = name === undefined ? undefined : announced.get(name);
  if (name === undefined || declared === undefined || namesIn(block).length > 1) return [...choice.problems];
  const further = declared.problems((block as Record<string, unknown>)[name], store);
  return [...choice.problems, ...further.map((problem) => prefixed(name, problem))];
}
