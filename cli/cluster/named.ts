/** Objects of our kinds as people name them on a command line: `database`, `es/database`, `clustersecretstore/vault`. */
import { GROUP, HUB_VERSION } from '../../api/external-secrets/names.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/path.ts';
import { UsageError } from '../terminal.ts';
import type { Cluster } from './access.ts';
import { listObjects } from './list.ts';

const KINDS = {
  ExternalSecret: { resource: 'externalsecrets', short: 'es', namespaced: true },
  SecretStore: { resource: 'secretstores', short: 'ss', namespaced: true },
  ClusterSecretStore: { resource: 'clustersecretstores', short: 'css', namespaced: false },
  ClusterExternalSecret: { resource: 'clusterexternalsecrets', short: 'ces', namespaced: false },
} as const;
export type NamedKind = keyof typeof KINDS;

export interface Named {
  readonly kind: NamedKind;
  readonly name: string;
}

/** What was asked about does not exist; the message says what does. */
export class NotThere extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotThere';
  }
}

/** @throws UsageError for a kind that is none of ours */
export function parseNamed(text: string, usual: NamedKind, kinds: readonly NamedKind[]): Named {
  const slash = text.indexOf('/');
  if (slash === -1) return { kind: usual, name: text };
  const word = text.slice(0, slash).toLowerCase().replace(`.${GROUP}`, '');
  const name = text.slice(slash + 1);
  for (const kind of kinds) {
    const { resource, short } = KINDS[kind];
    if (word === short || word === resource || word === kind.toLowerCase()) return { kind, name };
  }
  const known = kinds.map((kind) => `${KINDS[kind].short} (${kind})`).join(', ');
  throw new UsageError(`${text}: "${word}" is none of the kinds that can be named here: ${known}`);
}

export const pathOf = (kind: NamedKind, namespace: string | undefined, name?: string): string =>
  resourcePath({
    group: GROUP,
    version: HUB_VERSION,
    resource: KINDS[kind].resource,
    namespace: KINDS[kind].namespaced ? namespace : undefined,
    name,
  });

const MAX_NAMES = 10;

/** @throws NotThere with the names that there are; KubeError */
export async function getNamed<T extends KubeObject>(
  { kube, call, namespace }: Cluster,
  { kind, name }: Named,
): Promise<T> {
  const where = KINDS[kind].namespaced ? ` in namespace ${namespace}` : '';
  try {
    return await kube.request<T>('GET', pathOf(kind, namespace, name), {
      ...call,
      what: `read ${kind} ${name}`,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const names: string[] = [];
    try {
      for await (const one of listObjects(kube, pathOf(kind, namespace), call))
        names.push(one.metadata.name ?? '');
    } catch {
      throw error;
    }
    const there =
      names.length === 0
        ? 'there is none'
        : `there are: ${names.slice(0, MAX_NAMES).join(', ')}${names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''}`;
    throw new NotThere(`${kind} ${name} does not exist${where}; ${there}`);
  }
}
