/** From values to the Secret that should exist; pure. */

import { EsaError } from '../api/errors.ts';
import { LABEL_CREATED_BY, LABEL_MANAGED, OUR_GROUP } from '../api/external-secrets/names.ts';
import type { CreationPolicy, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { createdByHash } from '../api/go-hash.ts';
import { qualifiedName } from '../api/kubernetes-client/names.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { FORBIDDEN_SECRET_TYPES } from '../policy/secret-types.ts';
import { creationPolicyOf, targetName } from './plan.ts';
import type { Rendered } from './render.ts';

export interface DesiredSecret {
  readonly namespace: string;
  readonly name: string;
  readonly policy: Exclude<CreationPolicy, 'None'>;
  /** Undefined: whatever it is; a Secret that is made becomes Opaque. */
  readonly type: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Without the hash of the data, which covers keys of others, too: `newSecret` and `diff` add it. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Added to those that stand there, never removed. */
  readonly finalizers: readonly string[];
  /** True: the data of an existing Secret stays as it is (eso.md 2.5). */
  readonly immutable: boolean;
  readonly data: ReadonlyMap<string, SecretValue>;
}

/** True if keys of others stay in the Secret, and only own keys are compared, written and removed. */
export const mergesKeys = ({ policy }: Pick<DesiredSecret, 'policy'>): boolean =>
  policy === 'Merge' || policy === 'CreateOrMerge';

/** Our own annotations and labels are about the ExternalSecret; no copy of them may stand on a Secret. */
function withoutOurs(map: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !key.startsWith(`${OUR_GROUP}/`)));
}

/**
 * Without a template all labels and annotations of the ExternalSecret are copied (ESO does, unfiltered, and
 * its users select by them), with one those that it renders; then ESO's markers are added.
 * @param values what was fetched
 * @param rendered what the templates made of it; undefined if there is no template
 * @throws EsaError SECRET_TYPE_FORBIDDEN (checked at admission too; objects may predate or bypass it)
 */
export function shape(
  es: ExternalSecret,
  values: ReadonlyMap<string, SecretValue>,
  rendered: Rendered | undefined,
): DesiredSecret {
  const namespace = es.metadata.namespace ?? '';
  const policy = creationPolicyOf(es.spec);
  const template = es.spec.target?.template;
  const type = template?.type === '' ? undefined : template?.type;
  if (type !== undefined && FORBIDDEN_SECRET_TYPES.has(type))
    throw new EsaError('SECRET_TYPE_FORBIDDEN', `Secrets of type ${type} are never written`);
  return {
    namespace,
    name: targetName(es),
    policy: policy === 'None' ? 'Owner' : policy,
    type,
    labels: {
      ...withoutOurs(rendered === undefined ? es.metadata.labels : rendered.labels),
      [LABEL_MANAGED]: 'true',
      ...(policy === 'Owner' ? { [LABEL_CREATED_BY]: createdByHash(namespace, qualifiedName(es)) } : {}),
    },
    annotations: withoutOurs(rendered === undefined ? es.metadata.annotations : rendered.annotations),
    finalizers: template?.metadata?.finalizers ?? [],
    immutable: es.spec.target?.immutable === true,
    data: rendered?.data ?? values,
  };
}
