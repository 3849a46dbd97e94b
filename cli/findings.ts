/** What a command has to say about places in files, for people, programs and CI. */
import { styleText } from 'node:util';
import { formatFieldPath } from '../api/problem.ts';
import type { Judged, Remark } from './judge-object.ts';
import type { Place } from './manifest.ts';

export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  readonly severity: Severity;
  readonly place: Place;
  /** `ExternalSecret app`; absent where the text itself is wrong. */
  readonly object?: string;
  /** As Kubernetes writes it; absent where no field is at fault. */
  readonly path?: string;
  /** May have several lines. */
  readonly message: string;
  /** Id of the rule that is broken, if it has one. */
  readonly rule?: string;
}

export const FINDING_FORMATS = ['text', 'json', 'github'] as const;
export type FindingFormat = (typeof FINDING_FORMATS)[number];

/** A remark on an object as a finding. */
export function findingOn(
  { manifest, label }: Pick<Judged, 'manifest' | 'label'>,
  severity: Severity,
  { path, message, rule }: Remark,
): Finding {
  const common = {
    severity,
    place: manifest.place(path),
    object: label,
    path: formatFieldPath(path),
    message,
  };
  return rule === undefined ? common : { ...common, rule };
}

/** What is said of each object by itself. */
export const ownFindings = (judged: readonly Judged[]): readonly Finding[] =>
  judged.flatMap((one) => [
    ...one.manifest.repeated().map(({ path, place }) => ({
      ...findingOn(one, 'error', { path, message: 'the field is there twice; remove one of them' }),
      place,
    })),
    ...one.problems.map((problem) => findingOn(one, 'error', problem)),
    ...one.warnings.map((warning) => findingOn(one, 'warning', warning)),
    ...one.notes.map((note) => findingOn(one, 'note', note)),
  ]);

/** `1 file`, `2 files`. */
export const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Of findings of any command. */
export const countOf = (findings: readonly Pick<Finding, 'severity'>[], severity: Severity): number =>
  findings.filter((finding) => finding.severity === severity).length;

/** By file in the order in which they were read, then by place. */
export function inOrder(findings: readonly Finding[], files: readonly string[]): readonly Finding[] {
  const rank = new Map(files.map((file, index) => [file, index]));
  const rankOf = ({ place }: Finding): number => rank.get(place.file) ?? files.length;
  return findings.toSorted(
    (a, b) => rankOf(a) - rankOf(b) || a.place.line - b.place.line || a.place.column - b.place.column,
  );
}

const COLOURS = { error: 'red', warning: 'yellow', note: 'cyan' } as const;

/** `file:line:column: error: path: message [rule]`; further lines of a message follow as they are. */
export function formatText(finding: Finding, colours: boolean): string {
  const { severity, place, message, rule } = finding;
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  const [first = '', ...rest] = message.split('\n');
  const position = paint('bold', `${place.file}:${place.line}:${place.column}:`);
  const id = rule === undefined ? '' : paint('dim', ` [${rule}]`);
  return [`${position} ${paint(COLOURS[severity], `${severity}:`)} ${located(finding, first)}${id}`, ...rest]
    .map((line) => `${line}\n`)
    .join('');
}

const located = ({ path }: Finding, message: string): string =>
  path === undefined || path === '' ? message : `${path}: ${message}`;

const COMMANDS = { error: 'error', warning: 'warning', note: 'notice' } as const;

/** A workflow command of GitHub Actions, which shows it beside the line in a pull request. */
export function formatGithub(finding: Finding): string {
  const { severity, place, object, message, rule } = finding;
  const properties = {
    file: place.file,
    line: String(place.line),
    col: String(place.column),
    title: [object ?? 'esa', ...(rule === undefined ? [] : [`[${rule}]`])].join(' '),
  };
  const list = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(value)}`);
  return `::${COMMANDS[severity]} ${list.join(',')}::${escapeData(located(finding, message))}\n`;
}

// As the runner undoes it (actions/toolkit, command.ts).
const escapeData = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const escapeProperty = (text: string): string =>
  escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** As a member of the JSON of a command. */
export const toJson = ({ severity, place, object, path, message, rule }: Finding): object => ({
  severity,
  ...place,
  object,
  path,
  message,
  rule,
});
