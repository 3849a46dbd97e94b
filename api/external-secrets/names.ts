/**
 * Names on the wire. Those of ESO are kept to the letter, so that a cluster can move either way
 * without rewriting one Secret (reference: External Secrets Operator 2.9, its markers and field manager).
 */

export const GROUP = 'external-secrets.io';
/** Newest first; v1 is the hub and the only version that is stored. */
export const SERVED_VERSIONS = ['v1', 'v1beta1', 'v1alpha1'] as const;
export type ServedVersion = (typeof SERVED_VERSIONS)[number];
export const HUB_VERSION = 'v1' satisfies ServedVersion;
export const STORE_KINDS = ['SecretStore', 'ClusterSecretStore'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

// ESO's markers.
export const LABEL_MANAGED = 'reconcile.external-secrets.io/managed';
export const LABEL_CREATED_BY = 'reconcile.external-secrets.io/created-by';
export const ANNOTATION_DATA_HASH = 'reconcile.external-secrets.io/data-hash';
export const FINALIZER_ESO = 'externalsecrets.external-secrets.io/externalsecret-cleanup';
/** On a ClusterExternalSecret. */
export const FINALIZER_ESO_CLUSTER = 'externalsecrets.external-secrets.io/clusterexternalsecret-cleanup';
/** On a namespace that a ClusterExternalSecret selected; the name of that one follows. */
export const FINALIZER_ESO_NAMESPACE = 'externalsecrets.external-secrets.io/ces-';
/** On a ClusterExternalSecret: handed on to its ExternalSecrets, so that a change of it syncs them all. */
export const ANNOTATION_FORCE_SYNC = 'external-secrets.io/force-sync';
/** The source component of events, as in ESO. */
export const EVENT_SOURCE = 'external-secrets';

// Ours; docs/annotations.md is the table for users.
export const OUR_GROUP = 'external-secrets-admission.io';
/** On a Secret: the Secret was made by admission and its ExternalSecret is not confirmed yet. */
export const ANNOTATION_PENDING = `${OUR_GROUP}/pending`;
/** On a Secret: its owner allows an ExternalSecret to take it over. */
export const ANNOTATION_ADOPT = `${OUR_GROUP}/adopt`;
/** On an ExternalSecret: refuse the create when the Secret cannot be made at once. */
export const ANNOTATION_REQUIRE_SYNC = `${OUR_GROUP}/require-sync`;
/** On an ExternalSecret: generated values that stand in the Secret are not replaced by new ones. */
export const ANNOTATION_KEEP_GENERATED = `${OUR_GROUP}/keep-generated`;
/** On an ExternalSecret or a store: each new value asks for a refresh, of the object or of all that read from the store. */
export const ANNOTATION_REFRESH = `${OUR_GROUP}/refresh`;
/** On the webhook's Secret with the CA: each new value asks for a new CA. */
export const ANNOTATION_ROTATE = `${OUR_GROUP}/rotate`;
/** On the Lease of a poller that shares the objects with others (a label, then two annotations). */
export const LABEL_SHARD_MEMBER = `${OUR_GROUP}/shard-member`;
export const ANNOTATION_SHARD_ROUND = `${OUR_GROUP}/shard-round`;
export const ANNOTATION_SHARD_VIEW = `${OUR_GROUP}/shard-view`;
/** On an object read in an older version: what that version cannot say. */
export const ANNOTATION_CONVERSION = `${OUR_GROUP}/conversion-data`;
/** On a store: how much of the provider it may take, one annotation a setting; see policy/store-limits.ts. */
export const ANNOTATION_MAX_IN_FLIGHT = `${OUR_GROUP}/max-in-flight`;
export const ANNOTATION_RATE_LIMIT = `${OUR_GROUP}/rate-limit`;
export const ANNOTATION_RATE_BURST = `${OUR_GROUP}/rate-burst`;
export const ANNOTATION_BREAKER_FAILURES = `${OUR_GROUP}/breaker-failures`;
export const ANNOTATION_BREAKER_COOL_DOWN = `${OUR_GROUP}/breaker-cool-down`;
export const ANNOTATION_BATCH_READS = `${OUR_GROUP}/batch-reads`;
/** On a store of AWS: where its service, and STS, are in place of the endpoints of the region. */
export const ANNOTATION_AWS_ENDPOINT = `${OUR_GROUP}/aws-endpoint`;
export const ANNOTATION_AWS_STS_ENDPOINT = `${OUR_GROUP}/aws-sts-endpoint`;
