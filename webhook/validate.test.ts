/** The validating hook on an API server that answers as a test says: what it does when that fails. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../api/clock.ts';
import type { ClusterSecretPolicySpec } from '../api/policy/cluster-secret-policy.ts';
import { KubeClient } from '../kube/client.ts';
import { failure, sendJson, startWireServer, type WireServer } from '../kube/testing/wire-server.ts';
import { checkExternalSecret } from '../policy/check-object.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import { createLog } from '../runtime/log.ts';
import { AccessReviews } from '../sync/access-reviews.ts';
import { LiveCluster } from '../sync/live.ts';
import { MarkerKeys } from '../sync/marker-keys.ts';
import { WHOLE_CLUSTER } from '../sync/scope.ts';
import type { AdmissionObject, AdmissionRequest } from './admission.ts';
import { type AuthorizeMode, CallerAuthorizer } from './authorize.ts';
import { CreateNotes } from './create-notes.ts';
import { Policies } from './policies.ts';
import { validate } from './validate.ts';

const POLICIES = '/apis/external-secrets-admission.io/v1alpha1/clustersecretpolicies';
const STORE = '/apis/external-secrets.io/v1/namespaces/shop/secretstores/vault';
const REVIEWS = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const log = createLog('test', 'error');

type Answers = Readonly<Record<string, (response: ServerResponse) => void>>;
const notFound = (response: ServerResponse): void =>
  sendJson(response, 404, failure(404, 'NotFound', 'not found'));
const broken = (response: ServerResponse): void =>
  sendJson(response, 500, failure(500, 'InternalError', 'no'));

async function setUp(
  spec: ClusterSecretPolicySpec | undefined,
  answers: Answers,
  mode: AuthorizeMode = 'off',
) {
  const policy = { metadata: { name: 'p', uid: 'u', resourceVersion: '1' }, spec };
  const server = await startWireServer(({ path, query }, response) => {
    if (path !== POLICIES) return (answers[path] ?? notFound)(response);
    if (query.get('watch') !== null) {
      response.writeHead(200);
      response.flushHeaders();
      return undefined;
    }
    const items = spec === undefined ? [] : [policy];
    return sendJson(response, 200, { metadata: { resourceVersion: '5' }, items });
  });
  const kube = new KubeClient({ server: server.url });
  const live = new LiveCluster(kube, systemClock);
  const policies = new Policies({ kube, live, clock: systemClock, log, policyDefault: 'allow' });
  const violations: Verdict[] = [];
  const notes = new CreateNotes(systemClock);
  const deps = {
    scope: WHOLE_CLUSTER,
    policies: policies.gate,
    live,
    clock: systemClock,
    callers: new CallerAuthorizer(mode, new AccessReviews(kube)),
    crossObject: {
      live,
      keys: new MarkerKeys(kube, 'system'),
      controllerClass: 'default',
      notes,
      verify: undefined,
      log,
    },
    log,
    onViolation: (verdict: Verdict) => void violations.push(verdict),
  };
  policies.start();
  return {
    server,
    policies,
    violations,
    ask: (request: AdmissionRequest) => {
      // As if the mutating hook had found all other objects in order: they are another test's subject.
      if (request.kind.kind === 'ExternalSecret')
        notes.leave(checkExternalSecret(request.object).hub, { said: undefined, complete: true });
      return validate({ request, timeoutMs: 2_000, signal: new AbortController().signal }, deps);
    },
    [Symbol.asyncDispose]: async () => {
      await policies.stop();
      await kube.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const object = (spec: object = {}): AdmissionObject => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name: 'app', namespace: 'shop' },
  spec: {
    secretStoreRef: { name: 'vault' },
    refreshInterval: '5s',
    data: [{ secretKey: 'a', remoteRef: { key: 'k' } }],
    ...spec,
  },
});
const create = (spec: object = {}): AdmissionRequest => ({
  uid: 'u',
  kind: { group: 'external-secrets.io', version: 'v1', kind: 'ExternalSecret' },
  namespace: 'shop',
  name: 'app',
  operation: 'CREATE',
  userInfo: { username: 'bob' },
  object: object(spec),
});

test('a denial is 403, names every field, and counts', async () => {
  await using bed = await setUp({ refreshInterval: { minimum: '1m' }, deletionPolicies: ['Merge'] }, {});
  const { allowed, status } = await bed.ask(create());
  assert.equal(allowed, false);
  assert.deepEqual([status?.code, status?.reason], [403, 'Forbidden']);
  assert.deepEqual(
    status?.details?.causes.map(({ reason, field }) => [reason, field]),
    [
      ['FieldValueForbidden', 'spec.refreshInterval'],
      ['FieldValueForbidden', 'spec.target.deletionPolicy'],
    ],
  );
  assert.deepEqual(
    bed.violations.map(({ rule }) => rule),
    ['refreshInterval', 'deletionPolicies'],
  );
});

test('what is wrong in itself is said first, and policies are not asked', async () => {
  await using bed = await setUp({ deletionPolicies: ['Merge'] }, {});
  const { status } = await bed.ask(create({ refreshInterval: 'often' }));
  assert.equal(status?.code, 422);
  assert.deepEqual(bed.violations, []);
});

test('what the object broke before the update is a warning; what is new is refused', async () => {
  await using bed = await setUp({ refreshInterval: { minimum: '1m' }, deletionPolicies: ['Retain'] }, {});
  const update = (spec: object): AdmissionRequest => ({
    ...create(spec),
    operation: 'UPDATE',
    oldObject: object(),
  });
  const kept = await bed.ask(update({ refreshPolicy: 'Periodic' }));
  assert.equal(kept.allowed, true);
  assert.match(kept.warnings?.[0] ?? '', /^policy "p", rule refreshInterval: /);
  const worse = await bed.ask(update({ target: { deletionPolicy: 'Delete' } }));
  assert.deepEqual(
    worse.status?.details?.causes.map(({ field }) => field),
    ['spec.target.deletionPolicy'],
  );
});

test('a store that does not exist is left to the engine, one that cannot be read is said to be', async () => {
  await using missing = await setUp({ providers: ['aws'] }, { [STORE]: notFound });
  assert.deepEqual(await missing.ask(create()), { allowed: true });
  await using unreadable = await setUp({ providers: ['aws'] }, { [STORE]: broken });
  const { allowed, warnings, auditAnnotations } = await unreadable.ask(create());
  assert.equal(allowed, true);
  assert.deepEqual(warnings, ['policies could not be judged now; nothing is read before they are']);
  assert.deepEqual(auditAnnotations, { 'policy-violations': 'not judged' });
});

test('without store rules no store is read, without selectors no namespace', async () => {
  await using bed = await setUp({ creationPolicies: ['Owner'] }, {});
  assert.deepEqual(await bed.ask(create()), { allowed: true });
  assert.deepEqual(
    bed.server.received.filter(({ path }) => path !== POLICIES),
    [],
  );
});

test('rights that cannot be reviewed refuse for now in enforce, and warn in warn', async () => {
  await using strict = await setUp(undefined, { [REVIEWS]: broken }, 'enforce');
  const { status } = await strict.ask(create());
  assert.deepEqual([status?.code, status?.reason], [503, 'ServiceUnavailable']);
  await using mild = await setUp(undefined, { [REVIEWS]: broken }, 'warn');
  const { allowed, warnings } = await mild.ask(create());
  assert.equal(allowed, true);
  assert.deepEqual(warnings, ['the rights of the caller could not be reviewed']);
});

test('who writes a ClusterExternalSecret is asked for the rights that its ExternalSecrets need, in all namespaces', async () => {
  const { spec } = object({ secretStoreRef: { name: 'vault', kind: 'ClusterSecretStore' } });
  const cluster = (namespaces: readonly string[]): AdmissionObject => ({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterExternalSecret',
    metadata: { name: 'ces' },
    spec: { namespaces, externalSecretSpec: spec },
  });
  const request = (namespaces: readonly string[], oldObject?: AdmissionObject): AdmissionRequest => ({
    uid: 'u',
    kind: { group: 'external-secrets.io', version: 'v1beta1', kind: 'ClusterExternalSecret' },
    name: 'ces',
    operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
    userInfo: { username: 'bob' },
    object: cluster(namespaces),
    ...(oldObject === undefined ? {} : { oldObject }),
  });
  const say = (response: ServerResponse): void => sendJson(response, 201, { status: { allowed: false } });
  await using bed = await setUp({ deletionPolicies: ['Merge'] }, { [REVIEWS]: say }, 'enforce');
  const { status } = await bed.ask(request(['a']));
  assert.deepEqual(
    status?.details?.causes.map(({ field, message }) => [field, message.split(',')[0]]),
    [
      ['spec.externalSecretSpec.target.name', 'user "bob" may not create secrets in all namespaces'],
      [
        'spec.externalSecretSpec.secretStoreRef.name',
        'user "bob" may not use ClusterSecretStore "vault"; ask for the verb use on it',
      ],
    ],
  );
  const asked = bed.server.received
    .filter(({ path }) => path === REVIEWS)
    .map(
      ({ body }) => (JSON.parse(body) as { spec: { resourceAttributes: object } }).spec.resourceAttributes,
    );
  assert.deepEqual(
    asked.map((one) => JSON.stringify(one)).sort((a, b) => (a < b ? -1 : 1)),
    [
      '{"group":"","resource":"secrets","verb":"create","version":"v1"}',
      '{"group":"external-secrets.io","name":"vault","resource":"clustersecretstores","verb":"use","version":"v1"}',
    ],
  );
  assert.equal((await bed.ask(request(['a', 'b'], cluster(['a'])))).allowed, false, 'other namespaces');
  const same = {
    ...cluster(['a']),
    spec: { namespaces: ['a'], externalSecretSpec: spec, refreshTime: '9h' },
  };
  assert.equal((await bed.ask(request(['a'], same))).allowed, true, 'nothing that needs a right');
});

test('a positive answer about the caller is kept, a negative one is asked again', async () => {
  let answer = false;
  const say = (response: ServerResponse): void => sendJson(response, 201, { status: { allowed: answer } });
  await using bed = await setUp(undefined, { [REVIEWS]: say }, 'enforce');
  const asked = (server: WireServer): number => server.received.filter(({ path }) => path === REVIEWS).length;
  assert.equal((await bed.ask(create())).status?.code, 403);
  const first = asked(bed.server);
  answer = true;
  assert.equal((await bed.ask(create())).allowed, true);
  const second = asked(bed.server);
  assert.ok(second > first);
  assert.equal((await bed.ask(create())).allowed, true);
  assert.equal(asked(bed.server), second);
});

test('nothing is judged before the first list; afterwards what was known last is in force', async () => {
  await using bed = await setUp({ deletionPolicies: ['Merge'] }, {});
  const held: ServerResponse[] = [];
  let down = false;
  bed.server.handle((_request, response) => {
    if (down) return broken(response);
    held.push(response);
    return undefined;
  });
  // A second watcher of the same server, whose list is held up.
  const kube = new KubeClient({ server: bed.server.url });
  const live = new LiveCluster(kube, systemClock);
  const policies = new Policies({ kube, live, clock: systemClock, log, policyDefault: 'allow' });
  policies.start();
  try {
    await assert.rejects(policies.gate('shop', AbortSignal.timeout(100)), /listing the policies/);
    assert.equal(policies.listed, false);
    while (held.length === 0) await sleep(5);
    const policy = {
      metadata: { name: 'p', uid: 'u', resourceVersion: '1' },
      spec: { deletionPolicies: [] },
    };
    down = true;
    for (const response of held)
      sendJson(response, 200, { metadata: { resourceVersion: '5' }, items: [policy] });
    const { idle } = await policies.gate('shop', AbortSignal.timeout(2_000));
    assert.equal(idle, false);
    while (policies.brokenMs === 0) await sleep(5);
    assert.equal((await policies.gate('shop', AbortSignal.timeout(2_000))).idle, false);
    assert.equal(policies.listed, true);
  } finally {
    await policies.stop();
    await kube.close();
  }
});
