/** What the engine needs to serve ExternalSecrets of KES: set only where a program was started to do so. */
import { readFile } from 'node:fs/promises';
import { EsaError } from '../../api/errors.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import type { KesEnvironment } from '../../api/kubernetes-client/environment.ts';
import type { KesPart } from '../../api/kubernetes-client/part.ts';
import { KES_CREDENTIALS, KES_STORE_PREFIX } from '../../api/kubernetes-client/to-hub.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { forbiddenIn } from '../../policy/kes-permissions.ts';
import type { ProviderPorts } from '../../providers/contract.ts';
import { SyncError } from '../errors.ts';
import type { ResolvedStore } from '../stores.ts';

export interface KesServices {
  readonly environment: KesEnvironment;
  readonly credentials: KesCredentials;
  /** Annotations of a namespace. */
  annotations(namespace: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}

/** Secrets in the environment of the program, by the names that stores of KES have for them. */
export interface KesCredentials {
  readonly values: ReadonlyMap<string, SecretValue>;
  /** Path of the file that GOOGLE_APPLICATION_CREDENTIALS names. */
  readonly googleKeyFile: string | undefined;
}

/** What the environment holds of them. Removing it from there is up to the providers, which take theirs later. */
export function readKesCredentials(variables: Readonly<Record<string, string | undefined>>): KesCredentials {
  const values = new Map<string, SecretValue>();
  for (const name of [KES_CREDENTIALS.azureClientId, KES_CREDENTIALS.azureClientSecret]) {
    const value = variables[name];
    if (value !== undefined && value !== '') values.set(name, SecretValue.fromText(value));
  }
  return { values, googleKeyFile: variables[KES_CREDENTIALS.googleKey] || undefined };
}

/** @throws SyncError what is not permitted, or nobody can read */
export async function admitKes(
  es: ExternalSecret,
  part: KesPart,
  services: KesServices | undefined,
  signal: AbortSignal,
): Promise<void> {
  const refuse = (code: 'INVALID_OBJECT' | 'CONFIGURATION' | 'POLICY_DENIED', message: string): SyncError =>
    new SyncError('fetch', new EsaError(code, message));
  if (services === undefined) throw refuse('CONFIGURATION', 'ExternalSecrets of KES are not served (--kes)');
  if (part.refused !== undefined) throw refuse('INVALID_OBJECT', part.refused);
  if (part.lacking !== undefined) throw refuse('CONFIGURATION', part.lacking);
  const { namespace = '', name = '' } = es.metadata;
  const annotations = await services.annotations(namespace, signal);
  const [first] = forbiddenIn({ namespace, name, spec: part.spec }, annotations, services.environment);
  if (first !== undefined) throw refuse('POLICY_DENIED', first.message);
}

/** The ports of a store: one of KES finds the environment of the program where others find a Secret. */
export function portsOf(
  { context }: Pick<ResolvedStore, 'context'>,
  ports: ProviderPorts,
  services: KesServices | undefined,
): ProviderPorts {
  if (services === undefined || !context.name.startsWith(KES_STORE_PREFIX)) return ports;
  const { values, googleKeyFile } = services.credentials;
  return {
    ...ports,
    secretKey: async (ref, signal) => {
      if (ref.namespace !== KES_CREDENTIALS.namespace) return ports.secretKey(ref, signal);
      if (ref.key === KES_CREDENTIALS.googleKey && googleKeyFile !== undefined) return readKey(googleKeyFile);
      const value = values.get(ref.key);
      if (value === undefined)
        throw new EsaError('CONFIGURATION', `${ref.key} is not set for this controller`);
      return { value, version: '' };
    },
  };
}

/** Read at each use: who mounts a key replaces the file. */
async function readKey(path: string): Promise<{ value: SecretValue; version: string }> {
  try {
    const bytes = await readFile(path);
    return { value: SecretValue.fromBytes(bytes), version: '' };
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new EsaError(
      'CONFIGURATION',
      `GOOGLE_APPLICATION_CREDENTIALS names ${path}, which cannot be read (${code})`,
    );
  }
}
