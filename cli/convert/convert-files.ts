/** Converts the objects of some files, each where it stands. */
import { type Document, isMap, isSeq } from 'yaml';
import { EsaError } from '../../api/errors.ts';
import { convertObject } from '../../api/external-secrets/convert.ts';
import { GROUP, HUB_VERSION, OUR_GROUP } from '../../api/external-secrets/names.ts';
import { isJsonObject } from '../../api/json.ts';
import { type Finding, findingOn } from '../findings.ts';
import { ObjectJudge } from '../judge-object.ts';
import { type Manifest, type ManifestObject, readManifest } from '../manifest.ts';
import type { Input } from '../read-inputs.ts';
import type { KesEnvironment } from './kes-environment.ts';
import { convertKesObject, KES_GROUP } from './kes-object.ts';
import type { StoreObject } from './kes-store.ts';
import { Remarks } from './remarks.ts';
import { moveComments, nodeOf, rewriteObject } from './rewrite.ts';

export interface ConvertedFile {
  readonly name: string;
  readonly source: string;
  readonly documents: readonly Document[];
  readonly objects: readonly Fields[];
}

export interface Conversion {
  /** Those with an object of ours. */
  readonly files: readonly ConvertedFile[];
  /** That were made for objects of KES, by name. */
  readonly stores: readonly StoreObject[];
  readonly findings: readonly Finding[];
  readonly converted: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Annotations of KES on namespaces, which say what may be read there. */
const PERMISSIONS = [
  'externalsecrets.kubernetes-client.io/permitted-key-name',
  'iam.amazonaws.com/permitted',
];
/** Kinds that have older versions here. */
const CONVERTED_KINDS: ReadonlySet<string> = new Set([
  'ClusterExternalSecret',
  'ClusterSecretStore',
  'ExternalSecret',
  'SecretStore',
]);
/** What a cluster writes into metadata, and only a cluster. */
const SERVER_METADATA = [
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
];
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** @param namespace of objects that name none */
export function convertFiles(
  inputs: readonly Input[],
  environment: KesEnvironment,
  namespace: string,
): Conversion {
  const judge = new ObjectJudge(namespace);
  const stores = new Map<string, StoreObject>();
  const findings: Finding[] = [];
  const files: ConvertedFile[] = [];
  let converted = 0;
  for (const { name, text, found } of inputs) {
    const manifest = readManifest(name, text);
    // A file of a directory may be anything.
    const faults = manifest.faults.filter(
      (fault) => !found || /external-secrets|kubernetes-client\.io/.test(fault.text),
    );
    findings.push(...faults.map(({ place, message }) => ({ severity: 'error', place, message }) as const));
    if (manifest.faults.length > 0) continue;
    const results = manifest.objects.map((one) => convertOne(one, environment));
    for (const [index, one] of manifest.objects.entries()) {
      const { said = [], after, stores: needed = [] } = results[index] ?? {};
      findings.push(
        ...said.map((remark) => findingOn({ manifest: one, label: labelOf(one) }, remark.severity, remark)),
      );
      for (const store of needed) stores.set(store.metadata.name, store);
      if (after === undefined) continue;
      converted += 1;
      findings.push(...refusals(judge, one, after));
    }
    if (!manifest.objects.some(isOurs)) continue;
    const objects = manifest.objects.map(({ object }, index) => results[index]?.after ?? object);
    rewrite(manifest, results);
    files.push({ name, source: text, documents: manifest.documents, objects });
  }
  const sorted = [...stores.values()].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return { files, stores: sorted, findings, converted };
}

const groupOf = ({ object }: ManifestObject): string => String(object['apiVersion']).split('/')[0] ?? '';
const isOurs = (one: ManifestObject): boolean => [GROUP, KES_GROUP].includes(groupOf(one));

function labelOf({ object: { kind, metadata } }: ManifestObject): string {
  const name = isJsonObject(metadata) && typeof metadata['name'] === 'string' ? ` ${metadata['name']}` : '';
  return `${String(kind)}${name}`;
}

interface Result {
  readonly said?: Remarks['said'];
  /** The object as it is to be; undefined: as it is. */
  readonly after?: Fields;
  readonly stores?: readonly StoreObject[];
  readonly origins?: readonly number[];
}

function convertOne(one: ManifestObject, environment: KesEnvironment): Result {
  const group = groupOf(one);
  if (group === KES_GROUP && one.object['kind'] === 'ExternalSecret') return convertKes(one, environment);
  if (group === GROUP) return convertEso(one);
  return one.object['kind'] === 'Namespace' ? { said: namespaceRemarks(one) } : {};
}

function convertKes({ object }: ManifestObject, environment: KesEnvironment): Result {
  const { changed, stores, said, origins } = convertKesObject(object, environment);
  if (changed === undefined) return { said: [...said] };
  const {
    apiVersion: _old,
    kind,
    metadata,
    spec: _spec,
    secretDescriptor: _legacy,
    status: _status,
    ...rest
  } = object;
  const after = {
    apiVersion: changed.apiVersion,
    kind,
    metadata: clean(metadata),
    ...rest,
    spec: changed.spec,
  };
  return { said: [...said], after, stores, origins };
}

function convertEso({ object }: ManifestObject): Result {
  const remarks = new Remarks();
  const kind = String(object['kind']);
  const version = String(object['apiVersion']).split('/')[1] ?? '';
  if (/^(?:Cluster)?PushSecret$/.test(kind)) {
    remarks.note([], 'is left as it is: external-secrets-admission does not serve it');
    return { said: remarks.said };
  }
  if (version === HUB_VERSION || !CONVERTED_KINDS.has(kind)) return {};
  try {
    const hub =
      kind === 'ClusterExternalSecret'
        ? clusterExternalSecret(object, version)
        : convertObject(object, `${GROUP}/${HUB_VERSION}`);
    if (usesOldEngine(hub)) {
      const message =
        'its templates are for engine v1, which there is no more: port them, and set engineVersion: v2';
      remarks.impossible(['spec', 'target', 'template'], message);
      return { said: remarks.said };
    }
    const { status: _status, ...rest } = hub;
    return { said: remarks.said, after: { ...rest, metadata: clean(hub['metadata']) } };
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    remarks.impossible(['apiVersion'], error.message);
    return { said: remarks.said };
  }
}

/** In v1alpha1 a template without an engine is one for v1. */
function usesOldEngine({ spec }: Fields): boolean {
  const target = isJsonObject(spec) ? spec['target'] : undefined;
  const template = isJsonObject(target) ? target['template'] : undefined;
  return isJsonObject(template) && template['engineVersion'] === 'v1';
}

/** v1beta1 has the fields of v1; v1alpha1 there was none. */
function clusterExternalSecret(object: Fields, version: string): Fields {
  if (version !== 'v1beta1')
    throw new EsaError('INVALID_OBJECT', `ClusterExternalSecret is served as v1 and v1beta1`);
  return { ...object, apiVersion: `${GROUP}/${HUB_VERSION}` };
}

/** Metadata as people write it: without what an export from a cluster adds. */
function clean(metadata: unknown): unknown {
  if (!isJsonObject(metadata)) return metadata;
  const kept = Object.entries(metadata).filter(([name]) => !SERVER_METADATA.includes(name));
  const { annotations, ...rest } = Object.fromEntries(kept);
  if (!isJsonObject(annotations)) return Object.fromEntries(kept);
  const own = Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED));
  if (Object.keys(own).length === 0) return rest;
  return Object.keys(own).length === Object.keys(annotations).length
    ? Object.fromEntries(kept)
    : { ...rest, annotations: own };
}

function namespaceRemarks({ object }: ManifestObject): Remarks['said'] {
  const remarks = new Remarks();
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {};
  for (const name of PERMISSIONS)
    if (name in annotations)
      remarks.notKept(
        ['metadata', 'annotations', name],
        `write a ClusterSecretPolicy (${OUR_GROUP}) that says the same`,
      );
  return remarks.said;
}

/** What a cluster would say of the result that it would not have said of a sound object. */
function refusals(judge: ObjectJudge, manifest: ManifestObject, after: Fields): readonly Finding[] {
  const judged = judge.judge({ ...manifest, object: after });
  return (judged?.problems ?? []).map(({ path, message, rule }) =>
    findingOn({ manifest, label: labelOf(manifest) }, 'error', {
      path,
      message: `the result is refused: ${message}`,
      ...(rule === undefined ? {} : { rule }),
    }),
  );
}

/** What became of the fields of an entry of data, for their comments. */
const DATA_COMMENTS = {
  name: ['secretKey'],
  key: ['remoteRef', 'key'],
  property: ['remoteRef', 'property'],
} as const;

function rewrite({ objects }: Manifest, results: readonly Result[]): void {
  for (const [index, one] of objects.entries()) {
    const { after, origins } = results[index] ?? {};
    if (after === undefined) continue;
    if (origins === undefined) {
      rewriteObject(one, after);
      continue;
    }
    const { document, within } = one;
    const old: unknown = document.getIn([...within, 'spec', 'data'], true);
    rewriteObject(one, { ...after, spec: one.object['spec'] });
    const spec = nodeOf(after['spec']);
    const fresh: unknown = isMap(spec) ? spec.get('data', true) : undefined;
    if (isSeq(old) && isSeq(fresh)) {
      // The comment before the first entry is that of the list.
      if (old.commentBefore) fresh.commentBefore = old.commentBefore;
      for (const [to, from] of origins.entries())
        moveComments(old.get(from, true), fresh.get(to, true), DATA_COMMENTS);
    }
    document.setIn([...within, 'spec'], spec);
  }
}
