/** Tests of policies: a file that says what policies have to say about manifests. */
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isJsonObject } from '../api/json.ts';
import { parseWith } from '../providers/schema-problems.ts';
import { type Finding, findingOn } from './findings.ts';
import { type ManifestObject, readManifest } from './manifest.ts';
import {
  type ObjectReport,
  OUTCOMES,
  type Outcome,
  type PolicyQuestion,
  reportPolicies,
} from './policy-report.ts';
import { type Input, readInputs } from './read-inputs.ts';
import type { Terminal } from './terminal.ts';

export const SUITE_VERSION = 'cli.external-secrets-admission.io/v1alpha1';
export const SUITE_KIND = 'PolicyTest';

/** Nothing of it is ever stored in a cluster. */
const suiteSchema = z.strictObject({
  apiVersion: z.literal(SUITE_VERSION),
  kind: z.literal(SUITE_KIND),
  metadata: z.strictObject({ name: z.string().min(1) }),
  policies: z.array(z.string()).min(1),
  manifests: z.array(z.string()).min(1),
  namespace: z.string().optional(),
  namespaceLabels: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  policyDefault: z.enum(['allow', 'deny']).optional(),
  expect: z
    .array(
      z.strictObject({
        object: z.string().regex(/^(ExternalSecret|SecretStore) [^/\s]+\/\S+$/, {
          error: 'write it like "ExternalSecret namespace/name"',
        }),
        outcome: z.enum(OUTCOMES),
        rules: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});

export interface CaseResult {
  readonly object: string;
  /** What came out, with the rules that decided it: `Deny (teams/keys)`. */
  readonly actual: string;
  /** Set if something else was expected: what is wrong, and where. */
  readonly failure?: Finding;
  /** What the policies said, if that was not expected. */
  readonly findings: readonly Finding[];
}

export interface SuiteResult {
  readonly file: string;
  readonly name: string;
  /** Empty if the suite could not be run. */
  readonly cases: readonly CaseResult[];
  /** What keeps it from being run. */
  readonly faults: readonly Finding[];
}

/** The suites in files; other objects are passed over. */
export function findSuites(inputs: readonly Input[]): readonly ManifestObject[] {
  return inputs.flatMap(({ name, text }) =>
    readManifest(name, text).objects.filter(
      ({ object: { apiVersion, kind } }) => kind === SUITE_KIND && apiVersion === SUITE_VERSION,
    ),
  );
}

/**
 * @param defaults what holds where the suite does not say
 * @throws UsageError if a file that the suite names cannot be read
 */
export async function runSuite(
  manifest: ManifestObject,
  defaults: Omit<PolicyQuestion, 'policies' | 'manifests'>,
  terminal: Terminal,
): Promise<SuiteResult> {
  const { file } = manifest.place([]);
  const parsed = parseWith(suiteSchema, manifest.object);
  const metadata = manifest.object['metadata'];
  const name = isJsonObject(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : '';
  if (!parsed.ok) {
    const faults = parsed.problems.map((problem) =>
      findingOn({ manifest, label: `${SUITE_KIND} ${name}` }, 'error', problem),
    );
    return { file, name, cases: [], faults };
  }
  const suite = parsed.value;
  const beside = (paths: readonly string[]): readonly string[] =>
    paths.map((path) => join(dirname(file), path));
  const { objects, faults } = await reportPolicies({
    policies: await readInputs(beside(suite.policies), terminal),
    manifests: await readInputs(beside(suite.manifests), terminal),
    namespace: suite.namespace ?? defaults.namespace,
    namespaceLabels: new Map([...defaults.namespaceLabels, ...Object.entries(suite.namespaceLabels ?? {})]),
    policyDefault: suite.policyDefault ?? defaults.policyDefault,
  });
  if (faults.some(({ severity }) => severity === 'error')) return { file, name, cases: [], faults };
  return { file, name, cases: judgeCases(manifest, suite.expect ?? [], objects), faults };
}

type Expectation = NonNullable<z.output<typeof suiteSchema>['expect']>[number];

/** Every expectation, and every object that none is about: those must not be refused. */
function judgeCases(
  manifest: ManifestObject,
  expectations: readonly Expectation[],
  objects: readonly ObjectReport[],
): readonly CaseResult[] {
  const byName = new Map(objects.map((object) => [object.name, object]));
  const named = new Set(expectations.map(({ object }) => object));
  const expected = expectations.map((expectation, index): CaseResult => {
    const fail = (message: string): Finding =>
      findingOn({ manifest, label: expectation.object }, 'error', { path: ['expect', index], message });
    const report = byName.get(expectation.object);
    if (report === undefined) {
      const message = `the manifests have no ${expectation.object}; they have: ${[...byName.keys()].join(', ')}`;
      return { object: expectation.object, actual: 'missing', failure: fail(message), findings: [] };
    }
    const actual = show(report.outcome, rulesOf(report));
    if (report.outcome === expectation.outcome && sameRules(expectation.rules, rulesOf(report)))
      return { object: report.name, actual, findings: [] };
    const wanted = show(expectation.outcome, expectation.rules ?? []);
    return {
      object: report.name,
      actual,
      failure: fail(`want ${wanted}, got ${actual}`),
      findings: report.findings,
    };
  });
  const others = [...byName.values()]
    .filter(({ name }) => !named.has(name))
    .map((report): CaseResult => {
      const actual = show(report.outcome, rulesOf(report));
      if (report.outcome !== 'Deny' && report.outcome !== 'Invalid')
        return { object: report.name, actual, findings: [] };
      const message = `got ${actual}, which nothing under expect is about`;
      const failure = findingOn(report.judged, 'error', { path: [], message });
      return { object: report.name, actual, failure, findings: report.findings };
    });
  return [...expected, ...others];
}

/** The rules that decided: `policy/rule`, each once. */
const rulesOf = ({ outcome, verdicts }: ObjectReport): readonly string[] => [
  ...new Set(
    verdicts
      .filter(({ effect }) => effect === outcome)
      .map(({ policy, rule }) => (policy === '' ? rule : `${policy}/${rule}`)),
  ),
];

/** A rule may be expected without its policy. */
function sameRules(expected: readonly string[] | undefined, actual: readonly string[]): boolean {
  if (expected === undefined) return true;
  const isRule = (wanted: string, one: string): boolean => one === wanted || one.endsWith(`/${wanted}`);
  return (
    actual.every((one) => expected.some((wanted) => isRule(wanted, one))) &&
    expected.every((wanted) => actual.some((one) => isRule(wanted, one)))
  );
}

const show = (outcome: Outcome, rules: readonly string[]): string =>
  rules.length === 0 ? outcome : `${outcome} (${rules.join(', ')})`;
