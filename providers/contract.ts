/**
 * The contract between the engine and every provider. A provider is a folder with `config.ts` (zod schema
 * of its block in spec.provider), `client.ts` (the wire), `provider.ts` (semantics) and one line in
 * registry.ts. Providers reach the cluster only through ProviderPorts.
 */
import type { z } from 'zod';
import type { Clock } from '../api/clock.ts';
import { type ErrorCode, EsaError } from '../api/errors.ts';
import type { StoreKind } from '../api/external-secrets/names.ts';
import type { Problem } from '../api/problem.ts';
import type { SecretValue } from '../api/secret-value.ts';

/** The closed union of what can go wrong at a provider. */
export type ProviderErrorCode = Extract<ErrorCode, `PROVIDER_${string}`>;

/**
 * An error of a provider. The message names the server, the key and the cause in the provider's words
 * (sanitised: no token, no request id, no value).
 */
export class ProviderError extends EsaError {
  declare readonly code: ProviderErrorCode;
  /** Only with PROVIDER_THROTTLED: milliseconds the provider asked us to wait. */
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
}

/** What an ExternalSecret's remoteRef asks for. Empty strings never occur: absent is undefined. */
export interface RemoteRef {
  readonly key: string;
  readonly property?: string | undefined;
  readonly version?: string | undefined;
  /** True: metadata of the secret instead of its value (metadataPolicy: Fetch). */
  readonly metadata?: boolean | undefined;
}

/** dataFrom[].find. */
export interface FindRequest {
  readonly path?: string | undefined;
  readonly nameRegexp?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/**
 * One remote object, read once. All entries of all ExternalSecrets that name the same object, version and
 * store identity in one tick are answered from it. Both methods are pure and may be called repeatedly.
 */
export interface RemoteObject {
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
  /** @throws ProviderError; PROVIDER_NOT_FOUND only where the provider is authoritative about it */
  read(ref: Omit<RemoteRef, 'property'>, signal: AbortSignal): Promise<RemoteObject>;
  /** Every remote object that matches, whole. @throws ProviderError */
  getAll(find: FindRequest, signal: AbortSignal): Promise<ReadonlyMap<string, SecretValue>>;
  /** Live check of address and credentials; reads no secret. Resolves when usable. @throws ProviderError */
  validate(signal: AbortSignal): Promise<void>;
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
  /** A key of a Secret; `version` changes whenever the Secret does. */
  secretKey(ref: KeyReference, signal: AbortSignal): Promise<{ value: SecretValue; version: string }>;
  configMapKey(ref: KeyReference, signal: AbortSignal): Promise<{ value: string; version: string }>;
  /** A bound token of a ServiceAccount for these audiences (TokenRequest). */
  serviceAccountToken(
    request: { namespace: string; name: string; audiences: readonly string[]; expirationSeconds: number },
    signal: AbortSignal,
  ): Promise<{ token: SecretValue; expiresAt: number }>;
  /** The annotations of a ServiceAccount; clouds keep there which of their identities it stands for. */
  serviceAccountAnnotations(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>>;
}

/** An object a store depends on; the poller watches these. */
export interface StoreDependency {
  readonly kind: 'Secret' | 'ConfigMap' | 'ServiceAccount';
  readonly namespace: string;
  readonly name: string;
}

export interface Provider<Config> {
  /** The key in spec.provider. */
  readonly name: string;
  readonly schema: z.ZodType<Config>;
  /** What stands in status.capabilities of a store. */
  readonly capabilities: 'ReadOnly' | 'ReadWrite';

  /**
   * Rules beyond the schema, without I/O: exactly one auth method, URL forms, namespaces of references.
   * Paths are relative to the provider's block (['auth', 'kubernetes', 'role']).
   */
  validateConfig(config: Config, store: Pick<StoreContext, 'kind' | 'namespace'>): readonly Problem[];

  /** What is accepted, may surprise, and changes nothing here; said at admission. Paths as in validateConfig. */
  warnConfig?(config: Config): readonly Problem[];

  /** A short sentence if this remoteRef can never work with this store (no I/O), else undefined. */
  validateRef?(config: Config, ref: RemoteRef): string | undefined;

  /**
   * The remote object's unique name at its server (Vault namespace, mount and path; AWS ARN or name):
   * policy matches it and reads are deduplicated by it. Not the property, not the version.
   */
  canonicalKey(config: Config, ref: Pick<RemoteRef, 'key'>): string;

  /**
   * What tells two uses of a store apart: server, credentials, and for references without a namespace the
   * caller's namespace. Equal strings may share logins and values. No secret is in it.
   */
  identity(config: Config, store: StoreContext): string;

  /** The objects that a connection reads from the cluster, for watches and messages. */
  dependencies(config: Config, store: StoreContext): readonly StoreDependency[];

  /** True if the store can be checked without an ExternalSecret (no reference depends on the caller). */
  canValidate(config: Config, store: StoreContext): boolean;

  /** Reads credentials through the ports, logs in unless a session is alive. @throws ProviderError */
  connect(
    config: Config,
    store: StoreContext,
    ports: ProviderPorts,
    signal: AbortSignal,
  ): Promise<Connection>;
}
