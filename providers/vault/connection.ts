/** Reading secrets of a KV engine, and what each of Vault's answers means for that. */
import type { Clock } from '../../api/clock.ts';
import { isJsonObject, isRawNumber } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import {
  type Connection,
  type FindRequest,
  type FoundObject,
  ProviderError,
  type RemoteObject,
  type RemoteRef,
} from '../contract.ts';
import { marshalGo } from '../go-json.ts';
import { cancelled } from '../http-errors.ts';
import { JsonText } from '../property.ts';
import { member, type VaultAnswer } from './answer.ts';
import type { VaultClient, VaultRequest } from './client.ts';
import type { VaultConfig } from './config.ts';
import { type Asked, errorOfAnswer, labelOf, vaultError } from './errors.ts';
import { findSecrets } from './find.ts';
import { DENIED, type Mount, type MountTable } from './mounts.ts';
import { requestSegments, type SecretPath, secretPath } from './paths.ts';
import type { TokenSource } from './session.ts';

/** A secret that was read: its data as the JSON text that ESO makes of it. */
class VaultObject implements RemoteObject {
  readonly #text: string;
  readonly #what: string;
  readonly #json: JsonText;
  readonly version: string | undefined;

  constructor(data: unknown, what: string, version?: string) {
    this.version = version;
    this.#text = marshalGo(data);
    this.#what = what;
    this.#json = new JsonText(this.#text, what, { numbers: 'source' });
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return SecretValue.fromText(this.#text);
    const value = this.#json.value(property);
    if (value !== undefined) return value;
    throw new ProviderError(
      'PROVIDER_PROPERTY_NOT_FOUND',
      `${this.#what}: cannot find secret data for key: ${JSON.stringify(property)}`,
    );
  }

  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    const json =
      property === undefined ? this.#json : new JsonText(this.get(property).revealText(), this.#what);
    return json.members('go');
  }
}

/** The version that an answer of a KV v2 engine is of. */
function versionIn(body: unknown): string | undefined {
  const version = member(member(member(body, 'data'), 'metadata'), 'version');
  if (isRawNumber(version)) return version.rawJSON;
  return typeof version === 'number' ? String(version) : undefined;
}

/** A name as a list has it: one segment, with a slash behind that of a folder. */
const isName = (name: string): boolean => /^[^/]+\/?$/.test(name) && !/^\.{1,2}\/?$/.test(name);

/** What the metadata of a secret offers: three facts of the server, then the custom ones, all as text. */
function metadataOf(body: unknown): Record<string, string> {
  const data = member(body, 'data');
  const custom = member(data, 'custom_metadata');
  const facts = ['created_time', 'current_version', 'delete_version_after'].map((name) => [
    name,
    member(data, name),
  ]);
  const all = [...facts, ...Object.entries(isJsonObject(custom) ? custom : {})] as [string, unknown][];
  const present = all.filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(
    present.map(([name, value]) => [name, typeof value === 'string' ? value : marshalGo(value)]),
  );
}

export interface ConnectionParts {
  readonly config: VaultConfig;
  readonly client: VaultClient;
  /** The server as messages name it. */
  readonly server: string;
  readonly tokens: TokenSource;
  readonly mounts: MountTable;
  readonly clock: Clock;
  /** Looks a token up that somebody gave, once for all that use it; undefined if the token came from a login. */
  readonly lookUp:
    | ((ask: (signal: AbortSignal) => Promise<void>, signal: AbortSignal, now: boolean) => Promise<void>)
    | undefined;
}

export class VaultConnection implements Connection {
  readonly #parts: ConnectionParts;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  async read(ref: Omit<RemoteRef, 'property'>, signal: AbortSignal): Promise<RemoteObject> {
    const path = secretPath(this.#parts.config, ref.key);
    if (typeof path === 'string') {
      throw vaultError(this.#asked('read'), 'PROVIDER_INVALID_CONFIG', path);
    }
    if (ref.metadata === true) return this.#objectOf(await this.#metadata(path, signal), path, 'metadata');
    const { data, version } = await this.#data(path, ref.version, signal);
    return this.#objectOf(data, path, 'data', version);
  }

  find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    const unlessAbsent = async <T>(answer: Promise<T>): Promise<T | undefined> =>
      answer.catch((error: unknown) => {
        if (error instanceof ProviderError && error.code === 'PROVIDER_NOT_FOUND') return undefined;
        throw error;
      });
    return findSecrets(this.#parts.config, request, {
      list: (folder) => this.#list(folder, signal),
      metadata: (path) => unlessAbsent(this.#metadata(path, signal)),
      read: async (path) => {
        const found = await unlessAbsent(this.#data(path, undefined, signal));
        return found === undefined ? undefined : this.#objectOf(found.data, path, 'data', found.version);
      },
    });
  }

  async #data(
    path: SecretPath,
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<{ data: Record<string, unknown>; version: string | undefined }> {
    const query = version === undefined ? undefined : { version };
    const { answer, asked } = await this.#get({ path, part: 'data', query, version, signal });
    const data = this.#dataOf(answer);
    if (data === undefined) throw await this.#shapeless(path, asked, answer, signal);
    this.#parts.mounts.markGood(path.mount.join('/'), this.#parts.config.version);
    return { data, version: versionIn(answer.body) };
  }

  async #metadata(path: SecretPath, signal: AbortSignal): Promise<Record<string, string>> {
    const { answer } = await this.#get({ path, part: 'metadata', signal });
    this.#parts.mounts.markGood(path.mount.join('/'), this.#parts.config.version);
    return metadataOf(answer.body);
  }

  /** The names in a folder. @throws ProviderError PROVIDER_NOT_FOUND if there is none */
  async #list(folder: SecretPath, signal: AbortSignal): Promise<string[]> {
    const { config, mounts } = this.#parts;
    // The verb LIST is spelled so for whatever stands in between and knows no such verb.
    const query = { list: 'true' };
    const { answer, asked } = await this.#get({
      path: folder,
      part: 'metadata',
      query,
      signal,
      verb: 'list',
    });
    const keys = member(member(answer.body, 'data'), 'keys');
    if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string' && isName(key))) {
      throw vaultError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer is no list of names');
    }
    mounts.markGood(folder.mount.join('/'), config.version);
    return keys as string[];
  }

  /** Asks for a path of the engine; any answer but 200 with JSON is an error. */
  async #get(request: {
    readonly path: SecretPath;
    readonly part: 'data' | 'metadata';
    readonly query?: Readonly<Record<string, string>> | undefined;
    readonly version?: string | undefined;
    readonly signal: AbortSignal;
    readonly verb?: 'read' | 'list';
  }): Promise<{ answer: VaultAnswer; asked: Asked }> {
    const { path, part, query, version, signal, verb = 'read' } = request;
    const segments = requestSegments(path, this.#parts.config.version, part);
    const asked = this.#asked(`${verb} ${segments.join('/')}`);
    const secretOnly = part === 'data' && this.#parts.config.version === 'v2';
    const answer = await this.#authorised({ ...asked, method: 'GET', segments, query, secretOnly, signal });
    if (answer.status === 404) throw await this.#missing(path, version, asked, answer, signal);
    if (answer.status !== 200 || !answer.isJson) throw this.#error(asked, answer);
    return { answer, asked };
  }

  #objectOf(data: unknown, path: SecretPath, part: 'data' | 'metadata', version?: string): VaultObject {
    const segments = requestSegments(path, this.#parts.config.version, part).join('/');
    try {
      return new VaultObject(data, labelOf(this.#asked(segments)), version);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const asked = this.#asked(`read ${segments}`);
      throw vaultError(asked, 'PROVIDER_INVALID_RESPONSE', 'the secret is nested too deeply');
    }
  }

  /** A given token is looked up, as ESO does; a login is its own proof. */
  async validate(signal: AbortSignal, now = false): Promise<void> {
    const { tokens, lookUp } = this.#parts;
    const token = await tokens.token(signal);
    if (lookUp === undefined) return;
    const segments = ['auth', 'token', 'lookup-self'];
    const asked = { ...this.#asked('look up the token'), isLogin: true };
    const ask = async (shared: AbortSignal): Promise<void> => {
      const answer = await this.#send({ ...asked, method: 'GET', segments, signal: shared }, token);
      if (answer.status !== 200 || !answer.isJson) throw this.#error(asked, answer);
    };
    try {
      await lookUp(ask, signal, now);
    } catch (error) {
      throw signal.aborted ? cancelled(labelOf(asked), signal) : error;
    }
  }

  async close(): Promise<void> {
    // Sessions and sockets are shared by the whole process.
  }

  #asked(what: string): Asked {
    return { server: this.#parts.server, what };
  }

  #error(asked: Asked, answer: VaultAnswer): ProviderError {
    return errorOfAnswer(asked, answer, this.#parts.clock.now());
  }

  #send(request: Omit<VaultRequest, 'token' | 'namespace'>, token: SecretValue): Promise<VaultAnswer> {
    const { client, config } = this.#parts;
    return client.request({ ...request, token, namespace: config.namespace });
  }

  /** Sends with the shared token; a refusal of a token from a login is answered with one new login. */
  async #authorised(request: Omit<VaultRequest, 'token' | 'namespace'>): Promise<VaultAnswer> {
    const { tokens } = this.#parts;
    const token = await tokens.token(request.signal);
    const answer = await this.#send(request, token);
    if (answer.status === 200) tokens.worked();
    if (answer.status !== 403 || !(await tokens.refused(token, request.signal))) return answer;
    const second = await this.#send(request, await tokens.token(request.signal));
    if (second.status !== 403) tokens.accepted();
    return second;
  }

  #dataOf(answer: VaultAnswer): Record<string, unknown> | undefined {
    const data = member(answer.body, 'data');
    if (this.#parts.config.version === 'v1') return isJsonObject(data) ? data : undefined;
    const inner = member(data, 'data');
    return isJsonObject(inner) && isJsonObject(member(data, 'metadata')) ? inner : undefined;
  }

  /** What a 404 means. Only two of Vault's kinds say that there is no such secret. */
  async #missing(
    path: SecretPath,
    version: string | undefined,
    asked: Asked,
    answer: VaultAnswer,
    signal: AbortSignal,
  ): Promise<ProviderError> {
    const { config, mounts } = this.#parts;
    const mount = path.mount.join('/');
    const metadata = member(member(answer.body, 'data'), 'metadata');
    if (isJsonObject(metadata) && config.version === 'v2') {
      mounts.markGood(mount, config.version);
      const gone = metadata['destroyed'] === true ? 'destroyed' : 'deleted';
      const which = version === undefined ? 'its latest version' : `version ${version}`;
      return vaultError(asked, 'PROVIDER_NOT_FOUND', `${which} is ${gone}`);
    }
    if (Array.isArray(member(answer.body, 'warnings')) && config.version === 'v1') {
      return vaultError(asked, 'PROVIDER_INVALID_CONFIG', wrongVersion(mount, 2, config.version));
    }
    if (answer.errors?.some((error) => error.startsWith('no handler for route')) === true) {
      return vaultError(asked, 'PROVIDER_INVALID_CONFIG', `no engine is mounted at ${mount}`);
    }
    if (answer.errors === undefined || answer.errors.length > 0) return this.#error(asked, answer);
    const found = await this.#mountOf(path, signal);
    const absent = version === undefined ? 'no such secret' : 'no such secret, or not this version of it';
    if (found !== DENIED) {
      const mismatch = mismatchOf(found, config.version);
      return mismatch === undefined
        ? vaultError(asked, 'PROVIDER_NOT_FOUND', absent)
        : vaultError(asked, 'PROVIDER_INVALID_CONFIG', mismatch);
    }
    if (mounts.isGood(mount, config.version)) return vaultError(asked, 'PROVIDER_NOT_FOUND', absent);
    return vaultError(
      asked,
      'PROVIDER_INVALID_RESPONSE',
      `not found (404), but whether the secret is absent or mount ${mount} is no KV ${config.version} engine cannot be told: reading sys/internal/ui/mounts/${mount} is denied; check path and version of the store, and the key`,
    );
  }

  /** Why an answer of status 200 is no secret. */
  async #shapeless(
    path: SecretPath,
    asked: Asked,
    answer: VaultAnswer,
    signal: AbortSignal,
  ): Promise<ProviderError> {
    const { version } = this.#parts.config;
    const found = version === 'v2' && answer.body !== undefined ? await this.#mountOf(path, signal) : DENIED;
    const mismatch = found === DENIED ? undefined : mismatchOf(found, version);
    return mismatch === undefined
      ? vaultError(asked, 'PROVIDER_INVALID_RESPONSE', `the answer is no secret of a KV ${version} engine`)
      : vaultError(asked, 'PROVIDER_INVALID_CONFIG', mismatch);
  }

  /** The mount that serves a path. @throws ProviderError if the server cannot say */
  async #mountOf(path: SecretPath, signal: AbortSignal): Promise<Mount | typeof DENIED> {
    const { mounts, clock, config, tokens } = this.#parts;
    const key = path.mount.join('/');
    const known = mounts.get(key, clock.monotonic());
    if (known !== undefined) return known;
    // The whole path is asked for: where the store names no mount, its length is only known to the server,
    // and a policy that allows the secret is what lets a token see the mount.
    const segments = ['sys', 'internal', 'ui', 'mounts', ...requestSegments(path, config.version)];
    const asked = this.#asked(`look up mount ${key}`);
    // A refusal is about the policy: the token has just been good enough for an answer.
    const answer = await this.#send(
      { ...asked, method: 'GET', segments, signal },
      await tokens.token(signal),
    );
    const found = answer.status === 403 ? DENIED : mountIn(answer);
    if (found === undefined) throw this.#error(asked, answer);
    mounts.set(key, found, clock.monotonic());
    return found;
  }
}

function mountIn(answer: VaultAnswer): Mount | undefined {
  const data = member(answer.body, 'data');
  const [path, type] = [member(data, 'path'), member(data, 'type')];
  if (answer.status !== 200 || typeof path !== 'string' || typeof type !== 'string') return undefined;
  return { path, type, version: member(member(data, 'options'), 'version') === '2' ? 2 : 1 };
}

/** Engines that keep what is written to a path; `generic` and `cubbyhole` behave as KV version 1. */
const KEY_VALUE: ReadonlySet<string> = new Set(['kv', 'generic', 'cubbyhole']);

function mismatchOf(mount: Mount, version: VaultConfig['version']): string | undefined {
  const name = mount.path.replace(/\/$/, '');
  if (!KEY_VALUE.has(mount.type)) return `mount ${name} is of type ${mount.type}, not KV`;
  return `v${mount.version}` === version ? undefined : wrongVersion(name, mount.version, version);
}

const wrongVersion = (mount: string, actual: 1 | 2, version: string): string =>
  `mount ${mount} is KV version ${actual}, the store says ${version}`;
