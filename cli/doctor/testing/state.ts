/** The state of a healthy installation, as the files of deploy/ make it, to be made ill part by part. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ExternalSecret, SecretStore } from '../../../api/external-secrets/v1/index.ts';
import { encodeState, hookPaths, newState, type SharedState, trustBundle } from '../../../certs/authority.ts';
import { buildAuthority } from '../../../certs/build.ts';
import { injectionPatch, type TargetObject } from '../../../certs/injection.ts';
import { installOf } from '../install.ts';
import type { ClusterState, Configuration, Definition, Deployment, Lease, Pod, Seen } from '../state.ts';

const DEPLOY = join(import.meta.dirname, '../../../deploy');
export const NAMESPACE = 'external-secrets-system';
export const NOW = Date.parse('2026-11-22T12:00:00Z');
const DAY_MS = 86_400_000;
const UNSOUND_MESSAGE =
  'try to create an ExternalSecret: 422 Invalid: admission webhook "validate.externalsecret.external-secrets.io" denied the request: ExternalSecret "esa-doctor-probe" is invalid: spec.target.template.data[probe]: unclosed action';

/** Every document of the YAML files of a folder of deploy/. */
export function readManifests<T>(folder: string): T[] {
  const directory = join(DEPLOY, folder);
  return readdirSync(directory)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(join(directory, file), 'utf8')))
    .map((document) => document.toJS() as T);
}

const shared: SharedState = await newState(() => buildAuthority(NOW, 365 * DAY_MS));

/** With our CA and paths in it, as the webhook writes them. */
export function injected<T extends TargetObject>(object: T, state: SharedState = shared): T {
  const copy = structuredClone(object) as Record<string, unknown>;
  for (const { op, path, value } of injectionPatch(object, {
    bundle: trustBundle(state),
    paths: hookPaths(state),
  })) {
    if (op === 'test') continue;
    const steps = path.split('/').slice(1);
    const last = steps.pop() ?? '';
    let at: Record<string, unknown> = copy;
    for (const step of steps) at = at[step] as Record<string, unknown>;
    at[last] = value;
  }
  return copy as unknown as T;
}

export const seenAs = <T>(value: T): Seen<T> => ({ ok: true, value });
export const unseen = (why: string): Seen<never> => ({ ok: false, why });
export const listed = <T>(...items: T[]) => seenAs({ items, cut: false });

export const definitions = readManifests<Definition>('crds').map((one) => ({
  ...injected(one),
  status: { storedVersions: one.spec.versions.filter(({ storage }) => storage).map(({ name }) => name) },
}));

export const configurations: readonly Configuration[] = readManifests<Configuration>('manifests')
  .filter(({ kind }) => kind.endsWith('WebhookConfiguration'))
  .map((one) => injected(one as Configuration & TargetObject));

export const lease = (
  program: string,
  { agoMs = 2_000, holder = `${program}-1`, skewMs = 0 } = {},
): Lease => {
  const at = NOW - agoMs;
  return {
    metadata: {
      name: `external-secrets-admission-${program}`,
      namespace: NAMESPACE,
      managedFields: [{ manager: 'external-secrets-admission', time: new Date(at).toISOString() }],
    },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: 15,
      renewTime: new Date(at + skewMs).toISOString(),
    },
  };
};

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');

export const markerKey = {
  metadata: { name: 'external-secrets-admission-marker', namespace: NAMESPACE },
  data: { currentId: base64('k1'), current: base64(Buffer.alloc(32, 7)) },
};

export const authority = {
  metadata: {
    name: 'external-secrets-admission-ca',
    namespace: NAMESPACE,
    labels: { 'app.kubernetes.io/managed-by': 'external-secrets-admission.io' },
  },
  data: encodeState(shared),
};

/** As the chart makes it. */
export const deployment = (
  program: 'webhook' | 'poller',
  {
    replicas = 2,
    ready,
    tag = '0.1.0',
    args = [],
  }: { replicas?: number; ready?: number; tag?: string; args?: readonly string[] } = {},
): Deployment => ({
  metadata: {
    name: `external-secrets-admission-${program}`,
    namespace: NAMESPACE,
    labels: {
      'app.kubernetes.io/name': 'external-secrets-admission',
      'app.kubernetes.io/part-of': 'external-secrets-admission',
      'app.kubernetes.io/component': program,
    },
  },
  spec: {
    replicas,
    template: {
      metadata: { labels: { 'app.kubernetes.io/component': program } },
      spec: {
        serviceAccountName: `external-secrets-admission-${program}`,
        containers: [
          {
            name: program,
            image: `registry.example.com:5000/external-secrets-admission:${tag}`,
            args: [program, ...args],
            ports: [{ name: 'https', containerPort: 10250 }],
          },
        ],
      },
    },
  },
  status: { readyReplicas: ready ?? replicas },
});

export const pod = (
  program: string,
  status: object = { conditions: [{ type: 'Ready', status: 'True' }] },
): Pod => ({
  metadata: {
    name: `${program}-abc`,
    labels: {
      'app.kubernetes.io/name': `external-secrets-admission-${program}`,
      'app.kubernetes.io/component': program,
    },
  },
  spec: { containers: [{ name: program, ports: [{ name: 'https', containerPort: 10250 }] }] },
  status,
});

export const service = {
  metadata: { name: 'external-secrets-admission-webhook' },
  spec: {
    selector: { 'app.kubernetes.io/name': 'external-secrets-admission-webhook' },
    ports: [{ port: 443, targetPort: 10250 }],
  },
};

export const store = (name: string, provider: object, message?: string): SecretStore => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'SecretStore',
  metadata: { name, namespace: 'shop', uid: name },
  spec: { provider } as SecretStore['spec'],
  status: {
    conditions: [
      {
        type: 'Ready',
        status: message === undefined ? 'True' : 'False',
        reason: message === undefined ? 'Valid' : 'InvalidProviderConfig',
        message: message ?? 'store validated',
        lastTransitionTime: '2026-11-22T11:00:00Z',
      },
    ],
  },
});

export const externalSecret = (
  name: string,
  { message, agoMs = 60_000, spec = {} }: { message?: string; agoMs?: number; spec?: object } = {},
): ExternalSecret =>
  ({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name, namespace: 'shop', uid: name, creationTimestamp: '2026-11-22T10:00:00Z' },
    spec: { refreshInterval: '1m', secretStoreRef: { name: 'vault' }, ...spec },
    status: {
      refreshTime: new Date(NOW - agoMs).toISOString(),
      conditions: [
        {
          type: 'Ready',
          status: message === undefined ? 'True' : 'False',
          reason: message === undefined ? 'SecretSynced' : 'SecretSyncedError',
          message: message ?? 'secret synced',
        },
      ],
    },
  }) as unknown as ExternalSecret;

/** What is given takes the place of what is healthy. Deployments that are given are looked for in the installation, too. */
export function stateOf(parts: Partial<ClusterState> = {}): ClusterState {
  const state: Omit<ClusterState, 'install'> = {
    now: NOW,
    ownClockAheadMs: 120,
    version: 'v1.36.3',
    definitions: seenAs(definitions),
    configurations: seenAs(configurations),
    services: seenAs([service]),
    endpointSlices: seenAs([
      { metadata: { name: 'webhook-x' }, endpoints: [{ conditions: { ready: true } }] },
    ]),
    deployments: seenAs([deployment('webhook'), deployment('poller', { replicas: 1 })]),
    pods: seenAs([pod('webhook'), pod('poller')]),
    leases: seenAs([lease('webhook'), lease('poller')]),
    accounts: seenAs(
      ['webhook', 'poller'].map((program) => ({
        metadata: { name: `external-secrets-admission-${program}` },
      })),
    ),
    missingRights: seenAs(new Map()),
    authority: seenAs(authority),
    markerKey: seenAs(markerKey),
    certificates: seenAs([
      { pod: 'webhook-abc', notAfter: [{ certificate: 'serving', at: NOW + 20 * DAY_MS }] },
    ]),
    flowSchemas: seenAs([
      {
        metadata: { name: 'external-secrets-admission' },
        spec: {
          rules: [
            {
              subjects: [
                {
                  kind: 'ServiceAccount',
                  serviceAccount: { namespace: NAMESPACE, name: 'external-secrets-admission-poller' },
                },
              ],
            },
          ],
        },
      },
    ]),
    probes: seenAs({
      namespace: 'default',
      version: 'v1alpha1',
      sound: { status: 201, message: '' },
      unsound: { status: 422, message: UNSOUND_MESSAGE },
    }),
    releases: [],
    namespaces: listed({ metadata: { name: 'shop' } }),
    stores: listed<SecretStore>(),
    externalSecrets: listed<ExternalSecret>(),
    clusterExternalSecrets: listed(),
    pushSecrets: listed(),
    secrets: listed(),
    references: new Map(),
    ...parts,
  };
  const install = installOf({
    namespace: undefined,
    configurations: state.configurations,
    deployments: state.deployments,
  });
  return { install, ...state };
}
