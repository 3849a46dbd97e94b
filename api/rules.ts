/**
 * The one catalogue of validation rules. Every problem that admission, `esa` and the engine find with an object
 * names the rule that it breaks; docs/rules.md is generated from here (`make generate`). Ids are stable: metrics
 * and audit logs hold them.
 */

/** A machine-readable reason, as in the causes of the API server's own refusals (metav1.CauseType). */
export type ProblemReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueNotSupported';

interface Rule {
  /** What it demands, one sentence. */
  readonly demand: string;
  /** Kinds of objects that it is about. */
  readonly kinds: readonly string[];
  readonly reason: ProblemReason;
  /** True if it never refuses: breaking it is admitted with a warning. */
  readonly warns?: true;
}

const because =
  (reason: ProblemReason) =>
  (kinds: readonly string[], demand: string): Rule => ({ demand, kinds, reason });

const required = because('FieldValueRequired');
const invalid = because('FieldValueInvalid');
const duplicate = because('FieldValueDuplicate');
const forbidden = because('FieldValueForbidden');
const unsupported = because('FieldValueNotSupported');
const onlyWarns = (rule: Rule): Rule => ({ ...rule, warns: true });

const ES = ['ExternalSecret'];
const CES = ['ClusterExternalSecret'];
const STORE = ['SecretStore', 'ClusterSecretStore'];
/** What holds for a block of vault holds wherever it stands. */
const VAULT = [...STORE, 'VaultDynamicSecret', 'ClusterGenerator'];
const DYNAMIC = ['VaultDynamicSecret', 'ClusterGenerator'];
const SELECTS = [...CES, ...STORE];
const PASSWORD = ['Password', 'ClusterGenerator'];
const WEBHOOK = [...STORE, 'Webhook', 'ClusterGenerator'];
const GENERATOR = ['generators', 'ClusterGenerator'];
const AWS_GENERATORS = ['ECRAuthorizationToken', 'STSSessionToken'];
const STS_TOKEN = ['STSSessionToken', 'ClusterGenerator'];
const AWS = [...STORE, ...AWS_GENERATORS, 'ClusterGenerator'];
const GITHUB = ['GithubAccessToken', 'ClusterGenerator'];
const MFA = ['MFA', 'ClusterGenerator'];
const SSH = ['SSHKey', 'ClusterGenerator'];
const SECRET_READERS = ['GithubAccessToken', 'MFA', 'ClusterGenerator'];
const POLICY = ['ClusterSecretPolicy'];
const ANY = ['all'];
/** ExternalSecret of kubernetes-client.io. */
const KES = ['ExternalSecret (kubernetes-client.io)'];

export const RULES = {
  // Shapes; the API server words most of these itself, before it asks the webhook.
  'schema-unknown-field': forbidden(ANY, 'Every field is one that the kind has.'),
  'schema-required': required(ANY, 'Every field that the kind cannot do without is set.'),
  'schema-type': invalid(ANY, 'Every field is of the type that the kind gives it.'),
  'schema-enum': unsupported(ANY, 'A field with a list of values has one of them.'),
  'schema-format': invalid(ANY, 'A text, number or list has the form and the size that the kind asks for.'),

  'es-spec': required(ES, 'An ExternalSecret has a spec.'),
  'es-source': required(ES, '`data` or `dataFrom` lists at least one thing to fetch.'),
  'es-store': required(ES, '`secretStoreRef.name` names a store unless every entry names its own.'),
  'es-store-ref': required(ES, 'A `sourceRef.storeRef` names its store.'),
  'es-remote-key': required(ES, '`remoteRef.key` and `extract.key` name a remote secret.'),
  'es-secret-key-twice': duplicate(
    ES,
    'Each `secretKey` stands once in `data` (other deletion policies than Retain let the later one win).',
  ),
  'es-generator-in-data': unsupported(ES, 'Generators stand in `dataFrom`, not in `data`.'),
  'es-one-source': invalid(ES, 'An entry of `dataFrom` has one of extract, find and generatorRef.'),
  'es-entry-source': required(ES, 'An entry of `dataFrom` has extract, find or sourceRef.'),
  'es-store-ref-alone': required(ES, 'A `sourceRef.storeRef` in `dataFrom` stands beside extract or find.'),
  'es-find-regexp': invalid(ES, '`find.name.regexp` is a regular expression (RE2).'),
  'es-rewrite-regexp': invalid(ES, '`rewrite.regexp.source` is a regular expression (RE2).'),
  'es-regexps-size': invalid(ES, 'The regular expressions of one object are not too long together.'),
  'es-rewrite-merge-into': required(ES, '`rewrite.merge` with strategy JSON says `into` which key.'),
  'es-generator-kind': unsupported(ES, 'A `generatorRef` is of a kind that is supported.'),
  'es-generator-api-version': invalid(ES, 'The apiVersion of a `generatorRef` is that of its kind.'),
  'es-refresh-interval': invalid(ES, '`refreshInterval` is a duration.'),
  'es-window-schedule': invalid(ES, 'The schedule of a sync window is one of cron.'),
  'es-window-duration': invalid(ES, 'The duration of a sync window is longer than nothing.'),
  'es-delete-without-owner': invalid(ES, 'deletionPolicy Delete goes with a Secret that is owned.'),
  'es-merge-without-secret': invalid(ES, 'deletionPolicy Merge does not go with creationPolicy None.'),
  'es-orphan-delete': onlyWarns(invalid(ES, 'deletionPolicy Delete does not go with creationPolicy Orphan.')),
  'es-manifest': unsupported(ES, 'The target is a Secret; `target.manifest` is left out.'),
  'es-secret-type': forbidden(
    ES,
    'The type of the Secret is not one of those that are credentials of the cluster itself.',
  ),
  'es-token-annotations': forbidden(
    ES,
    'No template writes annotations onto a Secret of type service-account-token.',
  ),
  'es-template-target': invalid(ES, 'The target of a `templateFrom` is Data, Annotations or Labels.'),
  'es-template-from': required(ES, 'A `templateFrom` has configMap, secret or literal.'),
  'es-keep-generated': onlyWarns(
    invalid(ES, 'With the annotation keep-generated some generated value stands in the Secret as it is.'),
  ),
  'es-keep-leased': onlyWarns(
    unsupported(ES, 'The annotation keep-generated stands by values that can stay, not by leased ones.'),
  ),
  'es-require-sync': invalid(
    ES,
    'With the annotation require-sync the Secret can be made while the ExternalSecret is created.',
  ),

  // ExternalSecrets of kubernetes-external-secrets.
  'kes-spec': required(KES, 'An ExternalSecret has a spec.'),
  'kes-source': required(KES, 'One of `data`, `dataFrom` and `dataFromWithOptions` is set.'),
  'kes-backend': unsupported(KES, '`backendType` is one that is supported.'),
  'kes-entry-key': required(KES, 'An entry of `data` without path names a `key`.'),
  'kes-entry-name': required(KES, 'An entry of `data` without path has a `name`.'),
  'kes-secret-key': invalid(KES, '`name` can be a key of a Secret.'),
  'kes-property': invalid(KES, '`property` names a member.'),
  'kes-path': invalid(KES, '`path` begins with a slash.'),
  'kes-path-alone': invalid(KES, '`path` stands without key, name and property.'),
  'kes-path-backend': unsupported(KES, '`path` goes with backendType systemManager.'),
  'kes-key': invalid(KES, 'A key can be one at its backend.'),
  'kes-key-vault': required(KES, '`keyVaultName` goes with backendType azureKeyVault.'),
  'kes-key-vault-name': invalid(KES, '`keyVaultName` has the form of the name of a key vault.'),
  'kes-secret-type': forbidden(
    KES,
    'The type of the Secret is not one of those that are credentials of the cluster itself.',
  ),
  'kes-template': invalid(KES, 'The lodash templates in `template` are of the part that is supported.'),
  'kes-template-shape': invalid(
    KES,
    'What `template` merges into the Secret has the type that a Secret asks for.',
  ),
  'kes-template-key': invalid(KES, 'Keys in `template` can be keys of labels, annotations or data.'),
  'kes-template-value': invalid(
    KES,
    'Values in `template` without a template can be labels, and those of data are base64.',
  ),
  'kes-template-ignored': onlyWarns(
    unsupported(
      KES,
      '`template` has type, immutable, data, stringData, labels, annotations and finalizers only.',
    ),
  ),
  'kes-template-scalar': onlyWarns(invalid(KES, 'Labels and annotations in `template` are texts.')),
  'kes-unused-field': onlyWarns(unsupported(KES, 'Fields are those of the backendType.')),
  'kes-environment': onlyWarns(
    required(KES, 'The environment of the controller says what the backend needs beside the object.'),
  ),
  'kes-permission': forbidden(KES, 'The annotations of the namespace permit the keys and the role.'),

  'ces-spec': required(CES, 'A ClusterExternalSecret has a spec.'),
  'selector-label': invalid(SELECTS, 'Keys and values of a selector can be those of a label.'),
  'selector-operator': unsupported(SELECTS, 'The operator of a selector is one that there is.'),
  'selector-values': required(SELECTS, 'A selector with In or NotIn lists values.'),
  'selector-no-values': invalid(SELECTS, 'A selector with Exists or DoesNotExist lists no values.'),
  'ces-label': invalid(CES, '`externalSecretMetadata.labels` can be labels of an object.'),
  'ces-annotation': invalid(CES, '`externalSecretMetadata.annotations` can be annotations of an object.'),
  'ces-annotations-size': invalid(CES, 'The annotations fit into an object.'),
  'ces-refresh-time': invalid(CES, '`refreshTime` is a duration that is not negative.'),
  'ces-no-namespace': onlyWarns(required(CES, 'Some namespace is selected.')),

  'template-syntax': invalid(ES, 'A template can be parsed.'),
  'template-function': invalid(ES, 'A template calls functions that there are.'),
  'template-budget': invalid(ES, 'A template is small enough to be parsed.'),
  'template-arguments': invalid(ES, 'A function of a template has as many arguments as it takes.'),
  'template-key': invalid(ES, 'A template reads keys that are fetched.'),

  'store-spec': required(STORE, 'A store has a spec.'),
  'store-provider': required(STORE, '`spec.provider` names a provider.'),
  'store-one-provider': invalid(STORE, '`spec.provider` names one provider only.'),
  'store-provider-kind': unsupported(STORE, 'The provider is one that is supported.'),
  'store-refresh-interval': invalid(STORE, '`refreshInterval` is a duration that is not negative.'),
  'store-namespace-regexp': invalid(STORE, '`conditions.namespaceRegexes` are regular expressions (RE2).'),
  'store-own-conditions': onlyWarns(
    unsupported(['SecretStore'], 'A SecretStore has no `conditions`: it serves its own namespace alone.'),
  ),
  'store-retry-settings': onlyWarns(
    unsupported(STORE, '`retrySettings` are left out: when something is tried again is not up to the store.'),
  ),
  'store-max-in-flight': invalid(STORE, 'The annotation max-in-flight is a whole number from 1 to 32.'),
  'store-rate-limit': invalid(STORE, 'The annotation rate-limit is a whole number from 0 to 10000.'),
  'store-rate-burst': invalid(STORE, 'The annotation rate-burst is a whole number from 1 to 10000.'),
  'store-breaker-failures': invalid(
    STORE,
    'The annotation breaker-failures is a whole number from 1 to 1000.',
  ),
  'store-breaker-cool-down': invalid(
    STORE,
    'The annotation breaker-cool-down is a duration from 100ms to 5m.',
  ),
  'store-batch-reads': invalid(STORE, 'The annotation batch-reads is true or false.'),
  'store-batch-provider': onlyWarns(
    unsupported(STORE, 'The provider of a store with the annotation batch-reads can be asked for batches.'),
  ),
  'store-regexps-size': invalid(STORE, 'The regular expressions of one object are not too long together.'),
  'store-ref-name': required(STORE, 'A reference to an object of the cluster names it.'),
  'store-ref-name-format': invalid(STORE, 'The name in a reference can be the name of an object.'),
  'store-ref-key': required(STORE, 'A reference to a Secret or ConfigMap names the key.'),
  'store-ref-namespace': required(
    ['ClusterSecretStore'],
    'The reference to the CA of a ClusterSecretStore names its namespace.',
  ),
  'store-ref-namespace-format': invalid(STORE, 'The namespace in a reference can be the name of one.'),
  'store-ref-own-namespace': forbidden(
    ['SecretStore'],
    'References of a SecretStore stay in its own namespace.',
  ),
  'store-server-url': invalid(STORE, 'The URL of the server is one that can be asked.'),
  'store-ca-bundle': invalid(STORE, '`caBundle` holds certificates as PEM.'),

  'vault-server-url': invalid(VAULT, '`server` is a URL.'),
  'vault-server-scheme': invalid(VAULT, '`server` begins with https or http.'),
  'vault-server-credentials': invalid(VAULT, '`server` holds no user name and no password.'),
  'vault-server-query': invalid(VAULT, '`server` has no query and no fragment.'),
  'vault-server-address': invalid(VAULT, '`server` is not an address that is never connected to.'),
  'vault-server-port': invalid(VAULT, 'The port of `server` is one that there can be.'),
  'vault-path': invalid(VAULT, '`path` is a path without empty, `.` or `..` segments.'),
  'vault-namespace': invalid(VAULT, 'A namespace of Vault is a path that can stand in a header.'),
  'vault-check-and-set': invalid(VAULT, '`checkAndSet.required` goes with version 2 of the KV engine.'),
  'vault-auth': required(VAULT, '`auth` has a method.'),
  'vault-one-auth': invalid(VAULT, '`auth` has one method only.'),
  'vault-auth-kind': unsupported(
    VAULT,
    'The auth method, and where its credentials come from, is one that is supported.',
  ),
  'vault-role': required(VAULT, 'An auth method that needs a role names it.'),
  'vault-auth-mount': invalid(
    VAULT,
    'The mount of the auth method is a path without empty, `.` or `..` segments.',
  ),
  'vault-kubernetes-token': required(
    VAULT,
    '`auth.kubernetes` has serviceAccountRef or secretRef to take the token from.',
  ),
  'vault-role-id': required(VAULT, '`auth.appRole` has roleId or roleRef.'),
  'vault-username': invalid(VAULT, '`username` of ldap and userPass is a name without a slash.'),
  'vault-password': required(VAULT, '`auth.ldap` and `auth.userPass` have the Secret with the password.'),
  'vault-jwt-token': required(VAULT, '`auth.jwt` has secretRef or kubernetesServiceAccountToken.'),
  'vault-jwt-life': invalid(VAULT, 'A requested token lives as long as the API server allows.'),
  'vault-cert': required(VAULT, '`auth.cert` has both the certificate and the key.'),
  'vault-cert-tls': invalid(VAULT, 'A login by certificate goes to a server with https.'),
  'vault-iam-role': invalid(VAULT, '`auth.iam.role` is the ARN of a role.'),
  'vault-iam-region': invalid(VAULT, '`auth.iam.region` has the form of the name of a region.'),
  'vault-iam-server-id': invalid(VAULT, '`auth.iam.vaultAwsIamServerID` can stand in a header.'),
  'vault-iam-credentials': required(
    ['SecretStore'],
    '`auth.iam` of a SecretStore has jwt.serviceAccountRef or secretRef.',
  ),
  'vault-iam-keys': required(VAULT, '`auth.iam.secretRef` has both keys.'),
  'vault-gcp-key': required(VAULT, '`auth.gcp` has the key of a service account.'),
  'vault-gcp-unused': onlyWarns(
    unsupported(VAULT, '`auth.gcp` with a key has neither projectID nor location, which change nothing.'),
  ),
  'vault-ca-bundle': invalid(VAULT, '`caBundle` holds certificates as PEM.'),
  'vault-client-certificate': required(VAULT, '`tls` has both the certificate and the key.'),
  'vault-own-header': forbidden(VAULT, '`headers` does not set what has a field of its own.'),
  'vault-header': invalid(VAULT, 'Names and values in `headers` can stand in HTTP.'),

  'aws-service': unsupported(STORE, '`service` is one that is supported.'),
  'aws-region': invalid(AWS, '`region` has the form of the name of a region.'),
  'aws-region-unknown': onlyWarns(invalid(STORE, '`region` is one of the regions known here.')),
  'aws-secret-ref-outranked': onlyWarns(
    invalid(STORE, '`auth.secretRef` does not stand beside a ServiceAccount, which outranks it.'),
  ),
  'aws-deletion': invalid(STORE, 'forceDeleteWithoutRecovery and recoveryWindowInDays are not both set.'),
  'aws-recovery-window': invalid(STORE, '`recoveryWindowInDays` is 7 to 30.'),
  'aws-push-only': onlyWarns(
    unsupported(STORE, '`secretsManager` is left out: only pushing secrets uses it, which is not done here.'),
  ),
  'aws-auth-spelling': invalid(
    STORE,
    '`auth.serviceAccount` and `auth.jwt.serviceAccountRef` do not contradict each other.',
  ),
  'aws-auth': required(['SecretStore'], 'A SecretStore brings its own credentials.'),
  'aws-static-keys': required(AWS, '`auth.secretRef` names both the key id and the key.'),
  'aws-role': invalid(AWS, '`role` and `additionalRoles` are ARNs of roles.'),
  'aws-endpoint': invalid(STORE, 'The annotations aws-endpoint and aws-sts-endpoint are URLs of servers.'),

  'kubernetes-auth': required(STORE, '`auth` or `authRef` says whose credentials are used.'),
  'kubernetes-one-auth': invalid(STORE, '`authRef` does not stand beside `auth` or `server`.'),
  'kubernetes-client-certificate': required(STORE, '`auth.cert` has both the certificate and the key.'),
  'kubernetes-token': required(STORE, '`auth.token` names the Secret that holds the token.'),
  'kubernetes-ca': onlyWarns(required(STORE, 'The CA of a foreign API server is named.')),
  'kubernetes-audiences': onlyWarns(
    required(STORE, 'The token for a foreign API server is requested for audiences of its own.'),
  ),

  'webhook-url': invalid(WEBHOOK, '`url` begins with https or http and a server that can be asked.'),
  'webhook-url-host': forbidden(WEBHOOK, 'The host in `url` does not depend on `remoteRef`.'),
  'webhook-method': invalid(WEBHOOK, '`method` is a method of HTTP that fetches something.'),
  'webhook-header': invalid(WEBHOOK, '`headers` has names of headers that are not those of the connection.'),
  'webhook-timeout': invalid(WEBHOOK, '`timeout` is a duration longer than nothing.'),
  'webhook-template': invalid(
    WEBHOOK,
    'Templates can be parsed, call quick functions that there are, and read `remoteRef` and the Secrets of `secrets`.',
  ),
  'webhook-json-path': invalid(WEBHOOK, '`result.jsonPath` is a JSONPath.'),
  'webhook-secret-name': invalid(WEBHOOK, 'Each of `secrets` has a name of its own.'),
  'webhook-ntlm': unsupported(WEBHOOK, '`auth.ntlm` is left out.'),

  'gcp-project': required(STORE, '`projectID` names the project of the secrets.'),
  'gcp-project-form': invalid(STORE, '`projectID` has the form of the id of a project.'),
  'gcp-location': invalid(STORE, '`location` has the form of the name of a location.'),
  'gcp-one-auth': invalid(STORE, '`auth` of gcpsm has one method only.'),
  'gcp-auth': required(['SecretStore'], 'A SecretStore of gcpsm brings its own credentials.'),
  'gcp-key': required(STORE, '`auth.secretRef` names the JSON key of a service account.'),
  'gcp-cluster': required(STORE, '`auth.workloadIdentity` names the cluster and its location.'),
  'gcp-federation-source': invalid(
    STORE,
    '`auth.workloadIdentityFederation` has one of serviceAccountRef and awsSecurityCredentials.',
  ),
  'gcp-cred-config': unsupported(STORE, 'A federation is not configured by a ConfigMap or an endpoint.'),
  'gcp-audience': required(STORE, '`auth.workloadIdentityFederation` names its audience.'),
  'gcp-audience-form': invalid(STORE, 'The audience is the full name of the provider in a pool.'),
  'gcp-aws-region': invalid(STORE, 'The region of `awsSecurityCredentials` has the form of one.'),
  'gcp-service-account': invalid(
    STORE,
    '`gcpServiceAccountEmail` is the e-mail address of a service account.',
  ),

  'azure-vault-url': invalid(STORE, '`vaultUrl` is the URL of a vault, with https.'),
  'azure-vault-address': invalid(STORE, '`vaultUrl` is not an address that is never connected to.'),
  'azure-vault-host': onlyWarns(invalid(STORE, '`vaultUrl` is in the cloud that `environmentType` names.')),
  'azure-custom-cloud': unsupported(STORE, '`environmentType` is one of the clouds that Microsoft runs.'),
  'azure-tenant': required(STORE, '`tenantId` names the tenant of a service principal.'),
  'azure-tenant-form': invalid(STORE, '`tenantId` has the form of an id or a domain.'),
  'azure-client-id': required(STORE, '`authSecretRef` names the client id.'),
  'azure-credential': required(STORE, '`authSecretRef` has a client secret or certificate.'),
  'azure-one-credential': invalid(STORE, '`authSecretRef` has one of client secret and certificate.'),
  'azure-auth': required(['SecretStore'], 'A SecretStore of azurekv brings its own credentials.'),
  'azure-unused': onlyWarns(
    unsupported(STORE, 'Fields of azurekv that its authType does not use are left out.'),
  ),

  'fake-key': required(STORE, 'An entry of the fake provider has a key.'),
  'fake-value': required(STORE, 'An entry of the fake provider has a value.'),
  'fake-store': onlyWarns(invalid(STORE, 'The provider is one for use; fake is for tests.')),

  'generator-kind': onlyWarns(unsupported(GENERATOR, 'The generator is of a kind that is supported.')),
  'generator-member': required(
    ['ClusterGenerator', 'SecretGenerator'],
    'A ClusterGenerator holds the member that its kind names.',
  ),
  'generator-aws-auth': required(AWS_GENERATORS, 'A generator of a namespace brings its own credentials.'),
  'generator-sts-user': invalid(
    STS_TOKEN,
    'The credentials are keys of an IAM user: no role, no ServiceAccount, no session token.',
  ),
  'generator-sts-duration': invalid(STS_TOKEN, '`sessionDuration` is one that AWS takes.'),
  'generator-sts-mfa': required(STS_TOKEN, '`serialNumber` and `tokenCode` are both set, or neither is.'),
  'generator-ref-name': required(SECRET_READERS, 'A reference of a generator to a Secret names it.'),
  'generator-ref-key': required(SECRET_READERS, 'A reference of a generator to a Secret names the key.'),
  'generator-github-url': invalid(GITHUB, '`url` is a URL with https, of a server that may be asked.'),
  'generator-github-id': invalid(GITHUB, '`appID` and `installID` are ids of GitHub.'),
  'generator-github-repository': invalid(GITHUB, '`repositories` are names without their owner.'),
  'generator-mfa-length': invalid(MFA, '`length` is at most 10.'),
  'generator-mfa-period': invalid(MFA, '`timePeriod` is at most a day.'),
  'generator-mfa-algorithm': unsupported(MFA, '`algorithm` is sha1, sha256 or sha512.'),
  'generator-mfa-when': invalid(MFA, '`when` is a time.'),
  'generator-ssh-size': invalid(SSH, '`keySize` is one that keys of the type have.'),
  'generator-ssh-comment': invalid(SSH, '`comment` is one line.'),
  'generator-password-negative': invalid(PASSWORD, '`digits` and `symbols` are not negative.'),
  'generator-password-length': invalid(PASSWORD, 'The digits and symbols fit into the length.'),
  'generator-password-repeats': invalid(
    PASSWORD,
    'Without repeats no more characters are asked for than there are.',
  ),
  'generator-password-size': invalid(
    PASSWORD,
    'The passwords of one object are of a reasonable length together.',
  ),
  'generator-password-key': invalid(PASSWORD, 'Each of `secretKeys` says something.'),
  'generator-vault-path': invalid(DYNAMIC, '`path` is a path without empty, `.` or `..` segments.'),
  'generator-vault-method': unsupported(DYNAMIC, '`method` is one that Vault has.'),
  'generator-vault-parameters': invalid(DYNAMIC, 'Parameters are those that the method sends.'),
  'generator-vault-retries': invalid(DYNAMIC, '`retrySettings` leave a sync its time.'),
  'generator-password-key-twice': duplicate(PASSWORD, 'Each of `secretKeys` stands there once.'),

  'policy-selector-values': required(POLICY, 'A selector with In or NotIn lists values.'),
  'policy-selector-no-values': invalid(POLICY, 'A selector with Exists or DoesNotExist lists no values.'),
  'policy-store-glob': invalid(POLICY, 'The name in `stores` holds no wildcards but `*` and `**`.'),
  'policy-provider': unsupported(POLICY, '`providers` lists providers that there are.'),
  'policy-key-glob': invalid(
    POLICY,
    'A glob in `keys` holds no wildcards but `*`, `**` and `{{namespace}}`.',
  ),
  'policy-key-regexp': invalid(POLICY, 'A regexp in `keys` is a regular expression (RE2).'),
  'policy-host-url': invalid(POLICY, 'The host in `servers` is no URL.'),
  'policy-host-port': invalid(POLICY, 'The host in `servers` has no port.'),
  'policy-host-glob': invalid(POLICY, 'The host in `servers` holds no wildcards but `*` and `**`.'),
  'policy-network': invalid(POLICY, 'The network in `servers` is one in CIDR notation.'),
  'policy-minimum': invalid(POLICY, '`refreshInterval.minimum` is a duration.'),
  'policy-secret-type': forbidden(POLICY, '`secretTypes` lists no type that is never written.'),
  'policy-template-function': invalid(POLICY, '`forbiddenTemplateFunctions` lists functions that there are.'),

  // What a ClusterSecretPolicy does not allow; one for each of its rules.
  'policy-allows-stores': forbidden(ES, 'The stores are among those that policies allow.'),
  'policy-allows-providers': forbidden(
    [...ES, 'SecretStore'],
    'The providers are among those that policies allow.',
  ),
  'policy-allows-keys': forbidden(ES, 'The remote keys are among those that policies allow.'),
  'policy-allows-servers': forbidden(
    [...ES, 'SecretStore'],
    'The servers are among those that policies allow.',
  ),
  'policy-allows-refresh-interval': forbidden(ES, '`refreshInterval` is as long as policies ask for.'),
  'policy-allows-creation-policies': forbidden(ES, 'creationPolicy is among those that policies allow.'),
  'policy-allows-deletion-policies': forbidden(ES, 'deletionPolicy is among those that policies allow.'),
  'policy-allows-secret-types': forbidden(ES, 'The type of the Secret is among those that policies allow.'),
  'policy-allows-required-labels': forbidden(ES, 'The labels that policies ask for are set.'),
  'policy-allows-maximum-keys': forbidden(ES, 'There are no more keys than policies allow.'),
  'policy-allows-forbidden-template-functions': forbidden(
    ES,
    'Templates call no function that policies forbid.',
  ),
  'policy-allows-namespace': forbidden(
    [...ES, 'SecretStore'],
    'With --policy-default=deny some policy is about the namespace.',
  ),

  'caller-creates-secrets': forbidden(
    ES,
    'With --authorize-callers the caller may create Secrets in the namespace.',
  ),
  'caller-uses-store': forbidden(
    ES,
    'With --authorize-callers the caller may use the ClusterSecretStores that are named.',
  ),
} satisfies Readonly<Record<string, Rule>>;

export type RuleId = keyof typeof RULES;
