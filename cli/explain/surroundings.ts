/** What stands around an ExternalSecret: its Secret, its namespace, and what it reads. */
import { EsaError } from '../../api/errors.ts';
import { ANNOTATION_PENDING } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { qualifiedName } from '../../api/kubernetes-client/names.ts';
import { isNotFound } from '../../kube/errors.ts';
import { getNamespace, getSecret } from '../../kube/objects.ts';
import { ownership } from '../../sync/ownership.ts';
import { creationPolicyOf, type PlannedRead, plan, propertyOf, targetName } from '../../sync/plan.ts';
import type { ExplainContext } from './context.ts';
import type { Fact } from './explanation.ts';

/** So many reads are listed. */
const MAX_READS = 20;
const SUSPEND = 'external-secrets-admission.io/suspend';

export async function lookAtTarget(es: ExternalSecret, { cluster }: ExplainContext): Promise<Fact[]> {
  const about = 'target';
  const namespace = es.metadata.namespace ?? '';
  const name = targetName(es);
  const what = `Secret ${namespace}/${name}`;
  const policy = creationPolicyOf(es.spec);
  if (policy === 'None') return [{ about, state: 'note', text: 'no Secret is kept (creationPolicy: None)' }];
  try {
    const secret = await getSecret(cluster.kube, namespace, name, cluster.call);
    const keys = Object.keys(secret.data ?? {}).sort();
    const count = `${keys.length} ${keys.length === 1 ? 'key' : 'keys'}${keys.length === 0 ? '' : ` (${keys.join(', ')})`}`;
    if (secret.metadata.annotations?.[ANNOTATION_PENDING] !== undefined) {
      const text = `${what} was made at admission with ${count}, and waits for the poller to adopt it`;
      return [{ about, state: 'ok', text }];
    }
    const owner = ownership(secret, { namespace, name: qualifiedName(es), uid: es.metadata.uid }, []);
    const mine = ['owned', 'labelled'].includes(owner.kind) || policy === 'Merge';
    const whose = 'owner' in owner ? `of ${owner.owner}` : OWNERSHIP[owner.kind];
    return [{ about, state: mine ? 'ok' : 'wrong', text: `${what} exists with ${count}; it is ${whose}` }];
  } catch (error) {
    if (isNotFound(error)) return [{ about, state: 'wrong', text: `${what} does not exist` }];
    if (error instanceof EsaError) return [{ about, state: 'unknown', text: error.message }];
    throw error;
  }
}

const OWNERSHIP: Readonly<Record<string, string>> = {
  owned: "this object's",
  labelled: "this object's",
  dangling: 'of an earlier object of this name, and will be taken over',
  adoptable: "nobody's, and may be taken over",
  unmanaged: "nobody's, so it is left alone",
};

export async function lookAtNamespace(name: string, { cluster }: ExplainContext): Promise<Fact[]> {
  const about = 'namespace';
  try {
    const { metadata } = await getNamespace(cluster.kube, name, cluster.call);
    if (metadata.deletionTimestamp !== undefined)
      return [{ about, state: 'wrong', text: `${name} is being deleted; its objects are left alone` }];
    if (metadata.labels?.[SUSPEND] !== undefined)
      return [
        {
          about,
          state: 'note',
          text: `${name} has the label ${SUSPEND}: admission makes no Secret here, the poller does`,
        },
      ];
  } catch {
    // Few may read namespaces, and this is only a remark.
  }
  return [];
}

export function readsOf(es: ExternalSecret): Fact[] {
  const { reads } = plan(es);
  const facts = reads
    .slice(0, MAX_READS)
    .map((read): Fact => ({ about: 'reads', state: 'note', text: wordsOf(read) }));
  if (reads.length > MAX_READS)
    facts.push({ about: 'reads', state: 'note', text: `and ${reads.length - MAX_READS} more` });
  return facts;
}

function wordsOf(read: PlannedRead): string {
  const { source, location, into } = read;
  if (source.kind === 'generator') return `${location}: ${source.ref.kind} ${source.ref.name}`;
  if (into.kind === 'kes' && into.entry.kind === 'path') {
    const { path, recursive } = into.entry;
    const where = location.replace(/ \(path: .*\)$/s, '');
    return `${where}: all parameters under ${path}${recursive ? ', in deeper folders, too' : ''}`;
  }
  if (source.kind === 'find') return `${location}: whatever matches ${JSON.stringify(source.request)}`;
  const { key, version } = source.remote;
  const property = propertyOf(read);
  return `${location.replace(/ \(key: .*\)$/s, '')}: key ${key}${property === undefined ? '' : `, property ${property}`}${version === undefined ? '' : `, version ${version}`}`;
}

export function templateOf({ spec }: ExternalSecret): Fact[] {
  const template = spec.target?.template;
  if (template === undefined) return [];
  const keys = Object.keys(template.data ?? {});
  const from = (template.templateFrom ?? []).flatMap(({ configMap, secret, literal }) => [
    ...(configMap === undefined ? [] : [`ConfigMap ${configMap.name}`]),
    ...(secret === undefined ? [] : [`Secret ${secret.name}`]),
    ...(literal === undefined ? [] : ['a literal']),
  ]);
  const parts = [...(keys.length === 0 ? [] : [`keys ${keys.join(', ')}`]), ...from];
  return parts.length === 0 ? [] : [{ about: 'template', state: 'note', text: parts.join('; ') }];
}
