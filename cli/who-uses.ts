/** `esa who-uses`: which ExternalSecrets read a remote object. */
import { Command, Option } from 'commander';
import type { StoreKind } from '../api/external-secrets/names.ts';
import { type Cluster, type ClusterOptions, clusterOptions, withCluster } from './cluster/access.ts';
import { parseNamed } from './cluster/named.ts';
import { formatTable } from './cluster/words.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';
import { type KeyQuestion, type Reader, type Readers, readersOf } from './usage/readers.ts';

interface WhoUsesOptions extends ClusterOptions {
  readonly allNamespaces?: true;
  readonly store?: string;
  readonly property?: string;
  readonly output: 'text' | 'json';
}

const HELP = `
KEY is written as in remoteRef.key, or as the provider names the object (docs/policies.md): app/db and secret/data/app/db
are one at Vault. A find counts if its path and its name expression fit the key; one by tags is marked with "?", since
only the provider knows its tags. VaultDynamicSecrets count by their path. ExternalSecrets of kubernetes-client.io are
marked with "kes/"; they name no store, so with --store there are none.

Exit code: 0 also if nobody reads it, 2 the command was called wrongly, 3 the cluster could not be asked.
`;

export const ALL_NAMESPACES = '-A, --all-namespaces';

/** `vault` is a SecretStore, `css/vault` a ClusterSecretStore. @throws UsageError */
export function parseStore(text: string): { readonly kind: StoreKind; readonly name: string } {
  const { kind, name } = parseNamed(text, 'SecretStore', ['SecretStore', 'ClusterSecretStore']);
  return { kind: kind === 'ClusterSecretStore' ? kind : 'SecretStore', name };
}

export function whoUsesCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return clusterOptions(new Command('who-uses'))
    .description('List the ExternalSecrets that read a remote secret.')
    .argument('<key>', 'of the remote secret')
    .option('--property <name>', 'only who reads this property of it, or all of it')
    .option('--store <name>', 'only who reads it from this SecretStore, or css/NAME for a ClusterSecretStore')
    .option(ALL_NAMESPACES, 'look in every namespace')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', HELP)
    .action(async (key: string, options: WhoUsesOptions) => {
      const { property, store } = options;
      const question = { key, property, store: store === undefined ? undefined : parseStore(store) };
      done(await withCluster(options, (cluster) => whoUses(question, cluster, options, terminal)));
    });
}

async function whoUses(
  question: KeyQuestion,
  cluster: Cluster,
  { allNamespaces, output }: WhoUsesOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const namespace = allNamespaces === true ? undefined : cluster.namespace;
  const found = await readersOf(question, cluster, namespace);
  const { readers, looked, unread } = found;
  if (output === 'json') {
    terminal.out(`${JSON.stringify({ ...question, readers, looked, unread }, null, 2)}\n`);
    return EXIT.ok;
  }
  const where = namespace === undefined ? 'any namespace' : `namespace ${namespace}`;
  if (readers.length === 0)
    terminal.out(`nobody in ${where} reads ${question.key} (${looked} ExternalSecrets looked at)\n`);
  else terminal.out(tableOf(found));
  for (const text of unread) terminal.error(`not looked at: ${text}\n`);
  return EXIT.ok;
}

const tableOf = ({ readers }: Readers): string =>
  formatTable([
    ['NAMESPACE', 'EXTERNALSECRET', 'FIELD', 'KEY', 'PROPERTY', 'FROM', 'READY'],
    ...readers.map((reader) => [
      reader.namespace,
      `${reader.group === undefined ? '' : 'kes/'}${reader.name}`,
      reader.path,
      `${reader.key ?? `(${reader.how})`}${reader.certain ? '' : '?'}`,
      reader.property ?? '',
      fromOf(reader),
      reader.ready ?? '',
    ]),
  ]);

function fromOf({ store, backendType, generator }: Reader): string {
  if (backendType !== undefined) return `backendType ${backendType}`;
  if (generator !== undefined) return `${generator.kind} ${generator.name}`;
  return store === undefined ? '' : `${store.kind} ${store.name}`;
}
