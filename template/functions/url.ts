/** Sprig's URLs: taken apart into a dict, and put together of one. */
import { type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { dict, type GoMap, type GoValue, T, typeOf } from '../value.ts';
import { stringAt } from './arguments.ts';
import { DICT, fixed, mapAt, nilDereference, spendRunes } from './declare.ts';
import { hostname, parseUrl, type UserInfo, urlText, userInfoText } from './url-parts.ts';

/** What `compute` gives; sprig wraps the error into a panic of its own. */
function orPanic<R>(what: string, compute: () => R): R {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(
      `unable to parse ${what}: ${error.message}`,
      `unable to parse ${what}: ${error.goText}`,
    );
  }
}

/** The string under the key, or an empty one; another type is a panic. */
function textUnder(map: GoMap, key: string): string {
  const value: GoValue | undefined = map.entries.get(key);
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  const type = typeOf(value);
  if (type === undefined) throw nilDereference();
  throw new GoError(`unable to parse ${key} key, must be of type string, but ${type.kind} found`);
}

function userOf(info: string): UserInfo | undefined {
  return info === '' ? undefined : orPanic('userinfo in dict', () => parseUrl(`proto://${info}@host`).user);
}

export const URLS: FunctionMap = new Map<string, GoFunction>([
  [
    'urlParse',
    fixed([T.string], DICT, (args, call) => {
      const text = stringAt(args, 0);
      spendRunes(call, text.length);
      const url = orPanic('url', () => parseUrl(text));
      return dict([
        ['scheme', url.scheme],
        ['host', url.host],
        ['hostname', hostname(url.host)],
        ['path', url.path],
        ['query', url.rawQuery],
        ['opaque', url.opaque],
        ['fragment', url.fragment],
        ['userinfo', url.user === undefined ? '' : userInfoText(url.user)],
      ]);
    }),
  ],
  [
    'urlJoin',
    fixed([DICT], T.string, (args, call) => {
      const map = mapAt(args, 0);
      const parts = {
        scheme: textUnder(map, 'scheme'),
        host: textUnder(map, 'host'),
        path: textUnder(map, 'path'),
        rawQuery: textUnder(map, 'query'),
        opaque: textUnder(map, 'opaque'),
        fragment: textUnder(map, 'fragment'),
      };
      const info = textUnder(map, 'userinfo');
      const length = Object.values(parts).reduce((sum, part) => sum + part.length, info.length);
      spendRunes(call, length);
      call.allocate(3 * length);
      return urlText({ ...parts, user: userOf(info) });
    }),
  ],
]);
