/**
 * Which entry of the catalogue of errors a message of a condition belongs to. A condition holds no code, as ESO's holds
 * none; its text is ours, and code-of.test.ts holds these patterns against what the engine and the providers say.
 */
import type { ErrorCode } from '../../api/errors.ts';

/** The first that matches counts. */
const PATTERNS: readonly (readonly [ErrorCode, RegExp])[] = [
  [
    'POLICY_DENIED',
    /\bdenied by (policy "|--policy-default)|policy "[^"]*", rule |^not allowed to fetch secret: /,
  ],
  [
    'CONFIGURATION',
    /(is|are) not set for this controller|neither spec\.\w+ nor [A-Z_]+ is set|^GOOGLE_APPLICATION_CREDENTIALS names /,
  ],
  ['TARGET_IMMUTABLE', /target is immutable/],
  ['TARGET_UNMANAGED', /exists and belongs to nobody/],
  ['TARGET_OWNED', /target is owned by another ExternalSecret|failed to take ownership of target secret/],
  ['KIND_NOT_SERVED', /: no Cluster(SecretStore|Generator)s are served here/],
  ['STORE_NOT_FOUND', /could not get (Cluster)?SecretStore "/],
  ['STORE_NOT_ALLOWED', /using cluster store "[^"]*" is not allowed/],
  ['STORE_OTHER_CLASS', /belongs to controller class "/],
  ['STORE_BUSY', /no request to .* was possible in time/],
  [
    'REFERENCE_NOT_FOUND',
    /cannot get Kubernetes (secret|configmap) "|\b(Secret|ConfigMap) \S+ has no key "|ServiceAccount \S+ not found|external-secrets\.io "[^"]*" not found|(secrets|configmaps) "[^"]*" not found in namespace/,
  ],
  ['SECRET_TYPE_FORBIDDEN', /Secrets of type \S+ are never written/],
  ['REWRITE', /\bmerge failed with |\b(regexp|transform) failed with /],
  ['INVALID_KEYS', /secret name collision|invalid secret key |the key ".*" is longer than/],
  ['INVALID_VALUE', /error applying decoding strategy|contains a null byte/],
  [
    'TEMPLATE_BUDGET',
    /the templates (need|took) |transform failed: |\btemplate: .*(more than|deeper than|too many|too deep|limit)/,
  ],
  ['TEMPLATE_RESULT', /is not valid after rendering|the result is not base64/],
  ['TEMPLATE_EXEC', /\btemplate: .*: executing |\bspec\.target\.template\b.*(line \d+|error calling)/],
  [
    'KUBE_API',
    /: \d{3} (Forbidden|Conflict|Invalid|InternalError|TooManyRequests|ServiceUnavailable|RequestEntityTooLarge)\b|the API server did not answer|no answer from the API server/,
  ],
  [
    'PROVIDER_PROPERTY_NOT_FOUND',
    /key "(?:[^"\\]|\\.)*" does not exist in secret |cannot find secret data for key: |has no property "|^Could not find property |property "(?:[^"\\]|\\.)*" does not exist/,
  ],
  ['PROVIDER_THROTTLED', /too many requests/],
  [
    'PROVIDER_TIMEOUT',
    /: no answer (within|before)|no connection within|gave up waiting|the request was cancelled/,
  ],
  [
    'PROVIDER_UNREACHABLE',
    /connection refused|the connection was|cannot be resolved|no route to|address is not available|: TLS: |cannot serve now|(server|service|agent) failed|not initialised|cannot answer now|the request failed|still being set up|endpoint gave error 5|cannot reach the issuer/,
  ],
  [
    'PROVIDER_UNAUTHENTICATED',
    /login was refused|credentials (were refused|have expired)|token (of the ServiceAccount )?was refused|signature (was refused|has expired)|carried no credentials/,
  ],
  [
    'PROVIDER_DENIED',
    /denied \(403\)|PERMISSION_DENIED|: (AccessDenied|NotAuthorized|UnauthorizedOperation)\b|is not allowed to|KMS key cannot be used|is not subscribed/,
  ],
  [
    'PROVIDER_NOT_FOUND',
    /: no such (secret|parameter)\b|fake secret ".*" does not exist|(latest version|version \S+) is (deleted|destroyed)/,
  ],
  [
    'PROVIDER_INVALID_RESPONSE',
    /the answer |redirect|unexpected (status|answer)|not found \(404\), but|does not answer as HTTP|endpoint gave error|failed to get response|endpoint does not know|could not decrypt|\(status \d+\)/,
  ],
  [
    'PROVIDER_INVALID_CONFIG',
    /refused \(|no engine is mounted|nothing is served at this path|\bKV\b.*engine|session tags|not active in this region|has no such version|must not be contacted|store says validationResult/,
  ],
];

/** @returns undefined if the text tells nothing */
export function codeOf(message: string): ErrorCode | undefined {
  return PATTERNS.find(([, pattern]) => pattern.test(message))?.[0];
}
