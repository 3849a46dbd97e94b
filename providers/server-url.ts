/** The URL of a server as a store gives it. */
import { literalAddress, refusalOf } from './addresses.ts';

/**
 * The URL, or what is wrong with it, as a clause. Whether a loopback address is allowed is a setting of the running
 * program, so that is said when it connects.
 */
export function serverUrl(text: string): URL | string {
  if (!URL.canParse(text)) return 'it must be a URL, such as https://secrets.example.com';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'it must start with https:// or http://';
  // The parser mends "https:x", "https:///x", backslashes and white space; what people would read there is not what
  // it makes of it.
  if (!/^https?:\/\/[^/]/i.test(text) || /[\s\\]/.test(text))
    return 'it must start with https:// or http:// and the name of a host, without white space or backslashes';
  const [, authority = ''] = /^https?:\/\/([^/?#]*)/i.exec(text) ?? [];
  if (authority.includes('@')) return 'it must not hold a user name or password';
  if (/[?#]/.test(text)) return 'it must not have a query or a fragment';
  if (authority.endsWith(':') || url.port === '0') return 'it must have a port from 1 to 65535, or none';
  const literal = literalAddress(url);
  const why = literal === undefined ? undefined : refusalOf(literal, true);
  return why === undefined ? url : `${literal} ${why}`;
}

/** The path of a URL without the slashes at its end; a request appends to it. */
export const basePath = (url: URL): string => url.pathname.replace(/\/+$/, '');
