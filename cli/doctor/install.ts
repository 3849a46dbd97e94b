/** Where and how the product is installed, told from what it leaves in the cluster; pure. */
import { OUR_GROUP } from '../../api/external-secrets/names.ts';
import { SYSTEM_NAMESPACE } from '../cluster/poller-lease.ts';
import type { ProgramName } from './expected-rights.ts';
import type { Configuration, Deployment, Install, Program, Seen } from './state.ts';

export const PART_OF = 'external-secrets-admission';
const DEFAULT_CONFIGURATION = 'external-secrets-admission';
/** Of deploy/manifests. */
export const WEBHOOK_SERVICE = 'external-secrets-admission-webhook';
/** Late in the order of names, see docs/operating.md. */
export const MUTATING_PREFIX = 'zz-';

/** Which program a Deployment runs: told by the label of the manifests, else by the first argument. */
export function programOf({ metadata, spec }: Deployment): ProgramName | undefined {
  if (metadata.labels?.['app.kubernetes.io/part-of'] !== PART_OF) return undefined;
  const component =
    metadata.labels['app.kubernetes.io/component'] ?? spec.template.spec?.containers?.[0]?.args?.[0];
  return component === 'webhook' || component === 'poller' ? component : undefined;
}

/** The value of `--name value` or `--name=value`; undefined if it is not there. */
export function flag(args: readonly string[] | undefined, name: string): string | undefined {
  for (const [index, text] of (args ?? []).entries()) {
    if (text === `--${name}`) return args?.[index + 1] ?? '';
    if (text.startsWith(`--${name}=`)) return text.slice(name.length + 3);
  }
  return undefined;
}

/** False where another release of the cluster converts. */
export const injectsCrds = ({ webhook }: Pick<Install, 'webhook'>): boolean =>
  flag(webhook.args, 'inject-crds') !== 'false';

/** Whether a part that a flag switches is in use: all are where the whole cluster is served, and none is elsewhere. */
export function isServed(
  { webhook, poller, scope }: Pick<Install, 'webhook' | 'poller' | 'scope'>,
  name: 'process-cluster-store' | 'process-cluster-generator' | 'cluster-external-secrets',
): boolean {
  const args = [...(webhook.args ?? []), ...(poller.args ?? [])];
  return (flag(args, name) ?? String(scope === undefined)) === 'true';
}

const isOurs = ({ metadata, webhooks = [] }: Configuration): boolean =>
  metadata.name === DEFAULT_CONFIGURATION ||
  metadata.labels?.['app.kubernetes.io/part-of'] === PART_OF ||
  webhooks.some(({ name }) => name.endsWith(`.${OUR_GROUP}`));

interface Evidence {
  /** As the caller said. */
  readonly namespace: string | undefined;
  readonly configurations: Seen<readonly Configuration[]>;
  readonly deployments: Seen<readonly Deployment[]>;
}

/** What is not seen is taken to be named as in deploy/manifests. */
export function installOf({ namespace: said, configurations, deployments }: Evidence): Install {
  const ours = (deployments.ok ? deployments.value : []).filter((one) => programOf(one) !== undefined);
  const registered = (configurations.ok ? configurations.value : []).filter(
    (one) => one.kind === 'ValidatingWebhookConfiguration' && isOurs(one),
  );
  const serviceOf = (one: Configuration | undefined) => one?.webhooks?.[0]?.clientConfig.service;
  const namespace =
    said ??
    serviceOf(registered.find(({ metadata }) => metadata.name === DEFAULT_CONFIGURATION))?.namespace ??
    serviceOf(registered[0])?.namespace ??
    ours[0]?.metadata.namespace ??
    SYSTEM_NAMESPACE;
  const program = (name: ProgramName): Program => {
    const deployment = ours.find((one) => one.metadata.namespace === namespace && programOf(one) === name);
    const spec = deployment?.spec.template.spec;
    const container = spec?.containers?.find((one) => one.args?.[0] === name) ?? spec?.containers?.[0];
    return {
      name,
      deployment,
      account: spec?.serviceAccountName ?? `external-secrets-admission-${name}`,
      args: container?.args,
    };
  };
  const [webhook, poller] = [program('webhook'), program('poller')];
  const own = registered.find((one) => serviceOf(one)?.namespace === namespace);
  const configuration =
    flag(webhook.args, 'webhook-configurations') ?? own?.metadata.name ?? DEFAULT_CONFIGURATION;
  const service = serviceOf(own);
  const marked = webhook.deployment ?? poller.deployment ?? own;
  const { annotations = {} } = marked?.metadata ?? {};
  const release = annotations['meta.helm.sh/release-name'];
  return {
    namespace,
    configuration,
    service: {
      namespace,
      name: flag(webhook.args, 'service-name') ?? service?.name ?? WEBHOOK_SERVICE,
      port: service?.port,
    },
    webhook,
    poller,
    release:
      release === undefined
        ? undefined
        : { name: release, namespace: annotations['meta.helm.sh/release-namespace'] ?? namespace },
    scope: flag(poller.args, 'scoped-namespace') ?? flag(webhook.args, 'scoped-namespace'),
  };
}
