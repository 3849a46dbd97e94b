/** `esa explain`: why an object of ours is synced or not, with what to do. */
import { Command, Option } from 'commander';
import { systemClock } from '../api/clock.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { isKes } from '../api/kubernetes-client/names.ts';
import type { PolicyDefault } from '../sync/policies.ts';
import type { StoreObject } from '../sync/stores.ts';
import { type Cluster, type ClusterOptions, clusterOptions, withCluster } from './cluster/access.ts';
import { getExternalSecret } from './cluster/kes.ts';
import { getNamed, type NamedKind, parseNamed } from './cluster/named.ts';
import { SYSTEM_NAMESPACE } from './cluster/poller-lease.ts';
import { painter } from './cluster/words.ts';
import { explainClusterExternalSecret } from './explain/cluster-external-secret.ts';
import type { ExplainContext } from './explain/context.ts';
import type { Explanation } from './explain/explanation.ts';
import { explainExternalSecret } from './explain/external-secret.ts';
import { explainKes } from './explain/kes.ts';
import { printExplanation } from './explain/print.ts';
import { explainStore } from './explain/store.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

const KINDS: readonly NamedKind[] = [
  'ExternalSecret',
  'SecretStore',
  'ClusterSecretStore',
  'ClusterExternalSecret',
  'KesExternalSecret',
];

interface ExplainOptions extends ClusterOptions {
  readonly output: 'text' | 'json';
  readonly systemNamespace: string;
  readonly controllerClass: string;
  readonly policyDefault: PolicyDefault;
}

const HELP = `
NAME is that of an ExternalSecret, or es/NAME, ss/NAME (SecretStore), css/NAME (ClusterSecretStore), ces/NAME
(ClusterExternalSecret), kes/NAME (ExternalSecret of kubernetes-client.io, where another has its name, too). What the
status says is held against the objects that it names as they are now: stores, what they log in with, policies, the
Secret. Values are never shown. What you may not read is named and left out.

Exit code: 0 it is as it should be, 1 it is not, 2 the command was called wrongly, 3 the cluster could not be asked.
`;

export function explainCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return clusterOptions(new Command('explain'))
    .description('Say why an ExternalSecret or a store is not synced, and what to do.')
    .argument('<name>', 'es/NAME, ss/NAME, css/NAME, ces/NAME or kes/NAME; without a kind an ExternalSecret')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .option('--system-namespace <name>', 'where webhook and poller run', SYSTEM_NAMESPACE)
    .option('--controller-class <class>', 'the one that webhook and poller run with', 'default')
    .addOption(
      new Option('--policy-default <verdict>', 'the one that webhook and poller run with')
        .choices(['allow', 'deny'])
        .default('allow'),
    )
    .addHelpText('after', HELP)
    .action(async (name: string, options: ExplainOptions) =>
      done(await withCluster(options, (cluster) => explain(name, cluster, options, terminal))),
    );
}

async function explain(
  text: string,
  cluster: Cluster,
  options: ExplainOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const context = { cluster, clock: systemClock, ...options };
  const explanation = await explanationOf(text, context);
  terminal.out(
    options.output === 'json'
      ? `${JSON.stringify(explanation, null, 2)}\n`
      : printExplanation(explanation, painter(terminal), systemClock.now()),
  );
  return explanation.verdict === 'not-ready' ? EXIT.wrong : EXIT.ok;
}

async function explanationOf(text: string, context: ExplainContext): Promise<Explanation> {
  const named = parseNamed(text, 'ExternalSecret', KINDS);
  const { cluster } = context;
  const { signal } = new AbortController();
  switch (named.kind) {
    case 'ExternalSecret':
    case 'KesExternalSecret': {
      const found = await getExternalSecret(cluster, named);
      return isKes(found)
        ? explainKes(found, context, signal)
        : explainExternalSecret(found as ExternalSecret, context, signal);
    }
    case 'ClusterExternalSecret':
      return explainClusterExternalSecret(await getNamed<ClusterExternalSecret>(cluster, named), context);
    default: {
      const { kind } = named;
      return explainStore({ ...(await getNamed<StoreObject>(cluster, named)), kind }, context, signal);
    }
  }
}
