/** Slash-separated paths as Go's package path has them; `os…` are the same on the Linux of our image. */
import type { FunctionMap, GoFunction } from '../function.ts';
import { T } from '../value.ts';
import { ofStrings, textToText } from './arguments.ts';

const BASE = textToText(basePath);
const CLEAN = textToText(cleanPath);
const DIR = textToText((path) => cleanPath(path.slice(0, path.lastIndexOf('/') + 1)));
const EXT = textToText((path) => /\.[^./]*$/.exec(path)?.[0] ?? '');
const IS_ABSOLUTE: GoFunction = ofStrings(1, T.bool, ([path]) => path.startsWith('/'));

export const PATHS: FunctionMap = new Map([
  ['base', BASE],
  ['clean', CLEAN],
  ['dir', DIR],
  ['ext', EXT],
  ['isAbs', IS_ABSOLUTE],
  ['osBase', BASE],
  ['osClean', CLEAN],
  ['osDir', DIR],
  ['osExt', EXT],
  ['osIsAbs', IS_ABSOLUTE],
]);

function basePath(path: string): string {
  if (path === '') return '.';
  let end = path.length;
  while (path[end - 1] === '/') end--;
  if (end === 0) return '/';
  return path.slice(path.lastIndexOf('/', end - 1) + 1, end);
}

/** Without `.`, empty elements, and `..` where it can be resolved; `.` for nothing. */
function cleanPath(path: string): string {
  const rooted = path.startsWith('/');
  const kept: string[] = [];
  for (const element of path.split('/')) {
    if (element === '' || element === '.') continue;
    if (element !== '..') kept.push(element);
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else if (!rooted) kept.push('..');
  }
  const joined = kept.join('/');
  if (rooted) return `/${joined}`;
  return joined === '' ? '.' : joined;
}
