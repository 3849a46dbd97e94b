/** Names of the cluster for the words of a command line; without one that answers in a moment there are none. */

import { type ClusterOptions, withCluster } from '../cluster/access.ts';
import { listObjects } from '../cluster/list.ts';
import { type NamedKind, pathOf } from '../cluster/named.ts';

const TIMEOUT_MS = 2_000;
const MAX = 500;

/** Which kind, and how its names are written there. */
const KIND_OF: Readonly<
  Record<string, { readonly kind: NamedKind | 'Namespace'; readonly prefixes?: readonly string[] }>
> = {
  'explain name': { kind: 'ExternalSecret', prefixes: ['es/', 'ss/', 'css/', 'ces/'] },
  'refresh names': { kind: 'ExternalSecret' },
  '--store': { kind: 'SecretStore', prefixes: ['css/'] },
  '--namespace': { kind: 'Namespace' },
  '--system-namespace': { kind: 'Namespace' },
};

/** What takes neither a name of the cluster nor a file. */
const FREE: ReadonlySet<string> = new Set([
  '--context',
  '--request-timeout',
  '--timeout',
  '--key',
  '--property',
  '--controller-class',
  '--namespace-labels',
  '--service',
  'who-uses key',
]);

const PREFIX_KINDS: Readonly<Record<string, NamedKind>> = {
  es: 'ExternalSecret',
  ss: 'SecretStore',
  css: 'ClusterSecretStore',
  ces: 'ClusterExternalSecret',
};

/**
 * @param place an option (`--store`), or `COMMAND ARGUMENT`
 * @param words the whole line, the last one being typed
 * @returns undefined if a file may stand there
 */
export async function namesFor(
  place: string,
  words: readonly string[],
): Promise<readonly string[] | undefined> {
  if (FREE.has(place)) return [];
  const asked = KIND_OF[place];
  if (asked === undefined) return undefined;
  const typed = (words.at(-1) ?? '').replace(/^--[^=]+=/, '');
  const slash = typed.indexOf('/');
  const prefix = slash === -1 ? '' : typed.slice(0, slash + 1);
  const kind = slash === -1 ? asked.kind : PREFIX_KINDS[typed.slice(0, slash)];
  if (kind === undefined) return [];
  const names: string[] = [];
  try {
    await withCluster(optionsIn(words), async ({ kube, call, namespace }) => {
      const path = kind === 'Namespace' ? '/api/v1/namespaces' : pathOf(kind, namespace);
      for await (const { metadata } of listObjects(kube, path, call)) {
        names.push(`${prefix}${metadata.name ?? ''}`);
        if (names.length >= MAX) break;
      }
    });
  } catch {
    // Nobody reads errors while typing.
  }
  return [...names, ...(slash === -1 ? (asked.prefixes ?? []) : [])];
}

/** How the cluster is reached on this line. */
function optionsIn(words: readonly string[]): ClusterOptions {
  const given = (...names: readonly string[]): string | undefined => {
    for (const [index, word] of words.entries()) {
      if (names.includes(word) && index + 1 < words.length - 1) return words[index + 1];
      for (const name of names) if (word.startsWith(`${name}=`)) return word.slice(name.length + 1);
    }
    return undefined;
  };
  const kubeconfig = given('--kubeconfig');
  const context = given('--context');
  const namespace = given('-n', '--namespace');
  return {
    requestTimeout: TIMEOUT_MS,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}
