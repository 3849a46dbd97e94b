/**
 * Secrets of these types are credentials of the cluster itself: whoever may create an ExternalSecret could
 * become any ServiceAccount of the namespace, or join nodes (the class of CVE-2026-42876).
 */
export const FORBIDDEN_SECRET_TYPES: ReadonlySet<string> = new Set([
  'kubernetes.io/service-account-token',
  'bootstrap.kubernetes.io/token',
]);
