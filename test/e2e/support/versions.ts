/** One object in the versions that are served. */
import assert from 'node:assert/strict';
import { GROUP, type ServedVersion } from '../../../api/external-secrets/names.ts';
import type { ObjectMeta } from '../../../api/meta.ts';
import type { ControlPlane } from '../../harness/control-plane.ts';
import type { Manifest } from './cluster.ts';

export interface Stored {
  readonly apiVersion: string;
  readonly metadata: ObjectMeta;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: object;
}

export const PLURALS = {
  ExternalSecret: 'externalsecrets',
  SecretStore: 'secretstores',
  ClusterSecretStore: 'clustersecretstores',
};
export type Kind = keyof typeof PLURALS;

export const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };

/** @param where the namespace; undefined for a ClusterSecretStore */
export function pathOf(kind: Kind, version: ServedVersion, where: string | undefined, name: string): string {
  const scope = where === undefined ? '' : `namespaces/${where}/`;
  return `/apis/${GROUP}/${version}/${scope}${PLURALS[kind]}/${name}`;
}

/** The same manifest, said to be of another version. */
export const inVersion = (version: ServedVersion, manifest: Manifest): Manifest => ({
  ...manifest,
  apiVersion: `${GROUP}/${version}`,
});

/** Reads and writes that have to succeed. */
export class Versions {
  readonly #cp: ControlPlane;

  constructor(cp: ControlPlane) {
    this.#cp = cp;
  }

  async request<T = Stored>(method: string, path: string, body?: unknown): Promise<T> {
    const headers = method === 'PATCH' ? MERGE_PATCH : {};
    const answer = await this.#cp.request<T>(method, path, body, headers);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async read(kind: Kind, version: ServedVersion, where: string | undefined, name: string): Promise<Stored> {
    const object = await this.request('GET', pathOf(kind, version, where, name));
    assert.equal(object.apiVersion, `${GROUP}/${version}`);
    return object;
  }

  /** JSON merge patch. */
  patch(kind: Kind, version: ServedVersion, where: string, name: string, patch: object): Promise<Stored> {
    return this.request('PATCH', pathOf(kind, version, where, name), patch);
  }
}
