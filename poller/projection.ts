/**
 * The form in which an ExternalSecret is kept between two syncs: its JSON without managedFields, deflated against a
 * dictionary that holds what most of them have in common. Nothing else is left out, so what comes back is the object
 * as the watch brought it: the engine copies all labels and annotations onto the Secret, and a
 * ClusterExternalSecret compares the whole spec. About 150 bytes an object where the JSON has 1,700; packing one takes
 * 20 microseconds, unpacking and parsing it as much (docs/decisions/0018-projection.md).
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { parseObject } from '../api/json.ts';

/** What the API server sends for an ordinary object, the commonest last: near matches are the cheapest. */
const DICTIONARY = Buffer.from(
  [
    '"finalizers":["externalsecrets.external-secrets.io/externalsecret-cleanup"],"deletionTimestamp":"2026-',
    '"conditions":[{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"could not get secret data from provider: ","reason":"SecretSyncedError","status":"False","type":"Ready"}]',
    '"ownerReferences":[{"apiVersion":"external-secrets.io/v1","blockOwnerDeletion":true,"controller":true,"kind":"ClusterExternalSecret","name":"","uid":""}],',
    '"template":{"data":{"":"{{ . }}"},"engineVersion":"v2","mergePolicy":"Replace","metadata":{"annotations":{"},"labels":{"}},"templateFrom":[{"configMap":{"items":[{"key":"","templateAs":"Values"}],"name":""},"target":"Data"}],"type":"kubernetes.io/dockerconfigjson"}',
    '"dataFrom":[{"sourceRef":{"generatorRef":{"apiVersion":"generators.external-secrets.io/v1alpha1","kind":"Password","name":""}}},{"find":{"conversionStrategy":"Default","decodingStrategy":"None","name":{"regexp":""},"path":"","tags":{"":""}},"rewrite":[{"regexp":{"source":"","target":""}}]},{"extract":{"conversionStrategy":"Default","decodingStrategy":"None","key":"","metadataPolicy":"None","nullBytePolicy":"Ignore"}}],',
    '{"apiVersion":"external-secrets.io/v1","kind":"ExternalSecret","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\\"apiVersion\\":\\"external-secrets.io/v1\\",\\"kind\\":\\"ExternalSecret\\",\\"metadata\\":{\\"annotations\\":{},\\"name\\":\\"',
    '\\",\\"namespace\\":\\"',
    '\\"},\\"spec\\":{\\"data\\":[{\\"remoteRef\\":{\\"key\\":\\"',
    '\\",\\"property\\":\\"',
    '\\"},\\"secretKey\\":\\"',
    '\\"}],\\"refreshInterval\\":\\"1h\\",\\"secretStoreRef\\":{\\"kind\\":\\"ClusterSecretStore\\",\\"name\\":\\"',
    '\\"},\\"target\\":{\\"name\\":\\"',
    '\\"}}}\\n"},"labels":{"app.kubernetes.io/instance":"","app.kubernetes.io/managed-by":"Helm","app.kubernetes.io/name":""},',
    '{"apiVersion":"external-secrets.io/v1","kind":"ExternalSecret","metadata":{"annotations":{"argocd.argoproj.io/tracking-id":"","meta.helm.sh/release-name":"","meta.helm.sh/release-namespace":"","external-secrets.io/force-sync":""},"creationTimestamp":"2026-01-01T00:00:00Z","generation":1,"labels":{"","name":"","namespace":"","resourceVersion":"","uid":""},',
    '"spec":{"data":[{"remoteRef":{"conversionStrategy":"Default","decodingStrategy":"None","key":"","metadataPolicy":"None","nullBytePolicy":"Ignore","property":"","version":""},"secretKey":""}],"refreshInterval":"1h0m0s","refreshPolicy":"Periodic","secretStoreRef":{"kind":"ClusterSecretStore","name":""},"target":{"creationPolicy":"Owner","deletionPolicy":"Retain","name":""}},',
    '"status":{"binding":{"name":""},"conditions":[{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"secret synced","reason":"SecretSynced","status":"True","type":"Ready"}],"refreshTime":"2026-01-01T00:00:00Z","syncedResourceVersion":"1-',
  ].join('\n'),
);

/** Most of what a call costs is memory that zlib sets aside; these are the sizes that an object needs. */
const DEFLATE = { dictionary: DICTIONARY, windowBits: 13, memLevel: 4, chunkSize: 1024 } as const;
const INFLATE = { dictionary: DICTIONARY, windowBits: 13, chunkSize: 4096 } as const;

/** Packs an object into a string of one-byte characters. The object is not kept. */
export function pack(object: ExternalSecret): string {
  const { managedFields: _, ...metadata } = object.metadata;
  return deflateRawSync(JSON.stringify({ ...object, metadata }), DEFLATE).toString('latin1');
}

/** The object that was packed, without managedFields; a new one each time. */
export function unpack(packed: string): ExternalSecret {
  return parseObject(inflateRawSync(Buffer.from(packed, 'latin1'), INFLATE).toString()) as ExternalSecret;
}
