/**
 * The way from External Secrets Operator and back, as docs/migrating.md tells it: its commands are what is run. Once
 * from what the operator left in a cluster, as recorded, and once with the operator itself (`make moving`).
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Cluster } from '../e2e/support/cluster.ts';
import { KES_ACCOUNT } from '../e2e/support/kes.ts';
import { type Balancer, startBalancer } from '../harness/balancer.ts';
import type { ControlPlane } from '../harness/control-plane.ts';
import { always, eventually } from '../harness/eventually.ts';
import { CHART, helmOutput } from '../harness/helm.ts';
import { type Kubelet, startKubelet } from '../harness/kubelet.ts';
import type { OpenBao } from '../harness/openbao.ts';
import { MADE, SELECTED, WHERE } from './left-behind.ts';
import { Reader } from './page.ts';

/** External Secrets Operator as far as a world has it. */
export interface Operator {
  /** Path of its chart. */
  readonly chart: string;
  /** Puts its objects into the cluster, with all that it makes of them. */
  leave(): Promise<void>;
  /** Its programs run as its Deployments now say. */
  follow(): Promise<void>;
}

export interface World {
  readonly cp: ControlPlane;
  readonly openBao: OpenBao;
  readonly operator: Operator;
}

/** Make Pods of the Deployments of both charts. */
export const CONTROLLERS = ['deployment-controller', 'replicaset-controller'];
export const ESO_NAMESPACE = 'external-secrets';
const ESO = ['external-secrets', '--namespace', ESO_NAMESPACE];
const WITHIN_MS = 60_000;
const NAMESPACE = 'external-secrets-system';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

interface Definition {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly conversion?: {
      readonly strategy: string;
      readonly webhook?: { readonly clientConfig?: { readonly service?: { readonly namespace: string } } };
    };
  };
  readonly status: { readonly storedVersions: readonly string[] };
}

/** The move, step by step; `world` is asked when the tests begin. */
export class Move {
  readonly #world: () => World;
  #reader: Reader | undefined;
  #cluster: Cluster | undefined;
  #balancer: Balancer | undefined;
  #kubelet: Kubelet | undefined;
  /** Names of the CRDs that ESO brought. */
  #ofEso: readonly string[] = [];

  constructor(world: () => World) {
    this.#world = world;
  }

  get cluster(): Cluster {
    this.#cluster ??= new Cluster(this.#world().cp);
    return this.#cluster;
  }

  async stop(): Promise<void> {
    await this.#kubelet?.stop();
    await this.#balancer?.stop();
  }

  /** Runs the commands of this step of the page. */
  async follow(heading: string): Promise<string> {
    const { cp, openBao, operator } = this.#world();
    this.#balancer ??= await startBalancer();
    this.#kubelet ??= startKubelet({ cluster: cp, namespace: NAMESPACE, balancer: this.#balancer });
    this.#reader ??= new Reader(
      cp,
      {
        ESO_RELEASE: 'external-secrets',
        ESO_NAMESPACE,
        ESO_VERSION: '2.9.0',
        ESO_CHART: operator.chart,
        CHART,
        KES_NAMESPACE: KES_ACCOUNT.namespace,
        KES_DEPLOYMENT: KES_ACCOUNT.name,
        VAULT_AUDIENCE: 'vault',
      },
      {
        'values.yaml': {
          webhook: {
            replicaCount: 1,
            service: { type: 'ExternalName', externalName: 'localhost', port: this.#balancer.port },
            lameDuck: '200ms',
          },
        },
        'kes-values.yaml': {
          kes: {
            env: { VAULT_ADDR: openBao.address, POLLER_INTERVAL_MILLISECONDS: '1000' },
            vaultAudience: 'vault',
            serviceAccount: KES_ACCOUNT,
          },
        },
      },
    );
    const printed = await this.#reader.follow(heading);
    await operator.follow();
    return printed;
  }

  /** uid and resourceVersion of each Secret that ESO made. */
  async #secrets(): Promise<Readonly<Record<string, string>>> {
    const found = await Promise.all(
      MADE.map(async (key) => {
        const [where = '', name = ''] = key.split('/');
        const { metadata } = await this.cluster.get('Secret', where, name);
        return [key, `${metadata.uid} ${metadata.resourceVersion}`] as const;
      }),
    );
    return Object.fromEntries(found);
  }

  async #definitions(): Promise<readonly Definition[]> {
    const { body } = await this.#world().cp.request<{ items: readonly Definition[] }>('GET', CRDS);
    return body.items.filter(({ metadata }) => metadata.name.endsWith('external-secrets.io'));
  }

  /** For so many milliseconds no Secret is written. */
  async #quiet(duration: number): Promise<void> {
    const before = await this.#secrets();
    await always(async () => assert.deepEqual(await this.#secrets(), before), { duration, interval: 500 });
  }

  /** Reads and refreshes go on: a new value at the provider is in the Secret soon. */
  async #serves(value: string): Promise<void> {
    await this.#world().openBao.write('moved/owner', { password: value, user: 'u' });
    await this.cluster.holds(WHERE, 'owner', { password: value, user: 'u' }, WITHIN_MS);
  }

  /**
   * From what ESO left to the first refresh of ours.
   * @param works its programs run, so that both can be there at once
   */
  there({ works }: { readonly works: boolean }): void {
    let left: Readonly<Record<string, string>>;

    before(async () => {
      const { cp, operator } = this.#world();
      const off = ['--set', 'webhook.create=false', '--set', 'certController.create=false'];
      await helmOutput(['install', ...ESO, operator.chart, '--create-namespace', ...off], { cluster: cp });
      await cp.kindsChanged();
      // kubectl remembers kinds and categories; this has it look again.
      const generators = ['api-resources', '--categories=external-secrets-generators', '--output=name'];
      await eventually(async () => (await cp.kubectlOutput(generators)).includes('passwords'), {
        timeout: WITHIN_MS,
      });
      await operator.leave();
      const on = ['--set', 'webhook.create=true', '--set', 'certController.create=true'];
      await helmOutput(['upgrade', ...ESO, operator.chart, '--reuse-values', ...on], { cluster: cp });
      await operator.follow();
      left = await this.#secrets();
      this.#ofEso = (await this.#definitions()).map(({ metadata }) => metadata.name);
    });

    const unchanged = async (): Promise<void> => {
      assert.deepEqual(await this.#secrets(), left);
      const names = new Set((await this.#definitions()).map(({ metadata }) => metadata.name));
      assert.deepEqual(
        this.#ofEso.filter((name) => !names.has(name)),
        [],
        'CRDs are gone',
      );
      const pushed = await this.#world().cp.request('GET', `${PUSHED}/pushed`);
      assert.equal(pushed.status, 200, 'the PushSecret is gone');
    };

    test('1. look: lint has nothing against what is stored', async () => {
      assert.match(await this.follow('1. Look at what is there'), /: 0 errors, /);
    });

    test('2. keep: helm itself now knows that the CRDs stay', async () => {
      const printed = await this.follow('2. Keep the CRDs');
      assert.equal(Number(printed.trim().split('\n').at(-1)), this.#ofEso.length);
      await unchanged();
    });

    test('3. stop: nobody is there, nothing is refused, every Secret stays', async () => {
      await this.follow('3. Stop it');
      await unchanged();
      // As any change by a user: its webhook would have refused it by now.
      await this.#touch('1');
    });

    test('4. install: the CRDs change hands, and the programs come up', async () => {
      await this.follow('4. Install');
      assert.deepEqual(this.#kubelet?.failures, []);
      assert.equal(this.#kubelet?.running('webhook').length, 1);
      await this.#world().cp.kindsChanged();
      await unchanged();
    });

    test('5. check: not one Secret was written, and new values arrive', async () => {
      const { openBao } = this.#world();
      // Every object that is due was read; the one that failed says why in our words.
      await this.cluster.failing(WHERE, 'failing', /^could not get secret data from provider: /, WITHIN_MS);
      const before = openBao.auditCounts()['read secret/data/moved/owner'] ?? 0;
      await eventually(() => (openBao.auditCounts()['read secret/data/moved/owner'] ?? 0) >= before + 3, {
        timeout: WITHIN_MS,
      });
      await unchanged();
      await this.follow('5. Check');
      await this.#serves('rotated');
    });

    if (works) {
      test('both at once write nothing against each other', async () => {
        const { cp, operator } = this.#world();
        const scale = ['scale', 'deployment', 'external-secrets', '--namespace', ESO_NAMESPACE];
        await cp.kubectlOutput([...scale, '--replicas=1']);
        await operator.follow();
        await this.#quiet(8_000);
        await this.#serves('by both');
        await this.#quiet(5_000);
        await cp.kubectlOutput([...scale, '--replicas=0']);
        await operator.follow();
      });
    }

    test('6. remove: helm leaves the CRDs; finalizers of ESO hold nothing up', async () => {
      const { cp } = this.#world();
      await this.follow('6. Remove what is left');
      const { body } = await cp.request<{ items: readonly { metadata: { finalizers?: string[] } }[] }>(
        'GET',
        '/api/v1/namespaces',
      );
      const finalizers = body.items.flatMap(({ metadata }) => metadata.finalizers ?? []);
      assert.deepEqual(finalizers, []);
      const store = await this.cluster.get('ClusterSecretStore', undefined, 'vault');
      assert.deepEqual(store.metadata.finalizers ?? [], []);
      const names = new Set((await this.#definitions()).map(({ metadata }) => metadata.name));
      assert.deepEqual(
        this.#ofEso.filter((name) => !names.has(name)),
        [],
      );
      for (const where of SELECTED)
        assert.notEqual(await this.cluster.values(where, 'registry-login'), undefined);
    });

    test('an ExternalSecret with the finalizer of ESO goes when it is deleted', async () => {
      await this.cluster.remove('ExternalSecret', WHERE, 'failing');
      await eventually(
        async () => (await this.cluster.find('ExternalSecret', WHERE, 'failing')) === undefined,
        { timeout: WITHIN_MS },
      );
    });
  }

  /** From the running product to ESO's chart, and to ESO itself where it works. */
  back(): void {
    let left: Readonly<Record<string, string>>;

    test('1. drain: nothing is pending', async () => {
      // Made at admission, so pending for a moment.
      await this.cluster.create({
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        metadata: { name: 'newcomer', namespace: WHERE },
        spec: {
          refreshInterval: '1s',
          secretStoreRef: { name: 'vault', kind: 'ClusterSecretStore' },
          dataFrom: [{ extract: { key: 'moved/owner' } }],
        },
      });
      await this.follow('1. Drain');
      const { metadata } = await this.cluster.get('Secret', WHERE, 'newcomer');
      assert.equal(metadata.annotations?.['external-secrets-admission.io/pending'], undefined);
      assert.equal(metadata.ownerReferences?.length, 1);
      left = await this.#secrets();
    });

    test('2. take the webhooks away: v1 is served without us', async () => {
      await this.follow('2. Take the webhooks away');
      await eventually(() => this.#kubelet?.running('webhook').length === 0, { timeout: WITHIN_MS });
      for (const { metadata, spec, status } of await this.#definitions()) {
        assert.equal(spec.conversion?.strategy ?? 'None', 'None', metadata.name);
        assert.equal(status.storedVersions.length, 1, metadata.name);
      }
      await this.#touch('2');
    });

    test('3. install: its chart takes the CRDs', async () => {
      await this.follow('3. Install it');
      for (const { metadata } of await this.#definitions()) {
        if (!this.#ofEso.includes(metadata.name)) continue;
        const owner = metadata.annotations?.['meta.helm.sh/release-namespace'];
        assert.equal(owner, ESO_NAMESPACE, metadata.name);
      }
    });

    test('4. check: not one Secret was written', async () => {
      await this.follow('4. Check and clean up');
      assert.deepEqual(await this.#secrets(), left);
      const names = (await this.#definitions()).map(({ metadata }) => metadata.name);
      assert.ok(names.includes('pushsecrets.external-secrets.io'));
      assert.ok(!names.some((name) => name.startsWith('clustersecretpolicies.')));
    });
  }

  /** ESO works again where ours did. */
  withEso(): void {
    let left: Readonly<Record<string, string>>;

    test('ESO takes over: no Secret is written, new values arrive', async () => {
      left = await this.#secrets();
      const { openBao } = this.#world();
      const reads = (): number => openBao.auditCounts()['read secret/data/moved/labelled'] ?? 0;
      const before = reads();
      await eventually(() => reads() >= before + 3, { timeout: 60_000 });
      assert.deepEqual(await this.#secrets(), left);
      await this.#serves('by ESO');
    });
  }

  /** A write that an unreachable webhook would refuse; it does not reach a Secret. */
  async #touch(note: string): Promise<void> {
    await this.cluster.patch('ExternalSecret', WHERE, 'templated', { metadata: { annotations: { note } } });
  }
}

const PUSHED = `/apis/external-secrets.io/v1alpha1/namespaces/${WHERE}/pushsecrets`;
