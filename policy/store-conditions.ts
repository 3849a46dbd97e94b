/** To which namespaces a ClusterSecretStore is offered (eso.md 4.1, spec.conditions). */
import { RE2JS } from 're2js';

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: string;
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

export interface StoreCondition {
  readonly namespaceSelector?: LabelSelector | undefined;
  readonly namespaces?: readonly string[] | undefined;
  readonly namespaceRegexes?: readonly string[] | undefined;
}

/** Kubernetes label-selector semantics; an unknown operator matches nothing. */
export function matchesSelector(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (operator === 'In' && value !== undefined && values.includes(value)) continue;
    if (operator === 'NotIn' && (value === undefined || !values.includes(value))) continue;
    if (operator === 'Exists' && value !== undefined) continue;
    if (operator === 'DoesNotExist' && value === undefined) continue;
    return false;
  }
  return true;
}

/** True if the labels of the namespace have to be known to decide. */
export const needsNamespaceLabels = (conditions: readonly StoreCondition[] | undefined): boolean =>
  conditions?.some((condition) => condition.namespaceSelector !== undefined) ?? false;

function matchesRegex(pattern: string, namespace: string): boolean {
  try {
    // Unanchored, as ESO has it: "prod" also matches "nonprod".
    return RE2JS.compile(pattern).matcher(namespace).find();
  } catch {
    return false;
  }
}

/** No conditions: every namespace. Otherwise one of them, by any of its three fields, has to match. */
export function offersNamespace(
  conditions: readonly StoreCondition[] | undefined,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (conditions === undefined || conditions.length === 0) return true;
  return conditions.some(
    (condition) =>
      (condition.namespaceSelector !== undefined && matchesSelector(condition.namespaceSelector, labels)) ||
      (condition.namespaces?.includes(namespace) ?? false) ||
      (condition.namespaceRegexes?.some((pattern) => matchesRegex(pattern, namespace)) ?? false),
  );
}
