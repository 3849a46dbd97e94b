/** What is in the way of an ExternalSecret at its target, in the words of both hooks. */
import { EsaError } from '../api/errors.ts';
import { SyncError } from './errors.ts';
import type { Ownership } from './ownership.ts';

/**
 * @param owned whose the live Secret is, seen from the ExternalSecret
 * @param where the Secret as `Secret namespace/name`
 * @param merges true if the object only adds keys: then it needs no more than that nobody else of our kind
 *   keeps the whole Secret
 * @returns undefined if the object may write there
 */
export function targetObstacle(owned: Ownership, where: string, merges: boolean): SyncError | undefined {
  if (merges && owned.kind !== 'other-external-secret') return undefined;
  switch (owned.kind) {
    case 'unmanaged':
      return new SyncError(
        'apply',
        new EsaError(
          'TARGET_UNMANAGED',
          `${where} exists and belongs to nobody; delete it, choose another target.name, or annotate it with external-secrets-admission.io/adopt: "true"`,
        ),
      );
    case 'shared':
    case 'other-external-secret':
      return new SyncError('ownedByOther', ownedBy(where, `ExternalSecret ${owned.owner}`));
    case 'other-controller':
      return new SyncError('ownership', ownedBy(where, owned.owner));
    default:
      return undefined;
  }
}

const ownedBy = (where: string, owner: string): EsaError =>
  new EsaError('TARGET_OWNED', `${where} belongs to ${owner}; choose another target.name`);
