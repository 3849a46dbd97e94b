/** How commands reach a cluster: the words and the precedence of kubectl. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { parseGoDuration } from '../../api/duration.ts';
import { KubeClient } from '../../kube/client.ts';
import { loadClusterConfig } from '../../kube/config.ts';
import { execLogin } from './exec-login.ts';

/** What `clusterOptions` adds to a command. */
export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  /** Milliseconds for each request. */
  readonly requestTimeout: number;
}

/** A cluster to ask. */
export interface Cluster {
  readonly kube: KubeClient;
  /** Of objects that are named without one: the flag's, else the context's, else `default`. */
  readonly namespace: string;
  /** For each request: `kube.request('GET', path, cluster.call)`. */
  readonly call: { readonly timeoutMs: number };
}

const DEFAULT_NAMESPACE = 'default';

/** For commander. */
export function parseDuration(text: string): number {
  const ms = parseGoDuration(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('write a duration: 500ms, 10s, 5m');
  return ms;
}

/** Adds the options that every command against a cluster has. */
export const clusterOptions = (command: Command): Command =>
  command
    .option('-n, --namespace <name>', 'namespace; without it that of the context')
    .option('--context <name>', 'context of the kubeconfig; without it its current-context')
    .option('--kubeconfig <file>', 'without it KUBECONFIG, then ~/.kube/config, then the account of the Pod')
    .option('--request-timeout <duration>', 'how long to wait for each answer', parseDuration, 10_000);

/**
 * Calls `use` with the cluster and closes its connections behind it. Nothing is asked of the cluster before `use` does.
 * @throws EsaError CONFIGURATION, which names the file; what `use` throws, mostly KubeError
 */
export async function withCluster<T>(
  options: ClusterOptions,
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const { kubeconfig, context, namespace, requestTimeout } = options;
  const config = loadClusterConfig({
    kubeconfig,
    context,
    defaultKubeconfig: join(homedir(), '.kube', 'config'),
    plugins: execLogin,
  });
  const kube = new KubeClient(config);
  try {
    return await use({
      kube,
      namespace: namespace ?? config.namespace ?? DEFAULT_NAMESPACE,
      call: { timeoutMs: requestTimeout },
    });
  } finally {
    await kube.close();
  }
}
