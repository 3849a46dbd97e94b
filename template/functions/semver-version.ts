/** Versions as github.com/Masterminds/semver v3.3 reads and orders them: `v1.2`, `1.2.3-rc.1+build`. */
import { GoError } from '../function.ts';
import { parseUint } from '../strconv.ts';

export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  /** Empty if it is a release. */
  readonly prerelease: string;
  readonly metadata: string;
  /** As it was written. */
  readonly original: string;
}

const LABELS = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';

/** What may follow the numbers. Both parts are captured without their sign. */
export const VERSION_TAIL = `(?:-(${LABELS}))?(?:\\+(${LABELS}))?`;

const VERSION = new RegExp(`^v?([0-9]+)(?:\\.([0-9]+))?(?:\\.([0-9]+))?${VERSION_TAIL}$`);

/**
 * Reads a version; minor and patch may be missing.
 * @throws GoError with the library's text
 */
export function parseVersion(text: string): Version {
  const match = VERSION.exec(text);
  if (match === null) throw new GoError('Invalid Semantic Version');
  const [, major = '', minor = '0', patch = '0', prerelease = '', metadata = ''] = match;
  const version = {
    major: segment(major),
    minor: segment(minor),
    patch: segment(patch),
    prerelease,
    metadata,
  };
  if (prerelease.split('.').some((label) => /^0[0-9]+$/.test(label))) {
    throw new GoError('Version segment starts with 0');
  }
  return { ...version, original: text };
}

function segment(digits: string): bigint {
  try {
    return parseUint(digits, 10, 64);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    const prefix = 'Error parsing version segment: ';
    throw new GoError(prefix + error.message, prefix + error.goText);
  }
}

/** The canonical form, without the `v`. */
export function versionText({ major, minor, patch, prerelease, metadata }: Version): string {
  const release = `${major}.${minor}.${patch}`;
  return release + (prerelease === '' ? '' : `-${prerelease}`) + (metadata === '' ? '' : `+${metadata}`);
}

const order = <V>(a: V, b: V): number => (a < b ? -1 : a > b ? 1 : 0);

/** Precedence: negative if `a` comes before `b`. Metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  const release = order(a.major, b.major) || order(a.minor, b.minor) || order(a.patch, b.patch);
  if (release !== 0 || a.prerelease === b.prerelease) return release;
  if (a.prerelease === '') return 1;
  if (b.prerelease === '') return -1;
  return comparePrereleases(a.prerelease, b.prerelease);
}

/** Label by label, an absent one first; also of a release (an empty text) with a prerelease. */
export function comparePrereleases(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const result = compareLabels(left[index] ?? '', right[index] ?? '');
    if (result !== 0) return result;
  }
  return 0;
}

const MAX_UINT64 = 2n ** 64n - 1n;

/** A label that is a number, unless it is too large for one. */
function numberOf(label: string): bigint | undefined {
  if (!/^[0-9]{1,20}$/.test(label)) return undefined;
  const number = BigInt(label);
  return number <= MAX_UINT64 ? number : undefined;
}

/** Numbers by value and before words, words by their bytes. */
function compareLabels(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '') return -1;
  if (b === '') return 1;
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== undefined && right !== undefined) return left > right ? 1 : -1;
  if (left !== undefined) return -1;
  if (right !== undefined) return 1;
  return a > b ? 1 : -1;
}
