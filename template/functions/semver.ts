/** Sprig's semantic versions. */
import type { FunctionMap, GoFunction } from '../function.ts';
import { type GoMethod, GoObject, type GoType, type GoValue, int, integer, T } from '../value.ts';
import { stringAt } from './arguments.ts';
import { fixed } from './declare.ts';
import { quoteJson } from './json-encode.ts';
import { parseConstraint, satisfies } from './semver-constraint.ts';
import { compareVersions, parseVersion, type Version, versionText } from './semver-version.ts';

const STRUCT: GoType = { kind: 'struct', name: 'semver.Version' };
const POINTER: GoType = { kind: 'ptr', name: '*semver.Version', elem: STRUCT };

const NO_VERSION: Version = {
  major: 0n,
  minor: 0n,
  patch: 0n,
  prerelease: '',
  metadata: '',
  original: '',
};

const getter = (value: () => GoValue): GoMethod => ({ params: [], call: value });

/** The version as a template sees it: `pointer` is what semver returns, the others come of its methods. */
function versionObject(version: Version, type: GoType): GoObject {
  const uint64 = (value: bigint): GoMethod => getter(() => integer(T.uint64, value));
  const next = (major: bigint, minor: bigint, patch: bigint): GoMethod =>
    getter(() => versionObject(without(version, major, minor, patch), STRUCT));
  const { major, minor, patch, prerelease } = version;
  return new GoObject({
    type,
    methods: new Map<string, GoMethod>([
      ['Major', uint64(major)],
      ['Minor', uint64(minor)],
      ['Patch', uint64(patch)],
      ['Prerelease', getter(() => prerelease)],
      ['Metadata', getter(() => version.metadata)],
      ['String', getter(() => versionText(version))],
      ['IncMajor', next(major + 1n, 0n, 0n)],
      ['IncMinor', next(major, minor + 1n, 0n)],
      ['IncPatch', next(major, minor, prerelease === '' ? patch + 1n : patch)],
      ...(type === POINTER ? pointerMethods(version) : []),
    ]),
    text: () => versionText(version),
    json: () => quoteJson(versionText(version), true),
    // Its numbers are no exported fields.
    copied: () => versionObject(NO_VERSION, type),
    native: version,
  });
}

/** The methods that Go declares on the pointer only. */
function pointerMethods(version: Version): [string, GoMethod][] {
  const compare = (answer: (order: number) => GoValue): GoMethod => ({
    params: [POINTER],
    call: (args) => answer(compareVersions(version, versionOf(args[0]))),
  });
  return [
    ['Original', getter(() => version.original)],
    ['Compare', compare((order) => int(order))],
    ['Equal', compare((order) => order === 0)],
    ['LessThan', compare((order) => order < 0)],
    ['LessThanEqual', compare((order) => order <= 0)],
    ['GreaterThan', compare((order) => order > 0)],
    ['GreaterThanEqual', compare((order) => order >= 0)],
  ];
}

/** A release with these numbers, wrapped around as Go does. */
function without(version: Version, major: bigint, minor: bigint, patch: bigint): Version {
  const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
  const numbers = { major: wrap(major), minor: wrap(minor), patch: wrap(patch) };
  const next = { ...numbers, prerelease: '', metadata: '', original: '' };
  return { ...next, original: (version.original.startsWith('v') ? 'v' : '') + versionText(next) };
}

function versionOf(value: GoValue | undefined): Version {
  if (!(value instanceof GoObject) || value.type !== POINTER)
    throw new TypeError('the argument was declared a *semver.Version');
  // Only versionObject makes objects of this type.
  return value.native as Version;
}

/** Bytes of a version or constraint are looked at by several expressions. */
const STEPS_A_BYTE = 20;

export const SEMVER: FunctionMap = new Map<string, GoFunction>([
  [
    'semver',
    fixed([T.string], POINTER, (args, call) => {
      const text = stringAt(args, 0);
      call.spend(STEPS_A_BYTE * text.length);
      return versionObject(parseVersion(text), POINTER);
    }),
  ],
  [
    'semverCompare',
    fixed([T.string, T.string], T.bool, (args, call) => {
      const [constraint, version] = [stringAt(args, 0), stringAt(args, 1)];
      call.spend(STEPS_A_BYTE * (constraint.length + version.length));
      const parsed = parseConstraint(constraint);
      return satisfies(parseVersion(version), parsed);
    }),
  ],
]);
