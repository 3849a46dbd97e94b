/**
 * Everything that `esa doctor` can find. docs/doctor.md is generated from it (`make generate`), so each finding has a
 * meaning and a remedy; the ids are stable, scripts may go by them.
 */

export type Severity = 'error' | 'warning' | 'note';

interface CatalogueEntry {
  readonly severity: Severity;
  /** What is wrong, in general. */
  readonly meaning: string;
  /** What follows from it. */
  readonly why: string;
  /** What to do about it, a sentence; commands for the very case come with the finding. */
  readonly remedy: string;
}

export const FINDINGS = {
  // CustomResourceDefinitions.
  'crd-missing': {
    severity: 'error',
    meaning: 'The CustomResourceDefinition of a kind is not installed.',
    why: 'The API server does not know the kind, and the programs cannot watch it.',
    remedy: 'Install the CRDs of this version.',
  },
  'crd-outdated': {
    severity: 'warning',
    meaning: 'A CRD lacks versions or fields that this version of esa knows.',
    why: 'What the CRD does not know is dropped without a word before anybody sees it.',
    remedy: 'Apply the CRDs of this version; they come before the programs in every upgrade.',
  },
  'crd-terminating': {
    severity: 'error',
    meaning: 'A CRD is being deleted, and with it every object of its kind.',
    why: 'The Secrets of ExternalSecrets that are deleted go, too.',
    remedy:
      'A deletion cannot be taken back. Save the objects now (kubectl get -o yaml), then let it end and install the CRDs anew.',
  },
  'crd-stored-versions': {
    severity: 'warning',
    meaning: 'Objects may be stored in an old version still.',
    why: 'Such objects cannot be read when the conversion is not there, and the version cannot be dropped from the CRD.',
    remedy: 'Write each object once, then say so in the status of the CRD.',
  },
  'crd-conversion-none': {
    severity: 'error',
    meaning: 'A CRD serves old versions, but nobody converts them.',
    why: 'Objects of old versions lose what the newest one calls by another name.',
    remedy: 'Apply the CRDs of this version: there the webhook converts.',
  },
  'crd-conversion-elsewhere': {
    severity: 'error',
    meaning: 'A CRD is converted by another Service than ours.',
    why: 'Reading and writing old versions depends on a webhook of somebody else, or of nobody.',
    remedy: 'Apply the CRDs of this version, which name our Service.',
  },
  'crd-unprotected': {
    severity: 'error',
    meaning: 'A CRD belongs to a Helm release that does not keep it.',
    why: '`helm uninstall` of that release deletes the CRD, with it every object of its kind, and with those their Secrets.',
    remedy:
      'Have the release keep its CRDs before anybody uninstalls it. Helm goes by the manifest that is stored in the release: an annotation on the live CRD alone protects nothing.',
  },
  // Admission.
  'webhook-configuration-missing': {
    severity: 'error',
    meaning: 'A webhook configuration of ours is not registered, or lacks a hook.',
    why: 'Objects are not checked when they are applied, or Secrets are not there when a create returns.',
    remedy: 'Apply the manifests of this version.',
  },
  'webhook-configuration-edited': {
    severity: 'warning',
    meaning: 'A webhook configuration is not as it is shipped.',
    why: 'Some objects are not checked, or a webhook that is down holds up or lets through what it should not.',
    remedy: 'Apply the manifests of this version, unless it is meant so.',
  },
  'webhook-duplicate': {
    severity: 'warning',
    meaning: 'A second webhook configuration calls our Service.',
    why: 'Objects are reviewed twice, and nobody keeps its CA up to date: when that changes, creates are refused.',
    remedy: 'Delete the one that is left over from another installation.',
  },
  'webhook-service': {
    severity: 'error',
    meaning:
      'The Service of the webhook is missing, has another port than the one that is called, or selects no Pod.',
    why: 'The API server cannot reach the webhook: creates and changes of our kinds are refused.',
    remedy: 'Apply the manifests of this version.',
  },
  'webhook-endpoints': {
    severity: 'error',
    meaning: 'The Service of the webhook has no ready endpoint.',
    why: 'The API server cannot reach the webhook: creates and changes of our kinds are refused.',
    remedy: 'Find out why no Pod of the webhook is ready.',
  },
  'webhook-unreachable': {
    severity: 'error',
    meaning: 'The API server got no answer from the webhook, or does not trust it (tried with a dry run).',
    why: 'Creates and changes of our kinds are refused; old versions cannot be read.',
    remedy: 'Follow the words of the API server; see whether the webhook runs, and what its log says.',
  },
  'webhook-not-asked': {
    severity: 'error',
    meaning: 'An ExternalSecret that our webhook refuses was let through (a dry run).',
    why: 'Nothing is checked at admission in that namespace.',
    remedy: 'Apply the manifests of this version; see whether the namespace is excluded.',
  },
  'webhook-refuses': {
    severity: 'warning',
    meaning: 'A sound ExternalSecret was refused by somebody else than this program (a dry run).',
    why: 'Users cannot create ExternalSecrets in that namespace.',
    remedy: 'See who refuses; the message names the webhook, quota or policy.',
  },
  // Certificates and keys.
  'ca-missing': {
    severity: 'error',
    meaning: 'The Secret with the CA of the webhook does not exist.',
    why: 'Replicas that start cannot be trusted, and the paths of the hooks are not known.',
    remedy: 'The webhook makes it when it runs: see why it does not.',
  },
  'ca-broken': {
    severity: 'error',
    meaning: 'The Secret with the CA of the webhook holds something else.',
    why: 'The webhook leaves what it did not make alone, and does not become ready.',
    remedy: 'Delete the Secret, unless somebody else uses it: the webhook makes a new one.',
  },
  'ca-bundle': {
    severity: 'error',
    meaning: 'A webhook configuration or CRD trusts other CAs than that of the webhook.',
    why: 'The API server refuses the certificate of the webhook, and with it creates, changes or conversions.',
    remedy: 'The webhook writes its CA there within seconds: see whether it runs and may patch the object.',
  },
  'hook-path': {
    severity: 'error',
    meaning: 'A webhook configuration or CRD calls a path that the webhook does not serve.',
    why: 'The webhook answers 404, which the API server takes for a failure.',
    remedy:
      'The webhook writes its paths there within seconds: see whether it runs and may patch the object.',
  },
  'ca-expiry': {
    severity: 'error',
    meaning: 'The CA, or the certificate that the webhook serves, is over or about to be.',
    why: 'The API server refuses it then. It should have been renewed after two thirds of its life.',
    remedy: 'See why the webhook does not renew it: its log, its Lease, its rights.',
  },
  'marker-key': {
    severity: 'error',
    meaning: 'The Secret with the key of the pending marker is missing or broken.',
    why: 'Without the key admission makes no Secrets, and the poller cannot tell which of them are pending.',
    remedy: 'Delete the Secret if it is broken, and restart webhook and poller: a new key is made.',
  },
  // Rights.
  'account-missing': {
    severity: 'error',
    meaning: 'The ServiceAccount of a program does not exist.',
    why: 'Its Pods cannot be made, or it has no rights.',
    remedy: 'Apply the manifests of this version.',
  },
  'rights-missing': {
    severity: 'error',
    meaning: 'The ServiceAccount of a program lacks rights that it needs.',
    why: 'What it may not do it does not do; its log repeats the refusal.',
    remedy: 'Apply the manifests of this version.',
  },
  // Programs.
  'program-missing': {
    severity: 'error',
    meaning: 'There is no Deployment of one of the programs, although there is one of the other.',
    why: 'Without the webhook nothing is checked at admission, without the poller nothing is refreshed.',
    remedy: 'Apply the manifests of this version.',
  },
  'program-not-ready': {
    severity: 'error',
    meaning: 'A Deployment has fewer ready Pods than it should have.',
    why: 'With none ready the program is down.',
    remedy: 'See the state of the Pod that is named, and its log.',
  },
  'program-versions': {
    severity: 'warning',
    meaning: 'Webhook and poller are more than one release apart.',
    why: 'They share formats that are kept for one release only.',
    remedy: 'Upgrade the older one.',
  },
  'program-single': {
    severity: 'note',
    meaning: 'The webhook runs with one replica.',
    why: 'While its Pod is moved, creates and changes of our kinds are refused.',
    remedy: 'Run two replicas or more.',
  },
  'poller-lease': {
    severity: 'error',
    meaning: 'No poller holds its Lease, or the one that does has not renewed it.',
    why: 'Nothing is refreshed, repaired or reported.',
    remedy: 'See whether the poller runs, and what its log says.',
  },
  'webhook-lease': {
    severity: 'warning',
    meaning: 'No replica of the webhook holds the Lease, or the one that does has not renewed it.',
    why: 'Nobody renews the CA or writes it into the webhook configurations.',
    remedy: 'See whether the webhook runs, and what its log says.',
  },
  // The cluster.
  'kubernetes-version': {
    severity: 'error',
    meaning: 'Kubernetes is older than 1.30.',
    why: 'The webhook configurations and CRDs use what older API servers do not know.',
    remedy: 'Upgrade the cluster.',
  },
  'clock-own': {
    severity: 'warning',
    meaning: 'The clock of this machine and that of the API server differ.',
    why: 'Tokens and certificates that one of them makes may not hold for the other yet.',
    remedy: 'Set the clock that is wrong (NTP).',
  },
  'clock-program': {
    severity: 'warning',
    meaning: 'The clock of a program and that of the API server differ.',
    why: 'Certificates, sync windows, one-time passwords and signatures for clouds go by the clock of the node.',
    remedy: 'Set the clock of the node that it runs on (NTP).',
  },
  'flow-schema': {
    severity: 'note',
    meaning: 'No FlowSchema is about the accounts of the programs.',
    why: 'When the API server is overloaded, the programs stand in line with everybody else.',
    remedy: 'Add one where that has happened; the chart has it as a switch.',
  },
  // Objects.
  'store-not-ready': {
    severity: 'error',
    meaning: 'A store is not ready.',
    why: 'What reads from it is not refreshed.',
    remedy: 'Follow the cause; docs/errors.md and docs/providers have more of each.',
  },
  'store-provider': {
    severity: 'error',
    meaning: 'A store has a provider that is not supported, or a block that it cannot read.',
    why: 'Nothing can be read from it.',
    remedy: 'Use one of the providers that the message names, or correct the field.',
  },
  'store-secret': {
    severity: 'error',
    meaning: 'A Secret, ConfigMap or ServiceAccount that a store names does not exist.',
    why: 'The store cannot log in.',
    remedy: 'Create it, or correct the reference.',
  },
  'objects-not-ready': {
    severity: 'warning',
    meaning: 'ExternalSecrets are not in sync. They are counted by cause.',
    why: 'Their Secrets are missing, or stay as they were.',
    remedy: 'Look at one of them; the others have the same cause.',
  },
  'objects-late': {
    severity: 'warning',
    meaning:
      'ExternalSecrets were not refreshed for much longer than their interval, or were never looked at.',
    why: 'Their Secrets may be out of date.',
    remedy: 'See whether the poller runs and keeps up (esa_queue_oldest_seconds).',
  },
  'target-unmanaged': {
    severity: 'warning',
    meaning: 'The target of an ExternalSecret exists and belongs to nobody.',
    why: 'It is left alone, so that nothing is lost.',
    remedy: 'Allow that it is taken over, delete it, or choose another target.name.',
  },
  'secrets-pending': {
    severity: 'warning',
    meaning: 'Secrets that admission made minutes ago were neither adopted nor swept.',
    why: 'Nobody refreshes them, and they do not go with their ExternalSecret.',
    remedy:
      'The poller does both within seconds: see whether it runs. What no ExternalSecret wants can be deleted.',
  },
  'secrets-orphaned': {
    severity: 'note',
    meaning: 'Secrets are labelled as those of an ExternalSecret that does not exist, and nothing owns them.',
    why: 'Nobody refreshes them. With creationPolicy Orphan that is how it should be.',
    remedy: 'Delete those that nobody uses.',
  },
  'namespace-stuck': {
    severity: 'warning',
    meaning: 'A namespace has been terminating for minutes.',
    why: 'Its name cannot be used, and what is left in it stays.',
    remedy: 'See its conditions for what is left.',
  },
  // Other controllers.
  'eso-running': {
    severity: 'error',
    meaning: 'A controller of External Secrets Operator runs in this cluster.',
    why: 'Both keep the same objects: every read is made twice, and both write statuses.',
    remedy: 'Scale it down before our poller works (docs/migrating.md).',
  },
  'eso-webhook': {
    severity: 'error',
    meaning: 'Validating webhooks of External Secrets Operator are registered.',
    why: 'Its rules hold beside ours, and when its webhook is gone, creates and changes of our kinds are refused.',
    remedy: 'Delete them; ours take their place.',
  },
  'eso-finalizer': {
    severity: 'warning',
    meaning: 'An object that is being deleted waits for a finalizer of External Secrets Operator.',
    why: 'If nobody takes it off the object never goes, nor its namespace.',
    remedy:
      'Our poller takes those of ExternalSecrets and ClusterExternalSecrets off; the others are taken off by hand, and those of namespaces with the right in deploy/moving.',
  },
  'kes-running': {
    severity: 'error',
    meaning: 'A controller of kubernetes-external-secrets runs in this cluster.',
    why: 'Both keep the same Secrets once our programs run with --kes, or its objects were converted.',
    remedy: 'Scale it down (docs/kes.md).',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type FindingId = keyof typeof FINDINGS;
