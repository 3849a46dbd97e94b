/** The status of KES, and the same in the form of the hub; pure. */
import type { ExternalSecretStatus } from '../external-secrets/v1/external-secret.ts';
import type { KesStatus } from './v1/external-secret.ts';

const SUCCESS = 'SUCCESS';
const ERROR = 'ERROR, ';
/** Before the generation in syncedResourceVersion: it was seen, and its sync failed. */
const FAILED = '!';

/** One line, as KES writes it. */
export const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

/** What stands in syncedResourceVersion for a generation whose sync has succeeded, or failed. */
export const kesVersion = (generation: number, failed = false): string =>
  `${failed ? FAILED : ''}${generation}`;

/**
 * A status of KES as the engine reads it. A generation that is newer than the object's own was written for this
 * object all the same.
 */
export function statusFromKes(
  status: KesStatus | undefined,
  {
    name = '',
    generation = 0,
  }: { readonly name?: string | undefined; readonly generation?: number | undefined },
): ExternalSecretStatus | undefined {
  if (status === undefined) return undefined;
  const { lastSync, status: text = '', observedGeneration = 0 } = status;
  const ready = text === SUCCESS;
  const seen = Math.min(observedGeneration, generation);
  const message = text.startsWith(ERROR) ? text.slice(ERROR.length) : text;
  return {
    conditions: [
      {
        type: 'Ready',
        status: ready ? 'True' : 'False',
        reason: ready ? 'SecretSynced' : 'SecretSyncedError',
        message: ready ? 'secret synced' : message,
        lastTransitionTime: lastSync ?? '',
      },
    ],
    ...(lastSync === undefined ? {} : { refreshTime: lastSync }),
    ...(seen > 0 ? { syncedResourceVersion: kesVersion(seen, !ready) } : {}),
    binding: { name: ready ? name : '' },
  };
}

/** The whole status of KES that says what this one does. */
export function statusToKes(status: ExternalSecretStatus, generation: number | undefined): KesStatus {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  return {
    status: ready?.status === 'True' ? SUCCESS : `${ERROR}${oneLine(ready?.message ?? '')}`,
    ...(status.refreshTime ? { lastSync: status.refreshTime } : {}),
    observedGeneration: generation ?? 0,
  };
}
