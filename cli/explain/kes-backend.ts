/** What stands in place of a store where KES is used: fields of the object, the environment of the poller, the namespace. */
import { EsaError } from '../../api/errors.ts';
import type { KesEnvironment } from '../../api/kubernetes-client/environment.ts';
import type { KesPart } from '../../api/kubernetes-client/part.ts';
import type { KesSpec } from '../../api/kubernetes-client/v1/external-secret.ts';
import { formatFieldPath } from '../../api/problem.ts';
import { getNamespace } from '../../kube/objects.ts';
import { forbiddenIn } from '../../policy/kes-permissions.ts';
import { type ExplainContext, liveOf } from './context.ts';
import { causeOf, type Fact } from './explanation.ts';
import type { KesPoller } from './kes-poller.ts';
import type { Looked } from './policies.ts';

/** @returns in words where it reads, and as whom */
export async function lookAtBackend(
  { spec, lacking }: KesPart,
  { state, environment, unseen }: KesPoller,
  context: ExplainContext,
  signal: AbortSignal,
): Promise<Looked> {
  const about = 'store';
  const isKnown = state === 'serves';
  const hidden = unseen.length > 0;
  const facts: Fact[] = [];
  const missing = lacking !== undefined && isKnown && !hidden ? lacking : undefined;
  const text = describeBackend(spec, isKnown ? environment : undefined);
  facts.push({ about, state: missing === undefined ? 'note' : 'wrong', text: `backendType ${text}` });
  const causes = missing === undefined ? [] : [causeOf('CONFIGURATION', missing, 'now')];
  if (hidden) {
    const what = isKnown
      ? 'the environment of the poller was not seen as a whole'
      : 'its environment is unknown';
    facts.push({ about, state: 'unknown', text: `${what}: ${unseen.join('; ')}` });
  }
  if (spec.backendType !== 'vault' || !isKnown) return { facts, causes };
  const { namespace, name } = environment.serviceAccount;
  const account = { kind: 'ServiceAccount', namespace, name, path: [] } as const;
  try {
    const why = await liveOf(context).objects(context.clock.monotonic()).whyMissing(account, signal);
    if (why === undefined)
      facts.push({ about, state: 'ok', text: `ServiceAccount ${namespace}/${name} exists` });
    else {
      facts.push({ about, state: 'wrong', text: why });
      causes.push(causeOf('REFERENCE_NOT_FOUND', why, 'now', '--kes-service-account of webhook and poller'));
    }
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    facts.push({ about, state: 'unknown', text: error.message });
  }
  return { facts, causes };
}

/** @param environment undefined: it is not known */
export function describeBackend(spec: KesSpec, environment: KesEnvironment | undefined): string {
  const own = (field: string | undefined, theirs: string | undefined, variable: string): string =>
    field || theirs || `${environment === undefined ? 'the' : 'no'} ${variable} of the poller`;
  const { backendType } = spec;
  switch (backendType) {
    case 'vault': {
      const vault = environment?.vault;
      const server = own(undefined, vault?.address, 'VAULT_ADDR');
      const namespace = vault?.namespace === undefined ? '' : `, namespace ${vault.namespace}`;
      const role = own(spec.vaultRole, vault?.role, 'DEFAULT_VAULT_ROLE');
      const mount = own(spec.vaultMountPoint, vault?.mountPoint, 'DEFAULT_VAULT_MOUNT_POINT');
      const account = environment?.serviceAccount;
      const who = account === undefined ? 'a ServiceAccount' : `${account.namespace}/${account.name}`;
      const audience = vault?.audience === undefined ? '' : ` (audience ${vault.audience})`;
      return `vault at ${server}${namespace}, KV version ${spec.kvVersion ?? 2}: role ${role} at the auth mount ${mount}, with the token of ${who}${audience}`;
    }
    case 'secretsManager':
    case 'systemManager': {
      const through = environment?.aws.intermediateRoleArn;
      const who = spec.roleArn
        ? `as ${spec.roleArn}${through === undefined ? '' : `, through ${through}`}`
        : 'with the credentials of the poller';
      return `${backendType} in ${own(spec.region, environment?.aws.region, 'AWS_REGION')}, ${who}`;
    }
    case 'azureKeyVault':
      return `azureKeyVault: key vault ${spec.keyVaultName ?? ''}, with AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of the poller`;
    case 'gcpSecretsManager': {
      const project = spec.projectId ? `project ${spec.projectId}` : 'the project of the key';
      return `gcpSecretsManager: ${project}, with GOOGLE_APPLICATION_CREDENTIALS of the poller`;
    }
    default:
      return `${backendType}, which is not served`;
  }
}

const REMEDY =
  'Ask who owns the namespace for the annotation (docs/kes.md, permissions), or choose another key or role.';

/** What the annotations of the namespace permit. */
export async function lookAtPermissions(
  { metadata, spec }: { readonly metadata: { namespace?: string; name?: string }; readonly spec: KesSpec },
  { environment }: KesPoller,
  { cluster }: ExplainContext,
): Promise<Looked> {
  const about = 'policy';
  const { namespace = '', name = '' } = metadata;
  try {
    const { annotations = {} } = (await getNamespace(cluster.kube, namespace, cluster.call)).metadata;
    const forbidden = forbiddenIn({ namespace, name, spec }, annotations, environment);
    const { role, naming } = environment.permissions;
    const own = [role, naming].filter((one) => annotations[one]);
    if (forbidden.length === 0 && own.length > 0)
      return {
        facts: [{ about, state: 'ok', text: `permitted by ${own.join(' and ')} of the namespace` }],
        causes: [],
      };
    return {
      facts: forbidden.map(({ message }) => ({ about, state: 'wrong', text: message })),
      causes: forbidden.map(({ message, path }) => ({
        ...causeOf('POLICY_DENIED', message, 'now', formatFieldPath(path)),
        remedy: REMEDY,
      })),
    };
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    return { facts: [{ about, state: 'unknown', text: error.message }], causes: [] };
  }
}
