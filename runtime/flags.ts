/** Flags that webhook and poller share. */
import type { Flag } from './program.ts';

export const COMMON_FLAGS = {
  kubeconfig: { help: 'Path of a kubeconfig; without it KUBECONFIG, then the service account of the Pod.' },
  namespace: { help: 'Namespace of this program; without it the one of the Pod.' },
  'controller-class': { help: 'Stores of another spec.controller are left alone.', default: 'default' },
  'bind-address': { help: 'Address to listen on.', default: '::' },
  'metrics-port': {
    help: 'Port of /metrics, /healthz and /readyz (plain HTTP; 0 = a free one).',
    default: '8080',
  },
  'allow-loopback': { help: 'Providers may be reached on loopback addresses.', switch: true },
  'aws-ambient-credentials': {
    help: 'A ClusterSecretStore of provider aws without auth uses the AWS credentials of this program.',
    switch: true,
  },
  'policy-default': {
    help: 'What holds in a namespace that no ClusterSecretPolicy of effect Deny is about: allow or deny.',
    default: 'allow',
  },
  'log-level': { help: 'debug, info, warn or error.', default: 'info' },
} as const satisfies Record<string, Flag>;
