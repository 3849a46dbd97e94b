/** Constraints as github.com/Masterminds/semver v3.3 reads and checks them: `>=1.2, <2 || ~3.1`, `1.x`, `1.2 - 1.4`. */
import { compileGoRegexp } from '../../api/go-regexp.ts';
import { GoError } from '../function.ts';
import {
  comparePrereleases,
  compareVersions,
  parseVersion,
  VERSION_TAIL,
  type Version,
} from './semver-version.ts';

/** One comparison. `from` is the version with 0 for what was left out or is a wildcard. */
interface Comparison {
  readonly from: Version;
  readonly holds: Check;
  /** The first part that was left out or is a wildcard. */
  readonly open: 'none' | 'major' | 'minor' | 'patch';
}

type Check = (version: Version, comparison: Comparison) => boolean;

// These run over whatever a template has, so they are RE2. The library takes a bar for a digit.
const NUMBER = '[0-9|xX*]+';
const PARTIAL = `v?(${NUMBER})(\\.${NUMBER})?(\\.${NUMBER})?(${VERSION_TAIL.replaceAll('(', '(?:').replaceAll('(?:?:', '(?:')})`;
const OPERATOR = '(=||!=|>|<|>=|=>|<=|=<|~|~>|\\^)';
const ONE = `${OPERATOR}\\s*${PARTIAL}`;
const SINGLE = compileGoRegexp(`^\\s*${ONE}\\s*$`);
const FIND = compileGoRegexp(ONE);
const SEVERAL = compileGoRegexp(`^\\s*${ONE}\\s*(?:(?:\\s+|,\\s*)${ONE}\\s*)*$`);
const RANGE = compileGoRegexp(`\\s*(${PARTIAL})\\s+-\\s+(${PARTIAL})\\s*`);
/** The group of the upper end: the lower one has four groups of its own. */
const RANGE_END = 6;

/** What to check: one of the lists must hold altogether. */
export type Constraint = readonly (readonly Comparison[])[];

const groups = (regexp: ReturnType<typeof compileGoRegexp>, text: string): string[] | undefined => {
  for (const match of regexp.matches(text, 1)) {
    return Array.from({ length: match.length / 2 }, (_, group) => {
      const start = match[2 * group] ?? -1;
      return start < 0 ? '' : text.slice(start, match[2 * group + 1]);
    });
  }
  return undefined;
};

/**
 * @param count called with the number of bytes before each pass over the text
 * @throws GoError with the library's text
 */
export function parseConstraint(text: string): Constraint {
  return rewriteRanges(text)
    .split('||')
    .map((all) => {
      if (!SEVERAL.test(all)) throw improper(all);
      return Array.from(FIND.matches(all, -1), ([start, end]) => parseComparison(all.slice(start, end)));
    });
}

const improper = (text: string): GoError =>
  new GoError('improper constraint: [redacted]', `improper constraint: ${text}`);

/** `a - b` means `>= a, <= b`. */
function rewriteRanges(text: string): string {
  let out = text;
  for (const match of RANGE.matches(text, -1)) {
    const part = (group: number): string => text.slice(match[2 * group], match[2 * group + 1]);
    out = out.replace(part(0), () => `>= ${part(1)}, <= ${part(RANGE_END)} `);
  }
  return out;
}

const isWildcard = (part: string): boolean => part === '' || part === 'x' || part === 'X' || part === '*';

function parseComparison(text: string): Comparison {
  const found = groups(SINGLE, text);
  if (found === undefined) throw improper(text);
  const [, operator = '', major = '', dotMinor = '', dotPatch = '', tail = ''] = found;
  // The library keeps the prerelease of an open version and drops its metadata.
  const prerelease = tail.replace(/\+.*$/, '');
  const [open, version] = isWildcard(major)
    ? (['major', `0.0.0${prerelease}`] as const)
    : isWildcard(dotMinor.slice(1))
      ? (['minor', `${major}.0.0${prerelease}`] as const)
      : isWildcard(dotPatch.slice(1))
        ? (['patch', `${major}${dotMinor}.0${prerelease}`] as const)
        : (['none', `${major}${dotMinor}${dotPatch}${tail}`] as const);
  try {
    return { from: parseVersion(version), holds: CHECKS.get(operator) ?? tildeOrEqual, open };
  } catch (error) {
    if (error instanceof GoError) throw new GoError('constraint Parser Error');
    throw error;
  }
}

/** Whether the version satisfies the constraint. */
export const satisfies = (version: Version, constraint: Constraint): boolean =>
  constraint.some((all) => all.every((comparison) => comparison.holds(version, comparison)));

/** A prerelease satisfies only what names a prerelease. */
const releasesOnly =
  (check: Check): Check =>
  (version, comparison) =>
    (version.prerelease === '' || comparison.from.prerelease !== '') && check(version, comparison);

const notEqual: Check = (version, { from, open }) => {
  if (open === 'none') return compareVersions(version, from) !== 0;
  if (version.prerelease !== '' && from.prerelease === '') return false;
  if (version.major !== from.major) return true;
  if (open === 'minor') return false;
  if (version.minor !== from.minor) return true;
  if (open === 'patch') {
    return (
      (version.prerelease !== '' || from.prerelease !== '') &&
      comparePrereleases(version.prerelease, from.prerelease) !== 0
    );
  }
  return version.patch !== from.patch || compareVersions(version, from) !== 0;
};

const greater: Check = (version, { from, open }) => {
  if (open === 'none' || open === 'major') {
    return open === 'major' && version.major !== from.major
      ? version.major > from.major
      : compareVersions(version, from) > 0;
  }
  if (version.major !== from.major) return version.major > from.major;
  return open === 'patch' && version.minor > from.minor;
};

const lessOrEqual: Check = (version, { from, open }) => {
  if (open === 'none') return compareVersions(version, from) <= 0;
  if (version.major > from.major) return false;
  return !(version.major === from.major && version.minor > from.minor && open !== 'minor');
};

const tilde: Check = (version, { from, open }) => {
  if (compareVersions(version, from) < 0) return false;
  const anything = from.major === 0n && from.minor === 0n && from.patch === 0n;
  if (anything && open !== 'minor' && open !== 'patch') return true;
  return version.major === from.major && (version.minor === from.minor || open === 'minor');
};

const tildeOrEqual: Check = (version, comparison) =>
  comparison.open === 'none' ? compareVersions(version, comparison.from) === 0 : tilde(version, comparison);

const caret: Check = (version, { from, open }) => {
  if (compareVersions(version, from) < 0 || version.major !== from.major) return false;
  if (from.major > 0n || open === 'minor') return true;
  if (version.minor !== from.minor) return false;
  return from.minor > 0n || open === 'patch' || version.patch === from.patch;
};

const CHECKS: ReadonlyMap<string, Check> = new Map([
  ['', releasesOnly(tildeOrEqual)],
  ['=', releasesOnly(tildeOrEqual)],
  ['!=', notEqual],
  ['>', releasesOnly(greater)],
  ['<', releasesOnly((version, { from }) => compareVersions(version, from) < 0)],
  ['>=', releasesOnly((version, { from }) => compareVersions(version, from) >= 0)],
  ['=>', releasesOnly((version, { from }) => compareVersions(version, from) >= 0)],
  ['<=', releasesOnly(lessOrEqual)],
  ['=<', releasesOnly(lessOrEqual)],
  ['~', releasesOnly(tilde)],
  ['~>', releasesOnly(tilde)],
  ['^', releasesOnly(caret)],
]);
