/** Where a ClusterExternalSecret has made its ExternalSecrets, where it could not, and which of those are not synced. */
import { type EsaError, toEsaError } from '../../api/errors.ts';
import { GROUP, HUB_VERSION } from '../../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { formatFieldPath, formatProblem } from '../../api/problem.ts';
import { resourcePath } from '../../kube/path.ts';
import { checkClusterExternalSecret } from '../../policy/check-object.ts';
import { readyCondition } from '../../sync/status.ts';
import { listObjects } from '../cluster/list.ts';
import { codeOf } from './code-of.ts';
import { type ExplainContext, pollerFacts, pollerOf, toldOf } from './context.ts';
import { type Cause, causeOf, type Explanation, type Fact } from './explanation.ts';

/** So many namespaces are listed one by one. */
const MAX_LISTED = 20;

export async function explainClusterExternalSecret(
  ces: ClusterExternalSecret,
  context: ExplainContext,
): Promise<Explanation> {
  const name = ces.metadata.name ?? '';
  const unread = new Set<string>();
  const onUnread = (error: EsaError): void => void unread.add(error.message);
  const [events, poller, members] = await Promise.all([
    toldOf(context, ces, onUnread),
    pollerOf(context),
    membersOf(ces, context).catch((error: unknown) => {
      onUnread(toEsaError(error));
      return [];
    }),
  ]);
  const { fact: pollerFact, cause: pollerCause } = pollerFacts(poller, context);
  const common = { object: { kind: 'ClusterExternalSecret', name }, events };
  const { problems } = checkClusterExternalSecret(ces);
  if (problems.length > 0) {
    const causes = problems.map((problem) =>
      causeOf('INVALID_OBJECT', formatProblem(problem), 'now', formatFieldPath(problem.path)),
    );
    return {
      ...common,
      verdict: 'not-ready',
      summary: 'breaks a rule, so nobody can carry it out',
      causes,
      facts: [pollerFact],
    };
  }
  const made = ces.status?.provisionedNamespaces ?? [];
  const failed = ces.status?.failedNamespaces ?? [];
  const failing = members.filter(({ status }) => readyCondition(status)?.status === 'False');
  const about = 'objects';
  const facts: Fact[] = [
    {
      about,
      state: 'note',
      text: `an ExternalSecret in ${made.length} ${made.length === 1 ? 'namespace' : 'namespaces'}${made.length === 0 ? '' : `: ${shortened(made)}`}`,
    },
    ...failing.slice(0, MAX_LISTED).map(
      ({ metadata }): Fact => ({
        about,
        state: 'wrong',
        text: `ExternalSecret ${metadata.namespace}/${metadata.name} is not synced; see: esa explain ${metadata.name} -n ${metadata.namespace}`,
      }),
    ),
    pollerFact,
  ];
  for (const text of unread) facts.push({ about, state: 'unknown', text });
  const causes: Cause[] = failed.slice(0, MAX_LISTED).map(({ namespace, reason = '' }) => {
    const cause = causeOf(codeOf(reason), `namespace ${namespace}: ${reason}`, 'status');
    return /already exists/.test(reason)
      ? {
          ...cause,
          remedy: 'Delete or rename the ExternalSecret that is there, or choose another externalSecretName.',
        }
      : cause;
  });
  if (pollerCause !== undefined) causes.push(pollerCause);
  const condition = readyCondition(ces.status);
  if (failed.length > 0)
    return {
      ...common,
      verdict: 'not-ready',
      summary: `could not be carried out in ${failed.length} of ${failed.length + made.length} namespaces`,
      causes,
      facts,
    };
  if (failing.length > 0)
    return {
      ...common,
      verdict: 'not-ready',
      summary: `is carried out, but ${failing.length} of its ExternalSecrets ${failing.length === 1 ? 'is' : 'are'} not synced`,
      causes,
      facts,
    };
  if (condition === undefined)
    return {
      ...common,
      verdict: causes.length === 0 ? 'waiting' : 'not-ready',
      summary: 'was not carried out yet',
      causes,
      facts,
    };
  if (causes.length > 0)
    return {
      ...common,
      verdict: 'not-ready',
      summary: 'was carried out, but nobody looks after it now',
      causes,
      facts,
    };
  return {
    ...common,
    verdict: condition.status === 'True' ? 'ready' : 'not-ready',
    summary: condition.message === '' ? 'is carried out' : condition.message,
    causes,
    facts,
  };
}

const shortened = (names: readonly string[]): string =>
  names.length <= MAX_LISTED
    ? names.join(', ')
    : `${names.slice(0, MAX_LISTED).join(', ')} and ${names.length - MAX_LISTED} more`;

/** The ExternalSecrets that are its own. */
async function membersOf(ces: ClusterExternalSecret, { cluster }: ExplainContext): Promise<ExternalSecret[]> {
  const path = resourcePath({ group: GROUP, version: HUB_VERSION, resource: 'externalsecrets' });
  const members: ExternalSecret[] = [];
  const name = ces.spec?.externalSecretName;
  const fieldSelector = `metadata.name=${name === undefined || name === '' ? ces.metadata.name : name}`;
  for await (const es of listObjects<ExternalSecret>(cluster.kube, path, {
    ...cluster.call,
    query: { fieldSelector },
  }))
    if (es.metadata.ownerReferences?.some(({ uid }) => uid === ces.metadata.uid) === true) members.push(es);
  return members;
}
