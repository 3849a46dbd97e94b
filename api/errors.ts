/**
 * The one catalogue of errors. Every failure that crosses a room carries a stable `code` from here;
 * docs/errors.md is generated from it (`make generate`), so each code has a meaning and a remedy.
 */

interface CatalogueEntry {
  /** What happened, one sentence. */
  readonly meaning: string;
  /** What the reader of the message should do. */
  readonly remedy: string;
}

export const ERROR_CATALOGUE = {
  // Remote systems: the closed union that every provider speaks.
  PROVIDER_NOT_FOUND: {
    meaning: 'The provider says with authority that the secret (or this version of it) does not exist.',
    remedy:
      'Create the secret at the provider or correct remoteRef.key, remoteRef.version or the mount path.',
  },
  PROVIDER_PROPERTY_NOT_FOUND: {
    meaning: 'The remote secret exists, but it has no such property.',
    remedy: 'Correct remoteRef.property, or add the property to the remote secret.',
  },
  PROVIDER_DENIED: {
    meaning: 'The provider knows who asks and refuses.',
    remedy: 'Grant the identity of the store read access to this key.',
  },
  PROVIDER_UNAUTHENTICATED: {
    meaning: 'The credentials of the store were refused.',
    remedy: 'Check the auth block of the store and the Secret or ServiceAccount that it names.',
  },
  PROVIDER_THROTTLED: {
    meaning: 'The provider asks us to slow down.',
    remedy: 'Nothing at once: it is retried. Lengthen refreshInterval or raise the quota if it persists.',
  },
  PROVIDER_UNREACHABLE: {
    meaning: 'No connection to the provider (name, network, TLS), or it says that it cannot serve now.',
    remedy: 'Check the address of the store, the network path, the CA, and whether the provider is up.',
  },
  PROVIDER_TIMEOUT: {
    meaning: 'The provider did not answer in time.',
    remedy: 'Check the load and the network path of the provider; it is retried.',
  },
  PROVIDER_INVALID_RESPONSE: {
    meaning: 'The provider answered with something that cannot be used.',
    remedy: 'Check that the store points at the right kind of server, mount and engine version.',
  },
  PROVIDER_INVALID_CONFIG: {
    meaning: 'The store, or what it refers to, cannot work as configured.',
    remedy: 'Correct the named field of the store, or the object that it refers to.',
  },
  // Objects of the cluster.
  STORE_NOT_FOUND: {
    meaning: 'The referenced SecretStore or ClusterSecretStore does not exist.',
    remedy: 'Create the store, or correct secretStoreRef (kind defaults to SecretStore).',
  },
  STORE_NOT_READY: {
    meaning: 'The store exists, but its last validation failed.',
    remedy: 'See the Ready condition and the events of the store.',
  },
  STORE_UNAVAILABLE: {
    meaning:
      'The store failed several times in a row, or asked for a pause, and is left alone for a moment; the message holds what it said last.',
    remedy:
      'Nothing at once: it is asked again within two seconds, or when the pause is over. See why the provider fails.',
  },
  STORE_BUSY: {
    meaning: 'Too many wait for an answer of this provider already, and it answers nobody.',
    remedy: 'Nothing at once: the poller makes the Secret. Check the load of the provider.',
  },
  STORE_NOT_ALLOWED: {
    meaning: 'The ClusterSecretStore is not offered to this namespace.',
    remedy: 'Ask the owner of the store to add the namespace to spec.conditions.',
  },
  KIND_NOT_SERVED: {
    meaning:
      'The object is of a kind that this installation was told not to use: ClusterSecretStores, or ClusterGenerators.',
    remedy:
      'Use a SecretStore or a generator of the namespace, or start both programs with --process-cluster-store=true or --process-cluster-generator=true.',
  },
  STORE_OTHER_CLASS: {
    meaning: 'The store or generator belongs to another controller class.',
    remedy: 'Use one of this class, or start the controller with that class.',
  },
  POLICY_DENIED: {
    meaning:
      'A ClusterSecretPolicy of an administrator, or with kubernetes-client.io an annotation of the namespace, does not allow what the ExternalSecret asks for.',
    remedy:
      'Follow the message, which names the policy, its rule and what it allows, or ask for another policy.',
  },
  REFERENCE_FORBIDDEN: {
    meaning: 'An object of one namespace refers to an object of another one.',
    remedy: 'Leave the namespace empty, or use a ClusterSecretStore.',
  },
  REFERENCE_NOT_FOUND: {
    meaning: 'A Secret, ConfigMap, ServiceAccount, generator or key that an object refers to does not exist.',
    remedy: 'Create it, or correct the reference.',
  },
  INVALID_OBJECT: {
    meaning: 'The object breaks a rule that no change outside of it can heal.',
    remedy: 'Correct the named fields.',
  },
  INVALID_KEYS: {
    meaning: 'The provider returned keys that a Secret cannot have, or two that become one.',
    remedy: 'Use conversionStrategy, or pick the keys one by one with spec.data.',
  },
  INVALID_VALUE: {
    meaning:
      'A value that the provider returned cannot be decoded as asked, or holds bytes that it must not.',
    remedy: 'Correct decodingStrategy or nullBytePolicy of the entry, or the value at the provider.',
  },
  REWRITE: {
    meaning: 'A step of dataFrom[].rewrite cannot be applied to what the provider returned.',
    remedy: 'Correct the step, or the secrets that it merges; each has to be a JSON object.',
  },
  TARGET_UNMANAGED: {
    meaning: 'A Secret of the target name exists and belongs to nobody.',
    remedy:
      'Choose another target.name, delete the Secret, or annotate it with external-secrets-admission.io/adopt: "true".',
  },
  TARGET_OWNED: {
    meaning: 'The target Secret belongs to another owner.',
    remedy: 'Choose another target.name.',
  },
  TARGET_IMMUTABLE: {
    meaning: 'The target Secret is immutable and its data would have to change.',
    remedy: 'Delete the Secret; it is made anew.',
  },
  SECRET_TYPE_FORBIDDEN: {
    meaning: 'Secrets of this type give credentials for the cluster itself and are never written.',
    remedy: 'Use another type.',
  },
  // Templates.
  TEMPLATE_PARSE: {
    meaning:
      'A template of the object is not written as its language wants it: Go text/template, or lodash in objects of kubernetes-client.io.',
    remedy: 'Correct the template at the line and column that the message names.',
  },
  TEMPLATE_RESULT: {
    meaning: 'What a template made cannot stand in a Secret: a key, a label or the name of an annotation.',
    remedy:
      'Correct the template: keys have -._a-zA-Z0-9 only, labels at most 63 of them, names are prefix/name.',
  },
  TEMPLATE_EXEC: {
    meaning: 'A template failed while it was rendered with the values of the provider.',
    remedy:
      'See the position and the cause in the message: a missing key, a wrong type or a value that cannot be converted.',
  },
  TEMPLATE_BUDGET: {
    meaning: 'A template wants more steps, depth, memory or output than one may have.',
    remedy: 'Make the template smaller: bound its loops, its recursion and the length of what it repeats.',
  },
  // Transport to the API server.
  KUBE_API: {
    meaning: 'The API server refused a request or failed to answer it.',
    remedy: 'See the status and reason in the message; check RBAC, quota and the health of the API server.',
  },
  // Our own programs.
  CONFIGURATION: {
    meaning: 'A flag, an environment variable or a file of the program is wrong.',
    remedy: 'Correct the named setting.',
  },
  CERTIFICATE: {
    meaning: 'The serving certificate could not be made, stored or injected.',
    remedy:
      'Check the RBAC of the webhook on its Secret, its Lease, the webhook configurations and the CRDs.',
  },
  DEADLINE: {
    meaning: 'The time for this piece of work was over.',
    remedy: 'It is tried again by the poller; look for slow providers in the metrics.',
  },
  OVERLOADED: {
    meaning: 'The webhook has as many creates in hand as it can serve.',
    remedy: 'Nothing at once: the poller makes the Secret. Run more replicas of the webhook if it persists.',
  },
  INTERNAL: {
    meaning: 'A defect of this program.',
    remedy: 'Report it with the message and the version.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/**
 * Base of every error of this project. `message` says what, where, why and never holds a value
 * of a secret, a token, or the body of an answer. `cause` is for the log's code and class only.
 */
export class EsaError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EsaError';
    this.code = code;
  }
}

/** Narrows anything thrown to an EsaError; what is not ours becomes INTERNAL without its message. */
export function toEsaError(thrown: unknown): EsaError {
  if (thrown instanceof EsaError) return thrown;
  const kind = thrown instanceof Error ? thrown.name : typeof thrown;
  return new EsaError('INTERNAL', `unexpected ${kind}`, { cause: thrown });
}
