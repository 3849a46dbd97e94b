/** The validating hook: pure judgement, no I/O (the cross-object checks are the mutating hook's and the poller's). */
import { GENERATOR_REF_KINDS, generatorResource } from '../api/generators/names.ts';
import { formatProblem, type Problem } from '../api/problem.ts';
import { checkGenerator } from '../policy/check-generator.ts';
import { type Checked, checkExternalSecret, checkStore } from '../policy/check-object.ts';
import {
  type AdmissionAnswer,
  type AdmissionObject,
  type AdmissionRequest,
  allow,
  refuseInvalid,
} from './admission.ts';

type Judgement = Pick<Checked<unknown>, 'problems' | 'warnings'>;

function judge(request: AdmissionRequest, object: AdmissionObject): Judgement {
  // The namespace may be left out of the object; the request always has it.
  const metadata = { ...object.metadata, ...(request.namespace ? { namespace: request.namespace } : {}) };
  const complete = { ...object, metadata };
  const { group, kind } = request.kind;
  // Kinds such as Webhook are common names: only with the group they say what they are.
  const generator = GENERATOR_REF_KINDS.find((one) => one === kind && generatorResource(one).group === group);
  if (generator !== undefined) return checkGenerator(generator, complete.spec);
  switch (kind) {
    case 'ExternalSecret':
      return checkExternalSecret(complete);
    case 'SecretStore':
    case 'ClusterSecretStore':
      return checkStore(complete, kind);
    default:
      return { problems: [], warnings: [] };
  }
}

const same = (a: Problem, b: Problem): boolean => formatProblem(a) === formatProblem(b);

/**
 * On UPDATE a problem that the stored object already has is only warned of: a rule that came later must not
 * keep people from changing something else, or from mending the object step by step.
 */
export function validate(request: AdmissionRequest): AdmissionAnswer {
  const { object, oldObject } = request;
  if (object === null || (request.operation !== 'CREATE' && request.operation !== 'UPDATE')) return allow();
  if (request.operation === 'UPDATE' && object.metadata?.deletionTimestamp !== undefined) return allow();
  const { problems, warnings } = judge(request, object);
  const before =
    problems.length > 0 && request.operation === 'UPDATE' && oldObject
      ? judge(request, oldObject).problems
      : [];
  const fresh = problems.filter((problem) => !before.some((old) => same(old, problem)));
  if (fresh.length > 0) return refuseInvalid(request, fresh);
  return allow({ warnings: [...problems, ...warnings].map(formatProblem) });
}
