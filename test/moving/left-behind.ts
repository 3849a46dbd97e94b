/**
 * What External Secrets Operator leaves in a cluster: the objects that it is given here, and all that it made of
 * them, recorded from a run of the operator itself (`make moving RECORD=1`) and put back as it stood.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ObjectMeta } from '../../api/meta.ts';
import type { Manifest } from '../e2e/support/cluster.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  tokenSecret,
  vaultProvider,
} from '../e2e/support/vault.ts';
import type { ControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import type { OpenBao } from '../harness/openbao.ts';

export const RECORD = join(import.meta.dirname, 'left-behind.jsonl');

/** Stands for the address of the provider. */
const ELSEWHERE = 'http://openbao.invalid';

/** Where the objects are; the ClusterExternalSecret selects both. */
export const WHERE = 'shop';
export const SELECTED = [WHERE, 'ci'];

/** An object of any kind, with what the server adds. */
interface Live {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta & {
    readonly managedFields?: readonly unknown[];
  };
  readonly spec?: unknown;
  readonly status?: object;
}

/** Plurals and paths, in an order in which owners come before what they own. */
const KINDS: readonly { readonly kind: string; readonly prefix: string; readonly plural: string }[] = [
  { kind: 'Namespace', prefix: '/api/v1', plural: 'namespaces' },
  { kind: 'ClusterSecretStore', prefix: '/apis/external-secrets.io/v1', plural: 'clustersecretstores' },
  { kind: 'ClusterExternalSecret', prefix: '/apis/external-secrets.io/v1', plural: 'clusterexternalsecrets' },
  {
    kind: 'Password',
    prefix: '/apis/generators.external-secrets.io/v1alpha1',
    plural: 'passwords',
  },
  { kind: 'ExternalSecret', prefix: '/apis/external-secrets.io/v1', plural: 'externalsecrets' },
  { kind: 'Secret', prefix: '/api/v1', plural: 'secrets' },
  { kind: 'PushSecret', prefix: '/apis/external-secrets.io/v1alpha1', plural: 'pushsecrets' },
];
const CLUSTER_WIDE: ReadonlySet<string> = new Set([
  'Namespace',
  'ClusterSecretStore',
  'ClusterExternalSecret',
]);

function pathOf(kind: string, where: string | undefined): string {
  const found = KINDS.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`the move knows no ${kind}`);
  const { prefix, plural } = found;
  return where === undefined || CLUSTER_WIDE.has(kind)
    ? `${prefix}/${plural}`
    : `${prefix}/namespaces/${where}/${plural}`;
}

const VALUES = { password: 'hunter2', user: 'u' };
const REFERENCE = { name: 'vault', kind: 'ClusterSecretStore' };

/** One that reads both values of its own remote object. */
const each = (name: string, refreshInterval: string, spec: object = {}, metadata: object = {}): Manifest =>
  externalSecret(
    WHERE,
    name,
    {
      refreshInterval,
      secretStoreRef: REFERENCE,
      data: undefined,
      dataFrom: [{ extract: { key: `moved/${name}` } }],
      ...spec,
    },
    metadata,
  );

/** ExternalSecrets by what they differ in; those of `1s` are read all the time. */
const EXTERNAL_SECRETS: readonly Manifest[] = [
  each('owner', '1s'),
  each('labelled', '1s', {}, { labels: { team: 'shop' }, annotations: { note: 'ä' } }),
  each('templated', '1s', {
    target: {
      template: {
        type: 'kubernetes.io/basic-auth',
        metadata: { labels: { tier: '{{ .user }}' } },
        data: { username: '{{ .user }}', password: '{{ .password }}' },
      },
    },
  }),
  each('renamed', '1h', { target: { name: 'another-name' } }),
  each('orphan', '1s', { target: { creationPolicy: 'Orphan' } }),
  each('merged', '1s', { target: { creationPolicy: 'Merge' } }),
  each('once', '1h', { refreshPolicy: 'CreatedOnce' }),
  each('generated', '1h', {
    dataFrom: [
      {
        sourceRef: {
          generatorRef: {
            apiVersion: 'generators.external-secrets.io/v1alpha1',
            kind: 'Password',
            name: 'password',
          },
        },
      },
    ],
  }),
  each('failing', '1h', { dataFrom: [{ extract: { key: 'moved/nowhere' } }] }),
];

/** Secrets that the objects make, by namespace/name. */
export const MADE: readonly string[] = [
  ...EXTERNAL_SECRETS.map(({ metadata }) => metadata.name)
    .filter((name) => name !== 'failing')
    .map((name) => `${WHERE}/${name === 'renamed' ? 'another-name' : name}`),
  ...SELECTED.map((where) => `${where}/registry-login`),
].toSorted();

/** What a user of the operator applies. */
export function manifests(openBao: OpenBao): readonly Manifest[] {
  return [
    ...SELECTED.map((name) => namespace(name, { team: 'shop' })),
    tokenSecret(WHERE, openBao.token),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'merged', namespace: WHERE },
      stringData: { theirs: 'kept' },
    },
    clusterSecretStore('vault', {
      provider: vaultProvider(openBao.address, {
        auth: { tokenSecretRef: { name: 'vault-token', namespace: WHERE, key: 'token' } },
      }),
    }),
    {
      apiVersion: 'generators.external-secrets.io/v1alpha1',
      kind: 'Password',
      metadata: { name: 'password', namespace: WHERE },
      spec: { length: 24, noUpper: false, allowRepeat: true },
    },
    ...EXTERNAL_SECRETS,
    {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ClusterExternalSecret',
      metadata: { name: 'registry' },
      spec: {
        externalSecretName: 'registry-login',
        namespaceSelectors: [{ matchLabels: { team: 'shop' } }],
        externalSecretSpec: {
          refreshInterval: '1s',
          secretStoreRef: REFERENCE,
          dataFrom: [{ extract: { key: 'moved/registry' } }],
        },
      },
    },
    {
      apiVersion: 'external-secrets.io/v1alpha1',
      kind: 'PushSecret',
      metadata: { name: 'pushed', namespace: WHERE },
      spec: {
        refreshInterval: '1h',
        deletionPolicy: 'Delete',
        secretStoreRefs: [REFERENCE],
        selector: { secret: { name: 'owner' } },
        data: [
          {
            match: { secretKey: 'password', remoteRef: { remoteKey: 'moved/pushed', property: 'password' } },
          },
        ],
      },
    },
  ];
}

/** Puts the values at the provider that the manifests read. */
export async function writeValues(openBao: OpenBao): Promise<void> {
  for (const name of [...EXTERNAL_SECRETS.map(({ metadata }) => metadata.name), 'registry'])
    await openBao.write(`moved/${name}`, VALUES);
}

/** True when the operator has done with all of it what it does. @throws AssertionError with what it has not */
export async function assertSettled(cp: ControlPlane): Promise<true> {
  const { body } = await cp.request<{ items: readonly Live[] }>('GET', pathOf('ExternalSecret', undefined));
  const unready = body.items
    .filter(({ metadata }) => metadata.name !== 'failing')
    .filter((one) => !isReady(one))
    .map(({ metadata }) => metadata.name);
  assert.deepEqual(unready, []);
  assert.equal(body.items.length, EXTERNAL_SECRETS.length + SELECTED.length);
  const stores = await cp.request<Live>('GET', `${pathOf('ClusterSecretStore', undefined)}/vault`);
  assert.equal(stores.body.metadata.finalizers?.length, 1, 'finalizer of the store');
  const pushed = await cp.request<Live>('GET', `${pathOf('PushSecret', WHERE)}/pushed`);
  assert.ok(isReady(pushed.body), 'PushSecret');
  return true;
}

function isReady({ status }: Live): boolean {
  const { conditions = [] } = (status ?? {}) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  return conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True');
}

/** All that is there, one JSON object a line, without what a server gives anew. */
export async function record(cp: ControlPlane, openBao: OpenBao): Promise<string> {
  const lines: string[] = [];
  for (const { kind } of KINDS) {
    type List = { readonly apiVersion: string; readonly items: readonly Live[] };
    const { body } = await cp.request<List>('GET', pathOf(kind, undefined));
    for (const { metadata, ...rest } of body.items) {
      const where = kind === 'Namespace' ? metadata.name : metadata.namespace;
      if (where !== undefined && !SELECTED.includes(where)) continue;
      // Whose token it is differs from run to run.
      if (metadata.name === 'vault-token') continue;
      const { resourceVersion: _, creationTimestamp: __, ...kept } = metadata as Record<string, unknown>;
      lines.push(JSON.stringify({ ...rest, apiVersion: body.apiVersion, kind, metadata: kept }));
    }
  }
  return `${lines.join('\n').replaceAll(openBao.address, ELSEWHERE)}\n`;
}

/** Puts the recorded objects back: same content and field managers, owners by their new uid; refreshed just now. */
export async function restore(cp: ControlPlane, openBao: OpenBao): Promise<void> {
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  const lines = readFileSync(RECORD, 'utf8')
    .replaceAll(ELSEWHERE, openBao.address)
    .replaceAll(/"refreshTime":"[^"]+"/g, `"refreshTime":"${now}"`);
  const uids = new Map<string, string>();
  for (const line of lines.trim().split('\n')) {
    const { status, ...object } = JSON.parse(line) as Live;
    const { uid = '', ownerReferences, ...metadata } = object.metadata;
    const owners = ownerReferences?.map((owner) => ({ ...owner, uid: uids.get(owner.uid) ?? owner.uid }));
    const body = {
      ...object,
      metadata: { ...metadata, ...(owners === undefined ? {} : { ownerReferences: owners }) },
    };
    const path = pathOf(object.kind, metadata.namespace);
    const made = await put<Live>(cp, 'POST', path, body);
    uids.set(uid, made.metadata.uid ?? '');
    if (status === undefined || object.kind === 'Namespace') continue;
    const { managedFields } = metadata;
    // Generations count anew; ESO's own change of a spec (`1h` becomes `1h0m0s`) had made some of them 2.
    const text = JSON.stringify(status).replace(
      /"syncedResourceVersion":"\d+-/,
      `"syncedResourceVersion":"${made.metadata.generation ?? 0}-`,
    );
    const recorded = {
      ...made,
      metadata: { ...made.metadata, managedFields },
      status: JSON.parse(text) as object,
    };
    await put(cp, 'PUT', `${path}/${made.metadata.name ?? ''}/status`, recorded);
  }
  await put(cp, 'POST', pathOf('Secret', WHERE), tokenSecret(WHERE, openBao.token));
}

async function put<T>(cp: ControlPlane, method: 'POST' | 'PUT', path: string, object: object): Promise<T> {
  const attempt = async () => await cp.request<T & { message?: string }>(method, path, object);
  // A CRD that was made just now is served a moment later.
  const { status, body } = await eventually(async () => {
    const answer = await attempt();
    return answer.status === 404 && method === 'POST' ? undefined : answer;
  });
  assert.ok(status < 300, `${method} ${path}: ${body.message ?? status}`);
  return body;
}
