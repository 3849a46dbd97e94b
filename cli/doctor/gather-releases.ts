/**
 * What Helm would delete with a release. Helm keeps an object on uninstall if its manifest, as it is stored in the
 * release, has the annotation `helm.sh/resource-policy: keep`; annotations of the live object do not count
 * (https://helm.sh/docs/howto/charts_tips_and_tricks/#tell-helm-not-to-uninstall-a-resource). The release is in the
 * newest Secret of type helm.sh/release.v1: JSON, compressed, in base64.
 */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { parse } from 'yaml';
import type { KubeObject, SecretObject } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/path.ts';
import type { Cluster } from '../cluster/access.ts';
import { listObjects } from '../cluster/list.ts';
import { seen } from './seen.ts';
import type { Definition, Release, Seen } from './state.ts';

export const RELEASE_NAME = 'meta.helm.sh/release-name';
export const RELEASE_NAMESPACE = 'meta.helm.sh/release-namespace';
const POLICY = 'helm.sh/resource-policy';
/** A release is a Secret of at most 1 MiB; its text compresses well. */
const MOST_BYTES = 64 * 1024 * 1024;

interface Stored {
  readonly manifest?: string;
  readonly chart?: { readonly metadata?: { readonly name?: string; readonly version?: string } };
}

interface Head {
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly annotations?: Readonly<Record<string, string>> };
}

const inflate = promisify(gunzip);

/** @returns undefined if it is no release */
async function decode({ data = {} }: SecretObject): Promise<Stored | undefined> {
  try {
    const packed = Buffer.from(Buffer.from(data['release'] ?? '', 'base64').toString('latin1'), 'base64');
    return JSON.parse((await inflate(packed, { maxOutputLength: MOST_BYTES })).toString('utf8')) as Stored;
  } catch {
    return undefined;
  }
}

/** CRDs of a manifest that are not kept. */
export function deletedWith(manifest: string): ReadonlySet<string> {
  const deleted = new Set<string>();
  for (const text of manifest.split(/^---.*$/m)) {
    if (!/^kind: *"?CustomResourceDefinition"?\s*$/m.test(text)) continue;
    // Of a large document only what comes before the schemas.
    const { metadata } = parse(text.replace(/^spec:[\s\S]*?(?=^\S|$(?![\s\S]))/m, '')) as Head;
    if (metadata?.name !== undefined && metadata.annotations?.[POLICY] !== 'keep') deleted.add(metadata.name);
  }
  return deleted;
}

async function newest(cluster: Cluster, namespace: string, name: string): Promise<Stored | undefined> {
  const path = resourcePath({ version: 'v1', resource: 'secrets', namespace });
  const query = { labelSelector: `owner=helm,name=${name},status=deployed` };
  let found: SecretObject | undefined;
  const revision = ({ metadata }: SecretObject): number => Number(metadata.labels?.['version'] ?? 0);
  for await (const secret of listObjects<SecretObject & KubeObject>(cluster.kube, path, {
    ...cluster.call,
    query,
  }))
    if (found === undefined || revision(secret) > revision(found)) found = secret;
  return found === undefined ? undefined : decode(found);
}

/** The releases that CRDs say they belong to. */
export async function readReleases(
  cluster: Cluster,
  definitions: Seen<readonly Definition[]>,
): Promise<readonly Release[]> {
  const named = new Map<string, { readonly name: string; readonly namespace: string }>();
  for (const { metadata } of definitions.ok ? definitions.value : []) {
    const name = metadata.annotations?.[RELEASE_NAME];
    const namespace = metadata.annotations?.[RELEASE_NAMESPACE];
    if (name !== undefined && namespace !== undefined) named.set(`${namespace}/${name}`, { name, namespace });
  }
  return Promise.all(
    [...named.values()].map(async ({ name, namespace }): Promise<Release> => {
      const stored = await seen(
        `the Helm release ${name} in namespace ${namespace}`,
        newest(cluster, namespace, name),
      );
      const release = { name, namespace, chart: undefined };
      if (!stored.ok) return { ...release, deletes: stored };
      // Uninstalled, or kept somewhere else than in Secrets.
      if (stored.value === undefined) {
        const why = `the Helm release ${name} is not among the Secrets of namespace ${namespace}`;
        return { ...release, deletes: { ok: false, why } };
      }
      const { chart, manifest = '' } = stored.value;
      const { name: chartName = '', version = '' } = chart?.metadata ?? {};
      return {
        ...release,
        chart: { name: chartName, version },
        deletes: { ok: true, value: deletedWith(manifest) },
      };
    }),
  );
}
