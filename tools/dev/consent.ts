/**
 * What a session would do to a cluster of the user's own: worked out without changing anything, shown as
 * kubectl prints a server-side dry run, and done only when the user agrees.
 */
import { createInterface } from 'node:readline/promises';
import {
  type InstallOptions,
  type Manifest,
  manifestText,
  productManifests,
} from '../../test/harness/install.ts';
import { UsageError } from './options.ts';
import type { UserCluster } from './user-cluster.ts';

/** On all that a session makes: what a killed one left is known by it. */
export const SESSION_LABEL = { 'app.kubernetes.io/managed-by': 'external-secrets-admission-dev' } as const;
const [[LABEL, LABEL_VALUE]] = Object.entries(SESSION_LABEL) as [[string, string]];

const CRD = 'CustomResourceDefinition';

export interface Plan {
  /** What the session makes and has to remove. */
  readonly manifests: readonly Manifest[];
  /** What a run that was killed left, of the same names. */
  readonly leftovers: readonly Manifest[];
  /** CRDs that were there before, which stay as they are. */
  readonly keptCrds: readonly string[];
  /** For the user. */
  readonly lines: readonly string[];
}

interface ObjectList {
  readonly items: readonly (Manifest & {
    readonly spec?: {
      readonly versions?: readonly {
        readonly name: string;
        readonly served: boolean;
        readonly storage: boolean;
      }[];
    };
  })[];
}

/** `ClusterRole x`, `Role x in y`. */
export const describeObject = ({ kind, metadata }: Manifest): string =>
  `${kind} ${metadata.name}${metadata.namespace === undefined ? '' : ` in ${metadata.namespace}`}`;

async function findExisting(cluster: UserCluster, manifests: readonly Manifest[]): Promise<ObjectList> {
  const text = await cluster.kubectlOutput(['get', '--ignore-not-found', '--output=json', '-f', '-'], {
    stdin: manifestText(manifests),
  });
  if (text.trim() === '') return { items: [] };
  // One object comes by itself, several as a list.
  const found = JSON.parse(text) as ObjectList & ObjectList['items'][number];
  return found.items === undefined ? { items: [found] } : found;
}

/**
 * CRDs of another owner can be used as they are if they serve the version that the programs speak, the one that ours
 * store, and nobody else converts them.
 */
function refuseForeignCrds(crds: ObjectList['items'], ours: ObjectList['items'], context: string): void {
  for (const { metadata, spec } of crds) {
    const own = ours.find(({ kind, metadata: { name } }) => kind === CRD && name === metadata.name);
    const spoken = own?.spec?.versions?.find(({ storage }) => storage)?.name ?? '';
    const reason =
      spec?.conversion?.strategy === 'Webhook'
        ? 'converts by a webhook'
        : spec?.versions?.some(({ name, served }) => name === spoken && served) === true
          ? undefined
          : `does not serve ${spoken}`;
    if (reason === undefined) continue;
    throw new UsageError(
      `--context ${context}: the CustomResourceDefinition ${metadata.name} that is there ${reason}, ` +
        'and an existing one is not touched. Use a cluster without it.',
    );
  }
}

/** kubectl's own words, one line a manifest. */
async function dryRunLines(cluster: UserCluster, manifests: readonly Manifest[]): Promise<readonly string[]> {
  if (manifests.length === 0) return [];
  const { code, stdout, stderr } = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], {
    stdin: manifestText(manifests),
  });
  if (code === 0) return stdout.trim().split('\n');
  throw new UsageError(
    `--context ${cluster.context}: not all of it would be accepted, nothing was changed\n${stdout}${stderr.trim()}`,
  );
}

async function dryRun(cluster: UserCluster, manifests: readonly Manifest[]): Promise<readonly string[]> {
  const { items } = await findExisting(
    cluster,
    manifests.filter(({ kind }) => kind === 'Namespace'),
  );
  const present = new Set(items.map(({ metadata }) => metadata.name));
  const isInNew = ({ metadata: { namespace } }: Manifest): boolean =>
    namespace !== undefined && !present.has(namespace);
  // A dry run makes no namespace, and nothing can be tried in one that is not there; so it is tried in
  // `default`, where an object of the same name may be: in the new namespace it is created.
  const inNew = manifests.filter(isInNew);
  const tried = inNew.map((manifest) => ({
    ...manifest,
    metadata: { ...manifest.metadata, namespace: 'default' },
  }));
  const [plain, placed] = [
    await dryRunLines(
      cluster,
      manifests.filter((manifest) => !isInNew(manifest)),
    ),
    (await dryRunLines(cluster, tried)).map((line) =>
      line.replace(/ (configured|unchanged) \(/, ' created ('),
    ),
  ];
  const lines = { plain: plain.values(), placed: placed.values() };
  return manifests.map((manifest) => {
    const line = lines[isInNew(manifest) ? 'placed' : 'plain'].next().value ?? describeObject(manifest);
    const { namespace } = manifest.metadata;
    return namespace === undefined ? line : `${line}, in namespace ${namespace}`;
  });
}

/**
 * @param install where the product goes and how it is reached
 * @param more what the session makes beside the product
 * @throws UsageError if the cluster has something of these names that no session made, or refuses something
 */
export async function planSession(
  cluster: UserCluster,
  install: InstallOptions,
  more: readonly Manifest[],
): Promise<Plan> {
  const all = [...productManifests(install), ...more];
  const { items } = await findExisting(cluster, all);
  const foreign = items.filter(({ metadata }) => metadata.labels?.[LABEL] !== LABEL_VALUE);
  const foreignCrds = foreign.filter(({ kind }) => kind === CRD);
  const others = foreign.filter(({ kind }) => kind !== CRD);
  if (others.length > 0) {
    throw new UsageError(
      `--context ${cluster.context}: the cluster has objects that this would take over, nothing was changed:\n` +
        `${others.map((object) => `  ${describeObject(object)}`).join('\n')}\n` +
        'It looks like an installation of the product. Remove it first, or use another cluster.',
    );
  }
  refuseForeignCrds(foreignCrds, all, cluster.context);
  const keptCrds = foreignCrds.map(({ metadata }) => metadata.name);
  // A conversion that half of the kinds have would be none: with kept ones, only v1 is served.
  const conversion = keptCrds.length === 0;
  const manifests = [...productManifests({ ...install, keptCrds, conversion }), ...more];
  const lines = [
    ...(await dryRun(cluster, manifests)),
    ...keptCrds.map(
      (name) => `customresourcedefinition.apiextensions.k8s.io/${name} is there and stays as it is`,
    ),
  ];
  const leftovers = items.filter((object) => !foreign.includes(object));
  return { manifests, leftovers, keptCrds, lines };
}

/**
 * Asks at the terminal. @throws UsageError if the answer is not yes, or nobody can be asked
 */
export async function askConsent(cluster: UserCluster, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new UsageError(
      'Nothing was changed. There is no terminal to ask at: agree with --yes (make: YES=1).',
    );
  }
  // Not a terminal to readline, so that Ctrl-C stays a signal.
  const terminal = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  try {
    const answer = await terminal.question(`Apply this to ${cluster.context} (${cluster.server})? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('Nothing was changed.');
  } finally {
    terminal.close();
  }
}
