/** Flags that webhook and poller share. */
import type { Flag } from './program.ts';

export const COMMON_FLAGS = {
  kubeconfig: { help: 'Path of a kubeconfig; without it KUBECONFIG, then the service account of the Pod.' },
  namespace: { help: 'Namespace of this program; without it the one of the Pod.' },
  'controller-class': { help: 'Stores of another spec.controller are left alone.', default: 'default' },
  'webhook-configurations': {
    help: 'Name of the ValidatingWebhookConfiguration; with zz- before it that of the MutatingWebhookConfiguration.',
    default: 'external-secrets-admission',
  },
  'bind-address': { help: 'Address to listen on.', default: '::' },
  'metrics-port': {
    help: 'Port of /metrics, /healthz and /readyz (plain HTTP; 0 = a free one).',
    default: '8080',
  },
  'allow-loopback': { help: 'Providers may be reached on loopback addresses.', switch: true },
  'aws-ambient-credentials': {
    help: 'ClusterSecretStores of provider aws and ClusterGenerators of AWS without auth use the AWS credentials of this program.',
    switch: true,
  },
  'azure-ambient-credentials': {
    help: 'A ClusterSecretStore of provider azurekv may use the workload identity of this program, or the managed identity of its node.',
    switch: true,
  },
  'gcp-ambient-credentials': {
    help: 'A ClusterSecretStore of provider gcpsm without auth uses the Google credentials of this program.',
    switch: true,
  },
  kes: {
    help: 'ExternalSecrets of kubernetes-client.io (kubernetes-external-secrets) are served, with what KES has in its environment (docs/kes.md). Includes --aws-ambient-credentials, --azure-ambient-credentials and --gcp-ambient-credentials.',
    switch: true,
  },
  'kes-service-account': {
    help: 'ServiceAccount, as namespace/name, that logs in to Vault for them; without it external-secrets-admission-poller in the namespace of this program.',
  },
  'kes-vault-audience': {
    help: 'Audience of its token, where the role at Vault asks for one; without it that of the API server.',
  },
  'policy-default': {
    help: 'What holds in a namespace that no ClusterSecretPolicy of effect Deny is about: allow or deny.',
    default: 'allow',
  },
  'store-max-in-flight': {
    help: 'Requests in flight to one store, 1 to 32. This and the next four hold for each store that has no annotation of the same name.',
    default: '32',
  },
  'store-rate-limit': { help: 'Requests a second to one store; 0 = no limit.', default: '0' },
  'store-rate-burst': { help: 'Requests to one store that may come at once after a pause.', default: '1' },
  'store-breaker-failures': {
    help: 'Failures in a row after which a store is left alone for a moment.',
    default: '3',
  },
  'store-breaker-cool-down': { help: 'How long it is left alone then, 100ms to 5m.', default: '1s' },
  'log-level': { help: 'debug, info, warn or error.', default: 'info' },
} as const satisfies Record<string, Flag>;
