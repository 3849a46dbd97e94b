/**
 * An ExternalSecret of kubernetes-external-secrets (`kubernetes-client.io/v1`, KES) as one of `external-secrets.io/v1`
 * with the stores that it needs. What the two mean by the same word is in docs/converting.md.
 */

import { GROUP } from '../../api/external-secrets/names.ts';
import { quoteMeta } from '../../api/go-regexp.ts';
import { isJsonObject } from '../../api/json.ts';
import type { FieldPath } from '../../api/problem.ts';
import type { KesEnvironment } from './kes-environment.ts';
import { type BackendSpec, type StoreObject, storeFor } from './kes-store.ts';
import { convertTemplate } from './kes-template.ts';
import { Remarks, type Said } from './remarks.ts';

export const KES_GROUP = 'kubernetes-client.io';

export interface KesConversion {
  /** The new object's apiVersion and spec; undefined if it stays as it is. */
  readonly changed:
    | { readonly apiVersion: string; readonly spec: Readonly<Record<string, unknown>> }
    | undefined;
  readonly stores: readonly StoreObject[];
  readonly said: readonly Said[];
  /** Where each new entry of data comes from: index in data to index in the old one. */
  readonly origins: readonly number[];
}

type Fields = Readonly<Record<string, unknown>>;

const DEFAULT_INTERVAL_MS = 10_000;
const SPEC_FIELDS: ReadonlySet<string> = new Set(
  (
    'backendType controllerId data dataFrom dataFromWithOptions properties template type vaultRole vaultMountPoint ' +
    'kvVersion keyVaultName roleArn region projectId keyByName'
  ).split(' '),
);
const DATA_FIELDS: ReadonlySet<string> = new Set(
  'key name path property isBinary recursive secretType version versionStage versionId'.split(' '),
);

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A copy without what is undefined. */
const some = (members: Fields): Fields =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

export function convertKesObject(object: Fields, environment: KesEnvironment): KesConversion {
  return new Conversion(object, environment).run();
}

class Conversion {
  readonly #object: Fields;
  readonly #environment: KesEnvironment;
  readonly #remarks = new Remarks();
  readonly #stores = new Map<string, StoreObject>();
  /** Where the spec stands: KES once had it in `secretDescriptor`. */
  readonly #at: string;
  readonly #spec: Fields;
  readonly #backend: string;

  constructor(object: Fields, environment: KesEnvironment) {
    this.#object = object;
    this.#environment = environment;
    this.#at = isJsonObject(object['spec']) ? 'spec' : 'secretDescriptor';
    this.#spec = isJsonObject(object[this.#at]) ? (object[this.#at] as Fields) : {};
    this.#backend = text(this.#spec['backendType']) ?? '';
  }

  run(): KesConversion {
    const spec = this.#converted();
    const said = this.#remarks.said;
    if (spec === undefined) return { changed: undefined, stores: [], said, origins: [] };
    return {
      changed: { apiVersion: `${GROUP}/v1`, spec: spec.spec },
      stores: [...this.#stores.values()],
      said,
      origins: spec.origins,
    };
  }

  #converted(): { spec: Fields; origins: readonly number[] } | undefined {
    const spec = this.#spec;
    if (this.#backend === '') {
      this.#remarks.impossible([this.#at], 'it has no backendType');
      return undefined;
    }
    for (const name of Object.keys(spec))
      if (!SPEC_FIELDS.has(name))
        this.#remarks.notKept([this.#at, name], 'is no field of kubernetes-external-secrets');
    const dataField = spec['data'] === undefined && spec['properties'] !== undefined ? 'properties' : 'data';
    const items = list(spec[dataField]).map((item, index) => ({
      item: isJsonObject(item) ? item : {},
      index,
    }));
    const named = items.filter(({ item }) => text(item['path']) === undefined);
    const paths = items.filter(({ item }) => text(item['path']) !== undefined);
    // The first thing that is read decides which store is that of the object.
    const main = this.#store(this.#mountOf(this.#firstKey(named)), [this.#at]);
    if (main === undefined) return undefined;
    const data: Fields[] = [];
    for (const { item, index } of named) {
      const entry = this.#dataEntry(item, main, [this.#at, dataField, index]);
      if (entry === undefined) return undefined;
      data.push(entry);
    }
    const dataFrom: Fields[] = [];
    for (const [index, key] of list(spec['dataFrom']).entries()) {
      const entry = this.#extract(text(key), {}, main, [this.#at, 'dataFrom', index]);
      if (entry === undefined) return undefined;
      dataFrom.push(entry);
    }
    for (const [index, item] of list(spec['dataFromWithOptions']).entries()) {
      const fields = isJsonObject(item) ? item : {};
      const entry = this.#extract(text(fields['key']), fields, main, [
        this.#at,
        'dataFromWithOptions',
        index,
      ]);
      if (entry === undefined) return undefined;
      dataFrom.push(entry);
    }
    for (const { item, index } of paths) {
      const entry = this.#find(item, [this.#at, dataField, index]);
      if (entry === undefined) return undefined;
      dataFrom.push(entry);
    }
    const keys = new Set(named.flatMap(({ item }) => text(item['name']) ?? []));
    return {
      spec: some({
        ...this.#refresh(),
        secretStoreRef: { kind: 'ClusterSecretStore', name: main },
        target: this.#target(keys),
        data: data.length === 0 ? undefined : data,
        dataFrom: dataFrom.length === 0 ? undefined : dataFrom,
      }),
      origins: named.map(({ index }) => index),
    };
  }

  #refresh(): Fields {
    const { values } = this.#environment;
    // KES asks whether the variable is there, whatever it says.
    if (values.has('DISABLE_POLLING')) return { refreshPolicy: 'OnChange' };
    const given = Number(values.get('POLLER_INTERVAL_MILLISECONDS') || DEFAULT_INTERVAL_MS);
    const milliseconds = Number.isSafeInteger(given) && given > 0 ? given : DEFAULT_INTERVAL_MS;
    return { refreshInterval: milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms` };
  }

  #target(keys: ReadonlySet<string>): Fields {
    const metadata = isJsonObject(this.#object['metadata']) ? this.#object['metadata'] : {};
    const has = (field: string): boolean => {
      const map = metadata[field];
      return isJsonObject(map) && Object.keys(map).some((key) => key !== LAST_APPLIED);
    };
    const { template, immutable } = convertTemplate(
      this.#spec['template'],
      text(this.#spec['type']),
      keys,
      has('labels') || has('annotations'),
      this.#remarks,
    );
    return some({ name: text(metadata['name']), creationPolicy: 'Owner', immutable, template });
  }

  #firstKey(named: readonly { readonly item: Fields }[]): string | undefined {
    const options = list(this.#spec['dataFromWithOptions'])[0];
    return (
      text(named[0]?.item['key']) ??
      text(list(this.#spec['dataFrom'])[0]) ??
      (isJsonObject(options) ? text(options['key']) : undefined)
    );
  }

  /** The mount of Vault's engine that a key begins with; undefined for other backends and for keys without one. */
  #mountOf(key: string | undefined): string | undefined {
    return this.#backend === 'vault' && key !== undefined ? this.#splitVaultKey(key)?.mount : undefined;
  }

  #splitVaultKey(key: string): { readonly mount: string; readonly rest: string } | undefined {
    const path = key.replace(/^\/+/, '');
    const match =
      this.#spec['kvVersion'] === 1 ? /^([^/]+)\/(.+)$/.exec(path) : /^(.+?)\/data\/(.+)$/.exec(path);
    const [, mount, rest] = match ?? [];
    return mount === undefined || rest === undefined ? undefined : { mount, rest };
  }

  /** Name of the store for a mount; undefined if there can be none. */
  #store(mount: string | undefined, at: FieldPath): string | undefined {
    const spec = this.#spec;
    const kvVersion = spec['kvVersion'];
    const need: BackendSpec = {
      backendType: this.#backend,
      controllerId: text(spec['controllerId']),
      vaultRole: text(spec['vaultRole']),
      vaultMountPoint: text(spec['vaultMountPoint']),
      kvVersion: typeof kvVersion === 'number' ? kvVersion : undefined,
      keyVaultName: text(spec['keyVaultName']),
      roleArn: text(spec['roleArn']),
      region: text(spec['region']),
      projectId: text(spec['projectId']),
    };
    const result = storeFor(need, mount, this.#environment);
    if ('impossible' in result) {
      this.#remarks.impossible(at, result.impossible);
      return undefined;
    }
    const { name } = result.store.metadata;
    if (!this.#stores.has(name)) {
      for (const message of result.notKept) this.#remarks.notKept(at, `${message} (store ${name})`);
      for (const message of result.notes) this.#remarks.note(at, `${message} (store ${name})`);
    }
    this.#stores.set(name, result.store);
    return name;
  }

  #dataEntry(item: Fields, main: string, at: FieldPath): Fields | undefined {
    for (const name of Object.keys(item))
      if (!DATA_FIELDS.has(name))
        this.#remarks.notKept([...at, name], 'is no field of kubernetes-external-secrets');
    const secretKey = text(item['name']);
    if (secretKey === undefined) {
      this.#remarks.impossible(at, 'an entry needs a name');
      return undefined;
    }
    const read = this.#remoteRef(text(item['key']), item, main, at);
    if (read === undefined) return undefined;
    const property = text(item['property']);
    const remoteRef = some({
      ...read.remoteRef,
      property: property === undefined ? undefined : gjsonPath(property),
      decodingStrategy: item['isBinary'] === true ? 'Base64' : undefined,
    });
    return some({ secretKey, remoteRef, sourceRef: read.sourceRef });
  }

  #extract(key: string | undefined, options: Fields, main: string, at: FieldPath): Fields | undefined {
    const read = this.#remoteRef(key, options, main, at);
    return read && some({ extract: read.remoteRef, sourceRef: read.sourceRef });
  }

  /** Key and version of a read, and its store where that is not the one of the object. */
  #remoteRef(
    key: string | undefined,
    item: Fields,
    main: string,
    at: FieldPath,
  ): { readonly remoteRef: Fields; readonly sourceRef: Fields | undefined } | undefined {
    if (key === undefined) {
      this.#remarks.impossible(at, 'an entry needs a key');
      return undefined;
    }
    switch (this.#backend) {
      case 'vault': {
        const split = this.#splitVaultKey(key);
        if (split === undefined) {
          const form = this.#spec['kvVersion'] === 1 ? '<mount>/<path>' : '<mount>/data/<path>';
          this.#remarks.impossible(
            [...at, 'key'],
            `the key has to be ${form} with kvVersion ${this.#spec['kvVersion'] === 1 ? 1 : 2}`,
          );
          return undefined;
        }
        const store = this.#store(split.mount, at);
        if (store === undefined) return undefined;
        const sourceRef =
          store === main ? undefined : { storeRef: { kind: 'ClusterSecretStore', name: store } };
        return { remoteRef: { key: split.rest }, sourceRef };
      }
      case 'systemManager': {
        const [, name = key, version] = PARAMETER_VERSION.exec(key) ?? [];
        return { remoteRef: some({ key: name, version }), sourceRef: undefined };
      }
      case 'secretsManager':
      case 'secretManager': {
        const id = text(item['versionId']);
        const version = id === undefined ? text(item['versionStage']) : `uuid/${id}`;
        return { remoteRef: some({ key, version }), sourceRef: undefined };
      }
      case 'ibmcloudSecretsManager': {
        const type = text(item['secretType']);
        return { remoteRef: { key: type === undefined ? key : `${type}/${key}` }, sourceRef: undefined };
      }
      default:
        return { remoteRef: some({ key, version: text(item['version']) }), sourceRef: undefined };
    }
  }

  #find(item: Fields, at: FieldPath): Fields | undefined {
    if (this.#backend !== 'systemManager') {
      this.#remarks.impossible([...at, 'path'], `the backend ${this.#backend} reads no paths`);
      return undefined;
    }
    if (item['property'] !== undefined)
      this.#remarks.notKept(
        [...at, 'property'],
        'kubernetes-external-secrets reads nothing for a path with a property',
      );
    const path = (text(item['path']) ?? '').replace(/\/+$/, '') || '/';
    const below = path === '/' ? '' : quoteMeta(path);
    return {
      find: some({
        path,
        name: { regexp: item['recursive'] === true ? '.*' : `^${below}/[^/]+$` },
        decodingStrategy: item['isBinary'] === true ? 'Base64' : undefined,
      }),
      rewrite: [{ regexp: { source: '.*/(.+)', target: '$1' } }],
    };
  }
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** `name:3`, also at the end of an ARN. */
const PARAMETER_VERSION = /^(arn:[^:]*:[^:]*:[^:]*:[^:]*:[^:]+|[^:]+):([^:]+)$/;

/** A path of lodash, `a[1].b`, in the syntax of gjson, `a.1.b`. A name alone is that of a member, whatever is in it. */
function gjsonPath(path: string): string {
  if (!/[.[]/.test(path)) return path;
  const parts = [...path.matchAll(/\[(?:(["'])((?:[^\\]|\\.)*?)\1|([^\]]*))\]|[^.[\]]+/g)].map(
    ([all, , inQuotes, index]) => inQuotes ?? index ?? all,
  );
  return parts.map((part) => part.replaceAll(/[\\.*?|#@!{}[\]()=<>%:]/g, '\\$&')).join('.');
}
