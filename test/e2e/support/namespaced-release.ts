/** Releases of the chart that serve one namespace each, with their programs as processes of this machine. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { NODE_FLAGS } from '../../../runtime/node-flags.ts';
import { blocksOf } from '../../docs/blocks.ts';
import { pageDirectory } from '../../docs/commands.ts';
import { pageText, readPages } from '../../docs/pages.ts';
import type { ControlPlane } from '../../harness/control-plane.ts';
import { CHART, helmOutput } from '../../harness/helm.ts';
import type { Installation } from '../../harness/install.ts';
import { freePort } from '../../harness/ports.ts';
import { Product, programFile } from '../../harness/product.ts';

const PAGE = 'docs/namespaced.md';
const PROGRAMS = ['webhook', 'poller'] as const;
type ProgramName = (typeof PROGRAMS)[number];

export interface NamespacedRelease {
  /** Of the release. */
  readonly name: string;
  /** Where the programs are. */
  readonly own: string;
  /** What they serve. */
  readonly scope: string;
}

/** Of a program's objects. */
export const programName = ({ name }: Pick<NamespacedRelease, 'name'>, program: ProgramName): string =>
  `${name}-external-secrets-admission-${program}`;

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly containers: readonly { readonly args: readonly string[] }[];
      };
    };
  };
}

/** Arguments of the page's `helm install` of this release, with the files of the page. */
function documented({ name, own }: NamespacedRelease): readonly string[] {
  const beginning = `helm install ${name} deploy/chart -n ${own} `;
  const command = blocksOf(pageText(PAGE))
    .flatMap(({ text }) => text.split('\n'))
    .find((line) => line.startsWith(beginning));
  const [page] = readPages([PAGE]);
  assert.ok(command !== undefined && page !== undefined, `${PAGE} has no "${beginning}"`);
  const directory = pageDirectory(page);
  return command
    .split(' ')
    .slice(1)
    .map((word) => (word === 'deploy/chart' ? CHART : page.files.has(word) ? join(directory, word) : word));
}

/**
 * Installs the release as the page says and starts its two programs with the flags and as the accounts of its
 * Deployments. The namespace that is served is there.
 */
export async function startRelease(cp: ControlPlane, release: NamespacedRelease): Promise<Product> {
  const { own, scope } = release;
  const webhookPort = await freePort();
  const service = { type: 'ExternalName', externalName: 'localhost', port: webhookPort };
  // Checked by tests of their own; here it would have the API server write its whole OpenAPI.
  await helmOutput([...documented(release), '--disable-openapi-validation'], {
    cluster: cp,
    values: { webhook: { service } },
  });
  await cp.kindsChanged();

  const flagsOf: Record<string, readonly string[]> = {};
  const kubeconfigs: Record<string, string> = {};
  for (const program of PROGRAMS) {
    const path = `/apis/apps/v1/namespaces/${own}/deployments/${programName(release, program)}`;
    const { template } = (await cp.request<Deployment>('GET', path)).body.spec;
    const { serviceAccountName, containers } = template.spec;
    const [first, ...flags] = containers[0]?.args ?? [];
    assert.equal(first, program);
    flagsOf[program] = flags;
    const token = await cp.serviceAccountToken(own, serviceAccountName);
    kubeconfigs[program] = cp.writeKubeconfig(programName(release, program), token);
  }
  const { webhook = '', poller = '' } = kubeconfigs;
  const installation: Installation = {
    namespace: own,
    probeIn: scope,
    configurations: true,
    conversion: true,
    serviceName: programName(release, 'webhook'),
    kubeconfigs: { webhook, poller },
  };
  const product = new Product({
    cluster: cp,
    options: {
      launch: (program, ports) => ({
        command: process.execPath,
        // The last of several flags of one name counts.
        args: [...NODE_FLAGS, programFile(program), ...(flagsOf[program] ?? []), ...ports],
      }),
    },
    installation,
    balancer: undefined,
    webhookPort,
  });
  try {
    await Promise.all([product.startWebhook(), product.startPoller()]);
    return product;
  } catch (error) {
    await product.stop();
    throw error;
  }
}
