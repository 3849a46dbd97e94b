/**
 * What the annotations of a namespace permit its ExternalSecrets of KES. Unlike KES, every key is asked for, those of
 * dataFromWithOptions too, and an expression is about the whole key, role or path.
 */
import { compileGoRegexp, GoRegexpError } from '../api/go-regexp.ts';
import type { KesEnvironment } from '../api/kubernetes-client/environment.ts';
import type { KesSpec } from '../api/kubernetes-client/v1/external-secret.ts';
import { collector, type FieldPath, type Problem } from '../api/problem.ts';

type Annotations = Readonly<Record<string, string>>;

/** Whose spec it is. */
interface Subject {
  readonly namespace: string;
  readonly name: string;
  readonly spec: KesSpec;
}

interface Asked {
  readonly path: FieldPath;
  readonly what: string;
  readonly text: string;
}

/** Everything that a spec reads by name. */
function keysOf({ data = [], dataFrom = [], dataFromWithOptions = [] }: KesSpec): readonly Asked[] {
  const key = (text: string, path: FieldPath): Asked => ({ path, what: 'key name', text });
  return [
    ...dataFrom.map((text, index) => key(text, ['spec', 'dataFrom', index])),
    ...dataFromWithOptions.map((entry, index) =>
      key(entry.key, ['spec', 'dataFromWithOptions', index, 'key']),
    ),
    ...data.flatMap((item, index): Asked[] => {
      const at: FieldPath = ['spec', 'data', index];
      return [
        ...(item.path === undefined ? [] : [{ path: [...at, 'path'], what: 'path', text: item.path }]),
        ...(item.key === undefined ? [] : [key(item.key, [...at, 'key'])]),
      ];
    }),
  ];
}

/** One expression, or several as the text of a JSON list: any of them is enough. */
function expressionsOf(annotation: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(annotation);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  } catch {
    // An expression.
  }
  return [annotation];
}

/** Why nothing can be compared with the annotation; undefined if all can. */
function errorIn(expressions: readonly string[]): string | undefined {
  for (const one of expressions) {
    try {
      compileGoRegexp(one);
    } catch (error) {
      if (error instanceof GoRegexpError) return error.reason;
      throw error;
    }
  }
  return undefined;
}

const matches = (expressions: readonly string[], text: string): boolean =>
  expressions.some((one) => [...compileGoRegexp(`^(?:${one})$`).matches(text, 1)].length > 0);

/**
 * What is not permitted, in KES's words and in the order of the fields; nothing if all is.
 * @param annotations of the namespace
 */
export function forbiddenIn(
  { namespace, name, spec }: Subject,
  annotations: Annotations,
  { permissions }: Pick<KesEnvironment, 'permissions'>,
): readonly Problem[] {
  const { report, problems } = collector();
  const say = (path: FieldPath, reason: string): void =>
    report('kes-permission', path, `not allowed to fetch secret: ${namespace}/${name}: ${reason}`);
  if (permissions.enforced && Object.keys(annotations).length === 0) {
    say(['metadata', 'namespace'], 'Namespace annotation is required');
    return problems;
  }
  /** The expressions of an annotation; undefined if there is nothing to compare with, which has been judged then. */
  const required = (annotation: string, path: FieldPath): readonly string[] | undefined => {
    const text = annotations[annotation] ?? '';
    if (text === '') {
      if (permissions.enforced) say(path, `Missing required annotation ${annotation}`);
      return undefined;
    }
    const expressions = expressionsOf(text);
    const wrong = errorIn(expressions);
    if (wrong === undefined) return expressions;
    say(path, `the annotation ${annotation} of the namespace is not a regular expression (RE2): ${wrong}`);
    return undefined;
  };
  const naming = required(permissions.naming, ['metadata', 'namespace']);
  for (const { path, what, text } of naming === undefined ? [] : keysOf(spec)) {
    if (!matches(naming ?? [], text))
      say(path, `${what} ${text} does not match naming convention ${naming?.join(', ') ?? ''}`);
  }
  // Each that is there: which of them is used is the backend's, and one must not cover for the other.
  for (const field of ['roleArn', 'vaultRole'] as const) {
    const role = spec[field];
    if (!role) continue;
    const roles = required(permissions.role, ['spec', field]);
    if (roles !== undefined && !matches(roles, role))
      say(['spec', field], `namespace does not allow to assume role ${role}`);
  }
  return problems;
}
