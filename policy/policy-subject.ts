/** What policies judge, and what they say about it. */
import type { ServedVersion, StoreKind } from '../api/external-secrets/names.ts';
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { Effect, PolicyRule } from '../api/policy/cluster-secret-policy.ts';
import type { FieldPath } from '../api/problem.ts';

/** A store that is used, as far as it is known without asking its server. */
export interface StoreUse {
  readonly kind: StoreKind;
  readonly name: string;
  /** The key in spec.provider. */
  readonly provider: string;
  /** Servers that the store leads to. */
  readonly servers: readonly URL[];
  /** The field that names the store. */
  readonly path: FieldPath;
  /** What is read through it by name; results of a find are `found`. */
  readonly reads: readonly { readonly path: FieldPath; readonly key: string }[];
}

/** What is judged. Everything but the namespace may be unknown; rules about what is unknown say nothing. */
export interface PolicySubject {
  readonly namespace: string;
  /** Version in which the user wrote the object; the hub if absent. Paths of verdicts are those of this version. */
  readonly version?: ServedVersion | undefined;
  /** The ExternalSecret, in the hub version and valid. */
  readonly object?: {
    readonly labels: Readonly<Record<string, string>>;
    readonly spec: ExternalSecretSpec;
  };
  readonly stores?: readonly StoreUse[];
  /** What a find has come upon, by canonical key. */
  readonly found?: { readonly path: FieldPath; readonly keys: readonly string[] };
  /** Texts of templates that stand outside of the ExternalSecret. */
  readonly templates?: readonly { readonly path: FieldPath; readonly text: string }[];
  /** Number of keys of the Secret that results. */
  readonly keyCount?: number;
}

export interface Verdict {
  /** Name of the policy; empty where no policy is about the namespace (`--policy-default=deny`). */
  readonly policy: string;
  readonly rule: PolicyRule | 'policyDefault';
  readonly effect: Effect;
  readonly path: FieldPath;
  /** What is not allowed and what is; never a value of a secret. */
  readonly message: string;
}
