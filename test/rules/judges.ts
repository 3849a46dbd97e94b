/** Judges of the tables: the functions that the hooks call, with the answers of an API server where they ask one. */
import { systemClock } from '../../api/clock.ts';
import type { StoreKind } from '../../api/external-secrets/names.ts';
import { GENERATOR_REF_KINDS } from '../../api/generators/names.ts';
import { isKes } from '../../api/kubernetes-client/names.ts';
import { kesOf } from '../../api/kubernetes-client/part.ts';
import type { ClusterSecretPolicySpec } from '../../api/policy/cluster-secret-policy.ts';
import { collector, formatFieldPath, type Problem } from '../../api/problem.ts';
import { KubeClient } from '../../kube/client.ts';
import { failure, sendJson, startWireServer } from '../../kube/testing/wire-server.ts';
import { checkGenerator } from '../../policy/check-generator.ts';
import { checkKes } from '../../policy/check-kes.ts';
import {
  type Checked,
  checkClusterExternalSecret,
  checkExternalSecret,
  checkStore,
} from '../../policy/check-object.ts';
import { evaluate, verdictProblems } from '../../policy/cluster-policy.ts';
import { forbiddenIn } from '../../policy/kes-permissions.ts';
import { DEFAULT_STORE_LIMITS } from '../../policy/store-limits.ts';
import { validateClusterPolicy } from '../../policy/validate-cluster-policy.ts';
import { checkReference, type StoreReference } from '../../providers/references.ts';
import { createLog } from '../../runtime/log.ts';
import { AccessReviews } from '../../sync/access-reviews.ts';
import { Connections } from '../../sync/connections.ts';
import type { Answer } from '../../sync/fetch.ts';
import { FreshReads } from '../../sync/fresh-reads.ts';
import { LiveCluster } from '../../sync/live.ts';
import { MarkerKeys } from '../../sync/marker-keys.ts';
import { Room } from '../../sync/materialize.ts';
import { plan } from '../../sync/plan.ts';
import { objectOf, ownUse, useOf } from '../../sync/policy-gate.ts';
import { WHOLE_CLUSTER } from '../../sync/scope.ts';
import { StoreShares } from '../../sync/store-shares.ts';
import { CallerAuthorizer } from '../../webhook/authorize.ts';
import { CreateNotes } from '../../webhook/create-notes.ts';
import { mutate } from '../../webhook/mutate.ts';
import { Policies } from '../../webhook/policies.ts';
import { KES_ENVIRONMENT } from './kes-environment.ts';
import type { Case, JudgeName, Manifest } from './tables.ts';

/** A rule that is broken, and the field. */
export interface Broken {
  readonly rule: string;
  readonly at: string;
}

const NAMESPACE = 'shop';

const brokenIn = (problems: readonly Problem[]): readonly Broken[] =>
  problems.map(({ rule, path }) => ({ rule, at: formatFieldPath(path) }));

const isStoreKind = (kind: string): kind is StoreKind =>
  kind === 'SecretStore' || kind === 'ClusterSecretStore';

const inNamespace = (manifest: Manifest): Manifest => ({
  ...manifest,
  metadata: { ...manifest.metadata, namespace: NAMESPACE },
});

function check(manifest: Manifest): Pick<Checked<unknown>, 'problems' | 'warnings'> {
  const { kind, spec } = manifest;
  if (isKes(manifest)) return checkKes(inNamespace(manifest), KES_ENVIRONMENT);
  if (kind === 'ExternalSecret') return checkExternalSecret(inNamespace(manifest));
  if (kind === 'ClusterExternalSecret') return checkClusterExternalSecret(manifest);
  if (isStoreKind(kind)) return checkStore(inNamespace(manifest), kind);
  if (kind === 'ClusterSecretPolicy') return { problems: validateClusterPolicy(spec), warnings: [] };
  const generator = GENERATOR_REF_KINDS.find((one) => one === kind);
  if (generator === undefined) throw new Error(`nobody judges a ${kind}`);
  return checkGenerator(generator, spec);
}

function judgeObject({ manifest }: Case): readonly Broken[] {
  const { problems, warnings } = check(manifest);
  return brokenIn([...problems, ...warnings]);
}

function judgePermission({ manifest, context }: Case): readonly Broken[] {
  const spec = kesOf(checkKes(inNamespace(manifest), KES_ENVIRONMENT).hub)?.spec;
  if (spec === undefined) throw new Error('no ExternalSecret of KES');
  const subject = { namespace: NAMESPACE, name: manifest.metadata.name, spec };
  return brokenIn(forbiddenIn(subject, context.annotations, KES_ENVIRONMENT));
}

function judgeReference({ manifest }: Case): readonly Broken[] {
  const { store, reference } = manifest as unknown as {
    store: { kind: StoreKind; namespace?: string };
    reference: StoreReference;
  };
  const { report, problems } = collector();
  checkReference({ kind: store.kind, namespace: store.namespace }, reference, [], report);
  return brokenIn(problems);
}

function judgePolicy({ manifest, context }: Case): readonly Broken[] {
  const { policy, stores, keyCount } = context;
  const policies =
    policy === undefined ? [] : [{ metadata: { name: 'p' }, spec: policy as ClusterSecretPolicySpec }];
  const ask = (subject: object): readonly Broken[] =>
    brokenIn(verdictProblems(evaluate(policies, { namespace: NAMESPACE, ...subject }, 'deny')));
  if (manifest.kind === 'SecretStore') {
    const own = ownUse({ ...checkStore(inNamespace(manifest), 'SecretStore').hub, kind: 'SecretStore' });
    return ask({ stores: [own] });
  }
  const { hub } = checkExternalSecret(inNamespace(manifest));
  const { reads } = plan(hub);
  const uses = Object.entries(stores).flatMap(([name, provider]) => {
    const object = { kind: 'SecretStore' as const, metadata: { name }, spec: { provider } };
    const use = useOf({ kind: 'SecretStore', name }, object as Parameters<typeof useOf>[1], reads);
    const used =
      use !== undefined && reads.some(({ source }) => 'store' in source && source.store.name === name);
    return used ? [use] : [];
  });
  return ask({ object: objectOf(hub), stores: uses, ...(keyCount === undefined ? {} : { keyCount }) });
}

const REVIEWS = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const user = { username: 'somebody', groups: ['system:authenticated'] };

async function judgeCaller({ manifest, context }: Case): Promise<readonly Broken[]> {
  await using server = await startWireServer(({ body }, response) => {
    const { spec } = JSON.parse(body) as {
      spec: { resourceAttributes: { verb: string; resource: string; name?: string } };
    };
    const { verb, resource, name } = spec.resourceAttributes;
    sendJson(response, 201, { status: { allowed: context.may.includes(`${verb} ${name ?? resource}`) } });
  });
  const kube = new KubeClient({ server: server.url });
  try {
    const callers = new CallerAuthorizer('enforce', new AccessReviews(kube));
    const { hub } = checkExternalSecret(inNamespace(manifest));
    return brokenIn(await callers.problems(hub, undefined, 'v1', user, AbortSignal.timeout(60_000)));
  } finally {
    await kube.close();
  }
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** A cluster with one store, in which everybody may do everything. */
function emptyCluster(path: string, body: string): Reply {
  const store = {
    metadata: { name: 'fake', namespace: NAMESPACE, uid: 'u', generation: 1, resourceVersion: '1' },
    spec: { provider: { fake: { data: [{ key: 'db', value: 'v' }] } } },
  };
  const [currentId, current] = ['k', 'x'.repeat(32)].map((text) => Buffer.from(text).toString('base64'));
  const there: readonly (readonly [path: string, reply: Reply])[] = [
    [REVIEWS, { status: 201, body: { status: { allowed: true } } }],
    ['/secretstores/fake', { status: 200, body: store }],
    ['/clustersecretpolicies', { status: 200, body: { metadata: { resourceVersion: '1' }, items: [] } }],
    [
      '/external-secrets-admission-marker',
      { status: 200, body: { metadata: {}, data: { currentId, current } } },
    ],
  ];
  if (path.endsWith('/secrets') && body !== '') return { status: 201, body: JSON.parse(body) };
  const found = there.find(([end]) => path.endsWith(end));
  return found?.[1] ?? { status: 404, body: failure(404, 'NotFound', 'not found') };
}

async function judgeCreate({ manifest }: Case): Promise<readonly Broken[]> {
  await using server = await startWireServer(({ path, body, query }, response) => {
    const reply = emptyCluster(path, body);
    if (query.get('watch') === null) sendJson(response, reply.status, reply.body);
    else response.writeHead(200).flushHeaders();
  });
  const kube = new KubeClient({ server: server.url });
  const log = createLog('test', 'error');
  const live = new LiveCluster(kube, systemClock);
  const policies = new Policies({ kube, live, clock: systemClock, log, policyDefault: 'allow' });
  policies.start();
  const outcomes: string[] = [];
  try {
    const answer = await mutate(
      {
        request: {
          uid: 'u',
          kind: { group: 'external-secrets.io', version: 'v1', kind: 'ExternalSecret' },
          operation: 'CREATE',
          namespace: NAMESPACE,
          userInfo: user,
          object: { ...manifest },
        },
        timeoutMs: 60_000,
        signal: new AbortController().signal,
      },
      {
        scope: WHOLE_CLUSTER,
        kube,
        clock: systemClock,
        live,
        keys: new MarkerKeys(kube, 'system'),
        access: new AccessReviews(kube),
        connections: new Connections({ clock: systemClock, limits: DEFAULT_STORE_LIMITS }),
        reads: new FreshReads<Answer>({ clock: systemClock, keepMs: 0 }),
        policies: policies.gate,
        callerMay: () => Promise.resolve(true),
        room: new Room(4),
        notes: new CreateNotes(systemClock),
        shares: new StoreShares({ clock: systemClock, size: 2 }),
        controllerClass: '',
        readTimeoutMs: 50_000,
        log,
        phase: 'mutating',
        budgetMs: 50_000,
        onOutcome: (outcome) => void outcomes.push(outcome),
      },
    );
    if (answer.allowed) return [];
    const [rule = `refused without a rule: ${outcomes.join()}`] = answer.refusedFor ?? [];
    return (answer.status?.details?.causes ?? [{ field: '' }]).map(({ field }) => ({ rule, at: field }));
  } finally {
    await policies.stop();
    await kube.close();
  }
}

const JUDGES: Readonly<Record<JudgeName, (one: Case) => readonly Broken[] | Promise<readonly Broken[]>>> = {
  object: judgeObject,
  reference: judgeReference,
  policy: judgePolicy,
  permission: judgePermission,
  caller: judgeCaller,
  create: judgeCreate,
};

/** Every rule that the case breaks, warnings included. */
export const judge = async (one: Case): Promise<readonly Broken[]> => JUDGES[one.judge](one);
