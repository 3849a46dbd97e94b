/** The cluster that a session of dev or demo runs on: one of its own, or the user's. */
import type { Cluster } from '../../test/harness/cluster.ts';
import { startControlPlane } from '../../test/harness/control-plane.ts';
import type { InstallOptions, Manifest } from '../../test/harness/install.ts';
import { beforeStop, type RunningProcess } from '../../test/harness/process.ts';
import {
  HooksUnreachable,
  type Product,
  type ProductOptions,
  startProduct,
} from '../../test/harness/product.ts';
import { hasControllerManager } from '../setup/paths.mjs';
import { type Reach, reachFrom } from './address.ts';
import { askConsent, planSession, SESSION_LABEL } from './consent.ts';
import { EXAMPLE_NAMESPACE } from './examples.ts';
import { type OwnCluster, UsageError } from './options.ts';
import { removeSession } from './removal.ts';
import { UserCluster } from './user-cluster.ts';

export interface Ground {
  readonly cluster: Cluster;
  /** Namespace of the examples. */
  readonly namespace: string;
  /** Put on that namespace. */
  readonly labels: Readonly<Record<string, string>>;
  /** False where nothing deletes what lost its owner. */
  readonly collectsGarbage: boolean;
  /** What runs now beside the product. */
  processes(): readonly RunningProcess[];
  /** Installs the product and starts its programs. */
  startProduct(options: ProductOptions): Promise<Product>;
  stop(): Promise<void>;
}

/** A control plane of its own, on loopback. */
export async function startLocalGround(): Promise<Ground> {
  const cluster = await startControlPlane();
  return {
    cluster,
    namespace: EXAMPLE_NAMESPACE,
    labels: {},
    collectsGarbage: hasControllerManager(),
    // Installing starts the controllers anew.
    processes: () => Object.values(cluster.processes),
    startProduct: (options) => startProduct(cluster, options),
    stop: () => cluster.stop(),
  };
}

function explainUnreachable(error: unknown, { host, port, listen }: Reach): unknown {
  if (!(error instanceof HooksUnreachable)) return error;
  return new UsageError(
    `The API server gets no answer from the webhook, which runs on this machine:\n  ${error.message}\n` +
      `It was told to connect to ${host}:${port} (the webhook listens on ${listen}). Let the cluster through ` +
      'any firewall to that address, or name one that it reaches this machine by: --webhook-host ADDRESS ' +
      '(make: WEBHOOK_HOST=ADDRESS).',
  );
}

/** Not `demo`, which may be somebody's. */
const OWN_EXAMPLES = 'external-secrets-admission-demo';
const EXAMPLES_MANIFEST: Manifest = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: OWN_EXAMPLES, labels: { ...SESSION_LABEL } },
};

async function remove(cluster: UserCluster, manifests: readonly Manifest[], whose: string): Promise<void> {
  console.log(`removing from ${cluster.context} what ${whose} made ...`);
  const left = await removeSession(cluster, manifests, OWN_EXAMPLES);
  console.log(left.length === 0 ? 'removed' : `NOT removed:\n${left.map((line) => `  ${line}`).join('\n')}`);
}

/**
 * Shows what would be applied and asks; nothing is changed before the answer. What was made is removed by
 * stop(), and by a signal.
 * @throws UsageError for all that the user can mend, and for a no
 */
export async function openOwnGround({ context, webhookHost, yes }: OwnCluster): Promise<Ground> {
  const cluster = await UserCluster.open(context);
  const reach = await reachFrom(cluster.server, webhookHost);
  const install: InstallOptions = { webhookHost: reach.host, webhookPort: reach.port, labels: SESSION_LABEL };
  const plan = await planSession(cluster, install, [EXAMPLES_MANIFEST]);
  console.log(`Context ${context}, ${cluster.server}:\n`);
  for (const line of plan.lines) console.log(`  ${line}`);
  if (plan.leftovers.length > 0) {
    console.log(`
${plan.leftovers.length} of these are there from an earlier run that was killed (or from one that still goes on
elsewhere); they are removed first, and made again.`);
  }
  console.log(`
Webhook and poller run on this machine; the API server has to reach the webhook at ${reach.host}:${reach.port}.
While they run they act on every ExternalSecret and store of the cluster. At the end all of this is removed
again, with all objects of the kinds that it adds.\n`);
  await askConsent(cluster, yes);

  let changes: Promise<unknown> = Promise.resolve();
  let removal: Promise<void> | undefined;
  const removeAll = async (): Promise<void> => {
    // What is being applied right now would come after its own removal.
    await changes.catch(() => undefined);
    await remove(cluster, plan.manifests, 'this run');
  };
  const removeOnce = (): Promise<void> => {
    removal ??= removeAll();
    return removal;
  };
  beforeStop(removeOnce);
  const start = async (options: ProductOptions): Promise<Product> => {
    if (plan.leftovers.length > 0) await remove(cluster, plan.leftovers, 'an earlier run');
    // The namespace is all that stands beside the product; its objects are the examples'.
    await cluster.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(EXAMPLES_MANIFEST) });
    return startProduct(cluster, {
      ...options,
      reach,
      labels: SESSION_LABEL,
      keptCrds: plan.keptCrds,
      conversion: plan.keptCrds.length === 0,
    });
  };
  return {
    cluster,
    namespace: OWN_EXAMPLES,
    labels: SESSION_LABEL,
    // Whatever else it is: a cluster of a user's own is whole.
    collectsGarbage: true,
    processes: () => [],
    startProduct: async (options) => {
      const started = start(options);
      changes = started;
      try {
        return await started;
      } catch (error) {
        await removeOnce();
        throw explainUnreachable(error, reach);
      }
    },
    stop: async () => {
      await removeOnce();
      await cluster.stop();
    },
  };
}
