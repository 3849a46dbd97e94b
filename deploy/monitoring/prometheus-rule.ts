/** The alert rules as an object of the Prometheus operator. */

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

/** A rule file of Prometheus, as far as ours use it. */
export interface AlertRules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[];
}

/** @param rules what alerts.yaml holds */
export const prometheusRule = (rules: AlertRules) => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: {
    name: 'external-secrets-admission',
    labels: { 'app.kubernetes.io/name': 'external-secrets-admission' },
  },
  spec: { groups: rules.groups },
});
