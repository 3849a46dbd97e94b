/** Objects of our kinds as people name them on a command line: `database`, `es/database`, `clustersecretstore/vault`. */
import { GROUP, HUB_VERSION } from '../../api/external-secrets/names.ts';
import { KES_GROUP, KES_PLURAL, KES_VERSION } from '../../api/kubernetes-client/names.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/path.ts';
import { UsageError } from '../terminal.ts';
import type { Cluster } from './access.ts';
import { listObjects } from './list.ts';

interface KindOf {
  /** In messages. */
  readonly label: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly short: string;
  readonly namespaced: boolean;
}

const ours = (label: string, short: string, namespaced: boolean): KindOf => ({
  label,
  group: GROUP,
  version: HUB_VERSION,
  resource: `${label.toLowerCase()}s`,
  short,
  namespaced,
});

const KINDS = {
  ExternalSecret: ours('ExternalSecret', 'es', true),
  SecretStore: ours('SecretStore', 'ss', true),
  ClusterSecretStore: ours('ClusterSecretStore', 'css', false),
  ClusterExternalSecret: ours('ClusterExternalSecret', 'ces', false),
  KesExternalSecret: {
    label: `ExternalSecret.${KES_GROUP}`,
    group: KES_GROUP,
    version: KES_VERSION,
    resource: KES_PLURAL,
    // Its CRD says `es`, which kubectl then knows two of.
    short: 'kes',
    namespaced: true,
  },
} as const satisfies Record<string, KindOf>;
export type NamedKind = keyof typeof KINDS;

export interface Named {
  readonly kind: NamedKind;
  readonly name: string;
  /** An ExternalSecret without its group: that of kubernetes-client.io may be meant as well. */
  readonly anyGroup: boolean;
}

/** What was asked about does not exist; the message says what does. */
export class NotThere extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotThere';
  }
}

/**
 * @param text `NAME`, `KIND/NAME`, or as kubectl has it `KIND.GROUP/NAME`; a kind is its short name, singular or plural
 * @param usual the kind of a name alone
 * @throws UsageError for a kind that is none of `kinds`
 */
export function parseNamed(text: string, usual: NamedKind, kinds: readonly NamedKind[]): Named {
  const twice = kinds.includes('KesExternalSecret');
  const slash = text.indexOf('/');
  if (slash === -1) return { kind: usual, name: text, anyGroup: twice && usual === 'ExternalSecret' };
  const [, plain = '', group] = /^([^.]*)(?:\.(.*))?$/s.exec(text.slice(0, slash).toLowerCase()) ?? [];
  const name = text.slice(slash + 1);
  for (const kind of kinds) {
    const { resource, short, group: own } = KINDS[kind];
    const isKes = kind === 'KesExternalSecret';
    const words = [short, resource, resource.slice(0, -1), ...(isKes ? ['es'] : [])];
    // Without a group it is ours that is meant, unless the word is only that of KES.
    const fits = group === own || (group === undefined && (!isKes || plain === short));
    if (words.includes(plain) && fits)
      return { kind, name, anyGroup: twice && kind === 'ExternalSecret' && group === undefined };
  }
  const known = kinds.map((kind) => `${KINDS[kind].short} (${KINDS[kind].label})`).join(', ');
  const word = text.slice(0, slash).toLowerCase();
  throw new UsageError(`${text}: "${word}" is none of the kinds that can be named here: ${known}`);
}

export const pathOf = (kind: NamedKind, namespace: string | undefined, name?: string): string => {
  const { group, version, resource, namespaced } = KINDS[kind];
  return resourcePath({ group, version, resource, namespace: namespaced ? namespace : undefined, name });
};

/** In messages: `ExternalSecret`, `ExternalSecret.kubernetes-client.io`. */
export const labelOfKind = (kind: NamedKind): string => KINDS[kind].label;

/** @throws KubeError */
export const readNamed = <T extends KubeObject>(
  { kube, call, namespace }: Cluster,
  { kind, name }: Pick<Named, 'kind' | 'name'>,
): Promise<T> =>
  kube.request<T>('GET', pathOf(kind, namespace, name), {
    ...call,
    what: `read ${labelOfKind(kind)} ${name}`,
  });

const MAX_NAMES = 10;

/** @throws NotThere with the names that there are; KubeError */
export async function getNamed<T extends KubeObject>(
  cluster: Cluster,
  named: Pick<Named, 'kind' | 'name'>,
): Promise<T> {
  try {
    return await readNamed<T>(cluster, named);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const names = await namesOf(cluster, named.kind);
    if (names === undefined) throw error;
    throw notThere(cluster, named, names);
  }
}

/** @returns undefined if they may not be listed */
export async function namesOf(
  { kube, call, namespace }: Cluster,
  kind: NamedKind,
): Promise<readonly string[] | undefined> {
  const names: string[] = [];
  try {
    for await (const one of listObjects(kube, pathOf(kind, namespace), call))
      names.push(one.metadata.name ?? '');
    return names;
  } catch {
    return undefined;
  }
}

export function notThere(
  { namespace }: Cluster,
  { kind, name }: Pick<Named, 'kind' | 'name'>,
  names: readonly string[],
): NotThere {
  const where = KINDS[kind].namespaced ? ` in namespace ${namespace}` : '';
  const there =
    names.length === 0
      ? 'there is none'
      : `there are: ${names.slice(0, MAX_NAMES).join(', ')}${names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''}`;
  return new NotThere(`${labelOfKind(kind)} ${name} does not exist${where}; ${there}`);
}
