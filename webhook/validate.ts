/** The validating hook: pure judgement, no I/O (the cross-object checks are the mutating hook's and the poller's). */
import { formatProblem, type Problem } from '../api/problem.ts';
import { checkExternalSecret, checkStore } from '../policy/check-object.ts';
import {
  type AdmissionAnswer,
  type AdmissionObject,
  type AdmissionRequest,
  allow,
  refuseInvalid,
} from './admission.ts';

function problemsOf(request: AdmissionRequest, object: AdmissionObject): readonly Problem[] {
  // The namespace may be left out of the object; the request always has it.
  const metadata = { ...object.metadata, ...(request.namespace ? { namespace: request.namespace } : {}) };
  const complete = { ...object, metadata };
  switch (request.kind.kind) {
    case 'ExternalSecret':
      return checkExternalSecret(complete).problems;
    case 'SecretStore':
    case 'ClusterSecretStore':
      return checkStore(complete, request.kind.kind).problems;
    default:
      return [];
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
  const problems = problemsOf(request, object);
  if (problems.length === 0) return allow();
  const before = request.operation === 'UPDATE' && oldObject ? problemsOf(request, oldObject) : [];
  const fresh = problems.filter((problem) => !before.some((old) => same(old, problem)));
  if (fresh.length > 0) return refuseInvalid(request, fresh);
  return allow({ warnings: problems.map(formatProblem) });
}
