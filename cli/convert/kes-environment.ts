/** What kubernetes-external-secrets (KES) knew from its environment: variables, its ServiceAccount, mounted Secrets. */
import { isJsonObject } from '../../api/json.ts';
import type { ManifestObject } from '../manifest.ts';

/** An object, wherever it comes from. */
type Read = Pick<ManifestObject, 'object'>;

/** Names a key of a Secret, with the namespace of KES. */
export interface SecretKey {
  readonly name: string;
  readonly key: string;
  readonly namespace: string;
}

export interface KesEnvironment {
  readonly namespace: string;
  /** Undefined if nothing says it. */
  readonly serviceAccount: string | undefined;
  /** Its annotations, which tie it to an identity of a cloud. */
  readonly serviceAccountAnnotations: Readonly<Record<string, string>>;
  /** Variables with a value of their own. */
  readonly values: ReadonlyMap<string, string>;
  /** Variables that are keys of Secrets. */
  readonly secrets: ReadonlyMap<string, SecretKey>;
  /** Which key of which Secret a mounted file is. */
  fileSecret(path: string): SecretKey | undefined;
  /** Of the tokens that log in to Vault; undefined: that of the API server, as KES sends its own token. */
  readonly vaultAudience: string | undefined;
  /** What the Deployment takes from where it cannot be seen. */
  readonly unseen: readonly string[];
}

export interface EnvironmentFlags {
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly vaultAudience: string | undefined;
  readonly values: ReadonlyMap<string, string>;
}

interface Mount {
  readonly path: string;
  readonly secret: string;
  /** File to key; undefined: every key is a file of its name. */
  readonly items: ReadonlyMap<string, string> | undefined;
}

const record = (value: unknown): Readonly<Record<string, unknown>> => (isJsonObject(value) ? value : {});
const list = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter(isJsonObject) : [];
const text = (value: unknown): string | undefined =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : undefined;

const IMAGE = /kubernetes-external-secrets/;

/** The Deployment of KES among some objects: the one whose image is that of KES, or the only one. */
function findKesDeployment(objects: readonly Read[]): Read | undefined {
  const deployments = objects.filter(({ object }) => object['kind'] === 'Deployment');
  return (
    deployments.find(({ object }) =>
      containersOf(object).some(({ image }) => IMAGE.test(text(image) ?? '')),
    ) ?? (deployments.length === 1 ? deployments[0] : undefined)
  );
}

const podSpecOf = (object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  record(record(record(object['spec'])['template'])['spec']);

const containersOf = (
  object: Readonly<Record<string, unknown>>,
): readonly Readonly<Record<string, unknown>>[] => list(podSpecOf(object)['containers']);

/**
 * @param objects of the file with the Deployment of KES; ConfigMaps and its ServiceAccount in it count, too
 * @param flags what the user says himself, which wins
 */
export function readKesEnvironment(objects: readonly Read[], flags: EnvironmentFlags): KesEnvironment {
  const deployment = findKesDeployment(objects)?.object ?? {};
  const pod = podSpecOf(deployment);
  const containers = containersOf(deployment);
  const container = containers.find(({ image }) => IMAGE.test(text(image) ?? '')) ?? containers[0] ?? {};
  const namespace = flags.namespace ?? text(record(deployment['metadata'])['namespace']) ?? 'default';
  const serviceAccount =
    flags.serviceAccount ?? text(pod['serviceAccountName']) ?? text(pod['serviceAccount']);

  const values = new Map<string, string>();
  const secrets = new Map<string, SecretKey>();
  const unseen: string[] = [];
  const configMap = (name: string | undefined): Readonly<Record<string, unknown>> | undefined => {
    const found = objects.find(
      ({ object }) => object['kind'] === 'ConfigMap' && record(object['metadata'])['name'] === name,
    );
    return found === undefined ? undefined : record(found.object['data']);
  };
  for (const source of list(container['envFrom'])) {
    const name = text(record(source['configMapRef'])['name']);
    const data = configMap(name);
    if (data === undefined)
      unseen.push(`envFrom of ${name ?? text(record(source['secretRef'])['name']) ?? 'a source'}`);
    for (const [key, value] of Object.entries(data ?? {})) {
      const string = text(value);
      if (string !== undefined) values.set(`${text(source['prefix']) ?? ''}${key}`, string);
    }
  }
  for (const variable of list(container['env'])) {
    const name = text(variable['name']) ?? '';
    const from = record(variable['valueFrom']);
    const secret = record(from['secretKeyRef']);
    const config = record(from['configMapKeyRef']);
    const value =
      text(variable['value']) ?? text(configMap(text(config['name']))?.[text(config['key']) ?? '']);
    if (text(secret['name']) !== undefined)
      secrets.set(name, { name: text(secret['name']) ?? '', key: text(secret['key']) ?? '', namespace });
    else if (value !== undefined) values.set(name, value);
    else if (variable['valueFrom'] !== undefined) unseen.push(`the variable ${name}`);
    // As a container gets it: empty.
    else values.set(name, '');
  }
  for (const [name, value] of flags.values) {
    values.set(name, value);
    secrets.delete(name);
  }
  const account = objects.find(
    ({ object }) =>
      object['kind'] === 'ServiceAccount' && record(object['metadata'])['name'] === serviceAccount,
  );
  const annotations = Object.entries(record(record(account?.object['metadata'])['annotations']));
  const mounts = mountsOf(pod, container);
  return {
    namespace,
    serviceAccount,
    serviceAccountAnnotations: Object.fromEntries(
      annotations.map(([key, value]) => [key, text(value) ?? '']),
    ),
    vaultAudience: flags.vaultAudience,
    values,
    secrets,
    unseen,
    fileSecret(path) {
      const mount = mounts.find((one) => path.startsWith(`${one.path}/`));
      const file = path.slice((mount?.path.length ?? 0) + 1);
      const key = mount?.items === undefined ? file : mount.items.get(file);
      return mount === undefined || key === undefined ? undefined : { name: mount.secret, key, namespace };
    },
  };
}

function mountsOf(
  pod: Readonly<Record<string, unknown>>,
  container: Readonly<Record<string, unknown>>,
): readonly Mount[] {
  const volumes = new Map(list(pod['volumes']).map((volume) => [volume['name'], record(volume['secret'])]));
  return list(container['volumeMounts']).flatMap((mount) => {
    const secret = volumes.get(mount['name']);
    const name = text(secret?.['secretName']);
    const path = text(mount['mountPath'])?.replace(/\/$/, '');
    if (name === undefined || path === undefined) return [];
    const items = list(secret?.['items']).map(
      (item) => [text(item['path']) ?? '', text(item['key']) ?? ''] as const,
    );
    return [{ path, secret: name, items: items.length === 0 ? undefined : new Map(items) }];
  });
}
