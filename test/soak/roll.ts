/** Rolling updates, as a Deployment does them: the new one is ready before an old one is told to end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Product, Program } from '../harness/product.ts';

/** How long a Service goes on sending new connections to a pod that is ending: kube-proxy learns of it by a watch. */
const WITHDRAWN_AFTER_MS = 500;

/** SIGTERM first; only then, as in a cluster, new connections go elsewhere. Resolves when the program has ended. */
async function retire(product: Product, replica: Program): Promise<void> {
  replica.process.signal('SIGTERM');
  await sleep(WITHDRAWN_AFTER_MS);
  if (replica.port !== undefined) product.balancer?.remove(replica.port);
  await replica.process.exited;
}

/**
 * Replaces replicas of the webhook one after the other.
 * @param keep replicas that stay
 */
export async function rollWebhooks(product: Product, keep: readonly Program[] = []): Promise<void> {
  const old = product.webhooks.filter((replica) => replica.isRunning() && !keep.includes(replica));
  for (const replica of old) {
    await product.startWebhook();
    await retire(product, replica);
  }
}

/** A new poller waits for the lease, the old one gives it back and ends. */
export async function rollPoller(product: Product): Promise<void> {
  const old = product.poller;
  await product.startPoller();
  await old.stop();
}
