/** What the manager of certificates is told, and what it tells. */
import type { Clock } from '../api/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeLog } from '../kube/log.ts';
import type { CertificateFiles } from './files.ts';
import type { Step } from './rotation.ts';
import type { Damage } from './store.ts';
import type { Cause } from './targets.ts';

const DAY_MS = 86_400_000;

/** Milliseconds all; the defaults are for production, shorter ones for tests. */
export interface CertificateTimes {
  /** Life of a CA; 365 days. */
  readonly authorityMs: number;
  /** Life of a leaf; 30 days. */
  readonly leafMs: number;
  /**
   * How long a CA is published before it signs, and trusted after the next one does: API servers learn of the
   * one by a watch, replicas of the other. 10 min.
   */
  readonly overlapMs: number;
  /** How often the wall clock is looked at; 10 s. */
  readonly tickMs: number;
  readonly leaseDurationMs: number;
  readonly leaseRenewDeadlineMs: number;
  readonly leaseRetryMs: number;
}

export const DEFAULT_TIMES: CertificateTimes = {
  authorityMs: 365 * DAY_MS,
  leafMs: 30 * DAY_MS,
  overlapMs: 600_000,
  tickMs: 10_000,
  leaseDurationMs: 15_000,
  leaseRenewDeadlineMs: 10_000,
  leaseRetryMs: 3000,
};

/** What was done, for metrics. */
export interface CertificateEvents {
  readonly onStep: (step: Step) => void;
  /** caBundle or path was written into an object of this kind. */
  readonly onInjected: (kind: string, cause: Cause) => void;
  /** The Secret was written again. */
  readonly onRepair: (damage: Damage) => void;
  /** The files were looked at. */
  readonly onFiles: (usable: boolean) => void;
}

export interface CertificateManagerOptions {
  readonly kube: KubeClient;
  /** Own namespace: of the Service, the Secret and the Lease. */
  readonly namespace: string;
  /** Service by which API servers call us; the leaf is for its names. */
  readonly serviceName: string;
  /** `external-secrets-admission-ca` if absent. */
  readonly secretName?: string | undefined;
  readonly leaseName: string;
  /** Unique to this replica. */
  readonly identity: string;
  readonly validatingConfiguration: string;
  readonly mutatingConfiguration: string;
  /** CRDs whose conversion webhook we are. */
  readonly crdNames: readonly string[];
  readonly clock: Clock;
  readonly log: KubeLog;
  readonly times?: Partial<CertificateTimes> | undefined;
  /**
   * Serves what these files hold; the CA is neither made, rotated nor injected. (The Secret is kept all the
   * same: the tokens of the paths are in it.)
   */
  readonly files?: CertificateFiles | undefined;
  readonly events?: Partial<CertificateEvents> | undefined;
}
