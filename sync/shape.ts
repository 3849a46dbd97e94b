/** From values to the Secret that should exist; pure. */

import { EsaError } from '../api/errors.ts';
import {
  ANNOTATION_DATA_HASH,
  LABEL_CREATED_BY,
  LABEL_MANAGED,
  OUR_GROUP,
} from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { createdByHash, dataHash } from '../api/go-hash.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { FORBIDDEN_SECRET_TYPES } from '../policy/secret-types.ts';
import { targetName } from './plan.ts';
import { revealData } from './secret-data.ts';

export interface DesiredSecret {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly data: ReadonlyMap<string, SecretValue>;
}

/** Our own annotations and labels are about the ExternalSecret; no copy of them may stand on a Secret. */
function withoutOurs(map: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !key.startsWith(`${OUR_GROUP}/`)));
}

/**
 * Without a template all labels and annotations of the ExternalSecret are copied (ESO does, unfiltered, and
 * its users select by them), with one none; then ESO's markers are added.
 * @throws EsaError SECRET_TYPE_FORBIDDEN (checked at admission too; objects may predate or bypass it)
 */
export function shape(es: ExternalSecret, data: ReadonlyMap<string, SecretValue>): DesiredSecret {
  const namespace = es.metadata.namespace ?? '';
  const template = es.spec.target?.template;
  const type = template?.type ?? 'Opaque';
  const copied = template === undefined ? es.metadata : {};
  if (FORBIDDEN_SECRET_TYPES.has(type))
    throw new EsaError('SECRET_TYPE_FORBIDDEN', `Secrets of type ${type} are never written`);
  return {
    namespace,
    name: targetName(es),
    type,
    labels: {
      ...withoutOurs(copied.labels),
      [LABEL_MANAGED]: 'true',
      [LABEL_CREATED_BY]: createdByHash(namespace, es.metadata.name ?? ''),
    },
    annotations: { ...withoutOurs(copied.annotations), [ANNOTATION_DATA_HASH]: dataHash(revealData(data)) },
    data,
  };
}
