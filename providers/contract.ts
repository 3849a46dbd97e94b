/**
 * The contract between the engine and every provider. A provider is a folder with `config.ts` (zod schema
 * of its block in spec.provider), `client.ts` (the wire), `provider.ts` (semantics) and one line in
 * registry.ts. Providers reach the cluster only through ProviderPorts.
 */
import type { z } from 'zod';
import type { Clock } from '../api/clock.ts';
import { type ErrorCode, EsaError } from '../api/errors.ts';
import type { StoreKind } from '../api/external-secrets/names.ts';
import type { FieldPath, Problem } from '../api/problem.ts';
import type { SecretValue } from '../api/secret-value.ts';

/** The closed union of what can go wrong at a provider. */
export type ProviderErrorCode = Extract<ErrorCode, `PROVIDER_${string}` | 'POLICY_DENIED'>;

/**
 * An error of a provider. The message names the server, the key and the cause in the provider's words
 * (sanitised: no token, no request id, no value).
 */
export class ProviderError extends EsaError {
  declare readonly code: ProviderErrorCode;
  /** Milliseconds the provider asked us to wait: with PROVIDER_THROTTLED, or PROVIDER_UNREACHABLE for a 503. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ProviderErrorCode,
    message: string,
    options?: { cause?: unknown; retryAfterMs?: number },
  ) {
    super(code, message, options);
    this.name = 'ProviderError';
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** What the policies of a namespace let a connection reach. Every request of a provider asks it. */
export interface ServerGuard {
  /** Equal for guards that decide alike. What is connected or logged in under one guard serves no other. */
  readonly id: string;
  /** True if some answer depends on the address: then the connection is made without a proxy, which would hide it. */
  readonly needsAddress: boolean;
  /** Why this server must not be contacted, as a clause; undefined if it may, as far as its URL tells. */
  refusesServer(url: URL): string | undefined;
  /** The same for the address (an IP address) that a connection to the URL is made to. */
  refusesAddress(url: URL, address: string): string | undefined;
}

/** Where a store stands and for whom it is used; what a reference without namespace means depends on it. */
export interface StoreContext {
  readonly kind: StoreKind;
  readonly name: string;
  /** Namespace of the SecretStore; undefined for a ClusterSecretStore. */
  readonly namespace: string | undefined;
  readonly uid: string;
  /** metadata.generation: changes when the spec does. */
  readonly generation: number;
  /**
   * Namespace of the ExternalSecret that is served. Undefined while a ClusterSecretStore is validated on
   * its own: references without a namespace then cannot be followed ("referent" authentication).
   */
  readonly callerNamespace: string | undefined;
  /** Absent: no policy says anything about servers. */
  readonly guard?: ServerGuard | undefined;
}

/** What an ExternalSecret's remoteRef asks for. Empty strings never occur: absent is undefined. */
export interface RemoteRef {
  readonly key: string;
  readonly property?: string | undefined;
  readonly version?: string | undefined;
  /** True: metadata of the secret instead of its value (metadataPolicy: Fetch). */
  readonly metadata?: boolean | undefined;
}

/**
 * dataFrom[].find. Which criteria count is as in ESO: at Vault a name expression outranks tags, at Kubernetes tags
 * outrank a name. What a provider does not know (fake knows names only) it refuses. A find without a criterion that
 * counts is refused, but at Vault it means everything.
 */
export interface FindRequest {
  /** Where to look: a folder at Vault, the beginning of a name at AWS. */
  readonly path?: string | undefined;
  /** RE2 over the whole name, not anchored. */
  readonly nameRegexp?: string | undefined;
  /** All of these must be on the secret, with these values. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** One remote object that a find came upon. */
export interface FoundObject {
  /** What the key of the Secret is made of (before rewrite and conversion): its path or name at the provider. */
  readonly key: string;
  /** As Provider.canonicalKey names it; every result has to pass the policies by this name. */
  readonly canonicalKey: string;
  /** The object as it was at the time of the find; a find takes its whole value: `object.get(undefined)`. */
  readonly object: RemoteObject;
}

/** No Secret holds more keys or bytes than this; a find beyond it is a mistake in its criteria. */
export const FIND_LIMITS = {
  /** Names looked at. */
  names: 100_000,
  /** Objects found. */
  objects: 5_000,
  /** Sum of the sizes of their values. */
  bytes: 16 * 1024 * 1024,
} as const;

/**
 * One remote object, read once. All entries of all ExternalSecrets that name the same object, version and
 * store identity in one tick are answered from it. Both methods are pure and may be called repeatedly.
 */
export interface RemoteObject {
  /** How the provider names the version that was read, where it says so; for people, in the audit line. */
  readonly version?: string | undefined;
  /**
   * The value for `property`, or the whole object when it is undefined.
   * @throws ProviderError PROVIDER_PROPERTY_NOT_FOUND
   */
  get(property: string | undefined): SecretValue;
  /**
   * The members of the object (or of the object at `property`) as keys of a Secret.
   * @throws ProviderError PROVIDER_INVALID_RESPONSE if it is not an object; PROVIDER_PROPERTY_NOT_FOUND
   */
  getMap(property: string | undefined): ReadonlyMap<string, SecretValue>;
}

/** A logged-in way to read from one store for one identity. Safe for concurrent use. */
export interface Connection {
  /**
   * @param ref its property counts only where the provider `readsProperty`
   * @throws ProviderError; PROVIDER_NOT_FOUND only where the provider is authoritative about it
   */
  read(ref: RemoteRef, signal: AbortSignal): Promise<RemoteObject>;
  /**
   * Every remote object that matches, in the byte order of their keys, each key once. None is an empty list.
   * @throws ProviderError PROVIDER_INVALID_CONFIG for criteria this provider cannot apply, a malformed regular
   *   expression, or more than FIND_LIMITS; PROVIDER_NOT_FOUND only where the provider says with authority
   *   that the path itself does not exist; else as `read`
   */
  find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]>;
  /**
   * Reads several remote objects with one request; only where the provider has `batch`, and at most its `size`
   * references that it accepts, no two of them equal.
   * @returns in the order of `refs` what `read` would bring or throw, or undefined where the answer says nothing;
   *   undefined in place of all if the server does not let these credentials read so
   * @throws ProviderError if the request as a whole failed
   */
  readMany?(
    refs: readonly Omit<RemoteRef, 'property'>[],
    signal: AbortSignal,
  ): Promise<readonly (RemoteObject | ProviderError | undefined)[] | undefined>;
  /**
   * Live check of address and credentials; reads no secret. Resolves when usable.
   * @param now true: what was found a moment ago is not good enough
   * @throws ProviderError
   */
  validate(signal: AbortSignal, now?: boolean): Promise<void>;
  /** Gives back what this connection holds. Idempotent. */
  close(): Promise<void>;
}

/** A key of a Secret or ConfigMap, as a store refers to it. */
export interface KeyReference {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

/** What a provider may ask of the cluster. All calls throw EsaError (REFERENCE_NOT_FOUND, KUBE_API). */
export interface ProviderPorts {
  readonly clock: Clock;
  /**
   * Every provider calls it before each request to its server, logins included: the store may allow so many a
   * second only. Undefined if the request may be sent at once. Rejects with EsaError STORE_BUSY, which is no
   * failure of the provider and goes to the caller as it is.
   */
  readonly pace?: (signal: AbortSignal) => Promise<void> | undefined;
  /** A key of a Secret; `version` changes whenever the Secret does. */
  secretKey(ref: KeyReference, signal: AbortSignal): Promise<{ value: SecretValue; version: string }>;
  /** A whole Secret. Absent where there is no cluster. */
  secret?(
    ref: Omit<KeyReference, 'key'>,
    signal: AbortSignal,
  ): Promise<{
    readonly labels: Readonly<Record<string, string>>;
    readonly data: ReadonlyMap<string, SecretValue>;
  }>;
  configMapKey(ref: KeyReference, signal: AbortSignal): Promise<{ value: string; version: string }>;
  /** A bound token of a ServiceAccount for these audiences (TokenRequest). */
  serviceAccountToken(
    request: { namespace: string; name: string; audiences: readonly string[]; expirationSeconds: number },
    signal: AbortSignal,
  ): Promise<{ token: SecretValue; expiresAt: number }>;
  /**
   * The API server of this cluster as the program reaches it, and the CA (PEM) that it trusts there; no credentials.
   * Absent where there is no cluster.
   */
  apiServer?(signal: AbortSignal): Promise<{ readonly url: string; readonly ca: string | undefined }>;
  /** The annotations of a ServiceAccount; clouds keep there which of their identities it stands for. */
  serviceAccountAnnotations(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>>;
}

export type Annotations = Readonly<Record<string, string>>;

/** What annotations of a store say to its provider beside its block. */
export interface StoreAnnotations<Config> {
  /** Those that it reads. */
  readonly names: readonly string[];
  /** What is wrong with them, without I/O; paths are relative to metadata.annotations. */
  validate(annotations: Annotations): readonly Problem[];
  /** The block with what they say. Only for those without a problem. */
  apply(config: Config, annotations: Annotations): Config;
}

/** How several secrets are read with one request. */
export interface BatchReading {
  /** Secrets a request. */
  readonly size: number;
  /** True if this one can be read so. */
  accepts(ref: Omit<RemoteRef, 'property'>): boolean;
}

/** An object a store depends on; the poller watches these. */
export interface StoreDependency {
  readonly kind: 'Secret' | 'ConfigMap' | 'ServiceAccount';
  readonly namespace: string;
  readonly name: string;
}

/** The same, with the field of the provider's block that names it. */
export interface NamedDependency extends StoreDependency {
  readonly path: FieldPath;
  /** Which key of a Secret or ConfigMap is read. */
  readonly key?: string | undefined;
}

export interface Provider<Config> {
  /** The key in spec.provider. */
  readonly name: string;
  readonly schema: z.ZodType<Config>;
  /** What stands in status.capabilities of a store. */
  readonly capabilities: 'ReadOnly' | 'ReadWrite';

  /** Absent: annotations of a store are nothing to its provider. */
  readonly annotations?: StoreAnnotations<Config>;

  /**
   * Rules beyond the schema, without I/O: exactly one auth method, URL forms, namespaces of references.
   * Paths are relative to the provider's block (['auth', 'kubernetes', 'role']).
   */
  validateConfig(config: Config, store: Pick<StoreContext, 'kind' | 'namespace'>): readonly Problem[];

  /** What is accepted, may surprise, and changes nothing here; said at admission. Paths as in validateConfig. */
  warnConfig?(config: Config): readonly Problem[];

  /** A short sentence if this remoteRef can never work with this store (no I/O), else undefined. */
  validateRef?(config: Config, ref: RemoteRef): string | undefined;

  /** A short sentence if this find can never work with this store (no I/O), else undefined. */
  validateFind(config: Config, request: FindRequest): string | undefined;

  /** Absent, or undefined for the block: one secret a request. */
  batch?(config: Config): BatchReading | undefined;

  /**
   * The remote object's unique name at its server (Vault namespace, mount and path; AWS ARN or name):
   * policy matches it and reads are deduplicated by it. Not the property, not the version, unless an object is
   * addressed by them (webhook).
   */
  canonicalKey(config: Config, ref: RemoteRef): string;

  /** True if what is read depends on the property: `read` is given it, and only equal ones share an answer. */
  readsProperty?(config: Config): boolean;

  /**
   * What tells two uses of a store apart: server, credentials, and for references without a namespace the
   * caller's namespace. Equal strings may share logins and values. No secret is in it.
   */
  identity(config: Config, store: StoreContext): string;

  /** The servers that a connection may talk to, logins included; policies judge them before it is made. */
  servers(config: Config): readonly URL[];

  /** The role at the provider that the store asks for, if it names one; for people, in the audit line. */
  role?(config: Config): string | undefined;

  /** The objects that a connection reads from the cluster, for watches and messages. */
  dependencies(config: Config, store: StoreContext): readonly NamedDependency[];

  /**
   * True if the store can be checked without an ExternalSecret: no reference depends on the caller, so its identity
   * is the same for all of them.
   */
  canValidate(config: Config, store: StoreContext): boolean;

  /** Reads credentials through the ports, logs in unless a session is alive. @throws ProviderError */
  connect(
    config: Config,
    store: StoreContext,
    ports: ProviderPorts,
    signal: AbortSignal,
  ): Promise<Connection>;

  /** Gives back what the process holds at its servers, logins for one; for the end of the process. Never throws. */
  close?(signal: AbortSignal): Promise<void>;
}
