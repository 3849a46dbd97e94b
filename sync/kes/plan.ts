/** From an ExternalSecret of KES to the reads it asks for; pure. */
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { quoteMeta } from '../../api/go-regexp.ts';
import type { KesPart } from '../../api/kubernetes-client/part.ts';
import { kesStore } from '../../api/kubernetes-client/to-hub.ts';
import type { KesDataItem } from '../../api/kubernetes-client/v1/external-secret.ts';
import type { FieldPath } from '../../api/problem.ts';
import type { RemoteRef } from '../../providers/contract.ts';
import type { PlannedRead } from '../planned.ts';
import type { KesEntry } from './values.ts';

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** As a store of AWS writes it: an id of a version, or else the stage of one. */
const versionOf = (item: { versionId?: string | undefined; versionStage?: string | undefined }) =>
  filled(item.versionId) === undefined ? filled(item.versionStage) : `uuid/${item.versionId ?? ''}`;

/** The reads in the order in which they are merged: dataFrom, dataFromWithOptions, data; a later one overwrites. */
export function kesReads(es: ExternalSecret, part: KesPart): readonly PlannedRead[] {
  const { backendType, data = [], dataFrom = [], dataFromWithOptions = [] } = part.spec;
  const object = kesStore(es, part);
  const from = {
    store: { kind: object.kind, name: object.metadata.name ?? '', object },
    storePath: ['spec', 'backendType'],
  } as const;
  const onlyFor = (backend: string, version: string | undefined) =>
    backendType === backend ? version : undefined;
  const read = (remote: RemoteRef, path: FieldPath, location: string, entry: KesEntry): PlannedRead => ({
    ...common(location),
    path,
    source: { kind: 'read', ...from, remote },
    into: { kind: 'kes', entry },
  });
  const item = (one: KesDataItem, index: number): PlannedRead => {
    const { key = '', name = '', path, property, recursive = false, isBinary: binary = false } = one;
    const at: FieldPath = ['spec', 'data', index];
    if (path !== undefined) {
      return {
        ...common(`spec.data[${index}] (path: ${path})`),
        path: [...at, 'path'],
        source: { kind: 'find', ...from, request: { path, nameRegexp: namesIn(path, recursive) } },
        into: { kind: 'kes', entry: { kind: 'path', path, recursive, binary } },
      };
    }
    const version =
      onlyFor('secretsManager', versionOf(one)) ??
      onlyFor('gcpSecretsManager', one.version === undefined ? undefined : filled(String(one.version)));
    return read({ key, version }, [...at, 'key'], `spec.data[${index}] (key: ${key})`, {
      kind: 'value',
      name,
      key,
      property,
      binary,
      json: backendType === 'vault',
    });
  };
  return [
    ...dataFrom.map((key, index) =>
      read({ key }, ['spec', 'dataFrom', index], `spec.dataFrom[${index}] (key: ${key})`, {
        kind: 'members',
        binary: false,
      }),
    ),
    ...dataFromWithOptions.map((one, index) =>
      read(
        { key: one.key, version: onlyFor('secretsManager', versionOf(one)) },
        ['spec', 'dataFromWithOptions', index, 'key'],
        `spec.dataFromWithOptions[${index}] (key: ${one.key})`,
        { kind: 'members', binary: one.isBinary === true },
      ),
    ),
    ...data.map(item),
  ];
}

const common = (location: string) =>
  ({ location, missing: location, decoding: 'None', nullBytes: 'Ignore' }) as const;

/** Expression for the names of what is read under a path. */
const namesIn = (path: string, recursive: boolean): string =>
  `^${quoteMeta(path.endsWith('/') ? path : `${path}/`)}${recursive ? '' : '[^/]+$'}`;
