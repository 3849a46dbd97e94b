/** A kubeconfig out of a Secret. Nothing in it may lead to a file or a program of ours. */
import { parse } from 'yaml';
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { parseCaBundle } from '../ca-bundle.ts';
import { serverUrl } from '../server-url.ts';
import type { Credentials } from './credentials.ts';

export interface Kubeconfig extends Credentials {
  readonly url: URL;
  readonly ca: string | undefined;
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function entry(
  config: JsonObject,
  list: string,
  member: string,
  name: string | undefined,
): JsonObject | undefined {
  const entries = config[list];
  if (!Array.isArray(entries)) return undefined;
  const found: unknown = entries.find((one) => isJsonObject(one) && one['name'] === name);
  const inner = isJsonObject(found) ? found[member] : undefined;
  return isJsonObject(inner) ? inner : undefined;
}

/** What a kubeconfig may say to others, and not here: it names files or programs of this Pod, or drops a check. */
const REFUSED_CLUSTER = ['certificate-authority', 'insecure-skip-tls-verify', 'proxy-url', 'tls-server-name'];
const REFUSED_USER = [
  'client-certificate',
  'client-key',
  'tokenFile',
  'exec',
  'auth-provider',
  'username',
  'password',
  'as',
  'as-uid',
  'as-groups',
  'as-user-extra',
];

const refused = (fields: JsonObject, names: readonly string[]): string | undefined =>
  names.find((name) => fields[name] !== undefined && fields[name] !== false && fields[name] !== '');

const decode = (base64: unknown): string | undefined =>
  textOf(base64) === undefined ? undefined : Buffer.from(String(base64), 'base64').toString('utf8');

/** Server and credentials of the current context, or why they cannot be used, as a clause without a value. */
export function readKubeconfig(text: string): Kubeconfig | string {
  let config: unknown;
  try {
    config = parse(text, { maxAliasCount: 0 });
  } catch {
    return 'is no YAML';
  }
  if (!isJsonObject(config)) return 'is no kubeconfig';
  const context = entry(config, 'contexts', 'context', textOf(config['current-context']));
  if (context === undefined) return 'has no current-context that is one of its contexts';
  const cluster = entry(config, 'clusters', 'cluster', textOf(context['cluster']));
  const user = entry(config, 'users', 'user', textOf(context['user']));
  if (cluster === undefined || user === undefined) return 'has no cluster or no user of its current-context';
  const field = refused(cluster, REFUSED_CLUSTER) ?? refused(user, REFUSED_USER);
  if (field !== undefined)
    return `uses ${field}, which is not followed here; use the fields with -data, or token`;
  const url = serverUrl(textOf(cluster['server']) ?? '');
  if (typeof url === 'string') return `has a server that cannot be used: ${url}`;
  const bundle = decode(cluster['certificate-authority-data']);
  const ca = bundle === undefined ? undefined : parseCaBundle(bundle);
  if (bundle !== undefined && ca === undefined) return 'has certificate-authority-data without a certificate';
  const token = textOf(user['token'])?.trim();
  const cert = decode(user['client-certificate-data']);
  const key = decode(user['client-key-data']);
  if (token === undefined && (cert === undefined || key === undefined))
    return 'has no credentials: token, or client-certificate-data and client-key-data';
  return { url, ca, token, certificate: cert === undefined || key === undefined ? undefined : { cert, key } };
}
