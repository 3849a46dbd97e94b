/**
 * What an ExternalSecret or a store says about other objects, held against those objects as they are now. All
 * of it something outside the object can heal, so these are findings to warn of and not rules; the words are
 * those in which the engine fails over the same fact, so that hooks, conditions and events agree.
 */
import { type EsaError, toEsaError } from '../api/errors.ts';
import type { ExternalSecret, ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { FieldPath } from '../api/problem.ts';
import type { NamedDependency } from '../providers/contract.ts';
import { ownershipOf } from './apply.ts';
import { impossibleRead, type StoreSource } from './fetch.ts';
import { type GeneratorReader, resolveGenerator } from './generators.ts';
import type { ObjectReader } from './live.ts';
import { specHash } from './marker.ts';
import type { MarkerKeys } from './marker-keys.ts';
import {
  creationPolicyOf,
  type GeneratorReference,
  type PlannedRead,
  plan,
  type StoreReference,
  targetName,
} from './plan.ts';
import { mergesKeys } from './shape.ts';
import { bindStore, type ResolvedStore, resolveStore, type StoreObject, type StoreReader } from './stores.ts';
import { targetObstacle } from './target-obstacle.ts';
import { entrySources, type TemplateReader } from './template-sources.ts';

/** Every fact that is looked for; each has one function below that words it. */
export type CrossObjectRule =
  | 'store-missing'
  | 'store-not-allowed'
  | 'store-not-served'
  | 'store-invalid'
  | 'store-unusable'
  | 'store-reference-missing'
  | 'read-impossible'
  | 'generator-missing'
  | 'generator-not-served'
  | 'generator-invalid'
  | 'generator-expires'
  | 'target-unmanaged'
  | 'target-owned'
  | 'target-shared'
  | 'template-source-missing';

/** One fact: a problem of the object, with its path in the hub version. */
export interface Finding {
  readonly rule: CrossObjectRule;
  readonly path: FieldPath;
  readonly message: string;
}

export interface CrossObjectContext {
  readonly stores: StoreReader;
  readonly generators: GeneratorReader;
  readonly templates: TemplateReader;
  readonly objects: ObjectReader;
  readonly keys: MarkerKeys;
  readonly controllerClass: string;
  /** Called with what could not be read; nothing is said about that then. */
  readonly onUnread: (error: EsaError) => void;
}

const finding = (rule: CrossObjectRule, path: FieldPath, message: string): Finding => ({
  rule,
  path,
  message,
});

const storeMissing = (path: FieldPath, error: EsaError) => finding('store-missing', path, error.message);
const storeNotAllowed = (path: FieldPath, error: EsaError) =>
  finding('store-not-allowed', path, error.message);
const storeNotServed = (path: FieldPath, error: EsaError) => finding('store-not-served', path, error.message);
const storeInvalid = (path: FieldPath, error: EsaError) => finding('store-invalid', path, error.message);
const storeReferenceMissing = (path: FieldPath, why: string) => finding('store-reference-missing', path, why);
const readImpossible = (path: FieldPath, error: EsaError) => finding('read-impossible', path, error.message);
const generatorMissing = (path: FieldPath, error: EsaError) =>
  finding('generator-missing', [...path, 'name'], error.message);
const generatorNotServed = (path: FieldPath, error: EsaError) =>
  finding('generator-not-served', [...path, 'kind'], error.message);
const generatorInvalid = (path: FieldPath, error: EsaError) =>
  finding('generator-invalid', [...path, 'name'], error.message);
const targetUnmanaged = (error: EsaError) => finding('target-unmanaged', TARGET, error.message);
const targetOwned = (error: EsaError) => finding('target-owned', TARGET, error.message);
const targetShared = (where: string, other: string) =>
  finding(
    'target-shared',
    TARGET,
    `${where} is the target of ExternalSecret ${other}, too; choose another target.name`,
  );
const templateSourceMissing = (path: FieldPath, error: EsaError) =>
  finding('template-source-missing', path, error.message);

const TARGET: FieldPath = ['spec', 'target', 'name'];

/** A part of the object that says something about another one, so that what an update left as it was is not asked. */
interface Question {
  /** Equal for questions with the same answer. */
  readonly key: string;
  readonly ask: () => Promise<readonly Finding[]>;
}

/**
 * @param es in the hub version, sound in itself
 * @param before the stored object on UPDATE, sound, too: only what is new is looked at
 * @returns nothing if a store or generator is of another controller class: then the object is not ours to judge
 */
export async function crossObjectFindings(
  es: ExternalSecret,
  before: ExternalSecret | undefined,
  context: CrossObjectContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const known = new Set(
    before === undefined ? [] : questionsOf(before, context, signal).map(({ key }) => key),
  );
  const questions = questionsOf(es, context, signal);
  if (questions.every(({ key }) => known.has(key))) return [];
  // The old ones are asked, too, and not answered: whose the object is, each store and generator may tell.
  return answersTo(
    questions.map(({ key, ask }) => (known.has(key) ? ask().then(() => []) : ask())),
    context,
  );
}

/** The findings of all that could be read, in order; each fact once, though several fields may name the same Secret. */
async function answersTo(
  asked: readonly Promise<readonly Finding[]>[],
  { onUnread }: Pick<CrossObjectContext, 'onUnread'>,
): Promise<readonly Finding[]> {
  const findings = new Map<string, Finding>();
  for (const outcome of await Promise.allSettled(asked)) {
    if (outcome.status === 'fulfilled') {
      for (const one of outcome.value) if (!findings.has(one.message)) findings.set(one.message, one);
    } else {
      const error = toEsaError(outcome.reason);
      if (error.code === 'STORE_OTHER_CLASS') return [];
      onUnread(error);
    }
  }
  return [...findings.values()];
}

function questionsOf(es: ExternalSecret, context: CrossObjectContext, signal: AbortSignal): Question[] {
  const namespace = es.metadata.namespace ?? '';
  const { reads } = plan(es);
  return [
    ...storeQuestions(reads, namespace, context, signal),
    ...reads.flatMap(({ source, path }): Question[] =>
      source.kind === 'generator'
        ? [
            {
              key: JSON.stringify(source),
              ask: () => askGenerator(source.ref, path, namespace, context, signal),
            },
          ]
        : [],
    ),
    ...templateQuestions(es.spec, namespace, context, signal),
    {
      key: JSON.stringify(['target', targetName(es), creationPolicyOf(es.spec)]),
      ask: () => askTarget(es, context, signal),
    },
  ];
}

interface StoreRead {
  readonly source: StoreSource;
  readonly path: FieldPath;
}

/** One question an entry, but each store and what it refers to is looked at once. */
function storeQuestions(
  reads: readonly PlannedRead[],
  namespace: string,
  context: CrossObjectContext,
  signal: AbortSignal,
): Question[] {
  const resolved = new Map<string, Promise<Seen>>();
  return reads.flatMap(({ source, path }): Question[] => {
    if (source.kind === 'generator') return [];
    const { storePath, ...what } = source;
    return [
      {
        key: JSON.stringify(what),
        ask: async () => {
          const name = JSON.stringify(source.store);
          const seen = resolved.get(name) ?? seeStore(source.store, storePath, namespace, context, signal);
          resolved.set(name, seen);
          const { store, findings } = await seen;
          const own = store === undefined ? [] : impossible(store, { source, path });
          return [...findings, ...own];
        },
      },
    ];
  });
}

interface Seen {
  readonly store?: ResolvedStore;
  readonly findings: readonly Finding[];
}

async function seeStore(
  reference: StoreReference,
  path: FieldPath,
  namespace: string,
  context: CrossObjectContext,
  signal: AbortSignal,
): Promise<Seen> {
  let store: ResolvedStore;
  try {
    store = await resolveStore(reference, namespace, context.stores, context.controllerClass, signal);
  } catch (thrown) {
    const error = toEsaError(thrown);
    switch (error.code) {
      case 'STORE_NOT_FOUND':
        return { findings: [storeMissing(path, error)] };
      case 'STORE_NOT_ALLOWED':
        return { findings: [storeNotAllowed(path, error)] };
      case 'KIND_NOT_SERVED':
        return { findings: [storeNotServed(path, error)] };
      case 'PROVIDER_INVALID_CONFIG':
        return { findings: [storeInvalid(path, error)] };
      default:
        throw error;
    }
  }
  const dependencies = store.provider.dependencies(store.config, store.context);
  const findings = await answersTo(
    dependencies.map((one) => askReference(one, path, context, signal)),
    context,
  );
  return { store, findings };
}

const impossible = (store: ResolvedStore, { source, path }: StoreRead): readonly Finding[] => {
  const error = impossibleRead(store, source);
  return error === undefined ? [] : [readImpossible(path, error)];
};

async function askReference(
  dependency: NamedDependency,
  path: FieldPath,
  { objects }: Pick<CrossObjectContext, 'objects'>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const why = await objects.whyMissing(dependency, signal);
  return why === undefined ? [] : [storeReferenceMissing(path, why)];
}

async function askGenerator(
  ref: GeneratorReference,
  path: FieldPath,
  namespace: string,
  { generators, controllerClass }: CrossObjectContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    await resolveGenerator(ref, namespace, generators, controllerClass, signal);
    return [];
  } catch (thrown) {
    const error = toEsaError(thrown);
    if (error.code === 'REFERENCE_NOT_FOUND') return [generatorMissing(path, error)];
    if (error.code === 'KIND_NOT_SERVED') return [generatorNotServed(path, error)];
    if (error.code === 'INVALID_OBJECT') return [generatorInvalid(path, error)];
    throw error;
  }
}

function templateQuestions(
  spec: ExternalSecretSpec,
  namespace: string,
  { templates }: CrossObjectContext,
  signal: AbortSignal,
): Question[] {
  return (spec.target?.template?.templateFrom ?? []).map((entry, index) => {
    const path = ['spec', 'target', 'template', 'templateFrom', index];
    return {
      key: JSON.stringify(entry),
      ask: async () => {
        try {
          await entrySources(namespace, entry, path, templates, signal);
          return [];
        } catch (thrown) {
          const error = toEsaError(thrown);
          if (error.code === 'REFERENCE_NOT_FOUND') return [templateSourceMissing(path, error)];
          throw error;
        }
      },
    };
  });
}

/**
 * Of the other ExternalSecrets of the namespace only those are seen that have left a trace on the Secret, or
 * whose own name is the target's: there is no list (docs/decisions/0011).
 */
async function askTarget(
  es: ExternalSecret,
  { objects, keys }: CrossObjectContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const policy = creationPolicyOf(es.spec);
  if (policy === 'None') return [];
  const namespace = es.metadata.namespace ?? '';
  const target = targetName(es);
  const where = `Secret ${namespace}/${target}`;
  const merges = mergesKeys({ policy });
  const [live, namesake] = await Promise.all([
    objects.secret(namespace, target, signal),
    target === es.metadata.name || merges ? undefined : objects.externalSecret(namespace, target, signal),
  ]);
  const owned = live === undefined ? undefined : await ownershipOf(es, live, keys, signal);
  const obstacle = owned === undefined ? undefined : targetObstacle(owned, where, merges);
  if (obstacle !== undefined)
    return [obstacle.code === 'TARGET_UNMANAGED' ? targetUnmanaged(obstacle) : targetOwned(obstacle)];
  const contested =
    namesake !== undefined &&
    targetName(namesake) === target &&
    ['Owner', 'Orphan'].includes(creationPolicyOf(namesake.spec));
  return contested ? [targetShared(where, target)] : [];
}

/** True if admission has just made the Secret of this create: then nothing stands in its way. */
export async function isMaterialized(
  es: ExternalSecret,
  { objects, keys }: Pick<CrossObjectContext, 'objects' | 'keys'>,
  signal: AbortSignal,
): Promise<boolean> {
  const live = await objects.secret(es.metadata.namespace ?? '', targetName(es), signal);
  if (live === undefined) return false;
  const owned = await ownershipOf(es, live, keys, signal);
  return owned.kind === 'pending' && owned.marker.specHash === specHash(es.spec);
}

/**
 * What a store refers to and does not exist, as far as its references name a namespace.
 * @param store in the hub version, sound in itself, and of our class
 * @param before the stored object on UPDATE, sound, too: only what is new is looked at
 */
export async function storeFindings(
  store: StoreObject,
  before: StoreObject | undefined,
  context: Pick<CrossObjectContext, 'objects' | 'onUnread'>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const known = new Set(before === undefined ? [] : referencesOf(before).map((one) => JSON.stringify(one)));
  const asked = referencesOf(store)
    .filter((one) => !known.has(JSON.stringify(one)))
    .map(({ path, ...dependency }) =>
      askReference(
        { ...dependency, path },
        [...path, dependency.key === undefined ? 'name' : 'key'],
        context,
        signal,
      ),
    );
  return answersTo(asked, context);
}

/** With the paths of the store. */
function referencesOf(object: StoreObject): readonly NamedDependency[] {
  const { provider, config, context } = bindStore(object, undefined);
  return provider
    .dependencies(config, context)
    .map((one) => ({ ...one, path: ['spec', 'provider', provider.name, ...one.path] }));
}
