/** Takes out of a cluster of the user's own what a session made there, and only that. */
import type { Manifest } from '../../test/harness/install.ts';
import { describeObject } from './consent.ts';
import type { UserCluster } from './user-cluster.ts';

const WAIT = '--timeout=60s';
const GROUPS: readonly ((manifest: Manifest, examples: string) => boolean)[] = [
  // First the hooks, so that nothing is refused from here on.
  ({ kind }) => kind.endsWith('WebhookConfiguration'),
  ({ kind, metadata }, examples) => kind === 'Namespace' && metadata.name === examples,
  // With a CRD all objects of its kind go, which nobody had before the session.
  ({ kind }) => kind === 'CustomResourceDefinition',
  ({ kind }) => kind === 'Namespace',
  ({ metadata }) => metadata.namespace === undefined,
];

const resourceOf = ({ apiVersion, kind, metadata }: Manifest): string => {
  const [group = ''] = apiVersion.includes('/') ? apiVersion.split('/') : [];
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${metadata.name}`;
};

/**
 * Objects inside a namespace go with it.
 * @param examples name of the namespace of the examples
 * @returns what is still there, with the reason, for the user; empty if all of it is gone
 */
export async function removeSession(
  cluster: UserCluster,
  manifests: readonly Manifest[],
  examples: string,
): Promise<readonly string[]> {
  const left: string[] = [];
  const done = new Set<Manifest>();
  for (const belongs of GROUPS) {
    const group = manifests.filter((manifest) => !done.has(manifest) && belongs(manifest, examples));
    if (group.length === 0) continue;
    for (const manifest of group) done.add(manifest);
    const names = group.map(resourceOf);
    const { code, stderr } = await cluster.kubectl(['delete', '--ignore-not-found', WAIT, ...names]);
    if (code !== 0) left.push(`${group.map(describeObject).join(', ')}: ${stderr.trim()}`);
  }
  return left;
}
