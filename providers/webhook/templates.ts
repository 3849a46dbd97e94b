/** The templates of a webhook block: what they may be, what they read, and what they become for one request. */
import { EsaError } from '../../api/errors.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import { parseTemplate, type Template } from '../../template/engine.ts';
import { FUNCTIONS } from '../../template/functions/index.ts';
import { fromUtf8, GoMap, mapOf, T, toUtf8 } from '../../template/value.ts';
import { ProviderError, type RemoteRef } from '../contract.ts';

/** The part of a block that templates are in. */
export interface TemplateBlock {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly result?: { readonly jsonPath?: string | undefined } | undefined;
}

/** Data of Secrets by the names that templates know them by. */
export type TemplateSecrets = ReadonlyMap<string, ReadonlyMap<string, SecretValue>>;

/** Requests are made on the event loop. */
const LIMITS = { steps: 50_000, allocated: 4 << 20, output: 1 << 20 };

export const REMOTE_REF = 'remoteRef';

/** Every template of a block with its field. */
export function templatesOf(block: TemplateBlock): { path: readonly string[]; text: string }[] {
  const { url, headers = {}, body, result } = block;
  return [
    { path: ['url'], text: url },
    ...Object.entries(headers).map(([name, text]) => ({ path: ['headers', name], text })),
    ...(body === undefined ? [] : [{ path: ['body'], text: body }]),
    ...(result?.jsonPath === undefined ? [] : [{ path: ['result', 'jsonPath'], text: result.jsonPath }]),
  ];
}

/** @throws TemplateError */
export const parseText = (text: string): Template => parseTemplate('template', text, FUNCTIONS);

/**
 * What a template says before the path of its URL: scheme, host and port. Actions are passed over whole, for what
 * stands in them is no part of a URL.
 */
export function authorityText(url: string): { scheme: string; authority: string } | undefined {
  const [, scheme, rest] = /^(https?):\/\/(.*)$/is.exec(url) ?? [];
  if (scheme === undefined || rest === undefined) return undefined;
  const [authority = ''] = /^(?:\{\{.*?\}\}|[^/?#])*/s.exec(rest) ?? [];
  return { scheme: scheme.toLowerCase(), authority };
}

type RefField = 'version' | 'property' | 'namespace';

/** By block: it is asked for with each read. */
const knownFields = new WeakMap<TemplateBlock, ReadonlySet<RefField>>();

/** Fields of remoteRef, beside its key, that some template may read; all of them where that cannot be told. */
export function fieldsRead(block: TemplateBlock): ReadonlySet<RefField> {
  const known = knownFields.get(block) ?? findFieldsRead(block);
  knownFields.set(block, known);
  return known;
}

function findFieldsRead(block: TemplateBlock): ReadonlySet<RefField> {
  const fields = ['version', 'property', 'namespace'] as const;
  const texts = templatesOf(block).map(({ text }) => text);
  const isPlain = texts.every((text) => {
    const other = text.replaceAll(/\.remoteRef\.(key|version|property|namespace)\b/g, '');
    return !other.includes(REMOTE_REF) && !readsWhole(text);
  });
  const all = texts.join('\n');
  return new Set(isPlain ? fields.filter((field) => all.includes(`.${REMOTE_REF}.${field}`)) : fields);
}

function readsWhole(text: string): boolean {
  try {
    return parseText(text).fields().whole;
  } catch {
    return true;
  }
}

const STRINGS = mapOf(T.string);
const ROOT = mapOf(STRINGS);

/** As Go's url.QueryEscape, but that a blank is %20, which means one in a path, too. The text is a Go string. */
const escapeUrl = (text: string): string =>
  text.replaceAll(
    /[^A-Za-z0-9\-_.~]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );

/** What templates are given. */
export interface TemplateData {
  readonly ref: Pick<RemoteRef, 'key' | 'property' | 'version'>;
  /** Namespace of the ExternalSecret. */
  readonly namespace: string | undefined;
  readonly secrets: TemplateSecrets;
}

function rootOf({ ref, namespace, secrets }: TemplateData, write: (text: string) => string): GoMap {
  const texts = (entries: Iterable<readonly [string, string]>): GoMap =>
    new GoMap(STRINGS, new Map([...entries].map(([key, text]) => [fromUtf8(key), write(text)])));
  const { key, property = '', version = '' } = ref;
  const remoteRef = Object.entries({ key, property, version, namespace: namespace ?? '' });
  return new GoMap(
    ROOT,
    new Map([
      ...[...secrets].map(([name, data]): [string, GoMap] => [
        fromUtf8(name),
        texts([...data].map(([one, value]) => [one, value.revealBytes().toString('latin1')] as const)),
      ]),
      [REMOTE_REF, texts(remoteRef.map(([field, text]) => [field, fromUtf8(text)] as const))],
    ]),
  );
}

/** What one request is made of. */
export interface Rendered {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly jsonPath: string | undefined;
}

/**
 * @param label how errors begin
 * @throws ProviderError PROVIDER_INVALID_CONFIG, which names the template and no value
 */
export function renderRequest(block: TemplateBlock, data: TemplateData, label: string): Rendered {
  const plain = rootOf(data, (text) => text);
  const render = (field: string, text: string, root: GoMap = plain): string =>
    renderText(`${label}: the template of ${field}`, text, root);
  const { url, headers = {}, body, result } = block;
  return {
    url: render('url', url, rootOf(data, escapeUrl)),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [name, render(`headers.${name}`, text)]),
    ),
    body: body === undefined ? undefined : toUtf8(render('body', body)),
    jsonPath: result?.jsonPath === undefined ? undefined : toUtf8(render('result.jsonPath', result.jsonPath)),
  };
}

/** The authority alone, for what is asked of a server without a key. */
export const renderAuthority = (text: string, secrets: TemplateSecrets, label: string): string => {
  const data = { ref: { key: '' }, namespace: undefined, secrets };
  return renderText(`${label}: the template of url`, text, rootOf(data, escapeUrl));
};

function renderText(what: string, text: string, root: GoMap): string {
  if (!text.includes('{{')) return fromUtf8(text);
  try {
    return parseText(text).execute(root, { limits: LIMITS });
  } catch (error) {
    if (!(error instanceof EsaError)) throw error;
    throw new ProviderError('PROVIDER_INVALID_CONFIG', `${what}: ${error.message}`);
  }
}
