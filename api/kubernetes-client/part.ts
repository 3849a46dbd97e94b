/** What only an ExternalSecret of KES has, in the form of the hub. */
import { isKes } from './names.ts';
import type { KesSpec } from './v1/external-secret.ts';

/** What the hub form of an ExternalSecret of KES holds beside what ESO has. */
export interface KesPart {
  /** As it was written. */
  readonly spec: KesSpec;
  /** Block of the provider in the store, as in spec.provider of a ClusterSecretStore. */
  readonly provider: Readonly<Record<string, unknown>>;
  /** What the environment of the program would have to say; nothing can be read without it. */
  readonly lacking?: string | undefined;
  /** Why the object is not served although it is stored. */
  readonly refused?: string | undefined;
}

interface Holder {
  readonly apiVersion?: string | undefined;
  readonly spec: { readonly kes?: KesPart | undefined };
}

/** The part of an ExternalSecret that only one of KES has. Nothing of that name counts in any other. */
export const kesOf = (es: Holder): KesPart | undefined => (isKes(es) ? es.spec.kes : undefined);
