/** Names of parameters: `name`, `/a/name` or an ARN, and behind a colon the number or a label of a version. */
import type { RemoteRef } from '../contract.ts';

export interface ParameterName {
  /** Without a version. */
  readonly name: string;
  /** The version that stands in the key itself. */
  readonly selector: string | undefined;
}

export function parameterName(id: string): ParameterName {
  const from = id.startsWith('arn:') ? id.indexOf(':parameter/') + 1 : 0;
  const colon = id.indexOf(':', from);
  if (colon === -1 || (from === 0 && id.startsWith('arn:'))) return { name: id, selector: undefined };
  return { name: id.slice(0, colon), selector: id.slice(colon + 1) };
}

/** What GetParameter is asked for. @param id the key behind the prefix of its store */
export const parameterId = (id: string, version: string | undefined): string =>
  version === undefined ? id : `${id}:${version}`;

/** Why this reference can never be read, or undefined. @param id its key behind the prefix of its store */
export function parameterProblem(id: string, ref: RemoteRef): string | undefined {
  const { name, selector } = parameterName(id);
  if (ref.metadata === true) {
    return id.startsWith('arn:')
      ? 'the tags of a parameter are found by its name; write the name in place of its ARN'
      : undefined;
  }
  if (selector !== undefined && ref.version !== undefined)
    return `the key names version "${selector}" of ${name} already; leave out remoteRef.version, or the version in the key`;
  const version = selector ?? ref.version;
  return version !== undefined && !/^[\w.-]+$/.test(version)
    ? `"${version}" is no version of a parameter; write its number or one of its labels`
    : undefined;
}
