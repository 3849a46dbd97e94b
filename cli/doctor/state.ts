/** What `esa doctor` knows of a cluster: everything was read before the first check looks at it. */
import type {
  ClusterExternalSecret,
  ExternalSecret,
  SecretStore,
} from '../../api/external-secrets/v1/index.ts';
import type { ObjectMeta } from '../../api/meta.ts';
import type { TargetObject } from '../../certs/injection.ts';
import type { LeaseObject } from '../../kube/lease.ts';
import type { SecretObject } from '../../kube/objects.ts';
import type { ProgramName, Right } from './expected-rights.ts';

/** What was read, or why it could not be: a sentence without its end. */
export type Seen<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

/** A list, which may have been cut off. */
export interface Listed<T> {
  readonly items: readonly T[];
  /** There are more of them than were read. */
  readonly cut: boolean;
}

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port?: number | undefined;
}

/** A part of an OpenAPI schema. */
export interface Schema {
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly items?: Schema | undefined;
  readonly additionalProperties?: Schema | boolean | undefined;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean | undefined;
}

/** A CustomResourceDefinition as it stands in the cluster. */
export type Definition = TargetObject & {
  readonly metadata: ObjectMeta & { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly storage: boolean;
      readonly schema?: { readonly openAPIV3Schema?: Schema };
    }[];
    readonly conversion?: {
      readonly strategy?: string;
      readonly webhook?: { readonly clientConfig?: { readonly service?: ServiceReference } };
    };
  };
  readonly status?: { readonly storedVersions?: readonly string[] };
};

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface Hook {
  readonly name: string;
  readonly failurePolicy?: string;
  readonly timeoutSeconds?: number;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly clientConfig: {
    readonly service?: ServiceReference;
    readonly url?: string;
    readonly caBundle?: string;
  };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly apiVersions: readonly string[];
    readonly resources: readonly string[];
    readonly operations: readonly string[];
  }[];
}

/** A ValidatingWebhookConfiguration or MutatingWebhookConfiguration. */
export interface Configuration {
  readonly kind: 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration';
  readonly metadata: ObjectMeta & { readonly name: string };
  readonly webhooks?: readonly Hook[];
}

export interface Service {
  readonly metadata: ObjectMeta & { readonly name: string };
  readonly spec: {
    readonly type?: string;
    readonly externalName?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly port: number; readonly targetPort?: number | string }[];
  };
}

export interface EndpointSlice {
  readonly metadata: ObjectMeta;
  readonly endpoints?: readonly { readonly conditions?: { readonly ready?: boolean } }[] | null;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}

export interface Deployment {
  readonly metadata: ObjectMeta & { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly metadata?: ObjectMeta;
      readonly spec?: { readonly serviceAccountName?: string; readonly containers?: readonly Container[] };
    };
  };
  readonly status?: { readonly readyReplicas?: number };
}

export interface Pod {
  readonly metadata: ObjectMeta & { readonly name: string };
  readonly spec: { readonly containers: readonly Container[] };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly restartCount?: number;
      readonly state?: {
        readonly waiting?: { readonly reason?: string; readonly message?: string };
      };
    }[];
  };
}

export interface Lease extends LeaseObject {
  readonly metadata: ObjectMeta & { readonly name: string; readonly namespace: string };
}

export interface Namespace {
  readonly metadata: ObjectMeta & { readonly name: string };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
  };
}

export interface FlowSchema {
  readonly metadata: ObjectMeta;
  readonly spec?: {
    readonly rules?: readonly {
      readonly subjects?: readonly {
        readonly kind: string;
        readonly serviceAccount?: { readonly namespace: string; readonly name: string };
      }[];
    }[];
  };
}

/** Only metadata was read. */
export interface MetadataOnly {
  readonly metadata: ObjectMeta & { readonly name: string };
}

/** One of the two programs, as far as the cluster shows it. */
export interface Program {
  readonly name: ProgramName;
  /** Undefined where it runs without one, or Deployments cannot be read. */
  readonly deployment: Deployment | undefined;
  /** Name of its ServiceAccount. */
  readonly account: string;
  /** Flags it is started with; undefined if not known. */
  readonly args: readonly string[] | undefined;
}

/** Where and how the product is installed. */
export interface Install {
  readonly namespace: string;
  /** Of the validating configuration; the mutating one has `zz-` before it. */
  readonly configuration: string;
  readonly service: ServiceReference;
  readonly webhook: Program;
  readonly poller: Program;
  /** The Helm release it belongs to. */
  readonly release: { readonly name: string; readonly namespace: string } | undefined;
  /** The one namespace that is served, where it is not all of them. */
  readonly scope: string | undefined;
}

/** What came of a create that was only tried. */
export interface ProbeAnswer {
  /** HTTP status, 0 without an answer. */
  readonly status: number;
  /** The API server's words. */
  readonly message: string;
}

export interface Probes {
  /** Where objects would have been created. */
  readonly namespace: string;
  readonly version: string;
  /** One that has to be let through. */
  readonly sound: ProbeAnswer;
  /** One that our webhook, and no other, refuses. */
  readonly unsound: ProbeAnswer;
}

/** A Helm release that CRDs say they belong to. */
export interface Release {
  readonly name: string;
  readonly namespace: string;
  /** Undefined where the release cannot be read. */
  readonly chart: { readonly name: string; readonly version: string } | undefined;
  /** CRDs that go when it is uninstalled: Helm keeps those whose manifest in the release says so. */
  readonly deletes: Seen<ReadonlySet<string>>;
}

/** When certificates of one replica end, milliseconds since the epoch. */
export interface ServedCertificates {
  readonly pod: string;
  readonly notAfter: readonly { readonly certificate: string; readonly at: number }[];
}

export interface ClusterState {
  /** The API server's clock, milliseconds since the epoch. */
  readonly now: number;
  /** By how much the clock here is ahead of it; undefined if it did not say. */
  readonly ownClockAheadMs: number | undefined;
  /** `v1.36.3` */
  readonly version: string;
  readonly install: Install;
  readonly definitions: Seen<readonly Definition[]>;
  readonly configurations: Seen<readonly Configuration[]>;
  readonly services: Seen<readonly Service[]>;
  readonly endpointSlices: Seen<readonly EndpointSlice[]>;
  /** Of all namespaces, or only of ours. */
  readonly deployments: Seen<readonly Deployment[]>;
  readonly pods: Seen<readonly Pod[]>;
  readonly leases: Seen<readonly Lease[]>;
  readonly accounts: Seen<readonly MetadataOnly[]>;
  readonly missingRights: Seen<ReadonlyMap<ProgramName, readonly Right[]>>;
  readonly authority: Seen<SecretObject | undefined>;
  readonly markerKey: Seen<SecretObject | undefined>;
  readonly certificates: Seen<readonly ServedCertificates[]>;
  readonly flowSchemas: Seen<readonly FlowSchema[]>;
  readonly probes: Seen<Probes>;
  readonly releases: readonly Release[];
  readonly namespaces: Seen<Listed<Namespace>>;
  readonly stores: Seen<Listed<SecretStore>>;
  readonly externalSecrets: Seen<Listed<ExternalSecret>>;
  readonly clusterExternalSecrets: Seen<Listed<ClusterExternalSecret>>;
  readonly pushSecrets: Seen<Listed<MetadataOnly>>;
  readonly secrets: Seen<Listed<MetadataOnly>>;
  /** `Secret ns/name` and the like, of those that stores name: true if it exists. */
  readonly references: ReadonlyMap<string, Seen<boolean>>;
}
