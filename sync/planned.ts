/** What a plan is made of: see plan.ts. */
import type { StoreKind } from '../api/external-secrets/names.ts';
import type {
  DecodingStrategy,
  NullBytePolicy,
  RewriteStep,
  SecretStore,
} from '../api/external-secrets/v1/index.ts';
import type { GeneratorRefKind } from '../api/generators/names.ts';
import type { KesPart } from '../api/kubernetes-client/part.ts';
import type { FieldPath } from '../api/problem.ts';
import type { FindRequest, RemoteRef } from '../providers/contract.ts';
import type { KesEntry } from './kes/values.ts';
import type { ConversionStrategy } from './keys.ts';

export interface StoreReference {
  readonly kind: StoreKind;
  readonly name: string;
  /** The store itself where it is no object of the cluster, but what the environment of the program stands for. */
  readonly object?: SecretStore | undefined;
}

export interface GeneratorReference {
  readonly kind: GeneratorRefKind;
  readonly name: string;
}

export interface StoreSource {
  readonly store: StoreReference;
  /** The field that names the store. */
  readonly storePath: FieldPath;
}

/** One entry of spec.dataFrom or spec.data. */
export interface PlannedRead {
  /** Where it stands, as ESO words it in its errors: `spec.data[0] (key: path/of/secret)`. */
  readonly location: string;
  /** The same for the event about a secret that is gone: `spec.data[0] (key=path/of/secret)`. */
  readonly missing: string;
  readonly path: FieldPath;
  readonly source:
    | (StoreSource & { readonly kind: 'read'; readonly remote: RemoteRef })
    | (StoreSource & { readonly kind: 'find'; readonly request: FindRequest })
    | { readonly kind: 'generator'; readonly ref: GeneratorReference };
  readonly into:
    | { readonly kind: 'key'; readonly secretKey: string }
    | {
        readonly kind: 'map';
        /**
         * Unused where there is a rewrite: that makes the keys itself (eso.md 2.6). Undefined: keys have to be
         * right as they are; what a generator calls them is its user's to say.
         */
        readonly conversion: ConversionStrategy | undefined;
        readonly rewrite: readonly RewriteStep[];
      }
    /** As kubernetes-external-secrets does it, which has no other step. */
    | { readonly kind: 'kes'; readonly entry: KesEntry };
  readonly decoding: DecodingStrategy;
  readonly nullBytes: NullBytePolicy;
}

export interface Plan {
  /** Name of the Secret to keep. */
  readonly target: string;
  /** In the order in which they are merged: dataFrom first, then data; a later one overwrites. */
  readonly reads: readonly PlannedRead[];
  /** True if an entry whose secret is gone is left out; false if it fails the whole sync (eso.md 2.4). */
  readonly skipsMissing: boolean;
  /** Set for an ExternalSecret of KES: it is asked whether it may be served, and a Secret may end up empty. */
  readonly kes?: KesPart | undefined;
}
