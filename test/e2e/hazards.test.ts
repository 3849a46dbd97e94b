/**
 * The hazards of a side effect in admission, in both phases that it can stand in (`--materialise-in`): each test makes
 * the dangerous situation occur and shows what becomes of it. Numbers are those of docs/threat-model.md. At the end
 * what was abandoned is swept, and nothing else ever is.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Agent } from 'undici';
import { GROUP, LABEL_CREATED_BY, LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import { createdByHash } from '../../api/go-hash.ts';
import { ownerReference } from '../../sync/ownership.ts';
import { PHASES } from '../../webhook/mutate.ts';
import type { Bed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { httpRequest } from '../harness/http.ts';
import type { Cluster, Manifest } from './support/cluster.ts';
import {
  CHANGED_VALUE,
  type HazardBed,
  OWN_DATA,
  object,
  ownSecret,
  pathOf,
  startHazardBed,
  WITHIN_MS,
} from './support/hazards.ts';
import { SENTINEL } from './support/recorder.ts';
import { CHANGED, CHANGED_KEY, REFUSED_BY } from './support/somebody-else.ts';
import { passwordOf, prepare, secretStore, vaultProvider } from './support/vault.ts';

const HOOK = 'materialize.externalsecret.external-secrets.io';
const CONFIGURATION = {
  mutating: 'mutatingwebhookconfigurations/zz-external-secrets-admission',
  validating: 'validatingwebhookconfigurations/external-secrets-admission',
};
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';

let hazards: HazardBed;
let bed: Bed;
let cluster: Cluster;

before(async () => {
  hazards = await startHazardBed();
  ({ bed, cluster } = hazards);
});
after(() => hazards.stop());

for (const phase of PHASES) {
  describe(`--materialise-in=${phase}`, () => {
    const WHERE = phase;
    /** The hook was called before the API server looked at schema, policies and rights. */
    const early = phase === 'mutating';
    const password = (name: string): Promise<string | undefined> => hazards.recorder.password(WHERE, name);

    async function abandoned(manifest: Manifest, words: RegExp, called = true): Promise<void> {
      await hazards.refusedLate(manifest, words, called);
      const { name, namespace = '' } = manifest.metadata;
      if (called) hazards.abandon(namespace, name);
    }

    before(async () => {
      // With time for calls that are on their way when a replica goes (2.11).
      if (!early) await bed.product.materialiseIn(phase, ['--lame-duck', '2s']);
      await prepare(cluster, bed.openBao, WHERE);
    });

    describe('around a create', { concurrency: 6 }, () => {
      test('2.1 refused by another validating webhook: the Secret is there, marked', async () => {
        const { metadata, says } = REFUSED_BY.webhook;
        await abandoned(object(WHERE, 'by-webhook', {}, metadata), says);
      });

      test('2.1 refused by a quota, behind all webhooks: the same', needsGarbageCollection(), async () => {
        const where = `${WHERE}-quota`;
        await prepare(cluster, bed.openBao, where);
        const counted = 'count/externalsecrets.external-secrets.io';
        await cluster.create({
          apiVersion: 'v1',
          kind: 'ResourceQuota',
          metadata: { name: 'none', namespace: where },
          spec: { hard: { [counted]: '0' } },
        });
        // Before the quota is looked after everything is let through.
        await eventually(
          async () => (await cluster.get('ResourceQuota', where, 'none')).status?.used?.[counted] === '0',
          { timeout: WITHIN_MS },
        );
        await abandoned(object(where, 'by-quota'), /exceeded quota: none/);
      });

      test(`2.1 refused by a ValidatingAdmissionPolicy: ${early ? 'the same' : 'nothing is made'}`, async () => {
        const { metadata, says } = REFUSED_BY.policy;
        await abandoned(object(WHERE, 'by-policy', {}, metadata), says, early);
      });

      test(`2.1 refused by a CEL rule in the CRD: ${early ? 'the same' : 'nothing is made'}`, async () => {
        const { prefix, says } = REFUSED_BY.cel;
        await abandoned(object(WHERE, `${prefix}refused`), says, early);
      });

      test('2.1 a create that ends in 409 leaves the live Secret as it is', async () => {
        await hazards.create(object(WHERE, 'present'));
        await cluster.synced(WHERE, 'present', WITHIN_MS);
        const live = await cluster.get('Secret', WHERE, 'present');
        await hazards.refused(object(WHERE, 'present', passwordOf(CHANGED_KEY)), /already exists/);
        assert.deepEqual(hazards.outcomes(WHERE, 'present'), ['created', 'skipped-exists']);
        assert.deepEqual(await cluster.get('Secret', WHERE, 'present'), live);
        await hazards.keep(WHERE, 'present');
      });

      test('2.1 let in later, an object takes the Secret of its refused create', async () => {
        const { metadata, says } = REFUSED_BY.webhook;
        await hazards.refusedLate(object(WHERE, 'later', {}, metadata), says);
        const { uid } = (await cluster.get('Secret', WHERE, 'later')).metadata;
        await hazards.create(object(WHERE, 'later', passwordOf(CHANGED_KEY)));
        assert.equal(await password('later'), CHANGED_VALUE);
        await cluster.synced(WHERE, 'later', WITHIN_MS);
        const taken = await cluster.get('Secret', WHERE, 'later');
        assert.equal(taken.metadata.uid, uid);
        assert.equal(taken.metadata.ownerReferences?.length, 1);
        await hazards.keep(WHERE, 'later');
      });

      test('2.1 a leftover that somebody put to use is no leftover', async () => {
        const { metadata, says } = REFUSED_BY.webhook;
        await hazards.refusedLate(object(WHERE, 'edited', {}, metadata), says);
        await cluster.patch('Secret', WHERE, 'edited', { stringData: OWN_DATA });
        await hazards.keep(WHERE, 'edited');
      });

      test('2.9 a store that does not answer: the create is stored within its time, with a warning', async () => {
        const sockets = new Set<Socket>();
        const server = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        try {
          const { port } = server.address() as { port: number };
          const provider = vaultProvider(`http://127.0.0.1:${port}`);
          await cluster.create(secretStore(WHERE, 'hanging', { provider }));
          const spec = { secretStoreRef: { name: 'hanging' } };
          await hazards.create(object(WHERE, 'hangs', spec), /is not made yet, retrying: .*out of time/);
          assert.deepEqual(hazards.outcomes(WHERE, 'hangs'), ['deferred-DEADLINE']);
          hazards.never(WHERE, 'hangs');
        } finally {
          for (const socket of sockets) socket.destroy();
          server.close();
        }
      });

      test('the audit log has the outcome under the name of the hook', async () => {
        await hazards.create(object(WHERE, 'audited'));
        assert.equal(hazards.recorder.auditAnnotations(WHERE, 'audited')[`${HOOK}/outcome`], 'created');
      });

      test('2.1 with generateName the Secret is made as soon as the name is known', async () => {
        const { metadata, ...rest } = object(WHERE, '');
        const generated = {
          ...rest,
          metadata: { namespace: metadata.namespace, generateName: 'generated-' },
        };
        const { status, body } = await bed.cp.request<Manifest>('POST', pathOf(WHERE), generated);
        assert.equal(status, 201);
        const { name } = body.metadata;
        if (early) {
          assert.deepEqual(hazards.outcomes(WHERE, name), []);
          assert.ok(hazards.outcomes(WHERE, undefined).includes('no-name-yet'));
        } else {
          assert.deepEqual(hazards.outcomes(WHERE, name), ['created']);
          assert.equal(await password(name), SENTINEL);
        }
        await cluster.holds(WHERE, name, { password: SENTINEL }, WITHIN_MS);
        await hazards.keep(WHERE, name);
      });

      test('2.2 somebody else changes the spec after our mutating hook: the Secret follows what is stored', async () => {
        await hazards.create(object(WHERE, 'changed', passwordOf('app'), CHANGED));
        assert.deepEqual(hazards.outcomes(WHERE, 'changed'), ['created']);
        if (!early) assert.equal(await password('changed'), CHANGED_VALUE);
        await cluster.holds(WHERE, 'changed', { password: CHANGED_VALUE }, WITHIN_MS);
        await cluster.synced(WHERE, 'changed', WITHIN_MS);
      });

      // Validating webhooks are called once; the test above has shown that.
      if (early) {
        test('2.2 called again for what somebody else changed, the hook makes one Secret', async () => {
          const reinvoke = (value: string) =>
            bed.cp.request(
              'PATCH',
              `${ADMISSION}/${CONFIGURATION.mutating}`,
              [{ op: 'add', path: '/webhooks/0/reinvocationPolicy', value }],
              { 'content-type': 'application/json-patch+json' },
            );
          await reinvoke('IfNeeded');
          let round = 0;
          const name = await eventually(
            async () => {
              round += 1;
              const tried = `twice-${round}`;
              await hazards.create(object(WHERE, tried, passwordOf('app'), CHANGED));
              return hazards.outcomes(WHERE, tried).length > 1 && tried;
            },
            { timeout: WITHIN_MS },
          );
          assert.deepEqual(hazards.outcomes(WHERE, name), ['created', 'replaced']);
          assert.equal(await password(name), CHANGED_VALUE);
          await cluster.synced(WHERE, name, WITHIN_MS);
          await reinvoke('Never');
        });
      }

      test('2.2 a dry run of any verb makes, changes and reads nothing', async () => {
        const key = `dry-${phase}`;
        await bed.openBao.write(key, { password: SENTINEL });
        const stored = object(WHERE, 'wet', passwordOf(key));
        await hazards.create(stored);
        await cluster.synced(WHERE, 'wet', WITHIN_MS);
        const secret = await cluster.get('Secret', WHERE, 'wet');
        const live = await cluster.get('ExternalSecret', WHERE, 'wet');
        const reads = hazards.recorder.reads(key);

        const fresh = object(WHERE, 'dry', passwordOf(key));
        const spec = { ...(stored['spec'] as object), target: { name: 'dry' } };
        const edited = { ...live, spec };
        const requests: readonly [verb: string, path: string, body?: object, type?: string][] = [
          ['POST', pathOf(WHERE), fresh],
          ['PATCH', pathOf(WHERE, 'dry'), fresh, 'apply-patch+yaml'],
          ['PUT', pathOf(WHERE, 'wet'), edited],
          ['PATCH', pathOf(WHERE, 'wet'), { spec }, 'merge-patch+json'],
          [
            'PATCH',
            pathOf(WHERE, 'wet'),
            [{ op: 'add', path: '/spec/target', value: { name: 'dry' } }],
            'json-patch+json',
          ],
          ['DELETE', pathOf(WHERE, 'wet')],
        ];
        for (const [verb, path, body, type = 'json'] of requests) {
          const query = verb === 'DELETE' ? '?dryRun=All' : '?dryRun=All&fieldManager=kubectl';
          const headers = { 'content-type': `application/${type}` };
          const answer = await bed.cp.request(verb, path + query, body, headers);
          assert.ok(answer.status < 300, `${verb} ${path}: ${JSON.stringify(answer.body)}`);
        }
        const stdin = (manifest: object) => ({ stdin: JSON.stringify(manifest) });
        const diff = await hazards.recorder.kubectl(['diff', '-f', '-'], stdin({ ...stored, spec }));
        assert.match(diff.stdout, /^\+ +name: dry$/m);
        const apply = ['apply', '--dry-run=server', '-f', '-'];
        assert.equal((await hazards.recorder.kubectl(apply, stdin(fresh))).code, 0);

        // Three of these were creates, and the hook was asked about each.
        assert.deepEqual(hazards.outcomes(WHERE, 'dry'), ['dry-run', 'dry-run', 'dry-run']);
        assert.equal(await cluster.find('Secret', WHERE, 'dry'), undefined);
        assert.deepEqual(await cluster.get('Secret', WHERE, 'wet'), secret);
        assert.equal(hazards.recorder.reads(key), reads);
        hazards.never(WHERE, 'dry');
        await hazards.keep(WHERE, 'wet');
      });

      test('2.3 creates of one name race on two replicas: one wins, and the Secret is the winner’s', async () => {
        const keys = ['app', CHANGED_KEY, 'app', CHANGED_KEY];
        const values: Record<string, string> = { app: SENTINEL, [CHANGED_KEY]: CHANGED_VALUE };
        for (let round = 0; round < 5; round += 1) {
          const name = `race-${round}`;
          const answers = await Promise.all(
            keys.map((key) => cluster.attempt(object(WHERE, name, passwordOf(key)))),
          );
          assert.deepEqual(answers.map(({ status }) => String(status)).toSorted(), [
            '201',
            '409',
            '409',
            '409',
          ]);
          const winner = keys[answers.findIndex(({ status }) => status === 201)] ?? '';
          await cluster.holds(WHERE, name, { password: values[winner] ?? '' }, WITHIN_MS);
          await cluster.synced(WHERE, name, WITHIN_MS);
          const { uid } = (await cluster.get('ExternalSecret', WHERE, name)).metadata;
          const { ownerReferences = [] } = (await cluster.get('Secret', WHERE, name)).metadata;
          assert.deepEqual(
            ownerReferences.map((owner) => owner.uid),
            [uid],
          );
          await hazards.keep(WHERE, name);
        }
      });

      test(
        '2.4 deleted and made again before the garbage collector came: the Secret outlives its first owner',
        needsGarbageCollection(),
        async () => {
          await hazards.create(object(WHERE, 'again'));
          await cluster.synced(WHERE, 'again', WITHIN_MS);
          const { uid } = (await cluster.get('Secret', WHERE, 'again')).metadata;
          const collector = bed.cp.processes['kube-controller-manager'];
          collector?.signal('SIGSTOP');
          try {
            await cluster.remove('ExternalSecret', WHERE, 'again');
            const [stale] = (await cluster.get('Secret', WHERE, 'again')).metadata.ownerReferences ?? [];
            assert.ok(stale, 'it names an owner that is gone');
            await hazards.create(object(WHERE, 'again'));
            assert.deepEqual(hazards.outcomes(WHERE, 'again'), ['created', 'replaced']);
            await cluster.synced(WHERE, 'again', WITHIN_MS);
          } finally {
            collector?.signal('SIGCONT');
          }
          const present = await cluster.get('ExternalSecret', WHERE, 'again');
          await always(
            async () => {
              const { metadata } = await cluster.get('Secret', WHERE, 'again');
              assert.equal(metadata.uid, uid);
              assert.deepEqual(
                metadata.ownerReferences?.map((owner) => owner.uid),
                [present.metadata.uid],
              );
            },
            { duration: 2_000, interval: 200 },
          );
          await hazards.keep(WHERE, 'again');
        },
      );

      test('2.5 a Secret of nobody, or of another controller, is neither overwritten nor swept', async () => {
        const { metadata: owner } = await cluster.create({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'controller', namespace: WHERE },
        });
        const reference = {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name: 'controller',
          uid: owner.uid,
          controller: true,
        };
        await cluster.create(ownSecret(WHERE, 'unmanaged'));
        await cluster.create(ownSecret(WHERE, 'controlled', { ownerReferences: [reference] }));
        await hazards.create(object(WHERE, 'unmanaged'), /exists and belongs to nobody/);
        await hazards.create(object(WHERE, 'controlled'), /belongs to ConfigMap controller/);
        for (const name of ['unmanaged', 'controlled']) {
          await cluster.failing(WHERE, name, /target/, WITHIN_MS);
          assert.deepEqual(await cluster.values(WHERE, name), OWN_DATA);
          await hazards.keep(WHERE, name);
        }
      });

      test('2.5 labels and marker copied onto a Secret of one’s own do not make it ours', async () => {
        const { metadata, says } = REFUSED_BY.webhook;
        await abandoned(object(WHERE, 'original', {}, metadata), says);
        const original = await cluster.get('Secret', WHERE, 'original');
        const { labels = {}, annotations = {} } = original.metadata;
        assert.equal(labels[LABEL_MANAGED], 'true');
        assert.equal(labels[LABEL_CREATED_BY], createdByHash(WHERE, 'original'));
        const data = (await cluster.values(WHERE, 'original')) ?? {};
        const copies: Record<string, Manifest> = {
          'copied-labels': ownSecret(WHERE, 'copied-labels', { labels }),
          'copied-marker': ownSecret(WHERE, 'copied-marker', { labels, annotations }),
          'copied-whole': ownSecret(WHERE, 'copied-whole', { labels, annotations }, data),
        };
        for (const [name, copy] of Object.entries(copies)) {
          await cluster.create(copy);
          const { resourceVersion } = (await cluster.get('Secret', WHERE, name)).metadata;
          await hazards.create(object(WHERE, name), /exists and belongs to nobody/);
          await cluster.failing(WHERE, name, /target/, WITHIN_MS);
          assert.equal((await cluster.get('Secret', WHERE, name)).metadata.resourceVersion, resourceVersion);
          await hazards.keep(WHERE, name);
        }
      });

      test('2.6 server-side apply without the right to create makes no Secret', async () => {
        const role = `${WHERE}-patcher`;
        const base = `/apis/rbac.authorization.k8s.io/v1/namespaces/${WHERE}`;
        const rules = [{ apiGroups: [GROUP], resources: ['externalsecrets'], verbs: ['get', 'patch'] }];
        await bed.cp.request('POST', `${base}/roles`, { metadata: { name: role }, rules });
        await bed.cp.request('POST', `${base}/rolebindings`, {
          metadata: { name: role },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: role }],
        });
        const headers = { 'content-type': 'application/apply-patch+yaml' };
        const path = (name: string): string => `${pathOf(WHERE, name)}?fieldManager=kubectl`;
        // Some moments go by until the role counts; before that, patching alone is refused.
        await eventually(
          async () => {
            const as = { ...headers, 'impersonate-user': role };
            const { status, body } = await bed.cp.request<{ message: string }>(
              'PATCH',
              path('patched'),
              object(WHERE, 'patched'),
              as,
            );
            assert.equal(status, 403);
            return body.message.includes('cannot create resource "externalsecrets"');
          },
          { timeout: WITHIN_MS, what: 'a refusal for want of the right to create' },
        );
        // In the mutating phase the API server has not asked for that right yet.
        assert.deepEqual(hazards.outcomes(WHERE, 'patched'), early ? ['skipped-caller-may-not-create'] : []);
        hazards.never(WHERE, 'patched');
        const applied = await bed.cp.request('PATCH', path('applied'), object(WHERE, 'applied'), headers);
        assert.equal(applied.status, 201);
        assert.equal(await password('applied'), SENTINEL);
      });

      test('2.7 a privileged type is refused, and no Secret made', async () => {
        for (const type of ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token']) {
          const name = type.replaceAll(/[./]/g, '-');
          await hazards.refused(
            object(WHERE, name, { target: { template: { type } } }),
            /Secrets of this type would be credentials of the cluster itself/,
          );
          assert.deepEqual(hazards.outcomes(WHERE, name), early ? ['invalid'] : []);
          hazards.never(WHERE, name);
        }
      });

      test('2.12 a caller that is not the API server', async () => {
        type Configuration = {
          webhooks: { name: string; clientConfig: { service: { path: string } } }[];
        };
        const { body } = await bed.cp.request<Configuration>('GET', `${ADMISSION}/${CONFIGURATION[phase]}`);
        const path = body.webhooks.find(({ name }) => name === HOOK)?.clientConfig.service.path ?? '';
        assert.match(path, /^\/mutate\/[\w-]{32,}$/);
        const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
        const post = (to: string, name: string, uid: string | undefined, userInfo: object) => {
          const fresh = object(WHERE, name, {}, uid === undefined ? {} : { uid });
          const request = {
            uid: 'invented',
            kind: { group: GROUP, version: 'v1', kind: 'ExternalSecret' },
            operation: 'CREATE',
            namespace: WHERE,
            userInfo,
            object: fresh,
          };
          const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
          return httpRequest('POST', `https://127.0.0.1:${bed.product.webhook.port}${to}`, {
            dispatcher,
            body: review,
          });
        };
        try {
          const [mine, other] = early ? [undefined, 'u-1'] : ['u-1', undefined];
          const admin = { username: 'admin', groups: ['system:masters'] };
          const nobody = { username: 'nobody', groups: ['system:authenticated'] };
          assert.equal((await post('/mutate', 'no-token', mine, admin)).status, 404);
          assert.equal((await post(path.slice(0, -1), 'no-token', mine, admin)).status, 404);
          assert.deepEqual(hazards.outcomes(WHERE, 'no-token'), []);
          assert.equal((await post(path, 'nobody', mine, nobody)).status, 200);
          assert.deepEqual(hazards.outcomes(WHERE, 'nobody'), ['skipped-caller-may-not-create']);
          assert.equal((await post(path, 'wrong-phase', other, admin)).status, 200);
          assert.deepEqual(hazards.outcomes(WHERE, 'wrong-phase'), ['other-phase']);
          for (const name of ['no-token', 'nobody', 'wrong-phase']) hazards.never(WHERE, name);
          // Who has the token can claim to be anybody; what he gets made is swept.
          assert.equal((await post(path, 'claimed', mine, admin)).status, 200);
          assert.deepEqual(hazards.outcomes(WHERE, 'claimed'), ['created']);
          hazards.abandon(WHERE, 'claimed');
        } finally {
          await dispatcher.close();
        }
      });
    });

    test('2.3 both replicas had their share', () => {
      for (const { log } of bed.product.webhooks) assert.match(readFileSync(log, 'utf8'), /"materialize"/);
    });

    test('2.9 the hook itself cannot be reached: the object is stored, and the poller makes the Secret', async () => {
      type Configuration = { webhooks: { name: string; clientConfig: { service: { port: number } } }[] };
      const path = `${ADMISSION}/${CONFIGURATION[phase]}`;
      const { webhooks } = (await bed.cp.request<Configuration>('GET', path)).body;
      const index = webhooks.findIndex(({ name }) => name === HOOK);
      let round = 0;
      /** Creates until the API server knows of the port. */
      const callAt = async (port: number | undefined, expected: readonly string[]): Promise<string> => {
        const pointer = `/webhooks/${index}/clientConfig/service/port`;
        const headers = { 'content-type': 'application/json-patch+json' };
        await bed.cp.request('PATCH', path, [{ op: 'replace', path: pointer, value: port }], headers);
        return eventually(
          async () => {
            round += 1;
            await hazards.create(object(WHERE, `port-${round}`));
            assert.deepEqual(hazards.outcomes(WHERE, `port-${round}`), expected);
            return `port-${round}`;
          },
          { timeout: WITHIN_MS },
        );
      };
      const missed = await callAt(1, []);
      await cluster.holds(WHERE, missed, { password: SENTINEL }, WITHIN_MS);
      await callAt(webhooks[index]?.clientConfig.service.port, ['created']);
    });

    // In the mutating phase webhook-server.test.ts does that.
    if (!early) {
      test('2.11 one replica goes while creates come in: none fails, all Secrets are there', async () => {
        const [first] = bed.product.webhooks;
        let gone = false;
        const going = first?.stop().then(() => {
          gone = true;
        });
        for (let wave = 0; !gone; wave += 1) {
          await Promise.all(
            Array.from({ length: 8 }, async (_, index) => {
              const name = `rolling-${wave}-${index}`;
              await hazards.create(object(WHERE, name));
              assert.equal(await password(name), SENTINEL, name);
            }),
          );
        }
        await going;
      });
    }

    test('2.10 without any webhook creates are refused; deletes, labels and our own namespace go on', async () => {
      await Promise.all(bed.product.webhooks.map((webhook) => webhook.stop()));
      const { status, body } = await cluster.attempt(object(WHERE, 'down'));
      assert.equal(status, 500);
      assert.match(body.message ?? '', /failed calling webhook "validate\.externalsecret/);
      const own = bed.product.namespace;
      assert.equal((await cluster.attempt(object(own, `own-${phase}`))).status, 201);
      const labels = { touched: 'yes' };
      const { metadata } = await cluster.patch('ExternalSecret', WHERE, 'applied', { metadata: { labels } });
      assert.equal(metadata.labels?.['touched'], 'yes');
      await cluster.remove('ExternalSecret', WHERE, 'applied');
      await cluster.remove('ExternalSecret', own, `own-${phase}`);
      assert.equal(await cluster.find('ExternalSecret', WHERE, 'applied'), undefined);
    });

    test('2.8 no value stands in a log, a warning, a refusal, an event, an object or the audit log', () =>
      hazards.recorder.assertNothingLeaked());
  });
}

test(
  '2.4 why no owner is named before it exists: the garbage collector takes the Secret',
  needsGarbageCollection(),
  async () => {
    const owner = ownerReference({ name: 'future', uid: '7d4e5f1c-0000-4000-8000-000000000000' });
    await cluster.create(ownSecret('default', 'too-early', { ownerReferences: [owner] }));
    await eventually(async () => (await cluster.find('Secret', 'default', 'too-early')) === undefined, {
      timeout: WITHIN_MS,
    });
  },
);

test('what was abandoned is swept, and nothing else', { timeout: 150_000 }, () => hazards.assertSwept());
