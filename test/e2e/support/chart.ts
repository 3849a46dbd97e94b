/** What the chart renders, parsed. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { CHART, helm, helmOutput } from '../../harness/helm.ts';

export const RELEASE = 'external-secrets';
const NAMESPACE = 'external-secrets-system';
/** Of deploy/chart/ci. */
export const VALUE_FILES = readdirSync(join(CHART, 'ci'));

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly containerPort: number }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly livenessProbe?: { readonly httpGet: object };
}
interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly [Container];
  readonly hostNetwork?: boolean;
  readonly topologySpreadConstraints?: readonly { readonly labelSelector?: object }[];
}
export interface Rendered {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
  }[];
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly service: object; readonly caBundle?: string };
    readonly namespaceSelector?: { readonly matchExpressions: readonly object[] };
  }[];
  readonly spec?: {
    readonly conversion?: {
      readonly strategy: string;
      readonly webhook?: { readonly clientConfig: { readonly service: Readonly<Record<string, unknown>> } };
    };
    readonly replicas?: number;
    readonly strategy?: object;
    readonly template?: { readonly spec: PodSpec };
    readonly [key: string]: unknown;
  };
}

interface Options {
  readonly release?: string;
  readonly namespace?: string;
  readonly values?: object;
  readonly file?: string;
}

/** Everything that the chart renders. @throws Error with helm's words if it refuses */
export async function render({
  release = RELEASE,
  namespace = NAMESPACE,
  values = {},
  file,
}: Options = {}): Promise<Rendered[]> {
  const files = file === undefined ? [] : ['--values', join(CHART, 'ci', file)];
  const text = await helmOutput(['template', release, CHART, '--namespace', namespace, ...files], { values });
  return parseAllDocuments(text)
    .map((document) => document.toJS({ maxAliasCount: -1 }) as Rendered | null)
    .filter((manifest) => manifest !== null);
}

/** The same without CRDs, which take most of the time. */
export const renderRest = (options: Options = {}): Promise<Rendered[]> =>
  render({ ...options, values: { installCRDs: false, ...options.values } });

/** The Pods of a program. */
export function podOf(manifests: readonly Rendered[], program: string): PodSpec {
  const found = manifests.find(
    ({ kind, metadata }) =>
      kind === 'Deployment' && metadata.labels?.['app.kubernetes.io/component'] === program,
  );
  assert.ok(found?.spec?.template, program);
  return found.spec.template.spec;
}

/** What helm says of values that it must refuse. */
export async function refusal(values: object): Promise<string> {
  const { code, stderr } = await helm(['template', RELEASE, CHART, '--namespace', NAMESPACE], { values });
  assert.notEqual(code, 0);
  return stderr;
}
