/**
 * The providers there are, one line each. A new one is a folder with its schema and implementation, and a
 * line in `registered`.
 */
import type { z } from 'zod';
import { below, collector, type Problem } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';
import { awsProvider } from './aws/provider.ts';
import { azurekvProvider } from './azurekv/provider.ts';
import type { Annotations, Provider, StoreContext } from './contract.ts';
import { expressProvider } from './express/provider.ts';
import { fakeProvider } from './fake/provider.ts';
import { gcpsmProvider } from './gcpsm/provider.ts';
import { kubernetesProvider } from './kubernetes/provider.ts';
import { parseWith } from './schema-problems.ts';
import { openBaoProvider } from './vault/openbao.ts';
import { vaultProvider } from './vault/provider.ts';
import { webhookProvider } from './webhook/provider.ts';

// Sound without the type of the block: a provider only ever gets one that its own schema has parsed.
const registered: readonly Provider<unknown>[] = [
  awsProvider,
  azurekvProvider,
  expressProvider,
  fakeProvider,
  gcpsmProvider,
  kubernetesProvider,
  openBaoProvider,
  vaultProvider,
  webhookProvider,
];

/** Every provider by its key in spec.provider. */
export const providers: ReadonlyMap<string, Provider<unknown>> = new Map(registered.map((p) => [p.name, p]));

/** Schema of each provider's block, for the CRDs. */
export const providerSchemas: Record<string, z.ZodType> = Object.fromEntries(
  [...providers].map(([name, provider]) => [name, provider.schema] as const),
);

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

function refuse(rule: RuleId, path: readonly string[], message: string): ProviderChoice {
  const { report, problems } = collector();
  report(rule, path, message);
  return { ok: false, problems };
}

/**
 * Picks the provider out of spec.provider and parses its block. Pure; the rules that go beyond the schema
 * are in `providerProblems`.
 * @param annotations of the store, whose problems are in `annotationProblems`
 */
export function providerOf(block: unknown, annotations: Annotations = {}): ProviderChoice {
  const names = namesIn(block);
  const [name] = names;
  if (name === undefined) {
    return refuse(
      'store-provider',
      [],
      `a store needs exactly one provider, found none; supported: ${supportedNames()}`,
    );
  }
  if (names.length > 1) {
    return refuse(
      'store-one-provider',
      [],
      `a store needs exactly one provider, found ${names.length} (${names.sort().join(', ')})`,
    );
  }
  const provider = providers.get(name);
  if (provider === undefined) {
    return refuse(
      'store-provider-kind',
      [name],
      `provider ${name} is not supported yet; supported: ${supportedNames()}`,
    );
  }
  const parsed = parseWith(provider.schema, (block as Record<string, unknown>)[name]);
  if (parsed.ok) {
    const { value } = parsed;
    const config = provider.annotations?.apply(value, annotations) ?? value;
    return { ok: true, name, config, provider };
  }
  return { ok: false, problems: below([name], parsed.problems) };
}

/** True if a store says the same to its provider in both sets of annotations. */
export function sameAnnotations(block: unknown, some: Annotations = {}, others: Annotations = {}): boolean {
  const [name = ''] = namesIn(block);
  return (providers.get(name)?.annotations?.names ?? []).every((one) => some[one] === others[one]);
}

/** What is wrong with annotations of a store that its provider reads; paths are those of the store. */
export function annotationProblems(block: unknown, annotations: Annotations = {}): Problem[] {
  const choice = providerOf(block);
  if (!choice.ok) return [];
  return below(['metadata', 'annotations'], choice.provider.annotations?.validate(annotations) ?? []);
}

/** Everything that is wrong with spec.provider of this store, without I/O; empty if it may be admitted. */
export function providerProblems(block: unknown, store: StoreScope): Problem[] {
  const choice = providerOf(block);
  if (!choice.ok) return [...choice.problems];
  return below([choice.name], choice.provider.validateConfig(choice.config, store));
}

/** What deserves a word although it may be admitted: fields of its provider that do nothing here. */
export function providerWarnings(block: unknown): Problem[] {
  const choice = providerOf(block);
  if (!choice.ok) return [];
  return below([choice.name], choice.provider.warnConfig?.(choice.config) ?? []);
}

/** Longest time for giving back what is held at servers: a program that ends is not waited for longer. */
const CLOSE_TIMEOUT_MS = 2_000;

/** For the end of a program: logins are given back as far as their servers answer in time. Never throws. */
export async function closeProviders(): Promise<void> {
  const signal = AbortSignal.timeout(CLOSE_TIMEOUT_MS);
  await Promise.allSettled(registered.flatMap((provider) => provider.close?.(signal) ?? []));
}
