/**
 * Creates that are only tried (`dryRun=All`): they go the whole way through the API server, admission and conversion
 * included, and are not stored. Our mutating webhook makes nothing on a dry run.
 */
import { GROUP, HUB_VERSION } from '../../api/external-secrets/names.ts';
import { KubeError } from '../../kube/errors.ts';
import { resourcePath } from '../../kube/path.ts';
import type { Cluster } from '../cluster/access.ts';
import type { Definition, Install, ProbeAnswer, Probes, Seen } from './state.ts';

const NAME = 'esa-doctor-probe';
/** A template that does not end. Of all rules of admission only ours look into templates. */
export const UNSOUND_FIELD = 'spec.target.template.data';
const OLDEST_FIRST = ['v1alpha1', 'v1beta1', HUB_VERSION];

/** Valid in every version; its store does not exist, which is only warned of. */
const sound = (version: string, namespace: string) => ({
  apiVersion: `${GROUP}/${version}`,
  kind: 'ExternalSecret',
  metadata: { name: NAME, namespace },
  spec: {
    secretStoreRef: { name: NAME },
    target: { name: NAME },
    data: [{ secretKey: 'probe', remoteRef: { key: 'probe' } }],
  },
});

const unsound = (namespace: string) => {
  const object = sound(HUB_VERSION, namespace);
  const target = { name: NAME, template: { data: { probe: '{{ .probe' } } };
  return { ...object, spec: { ...object.spec, target } };
};

async function attempt(
  { kube, call }: Cluster,
  object: { readonly apiVersion: string; readonly metadata: { readonly namespace: string } },
): Promise<ProbeAnswer> {
  const [group, version = ''] = object.apiVersion.split('/');
  const { namespace } = object.metadata;
  try {
    await kube.request('POST', resourcePath({ group, version, resource: 'externalsecrets', namespace }), {
      ...call,
      query: { dryRun: 'All' },
      body: object,
      what: 'try to create an ExternalSecret',
    });
    return { status: 201, message: '' };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { status: error.status, message: error.message };
  }
}

/** Where hooks are called in any case: the one namespace that is served, or `default`. */
export async function tryCreates(
  cluster: Cluster,
  install: Install,
  definitions: Seen<readonly Definition[]>,
): Promise<Seen<Probes>> {
  const crd = (definitions.ok ? definitions.value : []).find(
    ({ metadata }) => metadata.name === `externalsecrets.${GROUP}`,
  );
  if (definitions.ok && crd === undefined)
    return { ok: false, why: 'creates cannot be tried: the CRD of ExternalSecrets is not installed' };
  const served = crd?.spec.versions.filter((one) => one.served).map(({ name }) => name) ?? [HUB_VERSION];
  const version = OLDEST_FIRST.find((one) => served.includes(one)) ?? HUB_VERSION;
  const namespace = install.scope ?? 'default';
  const [good, bad] = await Promise.all([
    attempt(cluster, sound(version, namespace)),
    attempt(cluster, unsound(namespace)),
  ]);
  const refused = [good, bad].find(({ message }) => /cannot create resource "externalsecrets"/.test(message));
  if (refused !== undefined) return { ok: false, why: `creates cannot be tried: ${refused.message}` };
  return { ok: true, value: { namespace, version, sound: good, unsound: bad } };
}
