/** `esa refresh`: has values read again now. */
import { Command, Option } from 'commander';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { isKes, KES_GROUP } from '../api/kubernetes-client/names.ts';
import { cadenceOf } from '../sync/cadence.ts';
import { storeReferences } from '../sync/plan.ts';
import {
  type Cluster,
  type ClusterOptions,
  clusterOptions,
  parseDuration,
  withCluster,
} from './cluster/access.ts';
import { getExternalSecret, kesAsHub, listKes } from './cluster/kes.ts';
import { listObjects } from './cluster/list.ts';
import { parseNamed, pathOf } from './cluster/named.ts';
import { pollerState, SYSTEM_NAMESPACE } from './cluster/poller-lease.ts';
import { Progress } from './cluster/words.ts';
import { plural } from './findings.ts';
import { askForRefresh } from './refresh/ask.ts';
import { type Undone, waitForRefresh } from './refresh/wait.ts';
import { EXIT, type ExitCode, type Terminal, UsageError } from './terminal.ts';
import { readersOf } from './usage/readers.ts';
import { ALL_NAMESPACES, parseStore } from './who-uses.ts';

interface RefreshOptions extends ClusterOptions {
  readonly all?: true;
  readonly store?: string;
  readonly key?: string;
  readonly property?: string;
  readonly allNamespaces?: true;
  readonly wait?: true;
  readonly timeout: number;
  readonly systemNamespace: string;
  readonly output: 'text' | 'json';
}

const HELP = `
A refresh does what the next one by schedule would do: a Secret is written only if it has to change, and values of
generators are made anew. Objects that read once (refreshInterval: 0, refreshPolicy: CreatedOnce) are left alone; delete
their Secret to have them read again. It takes the right to patch externalsecrets; with the right to patch stores, --all
and --store cost one write a store. kes/NAME is an ExternalSecret of kubernetes-client.io where another has its name, too;
--all and --key mean those as well, --store does not, since their stores are no objects.

Exit code: 0 it was asked for (with --wait: done), 1 with --wait: some are not synced, 2 the command was called wrongly,
3 the cluster could not be asked.
`;

/** What a store was asked while nobody was there is not seen by who comes later. */
const NO_POLLER =
  'no poller is at work (see esa explain); once one is, ask again for what reads from the stores that were asked\n';

export function refreshCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return clusterOptions(new Command('refresh'))
    .description('Have ExternalSecrets read their values again now.')
    .argument('[names...]', 'ExternalSecrets of the namespace, or kes/NAME')
    .option('--all', 'all of the namespace, with -A of all namespaces')
    .option('--store <name>', 'all that read from this SecretStore, or css/NAME for a ClusterSecretStore')
    .option('--key <key>', 'all that read this remote secret, see esa who-uses')
    .option('--property <name>', 'with --key: only who reads this property of it, or all of it')
    .option(ALL_NAMESPACES, 'in every namespace')
    .option('--wait', 'until the poller has done it')
    .option('--system-namespace <name>', 'where the poller runs', SYSTEM_NAMESPACE)
    .option('--timeout <duration>', 'how long to wait at most', parseDuration, 60_000)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', HELP)
    .action(async (names: readonly string[], options: RefreshOptions) => {
      check(names, options);
      done(await withCluster(options, (cluster) => refresh(names, cluster, options, terminal)));
    });
}

function check(names: readonly string[], { all, store, key, property, allNamespaces }: RefreshOptions): void {
  const ways = [names.length > 0, all === true, store !== undefined || key !== undefined];
  if (ways.filter(Boolean).length !== 1)
    throw new UsageError(
      'say which: names, or --all, or --store and --key (both: who reads the key from the store)',
    );
  if (allNamespaces === true && names.length > 0)
    throw new UsageError('names are those of one namespace; leave out -A');
  if (property !== undefined && key === undefined) throw new UsageError('--property needs --key');
}

async function refresh(
  names: readonly string[],
  cluster: Cluster,
  options: RefreshOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const progress = new Progress(terminal);
  const { objects: chosen, unread } = await choose(names, cluster, options);
  const objects = chosen.filter(({ spec }) => cadenceOf(spec).onEdit);
  const readOnce = chosen.filter(({ spec }) => !cadenceOf(spec).onEdit);
  // Only an object's own wish is answered in its status.
  const byStores = options.key === undefined && options.wait !== true;
  const store = options.store === undefined ? undefined : parseStore(options.store);
  const asked = await askForRefresh(objects, cluster, progress, {
    wholeStores: byStores ? (store ?? (options.all === true ? 'any' : undefined)) : undefined,
    allNamespaces: options.allNamespaces === true,
  });
  const undone =
    options.wait === true
      ? await waitForRefresh(asked.objects, cluster, options.timeout, progress)
      : undefined;
  progress.clear();
  if (options.output === 'json') {
    const report = {
      objects: objects.map(nameOf),
      stores: asked.stores,
      readOnce: readOnce.map(nameOf),
      undone,
      unread,
    };
    terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  } else terminal.out(wordsOf(objects, asked.stores, readOnce, undone));
  for (const text of unread) terminal.error(`not looked at: ${text}\n`);
  const { state } = await pollerState(cluster, options.systemNamespace, Date.now());
  if (state === 'silent' || state === 'absent') terminal.error(NO_POLLER);
  return undone === undefined || undone.length === 0 ? EXIT.ok : EXIT.wrong;
}

interface Name {
  readonly namespace: string;
  readonly name: string;
  /** Of an object that is none of external-secrets.io. */
  readonly group?: string;
}

const nameOf = (es: ExternalSecret): Name => ({
  namespace: es.metadata.namespace ?? '',
  name: es.metadata.name ?? '',
  ...(isKes(es) ? { group: KES_GROUP } : {}),
});

const textOf = ({ namespace, name, group }: Name): string =>
  `${namespace}/${name}${group === undefined ? '' : ` (${group})`}`;

interface Chosen {
  /** In the form of the hub. */
  readonly objects: readonly ExternalSecret[];
  /** What could not be read, so that some may be missing. */
  readonly unread: readonly string[];
}

/** @throws NotThere, KubeError */
async function choose(
  names: readonly string[],
  cluster: Cluster,
  { store, key, property, allNamespaces }: RefreshOptions,
): Promise<Chosen> {
  if (names.length > 0) {
    const named = names.map((name) =>
      parseNamed(name, 'ExternalSecret', ['ExternalSecret', 'KesExternalSecret']),
    );
    const found = await Promise.all(named.map((one) => getExternalSecret(cluster, one)));
    const objects = found.map((one) => (isKes(one) ? kesAsHub(one) : (one as ExternalSecret)));
    return { objects, unread: [] };
  }
  const namespace = allNamespaces === true ? undefined : cluster.namespace;
  const from = store === undefined ? undefined : parseStore(store);
  if (key !== undefined) return readersOf({ key, property, store: from }, cluster, namespace);
  const kes = from === undefined ? listKes(cluster, namespace) : undefined;
  const objects: ExternalSecret[] = [];
  for await (const es of listObjects<ExternalSecret>(
    cluster.kube,
    pathOf('ExternalSecret', namespace),
    cluster.call,
  )) {
    const reads = storeReferences(es.spec).some(
      ({ kind, name }) => kind === from?.kind && name === from.name,
    );
    if (from === undefined || reads) objects.push(es);
  }
  const others = await kes;
  return { objects: [...objects, ...(others?.objects ?? [])], unread: others?.unread ?? [] };
}

function wordsOf(
  objects: readonly ExternalSecret[],
  stores: number,
  readOnce: readonly ExternalSecret[],
  undone: readonly Undone[] | undefined,
): string {
  const lines = [
    objects.length === 0
      ? 'nothing to refresh'
      : undone === undefined
        ? `asked for a refresh of ${plural(objects.length, 'ExternalSecret')}${stores === 0 ? '' : ` (by ${plural(stores, 'store')})`}`
        : `${objects.length - undone.length} of ${plural(objects.length, 'ExternalSecret')} refreshed`,
    ...readOnce.map(nameOf).map((one) => `left alone, since it reads once: ${textOf(one)}`),
    ...(undone ?? []).map((one) => `not synced: ${textOf(one)}: ${one.why}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
