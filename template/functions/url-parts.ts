/** Go's net/url: parsing and writing of URLs, over Go strings. */
import { isIPv6 } from 'node:net';
import { GoError } from '../function.ts';
import { quote } from '../quote.ts';

export interface Url {
  readonly scheme: string;
  readonly opaque: string;
  /** Undefined if there is no `@`. */
  readonly user: UserInfo | undefined;
  /** With the port. */
  readonly host: string;
  /** Without escapes. */
  readonly path: string;
  readonly rawQuery: string;
  /** Without escapes. */
  readonly fragment: string;
}

export interface UserInfo {
  readonly name: string;
  readonly password: string | undefined;
}

/** What a byte stands in decides which bytes are escaped. */
type Place = 'path' | 'userPassword' | 'host' | 'zone' | 'fragment';

const UNESCAPED: Readonly<Record<Place, RegExp>> = {
  path: /[-A-Za-z0-9_.~$&+,/:;=@]/,
  userPassword: /[-A-Za-z0-9_.~$&+,;=]/,
  host: /[-A-Za-z0-9_.~!$&'()*+,;=:[\]<>"]/,
  zone: /[-A-Za-z0-9_.~!$&'()*+,;=:[\]<>"]/,
  fragment: /[-A-Za-z0-9_.~$&+,/:;=?@!()*]/,
};

const encodeFor = (text: string, place: Place): string =>
  text.replace(/[\s\S]/g, (byte) =>
    UNESCAPED[place].test(byte) ? byte : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );

/** Why a URL is none; `detail` is Go's text, `redacted` the same without what it quotes. */
class UrlFault extends Error {
  readonly detail: string;

  constructor(redacted: string, detail: string = redacted) {
    super(redacted);
    this.detail = detail;
  }
}

const badEscape = (text: string): UrlFault =>
  new UrlFault('invalid URL escape [redacted]', `invalid URL escape ${quote(text)}`);

function decodeEscapes(text: string, place: Place): string {
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '%') {
      const sequence = text.slice(at, at + 3);
      if (!/^%[0-9a-fA-F]{2}$/.test(sequence)) throw badEscape(sequence);
      const code = Number.parseInt(sequence.slice(1), 16);
      // In a host only bytes beyond ASCII may be escaped; in the zone of an address also what a host could hold.
      if (place === 'host' && code < 0x80 && sequence !== '%25') throw badEscape(sequence);
      if (
        place === 'zone' &&
        sequence !== '%25' &&
        code !== 0x20 &&
        !UNESCAPED.host.test(String.fromCharCode(code))
      ) {
        throw badEscape(sequence);
      }
      at += 2;
    } else if (
      (place === 'host' || place === 'zone') &&
      character < '\x80' &&
      !UNESCAPED[place].test(character)
    ) {
      throw new UrlFault(
        'invalid character [redacted] in host name',
        `invalid character ${quote(character)} in host name`,
      );
    }
  }
  return text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/**
 * Go's url.Parse.
 * @throws GoError with Go's text
 */
export function parseUrl(text: string): Url {
  const hash = text.indexOf('#');
  const beforeHash = hash < 0 ? text : text.slice(0, hash);
  let quoted = beforeHash;
  try {
    const url = parseWithoutFragment(beforeHash);
    quoted = text;
    return { ...url, fragment: hash < 0 ? '' : decodeEscapes(text.slice(hash + 1), 'fragment') };
  } catch (error) {
    if (!(error instanceof UrlFault)) throw error;
    throw new GoError(`parse [redacted]: ${error.message}`, `parse ${quote(quoted)}: ${error.detail}`);
  }
}

function parseWithoutFragment(text: string): Url {
  if (/[^ -~\x80-\xff]/.test(text)) throw new UrlFault('net/url: invalid control character in URL');
  const empty: Url = {
    scheme: '',
    opaque: '',
    user: undefined,
    host: '',
    path: '',
    rawQuery: '',
    fragment: '',
  };
  if (text === '*') return { ...empty, path: '*' };
  if (text.startsWith(':')) throw new UrlFault('missing protocol scheme');
  const prefix = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(text)?.[0] ?? '';
  const scheme = prefix.slice(0, -1).toLowerCase();
  const afterScheme = text.slice(prefix.length);
  const mark = afterScheme.indexOf('?');
  const beforeQuery = mark < 0 ? afterScheme : afterScheme.slice(0, mark);
  const rawQuery = mark < 0 ? '' : afterScheme.slice(mark + 1);
  if (!beforeQuery.startsWith('/')) {
    if (scheme !== '') return { ...empty, scheme, rawQuery, opaque: beforeQuery };
    if (beforeQuery.split('/', 1)[0]?.includes(':')) {
      throw new UrlFault('first path segment in URL cannot contain colon');
    }
  }
  const hasAuthority = beforeQuery.startsWith('//') && (scheme !== '' || !beforeQuery.startsWith('///'));
  const slash = hasAuthority ? beforeQuery.indexOf('/', 2) : 0;
  const pathAt = slash < 0 ? beforeQuery.length : slash;
  const authority = hasAuthority ? parseAuthority(scheme, beforeQuery.slice(2, pathAt)) : empty;
  const { user, host } = authority;
  return { ...empty, scheme, user, host, path: decodeEscapes(beforeQuery.slice(pathAt), 'path'), rawQuery };
}

function parseAuthority(scheme: string, authority: string): Pick<Url, 'user' | 'host'> {
  const at = authority.lastIndexOf('@');
  const host = parseHost(scheme, authority.slice(at + 1));
  if (at < 0) return { user: undefined, host };
  const info = authority.slice(0, at);
  if (!/^[-A-Za-z0-9._:~!$&'()*+,;=%@]*$/.test(info)) throw new UrlFault('net/url: invalid userinfo');
  const colon = info.indexOf(':');
  if (colon < 0) return { user: { name: decodeEscapes(info, 'userPassword'), password: undefined }, host };
  const name = decodeEscapes(info.slice(0, colon), 'userPassword');
  return { user: { name, password: decodeEscapes(info.slice(colon + 1), 'userPassword') }, host };
}

function checkPort(port: string): void {
  if (/^(?::\d*)?$/.test(port)) return;
  throw new UrlFault('invalid port [redacted] after host', `invalid port ${quote(port)} after host`);
}

function parseHost(scheme: string, host: string): string {
  const bracket = host.lastIndexOf('[');
  if (bracket > 0) throw new UrlFault('invalid IP-literal');
  if (bracket === 0) return parseLiteral(host);
  const colon = host.indexOf(':');
  if (colon >= 0) {
    // Databases list several hosts with ports; only http and https allow no more than one colon.
    const strict = scheme === 'http' || scheme === 'https';
    checkPort(host.slice(strict ? colon : host.lastIndexOf(':')));
  }
  return decodeEscapes(host, 'host');
}

/** An IPv6 address in brackets, with a zone behind `%25` perhaps. */
function parseLiteral(host: string): string {
  const close = host.lastIndexOf(']');
  if (close < 0) throw new UrlFault("missing ']' in host");
  const port = host.slice(close + 1);
  checkPort(port);
  const name = host.slice(1, close);
  const zone = name.indexOf('%25');
  const address =
    zone < 0
      ? decodeEscapes(name, 'host')
      : decodeEscapes(name.slice(0, zone), 'host') + decodeEscapes(name.slice(zone), 'zone');
  const plain = address.replace(/%.*$/s, '');
  if (/^\d+(?:\.\d+){3}$/.test(plain)) throw new UrlFault('invalid IP-literal');
  if (!isIPv6(plain) || address.endsWith('%')) {
    throw new UrlFault(
      'invalid host: ParseAddr([redacted]): unable to parse IP',
      `invalid host: ParseAddr(${quote(address)}): unable to parse IP`,
    );
  }
  return `[${address}]${port}`;
}

/** The host without port and brackets. */
export function hostname(host: string): string {
  const name = host.replace(/:\d*$/, '');
  return name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
}

export const userInfoText = ({ name, password }: UserInfo): string =>
  encodeFor(name, 'userPassword') + (password === undefined ? '' : `:${encodeFor(password, 'userPassword')}`);

/** Go's URL.String of a URL that was put together, not parsed: path and fragment are escaped anew. */
export function urlText({ scheme, opaque, user, host, path, rawQuery, fragment }: Url): string {
  let out = scheme === '' ? '' : `${scheme}:`;
  if (opaque !== '') out += opaque;
  else {
    if (scheme !== '' || host !== '' || user !== undefined) {
      if (host !== '' || path !== '' || user !== undefined) out += '//';
      if (user !== undefined) out += `${userInfoText(user)}@`;
      out += encodeFor(host, 'host');
    }
    const escaped = path === '*' ? '*' : encodeFor(path, 'path');
    if (escaped !== '' && !escaped.startsWith('/') && host !== '') out += '/';
    // A colon in the first segment would be read as the end of a scheme.
    if (out === '' && escaped.split('/', 1)[0]?.includes(':')) out += './';
    out += escaped;
  }
  if (rawQuery !== '') out += `?${rawQuery}`;
  return fragment === '' ? out : `${out}#${encodeFor(fragment, 'fragment')}`;
}
