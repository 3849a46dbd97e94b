/** What policies say about each object of some files, object by object. */
import { isJsonObject } from '../api/json.ts';
import { POLICY_KIND } from '../api/policy/cluster-secret-policy.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import type { PolicyDefault } from '../sync/policies.ts';
import { type Finding, findingOn, ownFindings } from './findings.ts';
import type { Judged } from './judge-object.ts';
import { PolicyJudge, policiesOf, remarkOf, SEVERITY_OF } from './judge-policies.ts';
import { directoryOf, readManifestSet, StoreIndex } from './manifest-set.ts';
import { type LabelsByNamespace, NamespaceLabels } from './namespaces.ts';
import type { Input } from './read-inputs.ts';

/** The worst that policies say; `Invalid` is what the webhook refuses before it asks any. */
export const OUTCOMES = ['Allow', 'Audit', 'Warn', 'Deny', 'Invalid'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface ObjectReport {
  readonly judged: Judged;
  /** `ExternalSecret shop/app`. */
  readonly name: string;
  readonly outcome: Outcome;
  /** Names of the policies that select the namespace. */
  readonly policies: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** Every verdict, or what makes the object invalid; and what could not be judged. */
  readonly findings: readonly Finding[];
}

export interface PolicyReport {
  readonly policies: readonly string[];
  readonly objects: readonly ObjectReport[];
  /** What is wrong with the policies, and with texts. */
  readonly faults: readonly Finding[];
}

export interface PolicyQuestion {
  readonly policies: readonly Input[];
  readonly manifests: readonly Input[];
  /** Of objects that name none. */
  readonly namespace: string;
  readonly namespaceLabels: LabelsByNamespace;
  readonly policyDefault: PolicyDefault;
}

export async function reportPolicies(question: PolicyQuestion): Promise<PolicyReport> {
  const { namespace, policyDefault } = question;
  const policies = readManifestSet(question.policies, namespace);
  const set = readManifestSet(question.manifests, namespace);
  const known = policiesOf(policies);
  const judge = new PolicyJudge(known, policyDefault, {
    namespaces: new NamespaceLabels(set.objects, question.namespaceLabels),
    stores: new StoreIndex(set),
  });
  const objects: ObjectReport[] = [];
  for (const judged of set.judged) {
    const { kind } = judged.manifest.object;
    if (kind === 'ExternalSecret' || kind === 'SecretStore')
      objects.push(await reportOn(judged, nameOf(judged, kind, namespace), judge));
  }
  return {
    policies: known.map(({ metadata }) => metadata.name ?? ''),
    objects,
    faults: [
      ...policies.faults,
      // A file may be among both.
      ...set.faults.filter(({ place }) => !policies.files.includes(place.file)),
      ...ownFindings(policies.judged.filter(({ manifest }) => manifest.object['kind'] === POLICY_KIND)),
    ],
  };
}

async function reportOn(judged: Judged, name: string, judge: PolicyJudge): Promise<ObjectReport> {
  const { sound } = judged;
  if (sound?.kind !== 'ExternalSecret' && sound?.kind !== 'SecretStore') {
    const findings = judged.problems.map((problem) => findingOn(judged, 'error', problem));
    return { judged, name, outcome: 'Invalid', policies: [], verdicts: [], findings };
  }
  const { policies, verdicts, notes } = await judge.judge(sound, directoryOf(judged));
  const outcome = OUTCOMES.findLast((one) => verdicts.some(({ effect }) => effect === one)) ?? 'Allow';
  const findings = [
    ...verdicts.map((verdict) => findingOn(judged, SEVERITY_OF[verdict.effect], remarkOf(verdict))),
    ...notes.map((note) => findingOn(judged, 'note', note)),
  ];
  return { judged, name, outcome, policies, verdicts, findings };
}

/** Also of an object that is not sound. */
function nameOf({ manifest, sound }: Judged, kind: string, namespace: string): string {
  const metadata = manifest.object['metadata'];
  const given: Readonly<Record<string, unknown>> = isJsonObject(metadata) ? metadata : {};
  const text = (field: string): string | undefined =>
    typeof given[field] === 'string' ? given[field] : undefined;
  const where = sound?.hub.metadata.namespace ?? text('namespace') ?? namespace;
  return `${kind} ${where}/${text('name') ?? text('generateName') ?? ''}`;
}
